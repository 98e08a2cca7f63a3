// Errors of this format: {"error":{"message","type","param","code"}}, whole, in the event "error", and in a response
// that failed.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/answer.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::responses {

// What clients act on: "context_length_exceeded", "rate_limit_exceeded", ... "server_error" where there is no other.
std::string_view CodeOf(ErrorKind kind);

AnswerError ReadError(int status, std::string_view body);
// Of an event, or of a response that failed: `error` is the object with message and code.
AnswerError ReadErrorObject(const json::object& error, int status);

}  // namespace ccr::proxy::responses
