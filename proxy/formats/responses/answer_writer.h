// Writes answers, whole and as streams.
#pragma once

#include <memory>
#include <string>

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::responses {

// As FormatCodec has them. A call of one of the context's custom tools is a custom_tool_call.
std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context);
std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context);

}  // namespace ccr::proxy::responses
