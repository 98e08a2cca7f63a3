// The command line of `ccr`.
#pragma once

#include <string>

#include "client/cli/terminal.h"

namespace ccr::cli {

// Parses and runs one command; returns the exit status, 2 for a command line that makes no sense. `bin_folder` is where
// ccr-broker and ccr-proxy are.
int RunApp(int argc, const char* const* argv, const std::string& bin_folder, const Terminal& terminal);

}  // namespace ccr::cli
