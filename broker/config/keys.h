// Keys and tokens in a configuration.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/config/map_reader.h"

namespace ccr {

// What it takes to read {file: PATH}.
struct KeyFiles {
  std::string config_path;
  std::string home;
};

// "ca_file" of `fields`: its path, and the certificates it holds, as PEM.
void ReadAuthorities(MapReader* fields, const KeyFiles& files, std::string* path, std::string* pem);

// "rpm", "tpm", "rpd", "tpd" of `fields`.
void ReadLimits(MapReader* fields, LimitsConfig* out);

// A key: text or {file: PATH}. Nothing after an error was recorded: an unset variable, an unreadable file, an empty
// key, characters that no key has. Never shows the key.
std::optional<Secret> ReadSecret(const Node& node, const Place& place, const KeyFiles& files, ProblemList* problems);

// "api_keys", or else "api_key", of a provider, with the provider's defaults ("maxFailures", "cooldownTime") filled in.
// Names and keys are unique.
std::vector<KeyConfig> ReadKeys(MapReader* provider, const KeyFiles& files);

}  // namespace ccr
