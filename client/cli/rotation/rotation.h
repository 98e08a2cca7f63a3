// `ccr rotation`: asks the broker for its pools and shows them, once or live.
#pragma once

#include <string>

#include "client/cli/broker_call.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

struct RotationOptions {
  BrokerTarget broker;
  std::string provider;  // empty = all
  bool json = false;
  bool watch = false;
  bool wide = false;
  bool lines = false;  // of `watch`: a line per event on a terminal too
};

// Exit status 0; else BrokerCall::ExitStatus, with one line on `terminal.err`.
//
// With `watch`, until SIGINT or SIGTERM: a terminal is redrawn every second and on every event, scrolls by arrows, j,
// k, space, b, g and G, and q ends it; anything else gets a line per event. A broker that goes away in between is
// waited for. Call it before the process has other threads.
int ShowRotation(const RotationOptions& options, const Terminal& terminal);

}  // namespace ccr::cli
