// Whether an answer of Chat Completions that passes as it is begins with <think>.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/json_util.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy {

// Reads the beginning of a stream, cut anywhere, up to the first text of the answer. Not thread-safe.
class ThinkProbe {
 public:
  enum class Verdict { kUndecided, kPlain, kThinks };
  // What is held at most; kPlain then.
  static constexpr size_t kMaxHeld = 16 * 1024;

  // The next bytes. Appends to `out` what may go on: while it is undecided, the complete events before any text; then
  // all the rest, as it is or, kThinks, to be translated. Not to be called once it is decided.
  Verdict Feed(std::string_view bytes, std::string* out);
  // What is held when the stream ends.
  std::string TakeHeld() { return std::move(held_); }

 private:
  void OnEvent(const SseEvent& event);
  void OnChoice(const json::object& choice);
  void PassEvents(std::string* out);

  SseParser parser_{kMaxHeld};
  Verdict verdict_ = Verdict::kUndecided;
  std::string held_;
  std::string text_;  // of the answer, without white space in front
};

// The same of a whole answer. Cheap where there is no such tag.
bool BeginsWithThinkTag(std::string_view body);

}  // namespace ccr::proxy
