// Errors of Google's APIs, both ways; codec.h holds the table.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/answer.h"

namespace ccr::proxy::gemini {

// As FormatCodec's.
AnswerError ReadError(int status, std::string_view body);
std::string WriteError(const AnswerError& error);

// Of a body or an event that was read already, in a list or not.
AnswerError ReadError(int status, const json::value& body);

// An error of the proxy's own about the upstream.
AnswerError UpstreamFailure(std::string_view message);

}  // namespace ccr::proxy::gemini
