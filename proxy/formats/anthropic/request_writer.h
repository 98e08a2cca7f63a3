// Requests as Anthropic takes them; codec.h has the table.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::anthropic {

// As FormatCodec::WriteRequest.
absl::StatusOr<WrittenRequest> WriteRequest(const ModelRequest& request, std::string_view model, Notes* notes);

}  // namespace ccr::proxy::anthropic
