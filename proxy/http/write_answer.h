// Whole answers of the proxy's own, into a writer.
#pragma once

#include <string_view>

#include "proxy/core/format.h"
#include "proxy/http/response_writer.h"
#include "proxy/request/own_answer.h"

namespace ccr::proxy {

// Adds x-request-id, where the request has a name.
void WriteRequestId(ResponseWriter& writer);
// Sends it as an error in the client's format, complete, and names the request. `allow` is the Allow header of a 405.
void WriteError(ResponseWriter& writer, Format format, const OwnAnswer& answer, std::string_view allow = {});
// Sends a JSON body, complete.
void WriteJson(ResponseWriter& writer, int status, std::string_view json);

}  // namespace ccr::proxy
