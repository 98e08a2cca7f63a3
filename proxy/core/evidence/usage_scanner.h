// Reads a 2xx body as it streams by: tokens used, and whether an event stream came to its end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ccr::proxy {

// Fed with the bytes of one body, cut anywhere; the cuts make no difference. Allocates nothing, and passes over text at
// the speed of memchr (kSnakeCase). Thread-compatible.
class UsageScanner {
 public:
  enum class Body { kJson, kEventStream };
  // How the provider writes names: OpenAI and Anthropic "prompt_tokens", Gemini "promptTokenCount".
  enum class Names { kSnakeCase, kGemini };
  explicit UsageScanner(Body body, Names names = Names::kSnakeCase) : body_(body), names_(names) {}

  void Feed(std::string_view bytes);

  // The last figures seen under these names: input_tokens or prompt_tokens, output_tokens or completion_tokens;
  // Gemini's promptTokenCount, and the sum of candidatesTokenCount and thoughtsTokenCount; 0 = none.
  uint64_t input_tokens() const { return input_tokens_; }
  uint64_t output_tokens() const { return output_tokens_ + thought_tokens_; }
  // All that the model read, for SessionUsage: input_tokens and what Anthropic counts beside it,
  // cache_read_input_tokens and cache_creation_input_tokens. OpenAI's prompt_tokens are all already.
  uint64_t total_input_tokens() const { return input_tokens_ + cache_read_tokens_ + cache_write_tokens_; }

  // Each of these is as if the body ended here.
  // Of event streams of the three formats we know (messages, chat completions, responses): "[DONE]", message_stop,
  // response.completed or .incomplete, or a finish_reason was seen. Of Gemini's: a finishReason or a blockReason.
  bool ended() const { return ended_ || JudgeLine().ended; }
  // An error event was seen (or finish_reason "error"), or a JSON body that begins with an "error".
  bool error() const { return error_ || JudgeLine().error; }
  // The body is no complete success.
  bool incomplete() const { return error() || (body_ == Body::kEventStream && !ended()); }

 private:
  enum class Field { kNone, kInput, kCacheRead, kCacheWrite, kOutput, kThoughts, kFinish };
  enum class Mode { kSearch, kColon, kValue, kNumber, kWord };
  static constexpr size_t kTail = 29;    // `"cache_creation_input_tokens"` without its last byte, and one
  static constexpr size_t kPrefix = 48;  // what of a line is looked at
  struct Match {
    Field field = Field::kNone;
    size_t end = 0;  // offset behind the key
  };
  struct LineVerdict {
    bool ended = false;
    bool error = false;
  };

  Match FindKey(std::string_view text) const;
  static Match FindSnakeCaseKey(std::string_view text);
  static Match FindGeminiKey(std::string_view text);
  void ScanFields(std::string_view bytes);
  Match FindKeyAcross(std::string_view bytes) const;
  size_t Step(char c);
  void KeepTail(std::string_view bytes);
  void EndValue();
  void ScanStart(std::string_view bytes);
  void ScanLines(std::string_view bytes);
  LineVerdict JudgeLine() const;
  void EndPrefix();

  const Body body_;
  const Names names_;
  // The field whose value is being read, and what of it was read.
  Mode mode_ = Mode::kSearch;
  Field field_ = Field::kNone;
  uint64_t number_ = 0;
  std::array<char, 8> word_{};
  size_t word_size_ = 0;
  // The last bytes of the search, for a key that a cut divides.
  std::array<char, kTail> tail_{};
  size_t tail_size_ = 0;
  // The beginning of the present line; of a JSON body, its first bytes without white space.
  std::array<char, kPrefix> prefix_{};
  size_t prefix_size_ = 0;
  bool judged_ = false;

  uint64_t input_tokens_ = 0;
  uint64_t cache_read_tokens_ = 0;
  uint64_t cache_write_tokens_ = 0;
  uint64_t output_tokens_ = 0;
  uint64_t thought_tokens_ = 0;
  bool ended_ = false;
  bool error_ = false;
};

}  // namespace ccr::proxy
