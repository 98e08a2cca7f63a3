// Requests of Anthropic's clients; codec.h has the table.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::anthropic {

// As FormatCodec::ReadRequest.
absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes);

}  // namespace ccr::proxy::anthropic
