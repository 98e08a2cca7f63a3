// Answers of an Anthropic upstream in OpenAI's shape; openai_anthropic.h has the table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Like Translation::Response; `created` in seconds since the Unix epoch. `notes` may be null.
absl::StatusOr<std::string> AnthropicResponseToOpenAi(std::string_view body, int64_t created, Notes* notes);

// Like Translation::Error.
std::string AnthropicErrorToOpenAi(int status, std::string_view body);

// The same for an error event, whose status only its type tells.
std::string AnthropicErrorEventToOpenAi(std::string_view data);

// OpenAI's finish_reason. `called` says whether the answer holds tool calls.
std::string_view FinishReason(std::string_view stop_reason, bool called);

// The usage of one answer. Anthropic counts cached tokens apart from the others, OpenAI among them.
struct AnthropicUsage {
  uint64_t input = 0;
  uint64_t cache_read = 0;
  uint64_t cache_creation = 0;
  uint64_t output = 0;

  // Takes what `holder`.usage has. Later figures of a stream replace earlier ones: they are totals.
  void Read(const json::object& holder);
  uint64_t prompt() const { return input + cache_read + cache_creation; }
  void AppendOpenAi(std::string* out) const;
};

}  // namespace ccr::proxy
