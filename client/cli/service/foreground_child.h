// Runs a program in place of this one, as far as the terminal and whoever waits for this process can tell.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/config/config.h"

namespace ccr::cli {

// The executable file called `name`: by itself when it has a slash in it, else in the folders of PATH. Empty when there
// is none.
std::string FindProgram(const std::string& name, const EnvLookup& env);

// Runs `program` with these arguments and this environment ("NAME=VALUE") and waits for its end. stdin, stdout, stderr
// and the process group are this process's. Meanwhile SIGINT, SIGQUIT and SIGTSTP do nothing here: the terminal
// sends them to the program too. SIGTERM and SIGHUP are passed on. When the program stops, so does this process, and
// both go on together. Returns the exit status, 128 + N after signal N. Any thread may take the signals; one call at a
// time in a process.
absl::StatusOr<int> RunInForeground(const std::string& program, const std::vector<std::string>& arguments,
                                    const std::vector<std::string>& environment);

}  // namespace ccr::cli
