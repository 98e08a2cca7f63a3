// `ccr simulate`: has the broker replay what it recorded of the last hours under another strategy or other limits.
#pragma once

#include <string>

#include "client/cli/broker_call.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

struct SimulateOptions {
  BrokerTarget broker;
  std::string provider;     // empty = all
  std::string strategy;     // empty = that of `config_path`, else the one in effect
  std::string config_path;  // a configuration with other strategies and limits; empty = that of the broker
  bool json = false;
};

// Exit status 0; 2 for a configuration that cannot be read; else BrokerCall::ExitStatus, with one line on
// `terminal.err`. Of the configuration the broker is sent names of providers and keys, strategies and limits, no key.
int Simulate(const SimulateOptions& options, const Terminal& terminal);

}  // namespace ccr::cli
