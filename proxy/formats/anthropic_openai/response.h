// OpenAI's answers as Anthropic's: what complete bodies and streams share. anthropic_openai.h holds the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy {

struct OpenAiUsage {
  uint64_t prompt = 0;      // all of it, cached tokens included
  uint64_t cached = 0;      // read from the upstream's cache
  uint64_t written = 0;     // written to it (OpenRouter)
  uint64_t completion = 0;  // reasoning included
};

OpenAiUsage ReadOpenAiUsage(const json::object& usage);
// Appends Anthropic's usage object: input_tokens are those neither read from nor written to a cache.
void AppendAnthropicUsage(const OpenAiUsage& usage, std::string* out);

enum class ContentKind { kThinking, kText, kRefusal };

// Notes what of a message or delta is not read: audio, annotations and the like.
void NoteUnread(const json::object& message, Notes* notes);

// Hands the texts of a message or delta to `sink`: reasoning, content (text or parts), refusal; no empty ones.
void ReadContent(const json::object& message, absl::FunctionRef<void(ContentKind, std::string_view)> sink);

// Arguments of a function call: text as it is, an object as its JSON.
std::string ReadArguments(const json::object& function);

struct AnswerEnd {
  std::string finish_reason;
  std::string stop_sequence;  // the one that matched, where the upstream says so
  bool has_tools = false;
  bool refused = false;
};

// The error that a choice holds (OpenRouter), or its finish_reason tells; none where it holds none.
std::optional<UpstreamError> ReadChoiceError(const json::object& choice);
// Takes finish_reason and stop sequence of a choice, where it has them.
void ReadChoiceEnd(const json::object& choice, AnswerEnd* end);
// Appends `"stop_reason":R,"stop_sequence":S`.
void AppendStop(const AnswerEnd& end, std::string* out);

// As Translation::Response.
absl::StatusOr<std::string> OpenAiResponseToAnthropic(std::string_view body, Notes* notes);

}  // namespace ccr::proxy
