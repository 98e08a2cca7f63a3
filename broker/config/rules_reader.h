// "rules" and "drop" of a provider.
#pragma once

#include <string>

#include "broker/config/config.h"
#include "broker/config/map_reader.h"

namespace ccr {

// Reads both into `out->rules`, the provider's own entries over those of the table; `out->models` are read:
//   rules: {RULE: VALUE, ..., models: {"PATTERN": {RULE: VALUE, ...}, ...}}
//   drop: ["field", ...] or {"PATTERN": ["field", ...], ...}
// A name that is no rule, a value that it does not take and a pattern that is none are errors: with a misspelt rule
// the provider would be asked otherwise than is written here. A pattern without a listed model and an effort that is
// not known are warnings.
void ReadRules(MapReader* provider, ProviderConfig* out);

// What holds for all models of `provider`, and under "models" what else for those listed, as `rules` reads it.
std::string DescribeRulesOf(const ProviderConfig& provider);

}  // namespace ccr
