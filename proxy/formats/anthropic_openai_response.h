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

struct UpstreamError {
  int status = 500;  // what the error itself says, else the given one
  std::string message;
};

// The wording of an upstream's error body or event, whichever of the usual shapes it has.
UpstreamError ReadUpstreamError(const json::value& body, int status);

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

// An identifier for what the upstream gave none: the same for the same seed and number.
std::string MadeUpId(std::string_view prefix, std::string_view seed, size_t number);
// The upstream's identifier of a message or a call, marked so that it differs from those of other answers: clients take
// equal ones for the same thing, and there are upstreams that call every first call "0". Made up where `id` is empty.
std::string UniqueId(std::string_view prefix, std::string_view id, std::string_view seed, size_t number);
// The identifier as the upstream gave it: without the mark.
std::string_view UpstreamId(std::string_view id);

// As Translation::Response.
absl::StatusOr<std::string> OpenAiResponseToAnthropic(std::string_view body, Notes* notes);

}  // namespace ccr::proxy
