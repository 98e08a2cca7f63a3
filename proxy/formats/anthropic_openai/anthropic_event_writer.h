// Writes the events of one Anthropic stream.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proxy/formats/anthropic_openai/response.h"

namespace ccr::proxy {

// Cannot write an invalid order, whatever is called: message_start once, blocks strictly one after another with rising
// indices, then message_delta and message_stop, or at any point an error event that ends the stream. A call that does
// not fit is ignored, but for Open, which closes an open block itself.
class AnthropicEventWriter {
 public:
  enum class Block { kThinking, kText, kTool };

  // Where events go from now on. Must outlive the calls that write.
  void WriteTo(std::string* out) { out_ = out; }

  void Start(std::string_view id, std::string_view model, const OpenAiUsage& usage);
  void Open(Block kind);
  void OpenTool(std::string_view id, std::string_view name);
  // A piece of the open block: text, thinking or the JSON of a tool's input.
  void Delta(std::string_view piece);
  void Close();
  void End(const AnswerEnd& end, const OpenAiUsage& usage);
  void Fail(int status, std::string_view message);

  bool started() const { return state_ != State::kNew; }
  bool over() const { return state_ == State::kEnded || state_ == State::kFailed; }
  bool failed() const { return state_ == State::kFailed; }
  bool wrote_tool() const { return wrote_tool_; }

 private:
  enum class State { kNew, kBetween, kInBlock, kEnded, kFailed };

  bool OpenWith(Block kind, std::string_view content_block);
  void BlockEvent(std::string_view type);

  State state_ = State::kNew;
  Block kind_ = Block::kText;  // of the open block
  size_t next_index_ = 0;
  bool wrote_tool_ = false;
  std::string* out_ = nullptr;
};

}  // namespace ccr::proxy
