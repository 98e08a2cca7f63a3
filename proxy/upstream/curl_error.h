// What curl's error codes mean to the broker.
#pragma once

#include <curl/curl.h>

#include <string>
#include <string_view>

#include "proxy/core/evidence.h"

namespace ccr::proxy {

// `sent`: whether any byte of the request has left.
TransportError ClassifyCurlError(CURLcode code, bool sent);

// "host[:port]" of a URL, without user, path and query.
std::string_view HostOf(std::string_view url);

}  // namespace ccr::proxy
