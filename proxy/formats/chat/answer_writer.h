// A ModelAnswer as a whole answer of Chat Completions; codec.h has the table.
#pragma once

#include <string>

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::chat {

// As FormatCodec::WriteAnswer.
std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context);

}  // namespace ccr::proxy::chat
