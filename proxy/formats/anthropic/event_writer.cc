#include "proxy/formats/anthropic/event_writer.h"

#include "proxy/formats/anthropic/errors.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy::anthropic {

void EventWriter::Start(std::string_view id, std::string_view model, const Usage& usage) {
  if (state_ != State::kNew) return;
  out_->append(R"(event: message_start
data: {"type":"message_start","message":{"id":)");
  AppendJsonString(id, out_);
  out_->append(R"(,"type":"message","role":"assistant","model":)");
  AppendJsonString(model, out_);
  out_->append(R"(,"content":[],"stop_reason":null,"stop_sequence":null,"usage":)");
  AppendUsage(usage, out_);
  out_->append("}}\n\n");
  state_ = State::kBetween;
}

void EventWriter::OpenWith(Block kind, std::string_view content_block) {
  Close();
  if (state_ != State::kBetween) return;
  BlockEvent("content_block_start");
  out_->append(",\"content_block\":").append(content_block).append("}\n\n");
  kind_ = kind;
  if (kind == Block::kTool) written_.tool = true;
  if (kind == Block::kText) written_.text = true;
  state_ = State::kInBlock;
}

void EventWriter::Open(Block kind) {
  OpenWith(kind, kind == Block::kText ? R"({"type":"text","text":""})"
                                      : R"({"type":"thinking","thinking":"","signature":""})");
}

void EventWriter::OpenTool(std::string_view id, std::string_view name) {
  std::string block = R"({"type":"tool_use","id":)";
  AppendJsonString(id, &block);
  block += R"(,"name":)";
  AppendJsonString(name, &block);
  block += R"(,"input":{}})";
  OpenWith(Block::kTool, block);
}

void EventWriter::Delta(std::string_view piece) {
  if (state_ != State::kInBlock || piece.empty()) return;
  switch (kind_) {
    case Block::kThinking:
      return AppendDelta(R"("thinking_delta","thinking":)", piece);
    case Block::kText:
      return AppendDelta(R"("text_delta","text":)", piece);
    case Block::kTool:
      return AppendDelta(R"("input_json_delta","partial_json":)", piece);
    case Block::kWhole:
      return;
  }
}

void EventWriter::Signature(std::string_view signature) {
  if (state_ != State::kInBlock || kind_ != Block::kThinking) return;
  AppendDelta(R"("signature_delta","signature":)", signature);
}

void EventWriter::Close() {
  if (state_ != State::kInBlock) return;
  BlockEvent("content_block_stop");
  out_->append("}\n\n");
  ++next_index_;
  state_ = State::kBetween;
}

void EventWriter::End(const Stop& stop, const Usage& usage) {
  Close();
  if (state_ != State::kBetween) return;
  out_->append(R"(event: message_delta
data: {"type":"message_delta","delta":{)");
  AppendStop(stop, written_, out_);
  out_->append(R"(},"usage":)");
  AppendUsage(usage, out_);
  out_->append("}\n\n");
  AppendSseEvent("message_stop", R"({"type":"message_stop"})", out_);
  state_ = State::kEnded;
}

void EventWriter::Fail(const AnswerError& error) {
  if (over()) return;
  AppendSseEvent("error", WriteError(error), out_);
  state_ = State::kFailed;
}

void EventWriter::AppendDelta(std::string_view head, std::string_view text) {
  BlockEvent("content_block_delta");
  out_->append(R"(,"delta":{"type":)").append(head);
  AppendJsonString(text, out_);
  out_->append("}}\n\n");
}

void EventWriter::BlockEvent(std::string_view type) {
  out_->append("event: ").append(type).append("\ndata: {\"type\":\"").append(type);
  out_->append("\",\"index\":").append(std::to_string(next_index_));
}

}  // namespace ccr::proxy::anthropic
