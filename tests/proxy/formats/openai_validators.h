// What the specifications of the Anthropic Messages API and of OpenAI's Chat Completions say is valid. Written from
// them, and from the refusals of the live API, not from the translator.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ccr::proxy {

// A body of POST /v1/messages.
absl::Status CheckAnthropicRequest(std::string_view body);

// A body of 200 of POST /v1/chat/completions.
absl::Status CheckOpenAiCompletion(std::string_view body);

struct ChunkedCall {
  std::string id;
  std::string name;
  std::string arguments;
  bool custom = false;  // the arguments are its input
};

// What a client puts together from the chunks.
struct ChunkedAnswer {
  std::string text;
  std::string reasoning;
  std::string refusal;
  std::vector<ChunkedCall> calls;
  std::string finish_reason;
  std::optional<uint64_t> prompt_tokens;
  std::optional<uint64_t> completion_tokens;
  std::string error;  // the message of the error that ended the stream
  bool done = false;  // ended by [DONE]
};

// What the arguments of a call must be: those that a provider of the same format gives are passed as they are.
enum class CallArguments { kObject, kAny };

// A whole stream of chat.completion.chunk, ended by [DONE] or by an error. InvalidArgument when it breaks a rule.
absl::StatusOr<ChunkedAnswer> ReadOpenAiChunks(std::string_view stream, bool include_usage,
                                               CallArguments arguments = CallArguments::kObject);

}  // namespace ccr::proxy
