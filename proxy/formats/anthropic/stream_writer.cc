#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/anthropic/answers.h"
#include "proxy/formats/anthropic/event_writer.h"
#include "proxy/formats/anthropic/streams.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/media.h"

namespace ccr::proxy::anthropic {
namespace {

using Block = EventWriter::Block;

Block BlockOf(PartKind kind) {
  if (kind == PartKind::kThinking) return Block::kThinking;
  return kind == PartKind::kToolCall ? Block::kTool : Block::kText;
}

class PartWriter final : public StreamWriter {
 public:
  explicit PartWriter(const AnswerContext& context) : context_(context) {}

  void WriteTo(std::string* out) override { writer_.WriteTo(out); }
  void Start(std::string_view id, std::string_view model) override;
  void StartPart(size_t part, const PartHead& head) override;
  void Delta(size_t part, std::string_view text) override;
  void AddState(size_t part, const OpaqueState& state) override;
  void EndPart(size_t part) override;
  void WholePart(size_t part, Part whole) override;
  void SetUsage(const Usage& usage) override { usage_ = usage; }
  void End(const Stop& stop) override;
  void Fail(const AnswerError& error) override { writer_.Fail(error); }

 private:
  // The content of one block, in the order of the blocks. The first one is open, or will be.
  struct Segment {
    Block kind = Block::kText;
    bool custom = false;
    bool open = false;
    bool ready = false;  // of a call: no more state comes, its id is known
    bool ended = false;
    size_t call = 0;  // its number among the calls
    std::string id;
    std::string name;
    std::string held;  // not yet written; of kWhole the block
    JsonEndFinder arguments;
    OpaqueStates states;
  };
  // A part that has not ended.
  struct OpenPart {
    Block kind = Block::kText;
    size_t segment = 0;  // its last, among all that ever were
  };

  bool writing() const { return writer_.started() && !writer_.over(); }
  Segment* Add(Block kind);
  Segment* Current(size_t part);
  void Hold(std::string_view text, Segment* segment);
  void HoldInput(std::string_view text, Segment* segment);
  void Finish(Segment* segment);

  // Writes what may be written: the first segment's text, and as many segments as are complete.
  void Pump();
  bool Open(Segment* segment);
  bool OpenThinking(Segment* segment);
  bool OpenCall(Segment* segment);
  bool IsComplete(const Segment& segment) const;
  void WriteSignature(const Segment& segment);
  void CheckBound();
  void FailWith(std::string_view message);

  const AnswerContext context_;
  EventWriter writer_;
  uint64_t seed_ = 0;  // of identifiers
  Usage usage_;
  std::deque<Segment> segments_;
  size_t segments_written_ = 0;  // those before segments_
  size_t calls_ = 0;
  absl::flat_hash_map<size_t, OpenPart> parts_;
  size_t held_bytes_ = 0;
  bool ending_ = false;  // nothing more will come: what is held counts as complete
};

void PartWriter::Start(std::string_view id, std::string_view model) {
  if (writer_.started() || writer_.over()) return;
  seed_ = SeedOf(id, context_);
  writer_.Start(UniqueId("msg_", id, seed_, 0), context_.model.empty() ? model : std::string_view(context_.model),
                usage_);
}

void PartWriter::StartPart(size_t part, const PartHead& head) {
  if (!writing() || parts_.contains(part)) return;
  if (head.kind == PartKind::kRefusal) writer_.set_refused();
  const Block kind = BlockOf(head.kind);
  Segment* const segment = Add(kind);
  parts_[part] = {kind, segments_written_ + segments_.size() - 1};
  if (kind == Block::kTool) {
    segment->call = calls_++;
    segment->custom = head.custom;
    segment->id = head.id;
    segment->name = head.name;
    held_bytes_ += head.id.size() + head.name.size();
  }
  Pump();
  CheckBound();
}

void PartWriter::Delta(size_t part, std::string_view text) {
  Segment* const segment = Current(part);
  if (segment == nullptr) return;
  if (segment->kind == Block::kTool) {
    HoldInput(text, segment);
  } else {
    Hold(text, segment);
  }
  Pump();
  CheckBound();
}

void PartWriter::AddState(size_t part, const OpaqueState& state) {
  Segment* const segment = Current(part);
  if (segment == nullptr || segment->kind == Block::kText) return;
  if (segment->kind == Block::kTool && segment->open) return;
  held_bytes_ += state.data.size();
  segment->states.push_back(state);
  CheckBound();
}

void PartWriter::EndPart(size_t part) {
  const auto open = parts_.find(part);
  if (open == parts_.end()) return;
  if (open->second.segment >= segments_written_) Finish(&segments_[open->second.segment - segments_written_]);
  parts_.erase(open);
  Pump();
}

void PartWriter::WholePart(size_t part, Part whole) {
  if (!writing() || parts_.contains(part)) return;
  if (whole.kind == PartKind::kOther && IsOwnBlock(whole)) {
    Segment* const segment = Add(Block::kWhole);
    std::string block;
    AppendJson(whole.own, &block);
    Hold(block, segment);
    segment->ended = true;
    Pump();
    return CheckBound();
  }
  if (whole.kind == PartKind::kMedia) whole.text = OmittedMark(whole.media);
  const bool known =
      whole.kind == PartKind::kThinking || whole.kind == PartKind::kToolCall || whole.kind == PartKind::kRefusal;
  StartPart(part, {known ? whole.kind : PartKind::kText, whole.id, whole.name, whole.custom});
  for (const OpaqueState& state : whole.state) AddState(part, state);
  Delta(part, whole.text);
  EndPart(part);
}

void PartWriter::End(const Stop& stop) {
  if (writer_.over()) return;
  if (!writer_.started()) return FailWith("the upstream ended its stream without an answer");
  ending_ = true;
  for (Segment& segment : segments_) Finish(&segment);
  Pump();
  if (!writer_.wrote_answer() && !stop.explanation.empty()) {
    writer_.Open(Block::kText);
    writer_.Delta(stop.explanation);
  }
  writer_.End(stop, usage_);
}

PartWriter::Segment* PartWriter::Add(Block kind) {
  Segment& segment = segments_.emplace_back();
  segment.kind = kind;
  return &segment;
}

// The segment that the part's next piece goes to. What belongs to a text whose block is written begins another one; what
// follows complete arguments is dropped.
PartWriter::Segment* PartWriter::Current(size_t part) {
  const auto open = parts_.find(part);
  if (!writing() || open == parts_.end()) return nullptr;
  if (open->second.segment >= segments_written_) return &segments_[open->second.segment - segments_written_];
  if (open->second.kind == Block::kTool) return nullptr;
  Segment* const segment = Add(open->second.kind);
  open->second.segment = segments_written_ + segments_.size() - 1;
  return segment;
}

void PartWriter::Hold(std::string_view text, Segment* segment) {
  segment->held += text;
  held_bytes_ += text.size();
}

// A custom tool's text is a member of the input.
void PartWriter::HoldInput(std::string_view text, Segment* segment) {
  const bool first = !std::exchange(segment->ready, true);
  if (!segment->custom) return Hold(text.substr(0, segment->arguments.Feed(text)), segment);
  if (first) Hold(R"({"input":")", segment);
  const std::string quoted = JsonString(text);
  Hold(std::string_view(quoted).substr(1, quoted.size() - 2), segment);
}

void PartWriter::Finish(Segment* segment) {
  if (segment->ended) return;
  if (segment->custom) {
    HoldInput({}, segment);
    Hold("\"}", segment);
  }
  segment->ended = true;
}

void PartWriter::Pump() {
  while (!segments_.empty()) {
    Segment& segment = segments_.front();
    const bool open = Open(&segment);
    const bool complete = IsComplete(segment);
    if (!open && !complete) return;
    held_bytes_ -= segment.held.size();
    if (open) writer_.Delta(segment.held);
    segment.held.clear();
    if (!complete) return;
    if (open) WriteSignature(segment);
    if (open) writer_.Close();
    held_bytes_ -= segment.id.size() + segment.name.size();
    for (const OpaqueState& state : segment.states) held_bytes_ -= state.data.size();
    segments_.pop_front();
    ++segments_written_;
  }
}

// False where there is nothing to be written yet, or at all.
bool PartWriter::Open(Segment* segment) {
  if (segment->open) return true;
  switch (segment->kind) {
    case Block::kTool:
      return OpenCall(segment);
    case Block::kThinking:
      return OpenThinking(segment);
    case Block::kWhole:
      writer_.OpenWith(Block::kWhole, segment->held);
      return segment->open = true;
    case Block::kText:
      if (segment->held.empty()) return false;
      writer_.Open(Block::kText);
  }
  return segment->open = true;
}

bool PartWriter::OpenThinking(Segment* segment) {
  if (!segment->held.empty()) {
    writer_.Open(Block::kThinking);
    return segment->open = true;
  }
  if (segment->states.empty() || !IsComplete(*segment)) return false;
  const WrittenState state = WriteStates(segment->states);
  if (state.redacted) {
    writer_.OpenWith(Block::kWhole, R"({"type":"redacted_thinking","data":)" + JsonString(state.text) + "}");
  } else {
    writer_.Open(Block::kThinking);
  }
  return segment->open = true;
}

bool PartWriter::OpenCall(Segment* segment) {
  if (!segment->ready && segments_.size() == 1 && !IsComplete(*segment)) return false;
  const std::string id = UniqueId("toolu_", segment->id, seed_, segment->call);
  writer_.OpenTool(IdWithState(id, segment->states), segment->name);
  return segment->open = true;
}

bool PartWriter::IsComplete(const Segment& segment) const {
  if (ending_ || segment.ended) return true;
  if (segment.kind == Block::kTool) return !segment.custom && segment.arguments.closed();
  return segments_.size() > 1;
}

void PartWriter::WriteSignature(const Segment& segment) {
  if (segment.kind != Block::kThinking || segment.states.empty()) return;
  const WrittenState state = WriteStates(segment.states);
  writer_.Signature(state.redacted ? PackStates(segment.states) : state.text);
}

void PartWriter::CheckBound() {
  if (held_bytes_ + segments_.size() * sizeof(Segment) + parts_.size() * sizeof(OpenPart) <=
      StreamReader::kMaxHeldBytes) {
    return;
  }
  FailWith("the upstream interleaves more than can be held");
}

void PartWriter::FailWith(std::string_view message) {
  AnswerError error;
  error.message = message;
  writer_.Fail(error);
}

}  // namespace

std::unique_ptr<StreamWriter> MakeStreamWriter(const AnswerContext& context) {
  return std::make_unique<PartWriter>(context);
}

}  // namespace ccr::proxy::anthropic
