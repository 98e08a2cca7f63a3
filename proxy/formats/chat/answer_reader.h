// A whole answer of Chat Completions as a ModelAnswer; codec.h has the table.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/answer.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::chat {

// As FormatCodec::ReadAnswer.
absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes);

}  // namespace ccr::proxy::chat
