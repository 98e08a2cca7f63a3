// The text in the arguments of ExitTool.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proxy/formats/json_util.h"

namespace ccr::proxy {

// Reads {"response": TEXT} in pieces and gives the text as it comes. Where the arguments look otherwise, all of it
// comes at the end: the member "response" of what they can be repaired to (RepairArguments), else the arguments
// themselves. Not thread-safe.
class ExitText {
 public:
  static std::string Whole(std::string_view arguments, JsonBudget* budget);

  // What the piece adds to the text. A piece may end inside an escape.
  std::string Feed(std::string_view piece);
  // No more pieces: what is left.
  std::string Finish(JsonBudget* budget);
  // Bytes of the arguments that are kept: all while they may look otherwise.
  size_t held() const { return arguments_.size(); }

 private:
  enum class State { kBefore, kOther, kInText, kOver };

  void SeekText();
  std::string Decode();

  State state_ = State::kBefore;
  std::string arguments_;
  size_t decoded_ = 0;   // bytes of arguments_ that are done with
  size_t expected_ = 0;  // which part of what stands before the text comes next, at decoded_
};

}  // namespace ccr::proxy
