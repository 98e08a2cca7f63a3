// A ModelRequest as a body of Chat Completions; codec.h has the table.
#pragma once

#include <string_view>

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::chat {

// As FormatCodec::WriteRequest.
WrittenRequest WriteRequest(const ModelRequest& request, std::string_view model, Notes* notes);

}  // namespace ccr::proxy::chat
