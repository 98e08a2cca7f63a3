// A request body of Chat Completions as a ModelRequest; codec.h has the table.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::chat {

// As FormatCodec::ReadRequest.
absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes);

}  // namespace ccr::proxy::chat
