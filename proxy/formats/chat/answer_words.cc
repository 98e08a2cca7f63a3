#include "proxy/formats/chat/answer_words.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/chat/common.h"

namespace ccr::proxy::chat {

std::string_view FinishReason(StopCause cause, bool called, bool refused) {
  switch (cause) {
    case StopCause::kMaxTokens:
    case StopCause::kContext:
      return "length";
    case StopCause::kToolUse:
      return "tool_calls";
    case StopCause::kRefusal:
      return refused ? "stop" : "content_filter";
    case StopCause::kUnknown:
      return called ? "tool_calls" : "stop";
    case StopCause::kEnd:
    case StopCause::kStopSequence:
    case StopCause::kPause:
      break;
  }
  return "stop";
}

void AppendUsage(const Usage& usage, std::string* out) {
  absl::StrAppend(out, R"({"prompt_tokens":)", usage.input, R"(,"completion_tokens":)", usage.output,
                  R"(,"total_tokens":)", usage.input + usage.output, R"(,"prompt_tokens_details":{"cached_tokens":)",
                  std::min(usage.cache_read, usage.input), "}");
  if (usage.reasoning > 0)
    absl::StrAppend(out, R"(,"completion_tokens_details":{"reasoning_tokens":)", usage.reasoning, "}");
  *out += '}';
}

std::string ImageElement(const Media& media) {
  const bool base64 = media.source == Media::Source::kBase64;
  if (!media.type.starts_with("image/") || (!base64 && media.source != Media::Source::kUrl)) return {};
  std::string element = R"({"type":"image_url","image_url":{"url":)";
  AppendJsonString(base64 ? absl::StrCat("data:", media.type, ";base64,", media.data) : media.data, &element);
  return element += "}}";
}

std::string CallIds::Next(std::string_view id, const OpaqueStates& states) {
  std::string own(id);
  if (own.empty() || used_.contains(own)) own = absl::StrCat("call_", given_);
  used_.insert(own);
  ++given_;
  OpaqueStates carried;
  for (const OpaqueState& state : states)
    if (state.kind != StateKind::kChatExtraContent) carried.push_back(state);
  return IdWithState(own, carried);
}

bool IsCustomCall(const AnswerContext& context, std::string_view name, bool custom) {
  return custom ||
         std::find(context.custom_tools.begin(), context.custom_tools.end(), name) != context.custom_tools.end();
}

std::string ExtraContent(const OpaqueStates& states) {
  const OpaqueState* extra = FindState(states, StateKind::kChatExtraContent);
  if (extra == nullptr) return {};
  const absl::StatusOr<json::value> content = ParseJson(extra->data);
  return content.ok() && content->is_object() ? ToJson(*content) : std::string();
}

}  // namespace ccr::proxy::chat
