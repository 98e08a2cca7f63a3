#include "proxy/formats/chat/answer_parts.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/chat/errors.h"
#include "proxy/formats/chat/reasoning_details.h"
#include "proxy/formats/data_url.h"

namespace ccr::proxy::chat {
namespace {

using TextSink = absl::FunctionRef<void(PartKind, std::string_view)>;

Usage ReadUsage(const json::object& usage) {
  Usage read;
  read.input = FindUint(usage, "prompt_tokens");
  read.output = FindUint(usage, "completion_tokens");
  read.cache_read = FindUint(usage, "prompt_cache_hit_tokens");
  if (read.cache_read == 0) read.cache_read = FindUint(usage, "cached_tokens");
  if (const json::object* details = FindObject(usage, "prompt_tokens_details"); details != nullptr) {
    if (Find(*details, "cached_tokens") != nullptr) read.cache_read = FindUint(*details, "cached_tokens");
    read.cache_written = FindUint(*details, "cache_write_tokens");
  }
  if (const json::object* details = FindObject(usage, "completion_tokens_details"); details != nullptr) {
    read.reasoning = FindUint(*details, "reasoning_tokens");
  }
  // xAI counts reasoning apart.
  if (read.reasoning > 0 && FindUint(usage, "total_tokens") == read.input + read.output + read.reasoning)
    read.output += read.reasoning;
  return read;
}

// Mistral's parts: {"type":"thinking","thinking":[{"type":"text","text":T}]}.
void ReadTextPart(const json::object& part, PartKind kind, TextSink sink) {
  if (const std::string_view text = FindText(part, "text"); !text.empty()) sink(kind, text);
  if (const std::string_view text = FindText(part, "refusal"); !text.empty()) sink(PartKind::kRefusal, text);
  const json::array* thinking = FindArray(part, "thinking");
  if (thinking == nullptr) return;
  for (const json::value& inner : *thinking) {
    if (inner.is_object()) ReadTextPart(inner.get_object(), PartKind::kThinking, sink);
  }
}

std::string ValueText(const json::value* value) {
  if (value == nullptr) return {};
  return value->is_string() ? std::string(View(value->get_string())) : ToJson(*value);
}

AnswerError BrokenOff(int status, ErrorKind kind, std::string_view message) {
  AnswerError error;
  error.status = status;
  error.kind = kind;
  error.message = message;
  return error;
}

bool IsAnyOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::optional<Usage> FindUsage(const json::object& answer) {
  const json::object* usage = FindObject(answer, "usage");
  const json::object* groq = FindObject(answer, "x_groq");
  if (usage == nullptr && groq != nullptr) usage = FindObject(*groq, "usage");
  const json::array* choices = FindArray(answer, "choices");
  for (size_t i = 0; usage == nullptr && choices != nullptr && i < choices->size(); ++i) {
    const json::object* choice = (*choices)[i].if_object();
    if (choice != nullptr) usage = FindObject(*choice, "usage");
  }
  if (usage == nullptr) return std::nullopt;
  return ReadUsage(*usage);
}

void NoteUnread(const json::object& message, Notes* notes) {
  constexpr std::array<std::string_view, 10> kRead = {
      "role",          "content", "reasoning_content", "reasoning", "refusal", "tool_calls",
      "function_call", "name",    "reasoning_details", "images"};
  constexpr size_t kMaxKey = 64;
  for (const json::key_value_pair& member : message) {
    const std::string_view key(member.key().data(), member.key().size());
    const json::array* list = member.value().if_array();
    const bool empty = member.value().is_null() || (list != nullptr && list->empty());
    if (empty || std::find(kRead.begin(), kRead.end(), key) != kRead.end()) continue;
    AddNote(notes, Utf8Prefix(key, kMaxKey) + ": dropped");
  }
}

void ReadTexts(const json::object& message, TextSink sink) {
  std::string_view reasoning = FindText(message, "reasoning_content");
  if (reasoning.empty()) reasoning = FindText(message, "reasoning");
  const json::array* details = reasoning.empty() ? FindArray(message, "reasoning_details") : nullptr;
  const std::string from_details = details == nullptr ? std::string() : DetailTexts(*details);
  if (!from_details.empty()) reasoning = from_details;
  if (!reasoning.empty()) sink(PartKind::kThinking, reasoning);
  if (const std::string_view text = FindText(message, "content"); !text.empty()) sink(PartKind::kText, text);
  if (const json::array* parts = FindArray(message, "content"); parts != nullptr) {
    for (const json::value& part : *parts) {
      if (part.is_object()) ReadTextPart(part.get_object(), PartKind::kText, sink);
    }
  }
  if (const std::string_view text = FindText(message, "refusal"); !text.empty()) sink(PartKind::kRefusal, text);
}

void ReadImages(const json::object& message, absl::FunctionRef<void(Part)> sink) {
  const json::array* images = FindArray(message, "images");
  for (size_t i = 0; images != nullptr && i < images->size(); ++i) {
    const json::object* image = (*images)[i].if_object();
    const json::object* holder = image == nullptr ? nullptr : FindObject(*image, "image_url");
    const std::string_view url = holder == nullptr ? std::string_view() : FindText(*holder, "url");
    Part part;
    part.kind = PartKind::kMedia;
    if (const std::optional<DataUrl> data = ParseDataUrl(url); data) {
      part.media.type = data->media_type;
      part.media.data = data->base64;
    } else if (IsWebUrl(url)) {
      part.media.source = Media::Source::kUrl;
      part.media.type = "image/*";
      part.media.data = url;
    } else {
      continue;
    }
    sink(std::move(part));
  }
}

GivenFunction ReadFunction(const json::object& call) {
  if (const json::object* function = FindObject(call, "function"); function != nullptr)
    return ReadOldFunction(*function);
  const json::object* custom = FindObject(call, "custom");
  if (custom == nullptr) return {};
  return {FindText(*custom, "name"), ValueText(Find(*custom, "input")), true};
}

GivenFunction ReadOldFunction(const json::object& function) {
  return {FindText(function, "name"), ValueText(Find(function, "arguments")), false};
}

void AnswerEnd::Read(const json::object& choice) {
  const std::string_view reason = FindText(choice, "finish_reason");
  if (reason.empty()) return;
  finish_reason = absl::AsciiStrToLower(ToAbsl(reason));
  sequence = finish_reason == "stop" ? FindText(choice, "stop_reason") : std::string_view();
}

proxy::Stop AnswerEnd::Stop() const {
  proxy::Stop stop;
  if (refused || finish_reason.starts_with("content_filter") ||
      IsAnyOf(finish_reason, {"refusal", "sensitive", "safety"})) {
    stop.cause = StopCause::kRefusal;
  } else if (IsAnyOf(finish_reason, {"length", "model_length", "max_tokens"})) {
    stop.cause = StopCause::kMaxTokens;
  } else if (finish_reason == "model_context_window_exceeded") {
    stop.cause = StopCause::kContext;
  } else if (has_calls) {
    stop.cause = StopCause::kToolUse;
  } else if (!sequence.empty()) {
    stop.cause = StopCause::kStopSequence;
    stop.sequence = sequence;
  } else {
    stop.cause = finish_reason.empty() ? StopCause::kUnknown : StopCause::kEnd;
  }
  return stop;
}

std::optional<AnswerError> FindChoiceError(const json::object& choice) {
  if (Find(choice, "error") != nullptr) return ReadErrorValue(json::value(choice), 500);
  const std::string_view reason = FindText(choice, "finish_reason");
  if (reason == "error" || reason == "network_error")
    return BrokenOff(500, ErrorKind::kUpstream, "the upstream ended its answer with an error");
  if (reason == "insufficient_system_resource") {
    return BrokenOff(529, ErrorKind::kOverloaded, "the upstream broke its answer off: insufficient system resource");
  }
  return std::nullopt;
}

}  // namespace ccr::proxy::chat
