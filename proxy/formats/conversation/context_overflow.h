// Whether an error says that the prompt does not fit into the model's context. Every vendor says it in words of its own;
// clients act on it when they are told so in theirs.
#pragma once

#include "proxy/formats/conversation/answer.h"

namespace ccr::proxy {

// By the error's code or type, by the wordings of known vendors, or by words and numbers that can mean nothing else;
// limits of a rate, a quota or of the answer alone are none. Where it is one sets `kind`, and what the message says of
// prompt_tokens, asked and limit. Whether it is one.
bool ReadContextOverflow(AnswerError* error);

}  // namespace ccr::proxy
