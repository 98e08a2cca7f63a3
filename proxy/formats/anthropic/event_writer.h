// Writes the events of one Anthropic stream.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proxy/formats/anthropic/answers.h"
#include "proxy/formats/conversation/answer.h"

namespace ccr::proxy::anthropic {

// Cannot write an invalid order, whatever is called: message_start once, blocks strictly one after another with rising
// indices, then message_delta and message_stop, or at any point an error event that ends the stream. A call that does
// not fit is ignored, but for Open, which closes an open block itself.
class EventWriter {
 public:
  enum class Block { kThinking, kText, kTool, kWhole };

  // Where events go from now on. Must outlive the calls that write.
  void WriteTo(std::string* out) { out_ = out; }

  void Start(std::string_view id, std::string_view model, const Usage& usage);
  // A block with all of it, as JSON.
  void OpenWith(Block kind, std::string_view content_block);
  void Open(Block kind);
  void OpenTool(std::string_view id, std::string_view name);
  // A piece of the open block: text, thinking or the JSON of a tool's input.
  void Delta(std::string_view piece);
  void Signature(std::string_view signature);
  void Close();
  void End(const Stop& stop, const Usage& usage);
  void Fail(const AnswerError& error);

  bool started() const { return state_ != State::kNew; }
  bool over() const { return state_ == State::kEnded || state_ == State::kFailed; }
  // Whether there is a block of text or a call of a tool.
  bool wrote_answer() const { return written_.text || written_.tool; }
  void set_refused() { written_.refusal = true; }

 private:
  enum class State { kNew, kBetween, kInBlock, kEnded, kFailed };

  void BlockEvent(std::string_view type);
  void AppendDelta(std::string_view head, std::string_view text);

  State state_ = State::kNew;
  Block kind_ = Block::kText;  // of the open block
  size_t next_index_ = 0;
  Written written_;
  std::string* out_ = nullptr;
};

}  // namespace ccr::proxy::anthropic
