// What OpenAI's and Anthropic's API references call valid, written from them and knowing nothing of the translators.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ccr::proxy {

// Each Check answers what is wrong, and nothing when all is well.

// A body for POST /v1/chat/completions: known fields of the right types, tool calls answered, each once, by the
// messages right behind them.
std::string CheckOpenAiRequest(std::string_view body);

struct AnthropicBlock {
  std::string type;
  std::string text;  // text, thinking, the JSON of the input or of the whole block of a server tool
  std::string id;
  std::string name;
  std::string signature;  // of thinking; the data of redacted_thinking
};

// An answer of POST /v1/messages, read from a body or put together from events.
struct AnthropicAnswer {
  std::string id;
  std::string model;
  std::vector<AnthropicBlock> blocks;
  std::string stop_reason;
  std::string stop_sequence;
  uint64_t input_tokens = 0;
  uint64_t cache_read_tokens = 0;
  uint64_t output_tokens = 0;
  std::string error;  // of an error event: "type: message"

  // The texts of all blocks of one type, joined.
  std::string Joined(std::string_view type) const;
};

std::string CheckAnthropicMessage(std::string_view body, AnthropicAnswer* answer);

// A whole stream from message_start to message_stop, or to the error event that ended it.
std::string CheckAnthropicStream(std::string_view stream, AnthropicAnswer* answer);

// Without the marks that make identifiers unique (answer_id.h).
std::string Unmarked(std::string_view text);

}  // namespace ccr::proxy
