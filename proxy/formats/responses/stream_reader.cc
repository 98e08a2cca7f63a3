#include "proxy/formats/responses/stream_reader.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/responses/answer_reader.h"
#include "proxy/formats/responses/errors.h"
#include "proxy/formats/responses/parts.h"

namespace ccr::proxy::responses {

void ResponseStreamReader::Feed(std::string_view bytes, AnswerSink* sink) {
  if (over_) return;
  sink_ = sink;
  if (!parser_.Feed(bytes, [this](const SseEvent& event) { OnEvent(event); })) {
    Fail(502, "an event of the upstream's stream is too large");
  }
}

void ResponseStreamReader::Finish(bool cut, AnswerSink* sink) {
  if (over_) return;
  sink_ = sink;
  if (!cut) parser_.Finish([this](const SseEvent& event) { OnEvent(event); });
  Fail(502, started_ ? "the upstream's stream broke off" : "the upstream ended its stream without an answer");
}

void ResponseStreamReader::OnEvent(const SseEvent& event) {
  if (over_ || event.data.empty() || event.data == "[DONE]") return;
  unsigned char buffer[8192];
  json::monotonic_resource memory(buffer, sizeof buffer);
  absl::StatusOr<json::value> parsed = ParseJson(event.data, &memory);
  if (!parsed.ok() || !parsed->is_object()) return Fail(502, "the upstream sent an event that is no JSON object");
  json::object& data = parsed->get_object();
  std::string_view type = FindText(data, "type");
  if (event.type == "error" || type == "error" || (type.empty() && Find(data, "error") != nullptr)) {
    return OnError(data);
  }
  if (type.empty()) type = event.type;
  if (!type.starts_with("response.")) return;
  type.remove_prefix(9);
  if (json::object* response = FindObject(data, "response"); response != nullptr) {
    if (!started_) sink_->Start(FindText(*response, "id"), FindText(*response, "model"));
    started_ = true;
    if (type == "completed" || type == "incomplete" || type == "failed" || type == "cancelled") OnEnd(response);
    return;
  }
  if (type == "output_text.delta") return OnTextDelta(data, PartKind::kText);
  if (type == "output_text.done") return OnTextDone(data, PartKind::kText, FindText(data, "text"));
  if (type == "refusal.delta") return OnTextDelta(data, PartKind::kRefusal);
  if (type == "refusal.done") return OnTextDone(data, PartKind::kRefusal, FindText(data, "refusal"));
  if (type == "reasoning_summary_text.delta") return OnReasoning(data, false, "summary_index");
  if (type == "reasoning_text.delta") return OnReasoning(data, true, "content_index");
  if (type == "function_call_arguments.delta" || type == "custom_tool_call_input.delta") {
    return OnArguments(data, FindText(data, "delta"));
  }
  if (type == "output_item.added") return OnItemAdded(&data);
  if (type == "output_item.done") {
    json::object* item = FindObject(data, "item");
    if (item != nullptr) OnItemDone(IndexOf(data), item);
  }
}

void ResponseStreamReader::OnItemAdded(json::object* event) {
  json::object* added = FindObject(*event, "item");
  if (added == nullptr) return;
  last_index_ = IndexOf(*event);
  Item* item = ItemOf(last_index_);
  if (item == nullptr || item->done) return;
  const std::string_view type = FindText(*added, "type");
  if (type == "reasoning") {
    item->told.resize(1);
    item->told[0].id = FindText(*added, "id");
  } else if (type == "function_call" || type == "custom_tool_call") {
    const Part call = ReadCall(added);
    item->told.resize(1);
    if (call.name.empty() || item->told[0].started) return;  // it is told when it is done
    StartPart({PartKind::kToolCall, call.id, call.name, call.custom}, &item->told[0]);
    for (const OpaqueState& state : call.state) sink_->AddState(item->told[0].part, state);
  }
}

void ResponseStreamReader::OnItemDone(uint64_t index, json::object* done) {
  Item* item = ItemOf(index);
  if (item == nullptr || item->done) return;
  std::vector<Part> parts;
  const bool message = FindText(*done, "type") == "message";
  if (message) {
    // Numbered as the content is, so that each meets what was told of it.
    ReadContent(Find(*done, "content"), &notes_, &parts);
  } else {
    if (item->raw) done->erase("summary");  // its deltas were of the content
    ReadItem(done, &notes_, &parts);
  }
  TellDone(&parts, item);
  for (Told& told : item->told) EndPart(&told);
  item->done = true;
  item->told.clear();
}

void ResponseStreamReader::TellDone(std::vector<Part>* parts, Item* item) {
  if (item->told.size() < parts->size()) item->told.resize(parts->size());
  for (size_t i = 0; i < parts->size() && !over_; ++i) TellPart(&(*parts)[i], &item->told[i]);
}

void ResponseStreamReader::TellPart(Part* part, Told* told) {
  if (part->kind == PartKind::kOther || part->kind == PartKind::kMedia) {
    if (told->started) return;
    told->started = told->ended = true;
    // Its own members must outlive the event's memory.
    return sink_->WholePart(parts_++, {.kind = part->kind,
                                       .text = std::move(part->text),
                                       .media = std::move(part->media),
                                       .own = json::object(part->own, json::storage_ptr())});
  }
  if (part->own.contains("annotations")) AddNote(&notes_, "content.annotations: dropped");
  const bool call = part->kind == PartKind::kToolCall;
  if (call && part->name.empty()) return Fail(502, "the upstream sent a tool call without a name");
  const bool fresh = !told->started;
  if (fresh && (call || !part->text.empty() || !part->state.empty())) {
    StartPart({part->kind, call ? std::string_view(part->id) : std::string_view(told->id), part->name, part->custom},
              told);
  }
  if (!told->started || over_) return;
  for (size_t i = 0; call && fresh && i < part->state.size(); ++i) sink_->AddState(told->part, part->state[i]);
  TellRest(part->text, told);
  for (size_t i = 0; !call && i < part->state.size(); ++i) sink_->AddState(told->part, part->state[i]);
  EndPart(told);
}

void ResponseStreamReader::OnTextDelta(const json::object& event, PartKind kind) {
  Told* told = ToldOf(event);
  const std::string_view delta = FindText(event, "delta");
  if (told == nullptr || told->ended || delta.empty()) return;
  if (!told->started) StartPart({kind, {}, {}, false}, told);
  Tell(delta, told);
}

void ResponseStreamReader::OnTextDone(const json::object& event, PartKind kind, std::string_view text) {
  Told* told = ToldOf(event);
  if (told == nullptr || told->ended || text.empty()) return;
  if (!told->started) StartPart({kind, {}, {}, false}, told);
  TellRest(text, told);
  EndPart(told);
}

void ResponseStreamReader::OnReasoning(const json::object& event, bool raw, std::string_view piece) {
  Item* item = ItemOf(IndexOf(event));
  const std::string_view delta = FindText(event, "delta");
  if (item == nullptr || item->done || delta.empty()) return;
  item->told.resize(1);
  Told& told = item->told[0];
  if (!told.started) {
    item->raw = raw;
    StartPart({PartKind::kThinking, told.id, {}, false}, &told);
    told.piece = FindUint(event, piece);
  }
  if (item->raw != raw || over_) return;
  if (told.piece != FindUint(event, piece)) Tell("\n\n", &told);
  told.piece = FindUint(event, piece);
  Tell(delta, &told);
}

void ResponseStreamReader::OnArguments(const json::object& event, std::string_view delta) {
  Item* item = ItemOf(IndexOf(event));
  if (item == nullptr || item->told.empty() || !item->told[0].started) return;
  Tell(delta, &item->told[0]);
}

void ResponseStreamReader::OnEnd(json::object* response) {
  const std::string_view status = FindText(*response, "status");
  const json::object* error = FindObject(*response, "error");
  if (error != nullptr) return Fail(ReadErrorObject(*error, 500));
  if (status == "failed" || status == "cancelled") return Fail(502, "the upstream's answer failed");
  json::array* output = FindArray(*response, "output");
  for (size_t i = 0; output != nullptr && i < output->size() && !over_; ++i) {
    if ((*output)[i].is_object()) OnItemDone(i, &(*output)[i].get_object());
  }
  if (over_) return;
  if (Find(*response, "usage") != nullptr) sink_->SetUsage(ReadUsage(*response));
  sink_->End(ReadStop(*response, calls_ > 0, refused_));
  over_ = true;
}

void ResponseStreamReader::OnError(const json::object& event) {
  const json::object* error = FindObject(event, "error");
  AnswerError read = ReadErrorObject(error == nullptr ? event : *error, 500);
  if (read.type == "error") read.type.clear();
  Fail(read);
}

ResponseStreamReader::Item* ResponseStreamReader::ItemOf(uint64_t index) {
  if (over_) return nullptr;
  if (!started_) sink_->Start("", "");
  started_ = true;
  if (items_.size() >= kMaxItems && !items_.contains(index)) {
    Fail(502, "the upstream sent more items than can be held");
    return nullptr;
  }
  return &items_[index];
}

uint64_t ResponseStreamReader::IndexOf(const json::object& event) {
  return Find(event, "output_index") == nullptr ? last_index_ : FindUint(event, "output_index");
}

ResponseStreamReader::Told* ResponseStreamReader::ToldOf(const json::object& event) {
  constexpr uint64_t kMaxContents = 1024;
  Item* item = ItemOf(IndexOf(event));
  const uint64_t content = FindUint(event, "content_index");
  if (item == nullptr || item->done || content >= kMaxContents) return nullptr;
  if (item->told.size() <= content) item->told.resize(content + 1);
  return &item->told[content];
}

void ResponseStreamReader::StartPart(const PartHead& head, Told* told) {
  if (head.kind == PartKind::kToolCall && ++calls_ > kMaxToolCalls) {
    return Fail(502, "the upstream sent more tool calls than can be held");
  }
  refused_ |= head.kind == PartKind::kRefusal;
  told->started = true;
  told->part = parts_++;
  if (head.kind != PartKind::kToolCall || !head.id.empty()) return sink_->StartPart(told->part, head);
  const std::string id = absl::StrCat("call_", calls_ - 1);
  sink_->StartPart(told->part, {head.kind, id, head.name, head.custom});
}

void ResponseStreamReader::Tell(std::string_view text, Told* told) {
  if (over_ || text.empty()) return;
  sink_->Delta(told->part, text);
  told->bytes += text.size();
}

void ResponseStreamReader::TellRest(std::string_view whole, Told* told) {
  if (whole.size() > told->bytes) Tell(whole.substr(told->bytes), told);
}

void ResponseStreamReader::EndPart(Told* told) {
  if (over_ || !told->started || told->ended) return;
  told->ended = true;
  sink_->EndPart(told->part);
}

void ResponseStreamReader::Fail(int status, std::string_view message) {
  AnswerError error;
  error.status = status;
  error.message = message;
  Fail(error);
}

void ResponseStreamReader::Fail(const AnswerError& error) {
  if (over_) return;
  over_ = true;
  sink_->Fail(error);
}

std::unique_ptr<StreamReader> ReadStream() {
  return std::make_unique<ResponseStreamReader>();
}

}  // namespace ccr::proxy::responses
