#include "proxy/formats/openai_anthropic/stream.h"

#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/core/error_body.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/openai_anthropic/response.h"
#include "proxy/formats/openai_chunk_writer.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy {
namespace {

// A tool_use block that has not stopped.
struct OpenCall {
  size_t call = 0;    // OpenAI's index
  std::string input;  // stands for the arguments until the first of them came
};

class AnthropicStream final : public StreamTranslator {
 public:
  AnthropicStream(std::string_view model, int64_t created, const StreamOptions& options)
      : writer_(model, created, options) {}

  void Feed(std::string_view bytes, std::string* out) override;
  void Finish(bool cut, std::string* out) override;
  bool failed() const override { return state_ == State::kFailed; }
  const Notes& notes() const override { return notes_; }
  uint64_t input_tokens() const override { return usage_.prompt(); }
  uint64_t output_tokens() const override { return usage_.output; }

 private:
  // kBefore -> kAnswer (role chunk) -> kFinished (finish chunk) -> kDone ([DONE]); an error from anywhere -> kFailed.
  enum class State { kBefore, kAnswer, kFinished, kDone, kFailed };

  void OnEvent(const SseEvent& event, std::string* out);
  void OnMessageStart(const json::object& event, std::string* out);
  void OnBlockStart(const json::object& event, std::string* out);
  void OnBlockDelta(const json::object& event, std::string* out);
  void OnBlockStop(const json::object& event, std::string* out);
  void OnMessageDelta(const json::object& event, std::string* out);
  void OnMessageStop(std::string* out);

  void OpenTool(uint64_t index, const json::object& block, std::string* out);
  void AppendArguments(uint64_t index, std::string_view json, std::string* out);
  void CloseTool(OpenCall* call, std::string* out);

  bool Answering(std::string* out);
  void EndAnswer(std::string_view stop_reason, std::string* out);
  void Fail(std::string_view error_body, std::string* out);

  OpenAiChunkWriter writer_;
  SseParser parser_;
  Notes notes_;
  State state_ = State::kBefore;
  std::map<uint64_t, OpenCall> open_calls_;  // by Anthropic's index
  size_t held_bytes_ = 0;                    // their inputs
  size_t calls_ = 0;
  AnthropicUsage usage_;
};

void AnthropicStream::Feed(std::string_view bytes, std::string* out) {
  if (state_ == State::kDone || state_ == State::kFailed) return;
  const bool fits = parser_.Feed(bytes, [&](const SseEvent& event) { OnEvent(event, out); });
  if (!fits) Fail(ErrorBody(Format::kOpenAi, 502, "the upstream sent an event that is too large"), out);
}

void AnthropicStream::Finish(bool cut, std::string* out) {
  if (!cut) parser_.Finish([&](const SseEvent& event) { OnEvent(event, out); });
  if (state_ == State::kFinished && !cut) OnMessageStop(out);
  Fail(ErrorBody(Format::kOpenAi, 502, "the upstream's stream ended before the answer was complete"), out);
}

void AnthropicStream::OnEvent(const SseEvent& event, std::string* out) {
  if (state_ == State::kDone || state_ == State::kFailed) return;
  if (event.type == "ping" || event.data.empty() || event.data == "[DONE]") return;
  unsigned char buffer[4096];
  json::monotonic_resource memory(buffer, sizeof buffer);
  const absl::StatusOr<json::value> parsed = ParseJson(event.data, &memory);
  if (event.type == "error") return Fail(AnthropicErrorEventToOpenAi(event.data), out);
  if (!parsed.ok() || !parsed->is_object()) {
    return Fail(ErrorBody(Format::kOpenAi, 502, "the upstream sent an event that is no JSON object"), out);
  }
  const json::object& data = parsed->get_object();
  const std::string_view type = FindText(data, "type");
  if (type == "content_block_delta") return OnBlockDelta(data, out);
  if (type == "content_block_start") return OnBlockStart(data, out);
  if (type == "content_block_stop") return OnBlockStop(data, out);
  if (type == "message_start") return OnMessageStart(data, out);
  if (type == "message_delta") return OnMessageDelta(data, out);
  if (type == "message_stop") return OnMessageStop(out);
  if (type == "error") return Fail(AnthropicErrorEventToOpenAi(event.data), out);
}

void AnthropicStream::OnMessageStart(const json::object& event, std::string* out) {
  const json::object* message = FindObject(event, "message");
  if (message == nullptr || state_ != State::kBefore) return;
  usage_.Read(*message);
  writer_.Begin(FindText(*message, "id"), FindText(*message, "model"));
  Answering(out);
}

void AnthropicStream::OnBlockStart(const json::object& event, std::string* out) {
  const json::object* block = FindObject(event, "content_block");
  if (block == nullptr || !Answering(out)) return;
  const std::string_view type = FindText(*block, "type");
  if (type == "text") return writer_.Text("content", FindText(*block, "text"), out);
  if (type == "thinking") return writer_.Text("reasoning_content", FindText(*block, "thinking"), out);
  if (type == "tool_use") return OpenTool(FindUint(event, "index"), *block, out);
  AddNote(&notes_, absl::StrCat("content: a block of type ", ToAbsl(type.substr(0, 40)), " was dropped"));
}

void AnthropicStream::OnBlockDelta(const json::object& event, std::string* out) {
  const json::object* delta = FindObject(event, "delta");
  if (delta == nullptr || !Answering(out)) return;
  const std::string_view type = FindText(*delta, "type");
  if (type == "text_delta") return writer_.Text("content", FindText(*delta, "text"), out);
  if (type == "thinking_delta") return writer_.Text("reasoning_content", FindText(*delta, "thinking"), out);
  if (type == "input_json_delta") {
    return AppendArguments(FindUint(event, "index"), FindText(*delta, "partial_json"), out);
  }
  AddNote(&notes_, absl::StrCat("content: a ", ToAbsl(type.substr(0, 40)), " was dropped"));
}

void AnthropicStream::OnBlockStop(const json::object& event, std::string* out) {
  const auto open = open_calls_.find(FindUint(event, "index"));
  if (open == open_calls_.end() || !Answering(out)) return;
  CloseTool(&open->second, out);
  open_calls_.erase(open);
}

void AnthropicStream::OnMessageDelta(const json::object& event, std::string* out) {
  usage_.Read(event);
  const json::object* delta = FindObject(event, "delta");
  const std::string_view reason = delta == nullptr ? std::string_view() : FindText(*delta, "stop_reason");
  if (!reason.empty() && Answering(out)) EndAnswer(reason, out);
}

void AnthropicStream::OnMessageStop(std::string* out) {
  if (Answering(out)) EndAnswer("", out);
  std::string usage;
  usage_.AppendOpenAi(&usage);
  writer_.End(usage, out);
  state_ = State::kDone;
}

void AnthropicStream::OpenTool(uint64_t index, const json::object& block, std::string* out) {
  const json::object* input = FindObject(block, "input");
  const std::string_view id = FindText(block, "id");
  OpenCall& call = open_calls_[index];
  CloseTool(&call, out);
  call = {calls_, input == nullptr ? "{}" : ToJson(*input)};
  held_bytes_ += call.input.size();
  if (calls_ == kMaxToolCalls || held_bytes_ > SseParser::kMaxEventBytes) {
    return Fail(ErrorBody(Format::kOpenAi, 502, "the upstream sent more tool calls than can be held"), out);
  }
  writer_.Call(calls_, id.empty() ? absl::StrCat("call_", calls_) : std::string(id), FindText(block, "name"), "", out);
  ++calls_;
}

void AnthropicStream::AppendArguments(uint64_t index, std::string_view json, std::string* out) {
  const auto open = open_calls_.find(index);
  if (open == open_calls_.end() || json.empty()) return;
  held_bytes_ -= open->second.input.size();
  open->second.input.clear();
  writer_.Arguments(open->second.call, json, out);
}

void AnthropicStream::CloseTool(OpenCall* call, std::string* out) {
  if (!call->input.empty()) writer_.Arguments(call->call, call->input, out);
  held_bytes_ -= call->input.size();
  call->input.clear();
}

// Whether parts of the answer may still come; sends the role chunk before the first of them.
bool AnthropicStream::Answering(std::string* out) {
  if (state_ == State::kBefore) {
    writer_.Role(out);
    state_ = State::kAnswer;
  }
  return state_ == State::kAnswer;
}

void AnthropicStream::EndAnswer(std::string_view stop_reason, std::string* out) {
  for (auto& [block, call] : open_calls_) CloseTool(&call, out);
  open_calls_.clear();
  writer_.Finish(FinishReason(stop_reason, calls_ > 0), out);
  state_ = State::kFinished;
}

void AnthropicStream::Fail(std::string_view error_body, std::string* out) {
  if (state_ == State::kDone || state_ == State::kFailed) return;
  AppendSseEvent("", error_body, out);
  state_ = State::kFailed;
}

}  // namespace

std::unique_ptr<StreamTranslator> MakeAnthropicStreamToOpenAi(std::string_view model, int64_t created,
                                                              const StreamOptions& options) {
  return std::make_unique<AnthropicStream>(model, created, options);
}

}  // namespace ccr::proxy
