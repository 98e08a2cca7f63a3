// Reads `input` of a request.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::responses {

// Appends messages. Items of the assistant in a row (reasoning, messages, calls, and what only this format knows) make
// one, outputs of tools in a row too. InvalidArgument when it is no input, with the number of the item.
absl::Status ReadInput(json::value* input, Notes* notes, std::vector<Message>* messages);

}  // namespace ccr::proxy::responses
