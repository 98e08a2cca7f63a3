// "transformer" of a provider: {use: [NAME or [NAME, OPTIONS], ...], "MODEL": {use: [...]}}.
#pragma once

#include <optional>
#include <string>

#include "broker/config/config.h"
#include "broker/config/map_reader.h"

namespace ccr {

// Reads the field into `out`, whose models are known already. Names we do not know are warned about and left out;
// options are checked against the table of those a transformer takes. The provider's format where one of its
// transformers names it; the first one counts.
std::optional<ProviderFormat> ReadTransformers(MapReader* provider, ProviderConfig* out);

// The field as DescribeConfig() shows it, the provider's format first; empty when there is nothing to show. Texts that
// are named like a secret are hidden.
std::string DescribeTransformers(const ProviderConfig& provider);

}  // namespace ccr
