// "Broker.identities" of a configuration.
#pragma once

#include <string>
#include <vector>

#include "broker/base/config_keys.h"
#include "broker/base/config_reader.h"
#include "broker/base/identity.h"

namespace ccr {

// Names, tokens, uids and certificates are unique; pools are among `providers`.
std::vector<IdentityConfig> ReadIdentities(MapReader* broker, const KeyFiles& files,
                                           const std::vector<ProviderConfig>& providers);

}  // namespace ccr
