#include "proxy/formats/anthropic_openai/anthropic_event_writer.h"

#include "proxy/core/error_body.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy {

void AnthropicEventWriter::Start(std::string_view id, std::string_view model, const OpenAiUsage& usage) {
  if (state_ != State::kNew) return;
  out_->append(R"(event: message_start
data: {"type":"message_start","message":{"id":)");
  AppendJsonString(id, out_);
  out_->append(R"(,"type":"message","role":"assistant","model":)");
  AppendJsonString(model, out_);
  out_->append(R"(,"content":[],"stop_reason":null,"stop_sequence":null,"usage":)");
  AppendAnthropicUsage(usage, out_);
  out_->append("}}\n\n");
  state_ = State::kBetween;
}

void AnthropicEventWriter::Open(Block kind) {
  if (kind == Block::kTool) return;
  OpenWith(kind, kind == Block::kText ? R"({"type":"text","text":""})"
                                      : R"({"type":"thinking","thinking":"","signature":""})");
}

void AnthropicEventWriter::OpenTool(std::string_view id, std::string_view name) {
  std::string block = R"({"type":"tool_use","id":)";
  AppendJsonString(id, &block);
  block += R"(,"name":)";
  AppendJsonString(name, &block);
  block += R"(,"input":{}})";
  if (OpenWith(Block::kTool, block)) wrote_tool_ = true;
}

bool AnthropicEventWriter::OpenWith(Block kind, std::string_view content_block) {
  Close();
  if (state_ != State::kBetween) return false;
  BlockEvent("content_block_start");
  out_->append(",\"content_block\":").append(content_block).append("}\n\n");
  kind_ = kind;
  state_ = State::kInBlock;
  return true;
}

void AnthropicEventWriter::Delta(std::string_view piece) {
  if (state_ != State::kInBlock) return;
  BlockEvent("content_block_delta");
  switch (kind_) {
    case Block::kThinking:
      out_->append(R"(,"delta":{"type":"thinking_delta","thinking":)");
      break;
    case Block::kText:
      out_->append(R"(,"delta":{"type":"text_delta","text":)");
      break;
    case Block::kTool:
      out_->append(R"(,"delta":{"type":"input_json_delta","partial_json":)");
      break;
  }
  AppendJsonString(piece, out_);
  out_->append("}}\n\n");
}

void AnthropicEventWriter::Close() {
  if (state_ != State::kInBlock) return;
  BlockEvent("content_block_stop");
  out_->append("}\n\n");
  ++next_index_;
  state_ = State::kBetween;
}

void AnthropicEventWriter::End(const AnswerEnd& end, const OpenAiUsage& usage) {
  Close();
  if (state_ != State::kBetween) return;
  out_->append(R"(event: message_delta
data: {"type":"message_delta","delta":{)");
  AppendStop(end, out_);
  out_->append(R"(},"usage":)");
  AppendAnthropicUsage(usage, out_);
  out_->append("}\n\n");
  AppendSseEvent("message_stop", R"({"type":"message_stop"})", out_);
  state_ = State::kEnded;
}

void AnthropicEventWriter::Fail(int status, std::string_view message) {
  if (over()) return;
  AppendSseEvent("error", ErrorBody(Format::kAnthropic, status, message), out_);
  state_ = State::kFailed;
}

void AnthropicEventWriter::BlockEvent(std::string_view type) {
  out_->append("event: ").append(type).append("\ndata: {\"type\":\"").append(type);
  out_->append("\",\"index\":").append(std::to_string(next_index_));
}

}  // namespace ccr::proxy
