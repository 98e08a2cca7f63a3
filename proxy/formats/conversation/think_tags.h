// <think>...</think> in front of an answer's text, as models write it that are served without a parser of reasoning.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "proxy/formats/conversation/answer.h"

namespace ccr::proxy {

// Makes thinking of what stands between the tags, without the line ends around it, where the first text of the answer
// begins with it (white space aside) and no thinking came before. Thinking that never ends is thinking to the end.
void SplitThinkTags(ModelAnswer* answer);

// The same for a stream, however it is split. Holds back what may be a tag, and white space around it, at most kMaxHeld
// bytes. Not thread-safe.
class ThinkTags final : public AnswerSink {
 public:
  static constexpr size_t kMaxHeld = 4096;

  // `sink` must outlive this.
  explicit ThinkTags(AnswerSink* sink) : sink_(*sink) {}

  void Start(std::string_view id, std::string_view model) override;
  void StartPart(size_t part, const PartHead& head) override;
  void Delta(size_t part, std::string_view text) override;
  void AddState(size_t part, const OpaqueState& state) override;
  void EndPart(size_t part) override;
  void WholePart(size_t part, Part whole) override;
  void SetUsage(const Usage& usage) override;
  void End(const Stop& stop) override;
  void Fail(const AnswerError& error) override;

 private:
  // Where the first text is. kUndecided: what came may be the beginning of the tag.
  enum class Where { kBefore, kUndecided, kThinking, kBehind, kPlain };

  void Decide();
  void Think();
  void EmitThinking(std::string_view text);
  void EmitText(std::string_view text);
  void Open(size_t part, const PartHead& head);
  void CloseWatched();

  AnswerSink& sink_;
  Where where_ = Where::kBefore;
  size_t watched_ = 0;     // the number of the first text
  std::string held_;       // of it
  bool thinking_ = false;  // the part of thinking, thinking_number_, is open
  size_t thinking_number_ = 0;
  size_t next_ = 0;
  absl::flat_hash_map<size_t, size_t> numbers_;  // of open parts: the sink's by the source's
};

}  // namespace ccr::proxy
