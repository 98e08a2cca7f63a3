// The command line of `ccr`.
#pragma once

#include <string>

#include "client/cli/terminal.h"

namespace ccr::cli {

// Parses and runs one command; returns the exit status, 2 for a command line that makes no sense. `bin_folder` is where
// ccr-broker and ccr-proxy are. With --json, nothing but JSON goes to `terminal.out`: of a command that fails
// {"error":{"kind":"failed"|"bad_input"|"not_running","message"}}, with "running" where that is known.
int RunApp(int argc, const char* const* argv, const std::string& bin_folder, const Terminal& terminal);

}  // namespace ccr::cli
