// What a program says: for secrets that a program hands out.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/base/secret.h"

namespace ccr {

struct Program {
  std::vector<std::string> argv;         // argv[0] is looked for in PATH when it holds no '/'; no shell reads it
  std::vector<std::string> environment;  // "NAME=VALUE": nothing else is in its environment
  std::string folder;                    // where it runs; empty: where this process does
};

// Runs it to its end, with no input and nowhere to complain to, and gives what it wrote. Blocks for `patience` at most;
// then the program and what it started are killed. NotFound: it could not be run; DeadlineExceeded; InvalidArgument: it
// wrote more than `max_bytes`; Unavailable: it failed. The message continues "PROGRAM ..." and quotes nothing.
absl::StatusOr<Secret> OutputOf(const Program& program, size_t max_bytes, absl::Duration patience);

}  // namespace ccr
