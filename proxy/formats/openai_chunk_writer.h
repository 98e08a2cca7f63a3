// Writes the chunks of one OpenAI stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Knows the shape of each chunk; their order is its caller's: Begin where the upstream names itself, Role, any number
// of Text, Call and Arguments, Finish, End. Each appends one chunk.
class OpenAiChunkWriter {
 public:
  // `created` in seconds since the Unix epoch. `model` is named to the client; the upstream's own where it is empty.
  OpenAiChunkWriter(std::string_view model, int64_t created, const StreamOptions& options)
      : model_(model), created_(created), options_(options) {}

  // What the upstream calls its answer and itself, which each chunk repeats: the first 256 bytes of either. Without it
  // Role makes up an id.
  void Begin(std::string_view id, std::string_view model);
  void Role(std::string* out);
  // `member` of the delta: content, reasoning_content or refusal. Nothing for an empty text.
  void Text(std::string_view member, std::string_view text, std::string* out);
  // The beginning of a call, with as much of its arguments as is known.
  void Call(size_t index, std::string_view id, std::string_view name, std::string_view arguments, std::string* out);
  void Arguments(size_t index, std::string_view json, std::string* out);
  void Finish(std::string_view reason, std::string* out);
  // The chunk with the usage, a JSON object, where the client wants it, and [DONE].
  void End(std::string_view usage, std::string* out);

 private:
  const std::string model_;
  const int64_t created_;
  const StreamOptions options_;
  std::string head_;  // what all chunks begin with, up to the value of "choices"
  std::string tail_;  // what ends a chunk of the answer, behind its finish_reason
};

}  // namespace ccr::proxy
