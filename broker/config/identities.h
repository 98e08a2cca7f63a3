// "Broker.identities" of a configuration.
#pragma once

#include <string>
#include <vector>

#include "broker/config/identity.h"
#include "broker/config/keys.h"
#include "broker/config/map_reader.h"

namespace ccr {

// Names, tokens, uids and certificates are unique; pools are among `providers`.
std::vector<IdentityConfig> ReadIdentities(MapReader* broker, const KeyFiles& files,
                                           const std::vector<ProviderConfig>& providers);

}  // namespace ccr
