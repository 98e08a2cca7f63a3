#include "proxy/formats/anthropic_openai/response.h"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy {
namespace {

void AppendField(std::string_view name, uint64_t value, std::string* out) {
  out->append("\"").append(name).append("\":").append(std::to_string(value));
}

// Mistral's parts: {"type":"thinking","thinking":[{"type":"text","text":T}]}.
void ReadPart(const json::object& part, ContentKind kind, absl::FunctionRef<void(ContentKind, std::string_view)> sink) {
  if (const std::string_view text = FindText(part, "text"); !text.empty()) sink(kind, text);
  if (const std::string_view text = FindText(part, "refusal"); !text.empty()) sink(ContentKind::kRefusal, text);
  const json::array* thinking = FindArray(part, "thinking");
  if (thinking == nullptr) return;
  for (const json::value& inner : *thinking) {
    if (inner.is_object()) ReadPart(inner.get_object(), ContentKind::kThinking, sink);
  }
}

std::string_view StopReason(const AnswerEnd& end) {
  if (end.refused || end.finish_reason == "content_filter") return "refusal";
  for (const std::string_view length : {"length", "model_length", "max_tokens"}) {
    if (end.finish_reason == length) return "max_tokens";
  }
  if (end.has_tools) return "tool_use";
  return end.stop_sequence.empty() ? "end_turn" : "stop_sequence";
}

// One complete answer's content.
class ContentBuilder {
 public:
  ContentBuilder(uint64_t seed, json::storage_ptr storage, Notes* notes)
      : seed_(seed), storage_(std::move(storage)), notes_(notes), blocks_(storage_) {}

  void Add(ContentKind kind, std::string_view text) {
    if (kind == ContentKind::kRefusal) refused_ = true;
    const std::string_view type = kind == ContentKind::kThinking ? "thinking" : "text";
    if (blocks_.empty() || FindText(blocks_.back().get_object(), "type") != type) {
      blocks_.push_back(json::object({{"type", type}, {type, ""}}, storage_));
      if (kind == ContentKind::kThinking) blocks_.back().get_object()["signature"] = "";
    }
    blocks_.back().get_object()[type].get_string().append(text);
  }

  void AddTool(std::string_view id, const json::object& function) {
    json::object block({{"type", "tool_use"},
                        {"id", UniqueId("toolu_", id, seed_, blocks_.size())},
                        {"name", FindText(function, "name")},
                        {"input", ToolInput(Find(function, "arguments"), storage_, &arguments_, notes_)}},
                       storage_);
    blocks_.push_back(std::move(block));
    has_tools_ = true;
  }

  void AddTools(const json::object& message) {
    const json::array* calls = FindArray(message, "tool_calls");
    for (size_t i = 0; calls != nullptr && i < calls->size(); ++i) {
      const json::object* call = (*calls)[i].if_object();
      const json::object* function = call == nullptr ? nullptr : FindObject(*call, "function");
      if (function != nullptr) AddTool(FindText(*call, "id"), *function);
    }
    if (has_tools_) return;
    if (const json::object* function = FindObject(message, "function_call"); function != nullptr) {
      AddTool({}, *function);
    }
  }

  const json::array& blocks() const { return blocks_; }
  bool refused() const { return refused_; }
  absl::Status arguments_status() const { return arguments_.status(); }
  bool has_tools() const { return has_tools_; }
  bool HasNamelessTool() const {
    return std::any_of(blocks_.begin(), blocks_.end(), [](const json::value& block) {
      return FindText(block.get_object(), "type") == "tool_use" && FindText(block.get_object(), "name").empty();
    });
  }

 private:
  const uint64_t seed_;
  const json::storage_ptr storage_;
  Notes* const notes_;
  json::array blocks_;
  bool refused_ = false;
  bool has_tools_ = false;
  JsonBudget arguments_;
};

std::string WriteMessage(const json::object& response, const ContentBuilder& content, const AnswerEnd& end,
                         uint64_t seed) {
  std::string out = R"({"id":)";
  AppendJsonString(UniqueId("msg_", FindText(response, "id"), seed, 0), &out);
  out += R"(,"type":"message","role":"assistant","model":)";
  AppendJsonString(FindText(response, "model"), &out);
  out += R"(,"content":)";
  AppendJson(content.blocks(), &out);
  out += ',';
  AppendStop(end, &out);
  out += R"(,"usage":)";
  const json::object* usage = FindObject(response, "usage");
  AppendAnthropicUsage(usage == nullptr ? OpenAiUsage() : ReadOpenAiUsage(*usage), &out);
  return out += '}';
}

}  // namespace

OpenAiUsage ReadOpenAiUsage(const json::object& usage) {
  OpenAiUsage read;
  read.prompt = FindUint(usage, "prompt_tokens");
  read.completion = FindUint(usage, "completion_tokens");
  read.cached = FindUint(usage, "prompt_cache_hit_tokens");
  if (const json::object* details = FindObject(usage, "prompt_tokens_details"); details != nullptr) {
    if (Find(*details, "cached_tokens") != nullptr) read.cached = FindUint(*details, "cached_tokens");
    read.written = FindUint(*details, "cache_write_tokens");
  }
  return read;
}

void AppendAnthropicUsage(const OpenAiUsage& usage, std::string* out) {
  const uint64_t cached = std::min(usage.cached, usage.prompt);
  const uint64_t written = std::min(usage.written, usage.prompt - cached);
  *out += '{';
  AppendField("input_tokens", usage.prompt - cached - written, out);
  *out += ',';
  AppendField("cache_creation_input_tokens", written, out);
  *out += ',';
  AppendField("cache_read_input_tokens", cached, out);
  *out += ',';
  AppendField("output_tokens", usage.completion, out);
  *out += '}';
}

void NoteUnread(const json::object& message, Notes* notes) {
  constexpr std::array<std::string_view, 8> kRead = {"role",    "content",    "reasoning_content", "reasoning",
                                                     "refusal", "tool_calls", "function_call",     "name"};
  constexpr size_t kMaxKey = 64;
  for (const json::key_value_pair& member : message) {
    const std::string_view key(member.key().data(), member.key().size());
    const json::array* list = member.value().if_array();
    const bool empty = member.value().is_null() || (list != nullptr && list->empty());
    if (empty || std::find(kRead.begin(), kRead.end(), key) != kRead.end()) continue;
    AddNote(notes, Utf8Prefix(key, kMaxKey) + ": dropped");
  }
}

void ReadContent(const json::object& message, absl::FunctionRef<void(ContentKind, std::string_view)> sink) {
  std::string_view reasoning = FindText(message, "reasoning_content");
  if (reasoning.empty()) reasoning = FindText(message, "reasoning");
  if (!reasoning.empty()) sink(ContentKind::kThinking, reasoning);
  if (const std::string_view text = FindText(message, "content"); !text.empty()) sink(ContentKind::kText, text);
  if (const json::array* parts = FindArray(message, "content"); parts != nullptr) {
    for (const json::value& part : *parts) {
      if (part.is_object()) ReadPart(part.get_object(), ContentKind::kText, sink);
    }
  }
  if (const std::string_view text = FindText(message, "refusal"); !text.empty()) sink(ContentKind::kRefusal, text);
}

std::string ReadArguments(const json::object& function) {
  const json::value* arguments = Find(function, "arguments");
  if (arguments == nullptr) return {};
  return arguments->is_string() ? std::string(View(arguments->get_string())) : ToJson(*arguments);
}

std::optional<UpstreamError> ReadChoiceError(const json::object& choice) {
  if (Find(choice, "error") != nullptr) return ReadUpstreamError(choice, 500);
  const std::string_view reason = FindText(choice, "finish_reason");
  if (reason == "error") return UpstreamError{500, "the upstream ended its answer with an error"};
  if (reason == "insufficient_system_resource") {
    return UpstreamError{529, "the upstream broke its answer off: insufficient system resource"};
  }
  return std::nullopt;
}

void ReadChoiceEnd(const json::object& choice, AnswerEnd* end) {
  const std::string_view reason = FindText(choice, "finish_reason");
  if (reason.empty()) return;
  end->finish_reason = reason;
  end->stop_sequence = reason == "stop" ? FindText(choice, "stop_reason") : std::string_view();
}

void AppendStop(const AnswerEnd& end, std::string* out) {
  const std::string_view reason = StopReason(end);
  out->append("\"stop_reason\":\"").append(reason).append("\",\"stop_sequence\":");
  if (reason == "stop_sequence") {
    AppendJsonString(end.stop_sequence, out);
  } else {
    out->append("null");
  }
}

absl::StatusOr<std::string> OpenAiResponseToAnthropic(std::string_view body, Notes* notes) {
  json::monotonic_resource memory(2 * body.size() + 1024);
  const absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  if (!parsed.ok()) return absl::InternalError(absl::StrCat("the upstream's answer is ", parsed.status().message()));
  if (!parsed->is_object()) return absl::InternalError("the upstream's answer is no JSON object");
  const json::object& response = parsed->get_object();
  if (Find(response, "error") != nullptr) return absl::InternalError(ReadUpstreamError(*parsed, 500).message);
  const json::array* choices = FindArray(response, "choices");
  const json::object* choice = choices == nullptr || choices->empty() ? nullptr : choices->front().if_object();
  const json::object* message = choice == nullptr ? nullptr : FindObject(*choice, "message");
  if (message == nullptr) return absl::InternalError("the upstream's answer has no message");
  if (const auto error = ReadChoiceError(*choice)) return absl::InternalError(error->message);
  if (choices->size() > 1) AddNote(notes, "choices: all behind the first dropped");
  NoteUnread(*message, notes);
  const uint64_t seed = StableHash(body);
  ContentBuilder content(seed, &memory, notes);
  ReadContent(*message, [&content](ContentKind kind, std::string_view text) { content.Add(kind, text); });
  content.AddTools(*message);
  if (const absl::Status status = content.arguments_status(); !status.ok()) {
    return absl::InternalError(absl::StrCat("the upstream's answer is ", status.message()));
  }
  if (content.HasNamelessTool()) return absl::InternalError("the upstream sent a tool call without a name");
  AnswerEnd end;
  end.has_tools = content.has_tools();
  end.refused = content.refused();
  ReadChoiceEnd(*choice, &end);
  return WriteMessage(response, content, end, seed);
}

}  // namespace ccr::proxy
