#include "proxy/formats/chat/answer_reader.h"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/chat/answer_parts.h"
#include "proxy/formats/chat/errors.h"
#include "proxy/formats/conversation/state.h"

namespace ccr::proxy::chat {
namespace {

// Takes one message apart.
class AnswerReader {
 public:
  AnswerReader(uint64_t seed, Notes* notes, std::vector<Part>* parts) : seed_(seed), notes_(notes), parts_(*parts) {}

  absl::Status Read(const json::object& message) {
    NoteUnread(message, notes_);
    ReadTexts(message, [this](PartKind kind, std::string_view text) { AddText(kind, text); });
    ReadImages(message, [this](Part image) { parts_.push_back(std::move(image)); });
    ReadDetails(message);
    if (const json::array* calls = FindArray(message, "tool_calls"); calls != nullptr)
      for (const json::value& call : *calls)
        if (call.is_object()) AddCall(call.get_object(), ReadFunction(call.get_object()));
    const json::object* legacy = has_calls_ ? nullptr : FindObject(message, "function_call");
    if (legacy != nullptr) AddCall({}, ReadOldFunction(*legacy));
    if (const absl::Status status = arguments_.status(); !status.ok())
      return absl::InternalError(absl::StrCat("the upstream's answer is ", status.message()));
    if (nameless_) return absl::InternalError("the upstream sent a tool call without a name");
    return absl::OkStatus();
  }

  bool refused() const { return refused_; }
  bool has_calls() const { return has_calls_; }

 private:
  void AddText(PartKind kind, std::string_view text) {
    refused_ |= kind == PartKind::kRefusal;
    if (parts_.empty() || parts_.back().kind != kind) parts_.emplace_back().kind = kind;
    parts_.back().text += text;
  }

  void ReadDetails(const json::object& message) {
    const json::array* details = FindArray(message, "reasoning_details");
    if (details == nullptr || details->empty()) return;
    auto thinking =
        std::find_if(parts_.begin(), parts_.end(), [](const Part& part) { return part.kind == PartKind::kThinking; });
    if (thinking == parts_.end()) {
      thinking = parts_.emplace(parts_.begin());
      thinking->kind = PartKind::kThinking;
    }
    std::string list;
    AppendJson(*details, &list);
    thinking->state.push_back({StateKind::kChatReasoningDetails, std::move(list)});
  }

  void AddCall(const json::object& call, GivenFunction function) {
    if (Find(call, "function") == nullptr && Find(call, "custom") == nullptr && function.name.empty() && !call.empty())
      return;
    if (!function.custom) arguments_.Take(function.arguments);
    nameless_ |= function.name.empty();
    has_calls_ = true;
    Part& part = parts_.emplace_back();
    part.kind = PartKind::kToolCall;
    part.id = FindText(call, "id");
    if (part.id.empty()) part.id = MadeUpId("call_", seed_, parts_.size());
    part.name = function.name;
    part.text = std::move(function.arguments);
    part.custom = function.custom;
    if (const json::object* extra = FindObject(call, "extra_content"); extra != nullptr) {
      std::string content;
      AppendJson(*extra, &content);
      part.state.push_back({StateKind::kChatExtraContent, std::move(content)});
    }
  }

  const uint64_t seed_;
  Notes* const notes_;
  std::vector<Part>& parts_;
  JsonBudget arguments_;
  bool refused_ = false;
  bool has_calls_ = false;
  bool nameless_ = false;
};

}  // namespace

absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) {
  json::monotonic_resource memory(2 * body.size() + 1024);
  const absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  if (!parsed.ok()) return absl::InternalError(absl::StrCat("the upstream's answer is ", parsed.status().message()));
  if (!parsed->is_object()) return absl::InternalError("the upstream's answer is no JSON object");
  const json::object& response = parsed->get_object();
  if (Find(response, "error") != nullptr) return absl::InternalError(ReadErrorValue(*parsed, 500).message);
  const json::array* choices = FindArray(response, "choices");
  const json::object* choice = choices == nullptr || choices->empty() ? nullptr : choices->front().if_object();
  const json::object* message = choice == nullptr ? nullptr : FindObject(*choice, "message");
  if (message == nullptr) return absl::InternalError("the upstream's answer has no message");
  if (const auto error = FindChoiceError(*choice)) return absl::InternalError(error->message);
  if (choices->size() > 1) AddNote(notes, "choices: all behind the first dropped");

  ModelAnswer answer;
  answer.id = FindText(response, "id");
  answer.model = FindText(response, "model");
  AnswerReader reader(StableHash(body), notes, &answer.parts);
  if (absl::Status status = reader.Read(*message); !status.ok()) return status;
  AnswerEnd end;
  end.has_calls = reader.has_calls();
  end.refused = reader.refused();
  end.Read(*choice);
  answer.stop = end.Stop();
  if (const std::optional<Usage> usage = FindUsage(response); usage) answer.usage = *usage;
  return answer;
}

}  // namespace ccr::proxy::chat
