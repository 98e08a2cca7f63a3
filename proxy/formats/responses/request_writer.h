// Writes requests to providers.
#pragma once

#include <string_view>

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::responses {

// As FormatCodec::WriteRequest. Nothing is stored at the provider unless the client speaks this format and says so.
WrittenRequest WriteRequest(const ModelRequest& request, std::string_view model, Notes* notes);

}  // namespace ccr::proxy::responses
