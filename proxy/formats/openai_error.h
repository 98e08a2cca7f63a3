// The errors that clients of OpenAI's formats get: {"error":{"message","type","param","code"}}.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/answer.h"

namespace ccr::proxy {

struct OpenAiErrorWords {
  std::string_view type;
  std::string_view code;  // null where it is empty
};

// What clients act on.
OpenAiErrorWords OpenAiWordsOf(ErrorKind kind);

// Keeps the provider's own type and code where they are words that such a client knows the like of.
std::string WriteOpenAiError(const AnswerError& error);

}  // namespace ccr::proxy
