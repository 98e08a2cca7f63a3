#include "proxy/core/format.h"

namespace ccr::proxy {

Format ClientFormat(Endpoint endpoint) {
  return endpoint == Endpoint::kMessages || endpoint == Endpoint::kCountTokens ? Format::kAnthropic : Format::kOpenAi;
}

bool SameFormat(Endpoint endpoint, Format provider) {
  return endpoint == Endpoint::kPassthrough || ClientFormat(endpoint) == provider;
}

}  // namespace ccr::proxy
