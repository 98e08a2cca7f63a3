// Reads the events of a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proxy/formats/conversation/format.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy::responses {

// An item that is done is the truth about it: what its deltas did not tell is told then; so is the response that ends
// the stream about items of which nothing came.
class ResponseStreamReader final : public StreamReader {
 public:
  void Feed(std::string_view bytes, AnswerSink* sink) override;
  void Finish(bool cut, AnswerSink* sink) override;
  const Notes& notes() const override { return notes_; }

 private:
  static constexpr size_t kMaxItems = 16 * kMaxToolCalls;

  // What was told of one part.
  struct Told {
    size_t part = 0;
    bool started = false;
    bool ended = false;
    size_t bytes = 0;
    uint64_t piece = 0;  // of a reasoning item: which of its texts came last
    std::string id;      // of a reasoning item
  };
  struct Item {
    std::vector<Told> told;  // one for each content of a message, else one
    bool raw = false;        // of a reasoning item: its content is told, not its summary
    bool done = false;
  };

  void OnEvent(const SseEvent& event);
  void OnItemAdded(json::object* event);
  void OnItemDone(uint64_t index, json::object* item);
  void OnTextDelta(const json::object& event, PartKind kind);
  void OnTextDone(const json::object& event, PartKind kind, std::string_view text);
  void OnReasoning(const json::object& event, bool raw, std::string_view piece);
  void OnArguments(const json::object& event, std::string_view delta);
  void OnEnd(json::object* response);
  void OnError(const json::object& event);

  Item* ItemOf(uint64_t index);
  uint64_t IndexOf(const json::object& event);
  Told* ToldOf(const json::object& event);
  void StartPart(const PartHead& head, Told* told);
  void Tell(std::string_view text, Told* told);
  // What of the whole text was not told.
  void TellRest(std::string_view whole, Told* told);
  void EndPart(Told* told);
  void TellDone(std::vector<Part>* parts, Item* item);
  void TellPart(Part* part, Told* told);
  void Fail(int status, std::string_view message);
  void Fail(const AnswerError& error);

  SseParser parser_;
  Notes notes_;
  AnswerSink* sink_ = nullptr;
  absl::flat_hash_map<uint64_t, Item> items_;  // by output_index
  uint64_t last_index_ = 0;
  size_t parts_ = 0;
  size_t calls_ = 0;
  bool refused_ = false;
  bool started_ = false;
  bool over_ = false;
};

}  // namespace ccr::proxy::responses
