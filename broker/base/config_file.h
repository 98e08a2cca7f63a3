// Files as the configuration reads them: bounded, and with their permissions.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "broker/base/secret.h"

namespace ccr {

struct FileContent {
  Secret text;
  mode_t mode = 0;  // permission bits; 0600 for what is not a regular file (a pipe)
};

// At most `max_bytes`. NotFound, PermissionDenied, InvalidArgument (a folder, too large): the message continues "PATH
// ...".
absl::StatusOr<FileContent> ReadFileContent(const std::string& path, size_t max_bytes);

// `path` seen from the folder of `config_path`; "~/" is `home`.
std::string ResolvePath(std::string_view path, std::string_view config_path, std::string_view home);

}  // namespace ccr
