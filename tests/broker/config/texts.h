// Configurations as texts, for the tests of reading them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "broker/config/config.h"

namespace ccr {

inline EnvLookup Env(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

// A file with one provider: its fields after name and models, and top-level fields.
inline std::string OneProvider(const std::string& fields, const std::string& top = "") {
  return "{Providers: [{name: 'p', models: ['m'], " + fields + "}], " + top + "}";
}

inline constexpr const char* kUrl = "api_base_url: 'https://p.test/v1/chat/completions', ";

}  // namespace ccr
