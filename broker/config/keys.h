// Keys and tokens in a configuration.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/config/map_reader.h"
#include "broker/config/secret_source.h"

namespace ccr {

// What is wrong with the name of a key; empty when nothing is.
std::string KeyNameProblem(const KeyConfig& key);

struct OpenedKey {
  Secret key;
  bool of_newest = true;  // of the master keys
};

// Opens the sealed key of a provider. The message of an error names it and quotes nothing of it.
using KeyOpener = std::function<absl::StatusOr<OpenedKey>(std::string_view sealed, std::string_view provider)>;

// What it takes to read keys that are sealed or kept elsewhere.
struct KeyFiles {
  std::string config_path;
  std::string home;
  EnvLookup env = nullptr;
  SecretResolver* resolver = nullptr;                  // never null while keys are read
  std::shared_ptr<const VaultConfig> vault = nullptr;  // null: there is none
  KeyOpener open = nullptr;                            // null: sealed keys are there without their characters
};

// "ca_file" of `fields`: its path, and the certificates it holds, as PEM.
void ReadAuthorities(MapReader* fields, const KeyFiles& files, std::string* path, std::string* pem);

// "rpm", "tpm", "rpd", "tpd" of `fields`.
void ReadLimits(MapReader* fields, LimitsConfig* out);

// One secret: text, {file: PATH} or, of a provider, {sealed: TEXT}. Nothing after an error was recorded: an unset variable,
// an unreadable file, a refused text, an empty key, characters that no key has. Never shows the key.
std::optional<Secret> ReadSecret(const Node& node, const Place& place, const KeyFiles& files, ProblemList* problems);

// "api_keys", or else "api_key", of a provider, with the provider's defaults ("maxFailures", "cooldownTime") filled in.
// Names and keys are unique. A sealed key that does not open is left out with a warning, as long as others are there.
// A source with several keys gives as many, which share the settings of its entry: NAME-1, NAME-2, ... where that has a
// name. Of one that was not asked there is one key without a secret.
std::vector<KeyConfig> ReadKeys(MapReader* provider, const KeyFiles& files);

}  // namespace ccr
