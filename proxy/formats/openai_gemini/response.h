// Gemini's answers in OpenAI's shape: what complete bodies and streams share. openai_gemini.h has the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// The usage of one answer. Figures of a stream are totals: later ones replace earlier ones.
struct GeminiUsage {
  uint64_t prompt = 0;  // cached tokens and results of Gemini's own tools included
  uint64_t cached = 0;
  uint64_t thoughts = 0;
  uint64_t output = 0;  // thoughts included

  // Takes what `response`.usageMetadata has.
  void Read(const json::object& response);
  void AppendOpenAi(std::string* out) const;
};

enum class GeminiPart { kThought, kText, kCall };

// Hands the parts of the first candidate to `sink`; no empty texts. Parts that OpenAI's format has no place for are
// dropped, with a note. `notes` may be null.
void ReadGeminiParts(const json::object& response, Notes* notes,
                     absl::FunctionRef<void(GeminiPart, const json::object& part)> sink);

// The name of a call, and its arguments as JSON.
std::string_view GeminiCallName(const json::object& part);
std::string GeminiCallArguments(const json::object& part);

// How an answer ended, gathered from all its pieces.
struct GeminiEnd {
  std::string finish_reason;  // Gemini's; empty while it goes on
  std::string block_reason;   // of the prompt
  std::string message;        // the upstream's own words for either

  void Read(const json::object& response);
  bool ended() const { return !finish_reason.empty() || !block_reason.empty(); }
  bool refused() const;
  // OpenAI's finish_reason.
  std::string_view OpenAi(bool called) const;
  // What an answer without content says: why it has none. Empty where there is nothing to say.
  std::string Explanation() const;
};

// Like Translation::Response; `created` in seconds since the Unix epoch. `notes` may be null.
absl::StatusOr<std::string> GeminiResponseToOpenAi(std::string_view body, int64_t created, Notes* notes);

// Like Translation::Error.
std::string GeminiErrorToOpenAi(int status, std::string_view body);

}  // namespace ccr::proxy
