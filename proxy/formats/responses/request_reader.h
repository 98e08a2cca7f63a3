// Reads requests.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::responses {

// As FormatCodec::ReadRequest. What needs a state of the provider's (previous_response_id, conversation, background,
// prompt) is refused.
absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes);

}  // namespace ccr::proxy::responses
