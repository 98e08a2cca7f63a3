// Writes a migrated configuration and its key files.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/cli/migrate/draft.h"

namespace ccr::cli::migration {

// Whether Write() would find everything as it needs it. AlreadyExists: the configuration or a key file is there and
// `force` is false. PermissionDenied: the folder of the keys is another user's, or others may enter it.
absl::Status CheckPlaces(const Draft& draft, const std::string& config_path, bool force);

// The key files first, mode 0600 in a folder of mode 0700, then `text` as the configuration, mode 0600. With `force`
// what is there is replaced, the old configuration staying as FILE.bak. Where the
// configuration cannot be written, no new key file stays.
absl::Status Write(const Draft& draft, const std::string& text, const std::string& config_path, bool force);

}  // namespace ccr::cli::migration
