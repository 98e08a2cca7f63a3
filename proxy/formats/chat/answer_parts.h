// What whole answers and chunks of Chat Completions have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "proxy/formats/conversation/answer.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::chat {

// The usage of an answer or chunk, wherever a vendor puts it; none where there is none.
std::optional<Usage> FindUsage(const json::object& answer);

// Notes what of a message or delta is not read: audio, annotations and the like.
void NoteUnread(const json::object& message, Notes* notes);

// Hands the texts of a message or delta to `sink`: thinking, text, refusal; no empty ones.
void ReadTexts(const json::object& message, absl::FunctionRef<void(PartKind, std::string_view)> sink);

// Hands the pictures of a message or delta to `sink` (OpenRouter's "images").
void ReadImages(const json::object& message, absl::FunctionRef<void(Part)> sink);

// A call of a message or delta: of a function or a custom tool.
struct GivenFunction {
  std::string_view name;
  std::string arguments;  // a text as it is, anything else as its JSON
  bool custom = false;
};
GivenFunction ReadFunction(const json::object& call);
// The same of the old function_call.
GivenFunction ReadOldFunction(const json::object& function);

// How an answer ended, gathered from all its pieces.
struct AnswerEnd {
  std::string finish_reason;
  std::string sequence;  // the stop sequence that matched, where the upstream says so
  bool has_calls = false;
  bool refused = false;

  // Takes what the choice says.
  void Read(const json::object& choice);
  proxy::Stop Stop() const;
};

// The error that a choice holds (OpenRouter), or its finish_reason tells; none where it holds none.
std::optional<AnswerError> FindChoiceError(const json::object& choice);

}  // namespace ccr::proxy::chat
