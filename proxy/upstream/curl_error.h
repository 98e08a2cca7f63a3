// What curl's error codes mean to the broker.
#pragma once

#include <curl/curl.h>

#include "proxy/core/evidence.h"

namespace ccr::proxy {

// `sent`: whether any byte of the request has left.
TransportError ClassifyCurlError(CURLcode code, bool sent);

}  // namespace ccr::proxy
