#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/anthropic/answers.h"
#include "proxy/formats/anthropic/errors.h"
#include "proxy/formats/anthropic/streams.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy::anthropic {
namespace {

constexpr size_t kMaxTypeInNote = 40;

class EventReader final : public StreamReader {
 public:
  void Feed(std::string_view bytes, AnswerSink* sink) override;
  void Finish(bool cut, AnswerSink* sink) override;
  const Notes& notes() const override { return notes_; }

 private:
  // kBefore -> kAnswer (something of it came) -> kStopped (stop_reason) -> kOver (End or Fail)
  enum class State { kBefore, kAnswer, kStopped, kOver };

  // A block that has not stopped.
  struct OpenBlock {
    size_t part = 0;
    PartKind kind = PartKind::kText;
    // kToolCall, kOther: of a call what stands for its arguments until the first of them came; of another block the
    // pieces of its input.
    std::string input;
    OpaqueState state{StateKind::kAnthropicSignature, {}};
    std::string whole;  // kOther: the block as JSON

    size_t held() const { return sizeof(OpenBlock) + input.size() + state.data.size() + whole.size(); }
  };

  void OnEvent(const SseEvent& event);
  void OnData(const json::object& data, std::string_view text);
  void OnMessageStart(const json::object& event);
  void OnBlockStart(const json::object& event);
  void OnBlockDelta(const json::object& event);
  void OnBlockStop(const json::object& event);
  void OnMessageDelta(const json::object& event);

  OpenBlock* Begin(uint64_t index);
  void BeginText(PartKind kind, std::string_view text, OpenBlock* block);
  void BeginCall(const json::object& content, OpenBlock* block);
  void AddText(uint64_t index, PartKind kind, std::string_view piece);
  void AddInput(std::string_view piece, OpenBlock* block);
  void Hold(std::string_view piece, std::string* text);
  void EndBlock(OpenBlock* block);
  void EndWhole(const OpenBlock& block);
  bool Answering();
  void End();
  void Fail(int status, std::string_view message);

  AnswerSink* sink_ = nullptr;  // of the call
  SseParser parser_;
  Notes notes_;
  State state_ = State::kBefore;
  std::map<uint64_t, OpenBlock> open_;  // by Anthropic's index
  size_t held_ = 0;
  size_t parts_ = 0;  // that began
  size_t calls_ = 0;
  UsageReader usage_;
  Stop stop_;
};

void EventReader::Feed(std::string_view bytes, AnswerSink* sink) {
  if (state_ == State::kOver) return;
  sink_ = sink;
  const bool fits = parser_.Feed(bytes, [this](const SseEvent& event) { OnEvent(event); });
  if (!fits) Fail(502, "the upstream sent an event that is too large");
}

void EventReader::Finish(bool cut, AnswerSink* sink) {
  sink_ = sink;
  if (!cut) parser_.Finish([this](const SseEvent& event) { OnEvent(event); });
  if (state_ == State::kStopped) End();
  Fail(502, "the upstream's stream ended before the answer was complete");
}

void EventReader::OnEvent(const SseEvent& event) {
  if (state_ == State::kOver) return;
  if (event.type == "ping" || event.data.empty() || event.data == "[DONE]") return;
  unsigned char buffer[4096];
  json::monotonic_resource memory(buffer, sizeof buffer);
  const absl::StatusOr<json::value> parsed = ParseJson(event.data, &memory);
  const bool readable = parsed.ok() && parsed->is_object();
  if (event.type == "error" || (readable && FindText(parsed->get_object(), "type") == "error")) {
    state_ = State::kOver;
    return sink_->Fail(ReadErrorEvent(event.data));
  }
  if (!readable) return Fail(502, "the upstream sent an event that is no JSON object");
  OnData(parsed->get_object(), FindText(parsed->get_object(), "type"));
}

void EventReader::OnData(const json::object& data, std::string_view type) {
  if (type == "content_block_delta") return OnBlockDelta(data);
  if (type == "content_block_start") return OnBlockStart(data);
  if (type == "content_block_stop") return OnBlockStop(data);
  if (type == "message_start") return OnMessageStart(data);
  if (type == "message_delta") return OnMessageDelta(data);
  if (type != "message_stop") return;
  Answering();
  End();
}

void EventReader::OnMessageStart(const json::object& event) {
  const json::object* message = FindObject(event, "message");
  if (message == nullptr || state_ != State::kBefore) return;
  usage_.Read(*message);
  sink_->SetUsage(usage_.usage());
  sink_->Start(FindText(*message, "id"), FindText(*message, "model"));
  state_ = State::kAnswer;
}

void EventReader::OnBlockStart(const json::object& event) {
  const json::object* content = FindObject(event, "content_block");
  if (content == nullptr || !Answering()) return;
  OpenBlock* const block = Begin(FindUint(event, "index"));
  const std::string_view type = FindText(*content, "type");
  if (type == "text") return BeginText(PartKind::kText, FindText(*content, "text"), block);
  if (type == "thinking") {
    BeginText(PartKind::kThinking, FindText(*content, "thinking"), block);
    return Hold(FindText(*content, "signature"), &block->state.data);
  }
  if (type == "redacted_thinking") {
    BeginText(PartKind::kThinking, {}, block);
    block->state.kind = StateKind::kAnthropicRedacted;
    return Hold(FindText(*content, "data"), &block->state.data);
  }
  if (type == "tool_use") return BeginCall(*content, block);
  block->kind = PartKind::kOther;
  Hold(ToJson(*content), &block->whole);
}

EventReader::OpenBlock* EventReader::Begin(uint64_t index) {
  if (const auto before = open_.find(index); before != open_.end()) {
    EndBlock(&before->second);
    open_.erase(before);
  }
  OpenBlock& block = open_[index];
  block.part = parts_++;
  held_ += sizeof(OpenBlock);
  return &block;
}

void EventReader::BeginText(PartKind kind, std::string_view text, OpenBlock* block) {
  block->kind = kind;
  sink_->StartPart(block->part, {kind, {}, {}, false});
  if (!text.empty()) sink_->Delta(block->part, text);
}

void EventReader::BeginCall(const json::object& content, OpenBlock* block) {
  const std::string_view name = FindText(content, "name");
  if (name.empty()) return Fail(502, "the upstream sent a tool call without a name");
  if (calls_ == kMaxToolCalls) return Fail(502, "the upstream sent more tool calls than can be held");
  const std::string_view id = FindText(content, "id");
  const std::string made_up = absl::StrCat("call_", calls_++);
  block->kind = PartKind::kToolCall;
  sink_->StartPart(block->part, {PartKind::kToolCall, id.empty() ? made_up : id, name, false});
  const json::object* input = FindObject(content, "input");
  Hold(input == nullptr ? "{}" : ToJson(*input), &block->input);
}

void EventReader::OnBlockDelta(const json::object& event) {
  const json::object* delta = FindObject(event, "delta");
  if (delta == nullptr || !Answering()) return;
  const uint64_t index = FindUint(event, "index");
  const std::string_view type = FindText(*delta, "type");
  if (type == "text_delta") return AddText(index, PartKind::kText, FindText(*delta, "text"));
  if (type == "thinking_delta") return AddText(index, PartKind::kThinking, FindText(*delta, "thinking"));
  const auto open = open_.find(index);
  if (open != open_.end() && type == "input_json_delta") {
    AddInput(FindText(*delta, "partial_json"), &open->second);
  } else if (open != open_.end() && type == "signature_delta" && open->second.kind == PartKind::kThinking) {
    Hold(FindText(*delta, "signature"), &open->second.state.data);
  } else {
    AddNote(&notes_, absl::StrCat("content: a ", ToAbsl(type.substr(0, kMaxTypeInNote)), " was dropped"));
  }
}

// There are servers that begin no block, or one of the other kind.
void EventReader::AddText(uint64_t index, PartKind kind, std::string_view piece) {
  const auto open = open_.find(index);
  OpenBlock* block = open == open_.end() ? nullptr : &open->second;
  const bool other = block != nullptr && (block->kind == PartKind::kToolCall || block->kind == PartKind::kOther);
  if (piece.empty() || other) return;
  if (block == nullptr || block->kind != kind) {
    block = Begin(index);
    BeginText(kind, {}, block);
  }
  sink_->Delta(block->part, piece);
}

void EventReader::AddInput(std::string_view piece, OpenBlock* block) {
  if (piece.empty()) return;
  if (block->kind == PartKind::kOther) return Hold(piece, &block->input);
  if (block->kind != PartKind::kToolCall) return;
  held_ -= block->input.size();
  block->input.clear();
  sink_->Delta(block->part, piece);
}

void EventReader::Hold(std::string_view piece, std::string* text) {
  *text += piece;
  held_ += piece.size();
  if (held_ > kMaxHeldBytes) Fail(502, "the upstream sent more of open blocks than can be held");
}

void EventReader::OnBlockStop(const json::object& event) {
  const auto open = open_.find(FindUint(event, "index"));
  if (open == open_.end() || !Answering()) return;
  EndBlock(&open->second);
  open_.erase(open);
}

void EventReader::EndBlock(OpenBlock* block) {
  held_ -= block->held();
  if (block->kind == PartKind::kOther) return EndWhole(*block);
  if (!block->state.data.empty()) sink_->AddState(block->part, block->state);
  if (!block->input.empty()) sink_->Delta(block->part, block->input);
  sink_->EndPart(block->part);
}

void EventReader::EndWhole(const OpenBlock& block) {
  Part part;
  part.kind = PartKind::kOther;
  if (absl::StatusOr<json::value> whole = ParseJson(block.whole); whole.ok() && whole->is_object()) {
    part.own = std::move(whole->get_object());
  }
  if (!block.input.empty()) {
    absl::StatusOr<json::value> input = ParseJson(block.input);
    if (input.ok()) part.own["input"] = *std::move(input);
  }
  sink_->WholePart(block.part, std::move(part));
}

void EventReader::OnMessageDelta(const json::object& event) {
  usage_.Read(event);
  sink_->SetUsage(usage_.usage());
  const json::object* delta = FindObject(event, "delta");
  if (delta == nullptr || FindText(*delta, "stop_reason").empty() || !Answering()) return;
  ReadStop(*delta, &stop_);
  state_ = State::kStopped;
}

// Whether parts of the answer may still come; begins it before the first of them.
bool EventReader::Answering() {
  if (state_ == State::kBefore) {
    sink_->Start({}, {});
    state_ = State::kAnswer;
  }
  return state_ == State::kAnswer;
}

void EventReader::End() {
  if (state_ == State::kOver) return;
  for (auto& [index, block] : open_) EndBlock(&block);
  open_.clear();
  sink_->SetUsage(usage_.usage());
  sink_->End(stop_);
  state_ = State::kOver;
}

void EventReader::Fail(int status, std::string_view message) {
  if (state_ == State::kOver) return;
  state_ = State::kOver;
  AnswerError error;
  error.status = status;
  error.message = message;
  sink_->Fail(error);
}

}  // namespace

std::unique_ptr<StreamReader> MakeStreamReader() {
  return std::make_unique<EventReader>();
}

}  // namespace ccr::proxy::anthropic
