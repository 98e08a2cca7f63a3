// The configuration with the keys that are kept elsewhere.
#pragma once

#include <string>

#include "broker/config/config.h"

namespace ccr::cli {

// As a broker reads it when it starts here and now, which may take as long as the programs and servers do that it names. A
// source of keys that is out of reach is a warning, or, when `strict`, an error as all that fails.
ConfigResult LoadWithKeys(const std::string& path, bool strict, const MasterKeyPlace& place);

}  // namespace ccr::cli
