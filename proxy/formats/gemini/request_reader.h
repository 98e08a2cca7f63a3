// Requests of Gemini's clients; codec.h holds the table.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::gemini {

// As FormatCodec::ReadRequest.
absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes);

}  // namespace ccr::proxy::gemini
