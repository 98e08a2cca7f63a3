// Errors of upstreams, whichever of the usual shapes they have.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/json_util.h"

namespace ccr::proxy {

struct UpstreamError {
  int status = 500;  // the given one; where that is 500 or none of an error, what the error itself says
  std::string message;
};

// The wording of an error body or event.
UpstreamError ReadUpstreamError(const json::value& body, int status);

// The wording of the body of an answer with an error status, which may be no JSON, and empty.
std::string UpstreamErrorMessage(int status, std::string_view body);

}  // namespace ccr::proxy
