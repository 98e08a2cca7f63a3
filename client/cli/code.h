// `ccr code` and `ccr activate`: Claude Code through this service.
#pragma once

#include <string>
#include <vector>

#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

// Runs Claude Code with `arguments` as they are, in this terminal, and returns its exit status, 128 + N when signal N
// ended it; 127 when it is not installed, 1 or 2 when the service does not start.
//
// Starts the service when it is not running, and stops it when the last session ends of those that use what one of them
// started. A service that was started otherwise stays. Ctrl-C is for Claude Code; SIGTERM and SIGHUP are passed on; a
// stop (Ctrl-Z) stops both. Call it before the process has other threads: it may start the service.
int RunCode(const ServiceOptions& options, const std::vector<std::string>& arguments, const Terminal& terminal);

// Prints the environment of `ccr code` as commands of `shell`, for eval: fish, or any other name for POSIX shells;
// empty = what $SHELL is. 2 when the configuration is wrong; 3 when the service does not run and its port is known only
// then.
int Activate(const ServiceOptions& options, std::string shell, const Terminal& terminal);

}  // namespace ccr::cli
