// The folder of the broker's durable state.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "broker/base/secret.h"

namespace ccr {

// Makes the folder (mode 0700, parents too) when it is missing, and returns the salt of fingerprints that lives in it.
// Unavailable or what the salt file says, naming the path.
absl::StatusOr<Secret> OpenStateDir(const std::string& path);

}  // namespace ccr
