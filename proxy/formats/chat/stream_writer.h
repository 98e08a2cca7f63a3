// The chunks that a client of Chat Completions gets; codec.h has the table.
#pragma once

#include <memory>

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::chat {

// As FormatCodec::WriteStream. The id of a call carries the states that come before the first piece of its arguments.
std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context);

}  // namespace ccr::proxy::chat
