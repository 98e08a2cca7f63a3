#include "proxy/formats/responses/stream_writer.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/conversation/custom_tool.h"
#include "proxy/formats/responses/answer_writer.h"
#include "proxy/formats/responses/writing.h"

namespace ccr::proxy::responses {
namespace {

AnswerError TooLarge() {
  AnswerError error;
  error.status = 502;
  error.message = "the upstream's answer is more than can be held";
  return error;
}

ItemKind KindOf(const PartHead& head) {
  switch (head.kind) {
    case PartKind::kThinking:
      return ItemKind::kReasoning;
    case PartKind::kRefusal:
      return ItemKind::kRefusal;
    case PartKind::kToolCall:
      return head.custom ? ItemKind::kCustomCall : ItemKind::kCall;
    default:
      return ItemKind::kText;
  }
}

bool IsCall(ItemKind kind) {
  return kind == ItemKind::kCall || kind == ItemKind::kCustomCall;
}

}  // namespace

void ResponseStreamWriter::Start(std::string_view id, std::string_view model) {
  if (started_ || over_) return;
  started_ = true;
  head_ = HeadOf(id, model, context_, &seed_);
  ResponseEvent("response.created", {}, nullptr);
  ResponseEvent("response.in_progress", {}, nullptr);
}

void ResponseStreamWriter::StartPart(size_t part, const PartHead& head) {
  if (over_) return;
  Start("", "");
  if (!parts_.try_emplace(part, segments_written_ + segments_.size()).second) return;
  Segment& segment = segments_.emplace_back();
  if (!Hold(sizeof(Segment) + head.id.size() + head.name.size(), &segment)) return;
  segment.item.kind = KindOf(head);
  if (head.kind == PartKind::kToolCall) {
    segment.call = head.id;
    NameCall(head.name, context_, &segment.item);
    segment.converted = segment.item.kind == ItemKind::kCustomCall && !head.custom;
  } else if (head.kind == PartKind::kThinking && head.id.starts_with("rs_")) {
    segment.item.id = head.id;
  }
}

void ResponseStreamWriter::Delta(size_t part, std::string_view text) {
  Segment* segment = Find(part);
  if (segment == nullptr || text.empty() || !Hold(text.size(), segment)) return;
  segment->held += text;
  if (segment == &segments_.front()) Pump();
}

void ResponseStreamWriter::AddState(size_t part, const OpaqueState& state) {
  Segment* segment = Find(part);
  if (segment != nullptr && Hold(state.data.size(), segment)) segment->state.push_back(state);
}

void ResponseStreamWriter::EndPart(size_t part) {
  Segment* segment = Find(part);
  if (segment == nullptr) return;
  segment->ended = true;
  parts_.erase(part);
  Pump();
}

void ResponseStreamWriter::WholePart(size_t part, Part whole) {
  if (over_) return;
  if (whole.kind != PartKind::kMedia && whole.kind != PartKind::kOther) {
    StartPart(part, {whole.kind, whole.id, whole.name, whole.custom});
    for (const OpaqueState& state : whole.state) AddState(part, state);
    Delta(part, whole.text);
    return EndPart(part);
  }
  Start("", "");
  Segment& segment = segments_.emplace_back();
  if (!Hold(sizeof(Segment) + whole.text.size() + whole.media.data.size(), &segment)) return;
  segment.whole = std::move(whole);
  segment.is_whole = segment.ended = true;
  Pump();
}

void ResponseStreamWriter::SetUsage(const Usage& usage) {
  usage_ = usage;
}

void ResponseStreamWriter::End(const Stop& stop) {
  if (over_) return;
  Start("", "");
  for (Segment& segment : segments_) segment.ended = true;
  parts_.clear();
  Pump();
  EndMessage();
  const bool refusal = stop.cause == StopCause::kRefusal;
  if ((items_ == 0 || refusal) && !refused_ && !stop.explanation.empty()) {
    Segment& segment = segments_.emplace_back();
    segment.item.kind = refusal ? ItemKind::kRefusal : ItemKind::kText;
    segment.held = stop.explanation;
    segment.ended = true;
    Pump();
    EndMessage();
  }
  if (over_) return;
  const ResponseEnd end = EndOf(stop, refused_);
  ResponseEvent(end.incomplete.empty() ? "response.completed" : "response.incomplete", end, &usage_);
  over_ = true;
}

void ResponseStreamWriter::Fail(const AnswerError& error) {
  if (over_) return;
  Start("", "");
  ResponseEvent("response.failed", {"failed", "", &error}, nullptr);
  over_ = true;
}

ResponseStreamWriter::Segment* ResponseStreamWriter::Find(size_t part) {
  if (over_) return nullptr;
  const auto found = parts_.find(part);
  return found == parts_.end() ? nullptr : &segments_[found->second - segments_written_];
}

bool ResponseStreamWriter::Hold(size_t bytes, Segment* segment) {
  held_ += bytes;
  segment->bytes += bytes;
  if (held_ <= StreamReader::kMaxHeldBytes && output_.size() <= AnswerCollector::kMaxBytes) return true;
  Fail(TooLarge());
  return false;
}

void ResponseStreamWriter::Release(Segment* segment) {
  held_ -= segment->bytes;
  segment->bytes = 0;
}

void ResponseStreamWriter::Pump() {
  while (!over_ && !segments_.empty()) {
    Segment& segment = segments_.front();
    if (segment.is_whole || IsCall(segment.item.kind)) EndMessage();
    if (segment.is_whole) {
      WriteWhole(WholeItem(segment.whole, seed_, items_));
    } else if (!segment.ended || !IsVoid(segment)) {
      if (!Open(&segment)) return;
      if (!segment.held.empty()) Write(&segment);
      if (!segment.ended) return;
      Close(&segment);
    }
    Release(&segment);
    segments_.pop_front();
    ++segments_written_;
  }
}

bool ResponseStreamWriter::IsVoid(const Segment& segment) const {
  return !segment.open && !IsCall(segment.item.kind) && segment.held.empty() && segment.state.empty();
}

bool ResponseStreamWriter::Open(Segment* segment) {
  if (segment->open) return true;
  if (!segment->ended && (segment->converted || segment->held.empty())) return false;
  segment->open = true;
  OutputItem& item = segment->item;
  if (message_ && message_->kind == item.kind) {
    item = *std::exchange(message_, std::nullopt);
    return true;
  }
  EndMessage();
  if (item.id.empty()) item.id = ItemId(item.kind, seed_, items_);
  if (IsCall(item.kind)) item.call_id = IdWithState(UniqueId("call_", segment->call, seed_, items_), segment->state);
  if (segment->converted) segment->held = CustomInput(segment->held);
  if (segment->held.empty() && item.kind == ItemKind::kCall) segment->held = "{}";
  std::string added;
  AppendItem(item, /*complete=*/false, &added);
  Announce(added);
  if (IsMessage(item.kind)) {
    ItemEvent("response.content_part.added", item);
    *out_ += ",\"content_index\":0,\"part\":";
    AppendContent(item.kind, "", out_);
    EndEvent();
  } else if (item.kind == ItemKind::kReasoning && !segment->held.empty()) {
    ItemEvent("response.reasoning_summary_part.added", item);
    *out_ += R"(,"summary_index":0,"part":{"type":"summary_text","text":""})";
    EndEvent();
  }
  return true;
}

void ResponseStreamWriter::Write(Segment* segment) {
  OutputItem& item = segment->item;
  switch (item.kind) {
    case ItemKind::kText:
      ItemEvent("response.output_text.delta", item);
      *out_ += ",\"content_index\":0,\"logprobs\":[]";
      break;
    case ItemKind::kRefusal:
      ItemEvent("response.refusal.delta", item);
      *out_ += ",\"content_index\":0";
      break;
    case ItemKind::kReasoning:
      ItemEvent("response.reasoning_summary_text.delta", item);
      *out_ += ",\"summary_index\":0";
      break;
    case ItemKind::kCall:
      ItemEvent("response.function_call_arguments.delta", item);
      break;
    case ItemKind::kCustomCall:
      ItemEvent("response.custom_tool_call_input.delta", item);
      break;
  }
  AppendMember("delta", segment->held, out_);
  EndEvent();
  item.text += segment->held;
  Release(segment);
  segment->held.clear();
  if (output_.size() + item.text.size() > AnswerCollector::kMaxBytes) Fail(TooLarge());
}

void ResponseStreamWriter::Close(Segment* segment) {
  if (over_) return;
  OutputItem& item = segment->item;
  if (IsMessage(item.kind)) {
    message_ = std::move(item);
    return;
  }
  if (item.kind == ItemKind::kReasoning) item.encrypted = EncryptedContent(segment->state, item.id);
  if (item.kind == ItemKind::kReasoning && !item.text.empty()) CloseReasoning(item);
  if (IsCall(item.kind)) {
    // State that came behind the first of the arguments: what is complete says it.
    item.call_id = IdWithState(UniqueId("call_", segment->call, seed_, items_), segment->state);
    CloseCall(item);
  }
  std::string whole;
  AppendItem(item, /*complete=*/true, &whole);
  Complete(whole);
}

void ResponseStreamWriter::EndMessage() {
  if (over_ || !message_) return;
  const OutputItem item = *std::exchange(message_, std::nullopt);
  CloseText(item);
  std::string whole;
  AppendItem(item, /*complete=*/true, &whole);
  Complete(whole);
}

void ResponseStreamWriter::CloseText(const OutputItem& item) {
  const bool refusal = item.kind == ItemKind::kRefusal;
  refused_ |= refusal;
  ItemEvent(refusal ? "response.refusal.done" : "response.output_text.done", item);
  *out_ += ",\"content_index\":0";
  if (!refusal) *out_ += ",\"logprobs\":[]";
  AppendMember(refusal ? "refusal" : "text", item.text, out_);
  EndEvent();
  ItemEvent("response.content_part.done", item);
  *out_ += ",\"content_index\":0,\"part\":";
  AppendContent(item.kind, item.text, out_);
  EndEvent();
}

void ResponseStreamWriter::CloseReasoning(const OutputItem& item) {
  ItemEvent("response.reasoning_summary_text.done", item);
  *out_ += ",\"summary_index\":0";
  AppendMember("text", item.text, out_);
  EndEvent();
  ItemEvent("response.reasoning_summary_part.done", item);
  *out_ += R"(,"summary_index":0,"part":{"type":"summary_text")";
  AppendMember("text", item.text, out_);
  *out_ += '}';
  EndEvent();
}

void ResponseStreamWriter::CloseCall(const OutputItem& item) {
  const bool custom = item.kind == ItemKind::kCustomCall;
  ItemEvent(custom ? "response.custom_tool_call_input.done" : "response.function_call_arguments.done", item);
  if (!custom) AppendMember("name", item.name, out_);
  AppendMember(custom ? "input" : "arguments", item.text, out_);
  EndEvent();
}

void ResponseStreamWriter::WriteWhole(std::string_view item) {
  if (item.empty()) return;
  Announce(item);
  Complete(item);
}

void ResponseStreamWriter::Announce(std::string_view item) {
  Event("response.output_item.added");
  absl::StrAppend(out_, ",\"output_index\":", items_, ",\"item\":", ToAbsl(item));
  EndEvent();
}

void ResponseStreamWriter::Complete(std::string_view item) {
  Event("response.output_item.done");
  absl::StrAppend(out_, ",\"output_index\":", items_, ",\"item\":", ToAbsl(item));
  EndEvent();
  if (items_++ > 0) output_ += ',';
  output_ += item;
}

void ResponseStreamWriter::Event(std::string_view type) {
  absl::StrAppend(out_, "event: ", ToAbsl(type), "\ndata: {\"type\":\"", ToAbsl(type),
                  "\",\"sequence_number\":", sequence_++);
}

void ResponseStreamWriter::ItemEvent(std::string_view type, const OutputItem& item) {
  Event(type);
  AppendMember("item_id", item.id, out_);
  absl::StrAppend(out_, ",\"output_index\":", items_);
}

void ResponseStreamWriter::EndEvent() {
  *out_ += "}\n\n";
}

void ResponseStreamWriter::ResponseEvent(std::string_view type, const ResponseEnd& end, const Usage* usage) {
  Event(type);
  *out_ += ",\"response\":";
  AppendResponse(head_, end, output_, usage, out_);
  EndEvent();
}

std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context) {
  return std::make_unique<ResponseStreamWriter>(context);
}

}  // namespace ccr::proxy::responses
