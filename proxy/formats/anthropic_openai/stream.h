// OpenAI's stream of chunks as Anthropic's stream of events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proxy/formats/anthropic_openai/anthropic_event_writer.h"
#include "proxy/formats/anthropic_openai/response.h"
#include "proxy/formats/sse.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Blocks come one after another, so what belongs to a later block while one is open is held: calls of tools that the
// upstream interleaves, and text within a call. A tool's block ends with its JSON, which lets the next one flow; what
// is held, and the ids and names of all calls, is bounded by kMaxHeldBytes, beyond it the stream fails. A call's block
// waits for its name and its id; an id that has not come when the arguments are complete is made up.
//
// A finish_reason or [DONE] makes a proper end: after it even a cut stream ends as a message. An error of the upstream,
// a chunk that is no JSON, a tool call without a name and an end without a sign become an error event. input_tokens()
// counts all of the prompt, cached or not.
class OpenAiToAnthropicStream : public StreamTranslator {
 public:
  static constexpr size_t kMaxHeldBytes = size_t{16} << 20;

  // `model` is named to the client; the upstream's own where it is empty. `id_seed` as in StreamOptions.
  explicit OpenAiToAnthropicStream(std::string_view model, uint64_t id_seed = 0)
      : model_(model), request_seed_(id_seed) {}

  void Feed(std::string_view bytes, std::string* out) override;
  void Finish(bool cut, std::string* out) override;
  bool failed() const override { return writer_.failed(); }
  const Notes& notes() const override { return notes_; }
  uint64_t input_tokens() const override { return usage_.prompt; }
  uint64_t output_tokens() const override { return usage_.completion; }

 private:
  using Block = AnthropicEventWriter::Block;

  struct ToolCall {
    std::optional<uint64_t> index;  // the upstream's
    std::string id;
    std::string name;
    JsonEndFinder arguments;
    size_t segment = 0;  // its number among all that ever were
  };

  // The content of one block, in the order of the blocks. The first one is open, or will be.
  struct Segment {
    Block kind;
    size_t tool = 0;  // in tools_, for kTool
    bool open = false;
    std::string held;  // not yet written
  };

  void OnEvent(const SseEvent& event);
  void OnChunk(const json::object& chunk, std::string_view data);
  void OnChoice(const json::object& choice);
  void OnContent(Block kind, std::string_view text);
  void OnToolCalls(const json::object& delta);
  void OnToolCall(std::optional<uint64_t> index, std::string_view id, const json::object& function);
  ToolCall* FindCall(std::optional<uint64_t> index, std::string_view id, std::string_view name, bool has_arguments);
  ToolCall* LastCall(std::optional<uint64_t> index, std::string_view id, std::string_view name);
  ToolCall* AddCall(std::optional<uint64_t> index);
  void NameCall(std::string_view id, std::string_view name, size_t tool);
  void AddArguments(size_t tool, std::string_view arguments);
  void Hold(std::string_view text, Segment* segment);

  // Writes what may be written: the first segment's text, and as many segments as are complete.
  void Pump();
  bool Open(Segment* segment);
  bool IsComplete(const Segment& segment) const;
  void End();
  void Fail(int status, std::string_view message) { writer_.Fail(status, message); }

  const std::string model_;
  SseParser parser_;
  AnthropicEventWriter writer_;
  Notes notes_;
  const uint64_t request_seed_;
  uint64_t seed_ = 0;  // of identifiers: the request's and the beginning of the first chunk
  OpenAiUsage usage_;
  AnswerEnd end_;
  std::deque<Segment> segments_;
  size_t segments_written_ = 0;  // those before segments_
  std::vector<ToolCall> tools_;
  absl::flat_hash_map<uint64_t, size_t> last_tool_by_index_;
  absl::flat_hash_map<std::string, size_t> last_tool_by_id_;
  size_t held_bytes_ = 0;
  bool ending_ = false;  // nothing more will come: what is held counts as complete
};

}  // namespace ccr::proxy
