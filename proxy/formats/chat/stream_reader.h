// A stream of chunks of Chat Completions, as any vendor sends it; codec.h has the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proxy/formats/chat/answer_parts.h"
#include "proxy/formats/chat/reasoning_details.h"
#include "proxy/formats/conversation/format.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy::chat {

// A call is told when its name and its id are known; an id that has not come when its arguments are complete is made
// up. A call ends with its JSON. What is held until then, and the ids and names of all calls, is bounded by
// kMaxHeldBytes, beyond it the stream fails.
//
// A finish_reason or [DONE] makes a proper end: after it even a cut stream ends as an answer. An error of the upstream,
// a chunk that is no JSON, a tool call without a name and an end without a sign fail.
class ChunkReader final : public StreamReader {
 public:
  void Feed(std::string_view bytes, AnswerSink* sink) override;
  void Finish(bool cut, AnswerSink* sink) override;
  const Notes& notes() const override { return notes_; }

 private:
  struct Call {
    std::optional<uint64_t> index;  // the upstream's
    std::string id;
    std::string name;
    std::string extra;  // extra_content
    std::string held;   // arguments that cannot be told yet
    JsonEndFinder arguments;
    bool custom = false;
    // "{}" came with its name: some gateways begin with it, and send the arguments behind.
    bool holds_empty = false;
    bool told = false;
    bool ended = false;
    size_t part = 0;  // where it is told
  };

  void OnEvent(const SseEvent& event);
  void OnChunk(const json::object& chunk, std::string_view data);
  void OnChoice(const json::object& choice);
  void OnText(PartKind kind, std::string_view text);
  void OnCalls(const json::object& delta);
  void OnCall(std::optional<uint64_t> index, const json::object& call, const GivenFunction& function);
  Call* FindCall(std::optional<uint64_t> index, std::string_view id, const GivenFunction& function);
  Call* LastCall(std::optional<uint64_t> index, std::string_view id, std::string_view name);
  Call* AddCall(std::optional<uint64_t> index);
  void NameCall(std::string_view id, std::string_view name, size_t number);
  void AddArguments(std::string_view text, bool first, Call* call);
  std::string_view AfterEmpty(std::string_view text, Call* call);
  void TellCall(size_t number);
  void ReleaseEmpty();
  void EndText();
  void FlushDetails();
  void Hold(size_t bytes);
  void End();
  void Fail(int status, std::string_view message);

  AnswerSink* sink_ = nullptr;  // of the call under way
  SseParser parser_;
  Notes notes_;
  uint64_t seed_ = 0;  // of identifiers: the beginning of the first chunk
  bool started_ = false;
  bool over_ = false;
  bool ending_ = false;  // nothing more will come: what is held counts as complete
  AnswerEnd end_;
  size_t parts_ = 0;              // told so far
  std::optional<PartKind> text_;  // the open part of text; its number is text_part_
  size_t text_part_ = 0;
  DetailCollector details_;
  std::vector<Call> calls_;
  std::optional<size_t> empty_call_;  // that holds_empty
  absl::flat_hash_map<uint64_t, size_t> last_by_index_;
  absl::flat_hash_map<std::string, size_t> last_by_id_;
  size_t held_bytes_ = 0;
};

}  // namespace ccr::proxy::chat
