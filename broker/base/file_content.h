// Files of the configuration and what it names: bounded, and with their permissions.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "broker/base/secret.h"

namespace ccr {

struct FileContent {
  Secret text;
  mode_t mode = 0;  // permission bits; 0600 for what is not a regular file (a pipe)
  uid_t owner = 0;
};

// At most `max_bytes`. NotFound, PermissionDenied, InvalidArgument (a folder, too large): the message continues "PATH
// ...".
absl::StatusOr<FileContent> ReadFileContent(const std::string& path, size_t max_bytes);

// What comes from `fd` until its end; waits for it. InvalidArgument: more than `max_bytes`.
absl::StatusOr<Secret> ReadToEnd(int fd, size_t max_bytes);

}  // namespace ccr
