// Errors of providers of Chat Completions, whichever of the usual shapes they have, and those that clients get.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/answer.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::chat {

// The error of a body, an event or a choice. `status` where it says none itself.
AnswerError ReadErrorValue(const json::value& value, int status);

// As FormatCodec::ReadError and WriteError.
AnswerError ReadError(int status, std::string_view body);
std::string WriteError(const AnswerError& error);

}  // namespace ccr::proxy::chat
