// "Router" and "fallback" of a configuration.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/config/map_reader.h"

namespace ccr {

// Fill router and fallback of `config`, whose providers are read already. Routes come out as "provider,model" with the
// provider spelled as in Providers. An unknown provider is an error, a model that it does not list a warning.
void ReadRoutes(MapReader* top, Config* config);

}  // namespace ccr
