// "Providers" of a configuration.
#pragma once

#include <vector>

#include "broker/config/keys.h"
#include "broker/config/map_reader.h"

namespace ccr {

// All providers, those with mistakes too, so that routes to them are not called mistakes as well.
std::vector<ProviderConfig> ReadProviders(MapReader* top, const KeyFiles& files);

}  // namespace ccr
