// Which forward proxy leads to a provider.
#pragma once

#include <string>
#include <string_view>

#include "broker/config/config.h"

namespace ccr {

// The proxy for requests to `url` (http or https), empty for none: `configured` (PROXY_URL), or else, of the
// environment, https_proxy or http_proxy by the URL's scheme, or all_proxy. Lower case goes before upper case; a value
// without a scheme is http://. Loopback hosts have none, nor have those that no_proxy lists: "*", a name with all
// names below it (".corp.test", "*.corp.test" and "corp.test" are one), an address, a network ("10.0.0.0/8"), each
// with ":PORT" for that port only.
std::string ForwardProxyOf(std::string_view url, const std::string& configured, const EnvLookup& env);

}  // namespace ccr
