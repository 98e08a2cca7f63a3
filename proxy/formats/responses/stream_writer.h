// Writes an answer as the events of a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "proxy/formats/conversation/format.h"
#include "proxy/formats/responses/output_item.h"

namespace ccr::proxy::responses {

// One item is open at a time, for clients (Codex) take a delta to be of the last item that was added. What comes of
// other parts meanwhile is held, and so is a custom tool's call until its arguments are complete. Texts beside one
// another are one item, for clients take the last message to be the answer.
class ResponseStreamWriter final : public StreamWriter {
 public:
  explicit ResponseStreamWriter(const AnswerContext& context) : context_(context) {}

  void WriteTo(std::string* out) override { out_ = out; }
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
  struct Segment {
    OutputItem item;   // its text is what was written
    std::string call;  // the provider's id of a call
    OpaqueStates state;
    std::string held;  // text that is not written
    Part whole;        // instead of all that
    size_t bytes = 0;  // that are counted in held_
    bool is_whole = false;
    bool converted = false;  // arguments that become a custom tool's input
    bool open = false;
    bool ended = false;
  };

  Segment* Find(size_t part);
  // Counts bytes of the segment as held. False, and the stream has failed, when all held ones are too many.
  bool Hold(size_t bytes, Segment* segment);
  void Release(Segment* segment);
  void Pump();
  // False while it cannot be said how it begins.
  bool Open(Segment* segment);
  bool IsVoid(const Segment& segment) const;
  void Write(Segment* segment);
  void Close(Segment* segment);
  void EndMessage();
  void CloseText(const OutputItem& item);
  void CloseReasoning(const OutputItem& item);
  void CloseCall(const OutputItem& item);
  void WriteWhole(std::string_view item);
  void Announce(std::string_view item);
  void Complete(std::string_view item);

  // Begins an event, up to its sequence number; the caller appends the other members, each behind a comma, and ends it.
  void Event(std::string_view type);
  void ItemEvent(std::string_view type, const OutputItem& item);
  void EndEvent();
  void ResponseEvent(std::string_view type, const ResponseEnd& end, const Usage* usage);

  const AnswerContext context_;
  std::string* out_ = nullptr;
  ResponseHead head_;
  uint64_t seed_ = 0;
  uint64_t sequence_ = 0;
  bool started_ = false;
  bool over_ = false;
  bool refused_ = false;
  Usage usage_;
  std::deque<Segment> segments_;               // not written to their end, in order
  size_t segments_written_ = 0;                // before them
  absl::flat_hash_map<size_t, size_t> parts_;  // their numbers among all segments
  std::optional<OutputItem> message_;          // whose parts have ended: more text may come, so it is open
  size_t held_ = 0;                            // bytes of segments_ that are not written
  std::string output_;                         // the items that are complete
  size_t items_ = 0;                           // their number
};

}  // namespace ccr::proxy::responses
