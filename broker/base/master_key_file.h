// Files with a master key: 32 random bytes as base64, 44 characters.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/base/sealer.h"
#include "broker/base/secret.h"

namespace ccr {

// The kMasterKeyBytes of what a file or program gives; white space around them does not count. InvalidArgument: the
// message continues "the master key of NAME ..." and quotes nothing.
absl::StatusOr<Secret> DecodeMasterKey(std::string_view text);

// Reads `path`. NotFound when it is missing; PermissionDenied when others than its owner, who is this user or root, and
// its group can read it, or others than its owner can change or replace it; InvalidArgument for what holds no key. The
// message names the file and what to do.
absl::StatusOr<Secret> ReadMasterKeyFile(const std::string& path);

// Makes `path` with a new master key, mode 0600, of this user, or of the owner of its folder when this is root: after
// an OK it is on the disk whole, and otherwise not there. AlreadyExists, and the file stays as it is, when there is
// one. The message names the file.
absl::Status MakeMasterKeyFile(const std::string& path, const Sealer::Random& random);

}  // namespace ccr
