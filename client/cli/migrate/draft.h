// The configuration that a migration makes, before it is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/secret.h"

namespace ccr::cli::migration {

// A key as the source has it. Without text: the server asks for none.
struct KeyText {
  Secret text;
  std::string variable;  // of the environment that holds the text, and goes on doing so; empty: a file will
};

struct KeyDraft {
  std::string name;
  KeyText key;
  std::string file;                 // where the text goes, from the configuration's folder
  double weight = 1;                // under "weighted"
  uint64_t rpm = 0, tpm = 0;        // 0 = no limit
  uint64_t max_concurrent = 0;      // 0 = no limit
  std::vector<std::string> models;  // empty: all of the provider
};

// What holds for a provider as a whole; what is not set is left to ccr's defaults.
struct ProviderSettings {
  std::string strategy;
  std::optional<uint64_t> max_retries, max_failures, connect_ms, first_byte_ms;

  bool operator==(const ProviderSettings&) const = default;
};

struct ProviderDraft {
  std::string name;
  std::string url;          // the full endpoint
  std::string auth_header;  // empty: that of the format
  std::vector<std::string> models;
  std::vector<KeyDraft> keys;
  ProviderSettings settings;
};

struct Draft {
  std::vector<ProviderDraft> providers;
  std::optional<KeyText> client_token;
  std::string client_token_file;  // where its text goes
  std::optional<uint64_t> api_timeout_ms;
  std::string default_route;           // "provider,model"; empty: the first provider's first model
  std::vector<std::string> fallbacks;  // of the default route
};

}  // namespace ccr::cli::migration
