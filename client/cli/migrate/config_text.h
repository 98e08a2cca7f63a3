// The text of the configuration that a migration writes.
#pragma once

#include <string>

#include "client/cli/migrate/draft.h"

namespace ccr::cli::migration {

// The folder of the key files, beside the configuration.
inline constexpr char kKeyFolder[] = "keys";

// Gives every key that has a text, and the client's token, the file it goes into: "keys/PROVIDER.KEY", each once.
void NameFiles(Draft* draft);

enum class Keys {
  kInFiles,  // {file: PATH}: what is written
  kStandIn,  // texts in place of the keys, so that the rest can be checked before any file is there
};

// JSON, so that it is YAML too. Without secrets.
std::string ConfigText(const Draft& draft, Keys keys);

}  // namespace ccr::cli::migration
