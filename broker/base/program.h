// Runs a program for what it prints.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/base/secret.h"
#include "broker/base/stop_event.h"

namespace ccr {

struct Program {
  std::vector<std::string> argv;  // at least one; argv[0] is looked for in this process's PATH when it has no slash
  std::vector<std::string> environment;  // "NAME=VALUE": all of it
  std::string folder;                    // where it runs; empty = where this process does
  absl::Duration limit;                  // of its time
  size_t max_output = 0;                 // bytes
};

struct ProgramEnd {
  int wait_status = 0;  // of waitpid
  Secret out;           // what it printed
  std::string err;      // and on stderr: the first 4 KiB
};

// Waits until it ends, without a shell, with nothing to read, in a process group of its own that is killed with it.
// NotFound, PermissionDenied: it cannot be started. DeadlineExceeded, InvalidArgument (prints too much), Cancelled
// (`stop`): it was killed. Messages continue the program's name.
absl::StatusOr<ProgramEnd> RunProgram(const Program& program, const StopEvent& stop);

// OK when it ended with status 0; else how it ended, without its words.
absl::Status VerdictOf(const ProgramEnd& end);

}  // namespace ccr
