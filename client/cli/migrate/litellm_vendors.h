// Whom the prefixes of LiteLLM's models stand for.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "client/cli/migrate/tree.h"

namespace ccr::cli::migration {

struct Vendor {
  enum class Api { kChat, kAnthropic, kGemini, kAzure, kOllama };
  std::string_view prefix;
  Api api;
  std::string_view base;      // empty: the entry must name it
  std::string_view variable;  // that holds the key where the entry names none; empty: the server asks for none
};

// The vendor of `model`, which loses its prefix; `given` is custom_llm_provider. Null, and `why`, for those whose API
// ccr does not speak or that are not known.
const Vendor* FindVendor(const std::string& given, std::string* model, std::string* why);

// Why fields of litellm_params, and of the settings, are not taken.
std::span<const Reason> ParamReasons();
std::span<const Reason> SettingReasons();

}  // namespace ccr::cli::migration
