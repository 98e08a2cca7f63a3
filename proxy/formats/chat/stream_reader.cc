#include "proxy/formats/chat/stream_reader.h"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <utility>

#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/chat/errors.h"

namespace ccr::proxy::chat {
namespace {

constexpr size_t kMaxSeedText = 1024;
constexpr std::string_view kEmptyObject = "{}";

}  // namespace

void ChunkReader::Feed(std::string_view bytes, AnswerSink* sink) {
  if (over_) return;
  sink_ = sink;
  if (!parser_.Feed(bytes, [this](const SseEvent& event) { OnEvent(event); }))
    Fail(500, "an event of the upstream's stream is too large");
}

void ChunkReader::Finish(bool cut, AnswerSink* sink) {
  if (over_) return;
  sink_ = sink;
  if (!cut) parser_.Finish([this](const SseEvent& event) { OnEvent(event); });
  if (!end_.finish_reason.empty()) End();
  Fail(500, started_ ? "the upstream's stream broke off" : "the upstream ended its stream without an answer");
}

void ChunkReader::OnEvent(const SseEvent& event) {
  if (over_ || event.data.empty()) return;
  if (event.data == "[DONE]") return End();
  unsigned char buffer[8192];
  json::monotonic_resource memory(buffer, sizeof buffer);
  const absl::StatusOr<json::value> chunk = ParseJson(event.data, &memory);
  if (!chunk.ok() || !chunk->is_object()) return Fail(500, "the upstream sent a chunk that is no JSON object");
  if (event.type == "error" || Find(chunk->get_object(), "error") != nullptr) {
    over_ = true;
    return sink_->Fail(ReadErrorValue(*chunk, 500));
  }
  OnChunk(chunk->get_object(), event.data);
}

void ChunkReader::OnChunk(const json::object& chunk, std::string_view data) {
  if (!started_) {
    started_ = true;
    seed_ = StableHash(data.substr(0, kMaxSeedText));
    sink_->Start(FindText(chunk, "id"), FindText(chunk, "model"));
  }
  if (const std::optional<Usage> usage = FindUsage(chunk); usage) sink_->SetUsage(*usage);
  const json::array* choices = FindArray(chunk, "choices");
  if (choices == nullptr) return;
  for (const json::value& choice : *choices) {
    if (choice.is_object() && FindUint(choice.get_object(), "index") == 0) {
      OnChoice(choice.get_object());
    } else {
      AddNote(&notes_, "choices: all behind the first dropped");
    }
  }
}

void ChunkReader::OnChoice(const json::object& choice) {
  if (over_) return;
  const json::object* delta = FindObject(choice, "delta");
  if (delta == nullptr) delta = FindObject(choice, "message");
  if (delta != nullptr) {
    NoteUnread(*delta, &notes_);
    if (const json::array* details = FindArray(*delta, "reasoning_details"); details != nullptr)
      Hold(details_.Add(*details));
    ReadTexts(*delta, [this](PartKind kind, std::string_view text) { OnText(kind, text); });
    ReadImages(*delta, [this](Part image) {
      EndText();
      sink_->WholePart(parts_++, std::move(image));
    });
    OnCalls(*delta);
  }
  end_.Read(choice);
  const auto error = FindChoiceError(choice);
  if (!error || over_) return;
  over_ = true;
  sink_->Fail(*error);
}

void ChunkReader::OnText(PartKind kind, std::string_view text) {
  if (over_) return;
  if (kind == PartKind::kRefusal) end_.refused = true;
  ReleaseEmpty();
  if (text_ != kind) {
    EndText();
    // What came in front of the answer is of thinking without a word.
    if (parts_ == 0 && kind != PartKind::kThinking) FlushDetails();
    text_ = kind;
    text_part_ = parts_++;
    sink_->StartPart(text_part_, {kind, {}, {}, false});
  }
  sink_->Delta(text_part_, text);
}

void ChunkReader::EndText() {
  if (!text_) return;
  if (text_ == PartKind::kThinking) FlushDetails();
  sink_->EndPart(text_part_);
  text_ = std::nullopt;
}

void ChunkReader::FlushDetails() {
  if (details_.empty()) return;
  const OpaqueState state{StateKind::kChatReasoningDetails, details_.TakeJson()};
  if (text_ == PartKind::kThinking) return sink_->AddState(text_part_, state);
  EndText();
  sink_->StartPart(parts_, {PartKind::kThinking, {}, {}, false});
  sink_->AddState(parts_, state);
  sink_->EndPart(parts_++);
}

void ChunkReader::OnCalls(const json::object& delta) {
  static const json::object& none = *new json::object();
  if (const json::array* calls = FindArray(delta, "tool_calls"); calls != nullptr) {
    for (const json::value& element : *calls) {
      const json::object* call = element.if_object();
      if (call == nullptr) continue;
      std::optional<uint64_t> index;
      if (Find(*call, "index") != nullptr) index = FindUint(*call, "index");
      OnCall(index, *call, ReadFunction(*call));
    }
  }
  if (const json::object* function = FindObject(delta, "function_call"); function != nullptr)
    OnCall(0, none, ReadOldFunction(*function));
}

void ChunkReader::OnCall(std::optional<uint64_t> index, const json::object& call, const GivenFunction& function) {
  if (over_) return;
  const std::string_view id = FindText(call, "id");
  Call* known = FindCall(index, id, function);
  const bool first = known == nullptr;
  if (known == nullptr) {
    if (id.empty() && function.name.empty() && function.arguments.empty()) return;
    if (calls_.size() == kMaxToolCalls) return Fail(500, "the upstream sent too many tool calls");
    known = AddCall(index);
  }
  const auto number = static_cast<size_t>(known - calls_.data());
  known->custom |= function.custom;
  NameCall(id, function.name, number);
  if (const json::object* extra = FindObject(call, "extra_content"); extra != nullptr) {
    Call& extended = calls_[number];
    const bool late = extended.told && extended.extra.empty();
    extended.extra.clear();
    AppendJson(*extra, &extended.extra);
    Hold(extended.extra.size());
    if (late) sink_->AddState(extended.part, {StateKind::kChatExtraContent, extended.extra});
  }
  AddArguments(function.arguments, first, &calls_[number]);
  TellCall(number);
}

ChunkReader::Call* ChunkReader::AddCall(std::optional<uint64_t> index) {
  ReleaseEmpty();
  const size_t number = calls_.size();
  Call& call = calls_.emplace_back();
  call.index = index;
  if (index) last_by_index_[*index] = number;
  return &call;
}

void ChunkReader::NameCall(std::string_view id, std::string_view name, size_t number) {
  Call& call = calls_[number];
  if (call.id.empty() && !id.empty()) {
    call.id = id;
    size_t& last = last_by_id_.try_emplace(call.id, number).first->second;
    last = std::max(last, number);
    Hold(2 * id.size());
  }
  if (call.name.empty() && !name.empty()) {
    call.name = name;
    Hold(name.size());
  }
}

// Some upstreams give every call the index 0, or none: then a new id with a name, or a name with arguments behind
// complete ones, begins a call.
ChunkReader::Call* ChunkReader::FindCall(std::optional<uint64_t> index, std::string_view id,
                                         const GivenFunction& function) {
  Call* const found = LastCall(index, id, function.name);
  if (found == nullptr) return nullptr;
  const bool named = !function.name.empty();
  const bool other_id = !id.empty() && !found->id.empty() && id != found->id && named;
  const bool begins_anew =
      id.empty() && found->id.empty() && found->arguments.closed() && named && !function.arguments.empty();
  return other_id || begins_anew ? nullptr : found;
}

ChunkReader::Call* ChunkReader::LastCall(std::optional<uint64_t> index, std::string_view id, std::string_view name) {
  if (index) {
    const auto last = last_by_index_.find(*index);
    return last == last_by_index_.end() ? nullptr : &calls_[last->second];
  }
  if (id.empty()) return name.empty() && !calls_.empty() ? &calls_.back() : nullptr;
  const auto last = last_by_id_.find(ToAbsl(id));
  return last == last_by_id_.end() ? nullptr : &calls_[last->second];
}

void ChunkReader::AddArguments(std::string_view text, bool first, Call* call) {
  if (text.empty()) return;
  if (call->custom) {
    call->held += text;
    return Hold(text.size());
  }
  if (first && text.starts_with(kEmptyObject)) {
    const std::string_view rest = text.substr(kEmptyObject.size());
    if (rest.empty()) {
      call->holds_empty = true;
      call->arguments.Feed(text);
      empty_call_ = static_cast<size_t>(call - calls_.data());
      return;
    }
    if (rest.starts_with('{') && rest != kEmptyObject) text = rest;
  }
  if (call->holds_empty) text = AfterEmpty(text, call);
  const size_t used = call->arguments.Feed(text);
  if (used < text.size()) AddNote(&notes_, "tool_calls.arguments: what follows complete ones dropped");
  call->held += text.substr(0, used);
  Hold(used);
}

// What comes behind a "{}" that may have stood for it.
std::string_view ChunkReader::AfterEmpty(std::string_view text, Call* call) {
  if (!text.starts_with('{') || text == kEmptyObject) return text;
  call->holds_empty = false;
  empty_call_ = std::nullopt;
  call->arguments = JsonEndFinder();
  return text;
}

// Tells what may be told of it.
void ChunkReader::TellCall(size_t number) {
  Call& call = calls_[number];
  if (over_ || call.ended) return;
  const bool complete = ending_ || (call.arguments.closed() && !call.holds_empty);
  if (!call.told) {
    if (call.name.empty() || (call.id.empty() && !complete)) return;
    FlushDetails();
    EndText();
    call.told = true;
    call.part = parts_++;
    const std::string id = call.id.empty() ? MadeUpId("call_", seed_, number) : call.id;
    sink_->StartPart(call.part, {PartKind::kToolCall, id, call.name, call.custom});
    if (!call.extra.empty()) sink_->AddState(call.part, {StateKind::kChatExtraContent, call.extra});
  }
  if (!call.held.empty()) sink_->Delta(call.part, call.held);
  held_bytes_ -= call.held.size();
  call.held.clear();
  if (!complete) return;
  call.ended = true;
  sink_->EndPart(call.part);
}

void ChunkReader::ReleaseEmpty() {
  if (!empty_call_) return;
  const size_t number = *std::exchange(empty_call_, std::nullopt);
  Call& call = calls_[number];
  call.holds_empty = false;
  call.held = kEmptyObject;
  held_bytes_ += kEmptyObject.size();
  TellCall(number);
}

void ChunkReader::Hold(size_t bytes) {
  held_bytes_ += bytes;
  if (held_bytes_ + calls_.size() * sizeof(Call) > kMaxHeldBytes)
    Fail(500, "the upstream interleaves more than can be held");
}

void ChunkReader::End() {
  if (over_) return;
  if (!started_) return Fail(500, "the upstream ended its stream without an answer");
  ReleaseEmpty();
  ending_ = true;
  for (size_t i = 0; i < calls_.size(); ++i) {
    if (calls_[i].name.empty()) return Fail(500, "the upstream sent a tool call without a name");
    TellCall(i);
  }
  FlushDetails();
  EndText();
  over_ = true;
  end_.has_calls = !calls_.empty();
  sink_->End(end_.Stop());
}

void ChunkReader::Fail(int status, std::string_view message) {
  if (std::exchange(over_, true)) return;
  AnswerError error;
  error.status = status;
  error.message = message;
  sink_->Fail(error);
}

}  // namespace ccr::proxy::chat
