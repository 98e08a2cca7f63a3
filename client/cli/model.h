// `ccr model`: shows and changes the Router of the configuration.
#pragma once

#include <string>
#include <vector>

#include "broker/config/config.h"
#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

struct ModelOptions {
  std::string route;   // "default", ...; empty = all
  std::string target;  // "provider,model"; empty = show
  bool unset = false;
  bool force = false;  // a model that its provider does not list
};

// The entries that `ccr model` knows, in the order of the table.
const std::vector<std::string>& RouteNames();
std::string RouteOf(const RouterConfig& router, const std::string& name);  // "provider,model" or empty

// 0: shown, or the file holds the entry now. 1: the file cannot be written. 2: wrong names, or a wrong configuration;
// nothing was changed.
int Model(const ServiceOptions& options, const ModelOptions& model, const Terminal& terminal);

}  // namespace ccr::cli
