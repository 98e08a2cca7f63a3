// OpenAI's Responses API: POST /v1/responses, without a state of its own ("store": false).
// Source: platform.openai.com/docs/api-reference/responses, the types of the openai package for Node, and what Codex
// CLI sends and reads (codex-rs/codex-api).
#pragma once

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::responses {

const FormatCodec& Codec();

}  // namespace ccr::proxy::responses
