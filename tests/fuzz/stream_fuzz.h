// What holds for every stream translator.
#pragma once

#include <memory>
#include <string>

#include "proxy/formats/translation.h"
#include "tests/fuzz/fuzz.h"

namespace ccr::fuzz {

// Of the choice: whether the stream is cut, whether the client wants the usage, and the size of the pieces.
inline bool IsCut(const Input& input) {
  return input.choice % 2 == 1;
}
inline bool IncludesUsage(const Input& input) {
  return input.choice / 2 % 2 == 1;
}

struct StreamEnd {
  std::string out;
  bool failed = false;
  uint64_t tokens = 0;
  bool operator==(const StreamEnd& other) const {
    return out == other.out && failed == other.failed && tokens == other.tokens;
  }
};

inline StreamEnd RunStream(const proxy::Translation& translation, const Input& input, size_t step) {
  StreamEnd end;
  proxy::StreamOptions options;
  options.include_usage = IncludesUsage(input);
  const auto stream = translation.Stream("m", options);
  InPieces(input.text, step, [&](std::string_view piece) { stream->Feed(piece, &end.out); });
  stream->Finish(IsCut(input), &end.out);
  end.failed = stream->failed();
  end.tokens = stream->input_tokens() + stream->output_tokens();
  return end;
}

// The client's stream, which is the same for any pieces and not many times what came in.
inline std::string StreamInPieces(const proxy::Translation& translation, const Input& input) {
  const StreamEnd whole = RunStream(translation, input, input.text.size() + 1);
  Require(whole == RunStream(translation, input, input.choice / 4 + 1U), "pieces make a difference");
  Require(whole == RunStream(translation, input, 1), "single bytes make a difference");
  Require(whole.out.size() <= 4096 + 32 * input.text.size(), "more comes out than can be explained");
  return whole.out;
}

}  // namespace ccr::fuzz
