// Requests for Gemini; codec.h holds the table.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::gemini {

// As FormatCodec::WriteRequest.
absl::StatusOr<WrittenRequest> WriteRequest(const ModelRequest& request, std::string_view model, Notes* notes);

// As FormatCodec::MustSign.
bool MustSign(const ModelRequest& request, std::string_view model);

}  // namespace ccr::proxy::gemini
