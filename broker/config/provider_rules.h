// What is known of providers: the table of what each takes, by host, format, transformer and model.
#pragma once

#include <string_view>
#include <vector>

#include "broker/config/config.h"

namespace ccr {

// The entries of the table that apply to `provider` (its base_url, format and transformers are read), in order. The
// first sets every rule, to what a provider of which nothing is known takes. What the configuration says goes behind.
std::vector<ModelRulesConfig> KnownRules(const ProviderConfig& provider);

// Whether the table knows the URL's host as a provider's own, by name.
bool IsProvidersHost(std::string_view url);

}  // namespace ccr
