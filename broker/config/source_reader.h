// Sources of secrets as a configuration writes them.
#pragma once

#include <memory>
#include <optional>

#include "broker/config/keys.h"
#include "broker/config/map_reader.h"
#include "broker/config/secret_source.h"
#include "broker/config/vault_config.h"

namespace ccr {

// Whether a map names a source: it has "file", "exec" or "vault".
bool NamesSource(MapReader* fields);

// The one source that `fields` names: {file: PATH}, {exec: [PROGRAM, ARGUMENT...], ttl, env} or {vault: "PATH#FIELD"}.
// Nothing after an error was recorded.
std::optional<SecretSource> ReadSource(MapReader* fields, const KeyFiles& files);

// "Broker.vault" of the whole file; null when it is not there. After an error was recorded it is incomplete.
std::shared_ptr<const VaultConfig> ReadVault(MapReader* top, const KeyFiles& files);

}  // namespace ccr
