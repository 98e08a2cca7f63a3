// Errors of providers of Chat Completions, whichever of the usual shapes they have.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/answer.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::chat {

// The error of a body, an event or a choice. `status` where it says none itself.
AnswerError ReadErrorValue(const json::value& value, int status);

// As FormatCodec::ReadError.
AnswerError ReadError(int status, std::string_view body);

}  // namespace ccr::proxy::chat
