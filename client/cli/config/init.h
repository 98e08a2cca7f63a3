// `ccr init`: the first configuration.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

struct InitOptions {
  std::string provider;             // one of KnownProviders(), or any name with `url` and `models`; empty = ask
  std::string url;                  // empty: the known one's
  std::vector<std::string> models;  // empty: the known one's
  std::string env;                  // variable that holds the key; it stays there
};

std::vector<std::string> KnownProviders();

// The endpoint of one of them; empty for other names.
std::string KnownUrlOf(const std::string& provider);
// What is listed for the one with this endpoint; nothing for other endpoints.
std::vector<std::string> KnownModelsOf(const std::string& url);

// Writes a configuration with one provider to options.config_path, mode 0600; never over a file that is there. Keys
// come from the variable `env`, else from `in`, one a line; with `ask`, `in` is a terminal, and a person is asked on
// `terminal.err` for what is not given, keys without echo. Without any, the provider's usual variable is taken when it
// is set. The file is checked before it is written. 0: written. 1: it is there already, or cannot be written. 2: a
// provider, key or model is missing or wrong.
int Init(const ServiceOptions& options, InitOptions init, std::istream& in, bool ask, const Terminal& terminal);

}  // namespace ccr::cli
