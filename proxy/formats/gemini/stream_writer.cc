#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "proxy/formats/gemini/answer_writer.h"
#include "proxy/formats/gemini/errors.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::gemini {
namespace {

size_t HeldBy(const Part& part) {
  size_t bytes = sizeof(Part) + part.id.size() + part.name.size() + part.text.size();
  for (const OpaqueState& state : part.state) bytes += state.data.size();
  return bytes;
}

// Texts and thoughts go as they come. Calls are held until they are whole: Gemini's clients know no others. States of a
// text, which come when it has ended, are written behind it with an empty one.
class GeminiStreamWriter final : public StreamWriter {
 public:
  explicit GeminiStreamWriter(const AnswerContext& context) : context_(context) {}

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
  void WriteText(PartKind kind, std::string_view text);
  void WritePart(const Part& part);
  bool Hold(size_t bytes);
  // Around the response or error that is written between them.
  void BeginEvent();
  void EndEvent();

  const AnswerContext context_;
  std::string* out_ = nullptr;
  std::string tail_;              // of each response
  std::map<size_t, Part> parts_;  // those that are open; of calls with their arguments, of others with the states alone
  size_t next_ = 0;               // part that may begin
  size_t held_ = 0;               // of parts_
  JsonBudget budget_;
  Usage usage_;
  bool any_ = false;
  bool over_ = false;
};

void GeminiStreamWriter::Start(std::string_view id, std::string_view model) {
  if (!over_ && tail_.empty()) tail_ = AnswerTail(id, model, context_);
}

void GeminiStreamWriter::StartPart(size_t part, const PartHead& head) {
  if (over_ || part < next_ || !Hold(sizeof(Part) + head.id.size() + head.name.size())) return;
  next_ = part + 1;
  Part& open = parts_[part];
  open.kind = head.kind;
  open.id = head.id;
  open.name = head.name;
  open.custom = head.custom;
}

void GeminiStreamWriter::Delta(size_t part, std::string_view text) {
  const auto open = parts_.find(part);
  if (over_ || open == parts_.end() || text.empty()) return;
  if (open->second.kind != PartKind::kToolCall) return WriteText(open->second.kind, text);
  if (Hold(text.size())) open->second.text += text;
}

void GeminiStreamWriter::AddState(size_t part, const OpaqueState& state) {
  const auto open = parts_.find(part);
  if (over_ || open == parts_.end() || !Hold(state.data.size())) return;
  open->second.state.push_back(state);
}

void GeminiStreamWriter::EndPart(size_t part) {
  const auto open = parts_.find(part);
  if (over_ || open == parts_.end()) return;
  const Part ended = std::move(open->second);
  parts_.erase(open);
  held_ -= HeldBy(ended);
  WritePart(ended);
}

void GeminiStreamWriter::WholePart(size_t part, Part whole) {
  if (over_ || part < next_) return;
  next_ = part + 1;
  WritePart(whole);
}

void GeminiStreamWriter::SetUsage(const Usage& usage) {
  usage_ = usage;
}

void GeminiStreamWriter::End(const Stop& stop) {
  while (!over_ && !parts_.empty()) EndPart(parts_.begin()->first);
  if (over_) return;
  Start({}, {});
  over_ = true;
  BeginEvent();
  out_->append(kAnswerHead).append(R"({"text":""})").append(kPartsEnd);
  AppendFinish(stop, out_);
  out_->append(",\"index\":0}]");
  AppendUsage(usage_, out_);
  out_->append(tail_);
  EndEvent();
  if (context_.json_array) *out_ += ']';
}

void GeminiStreamWriter::Fail(const AnswerError& error) {
  if (over_) return;
  over_ = true;
  BeginEvent();
  out_->append(WriteError(error));
  EndEvent();
  if (context_.json_array) *out_ += ']';
}

void GeminiStreamWriter::WriteText(PartKind kind, std::string_view text) {
  Start({}, {});
  BeginEvent();
  out_->append(kAnswerHead).append("{\"text\":");
  AppendJsonString(text, out_);
  if (kind == PartKind::kThinking) out_->append(",\"thought\":true");
  out_->append("}").append(kPartsEnd).append(",\"index\":0}]").append(tail_);
  EndEvent();
}

void GeminiStreamWriter::WritePart(const Part& part) {
  Start({}, {});
  std::string text;
  if (!AppendAnswerPart(part, &budget_, &text)) return;
  BeginEvent();
  out_->append(kAnswerHead).append(text).append(kPartsEnd).append(",\"index\":0}]").append(tail_);
  EndEvent();
}

bool GeminiStreamWriter::Hold(size_t bytes) {
  held_ += bytes;
  if (held_ <= StreamReader::kMaxHeldBytes) return true;
  Fail(UpstreamFailure("the upstream's calls are too large to be put together"));
  return false;
}

void GeminiStreamWriter::BeginEvent() {
  out_->append(!context_.json_array ? "data: " : any_ ? ",\n" : "[");
  any_ = true;
}

void GeminiStreamWriter::EndEvent() {
  if (!context_.json_array) out_->append("\n\n");
}

}  // namespace

std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context) {
  return std::make_unique<GeminiStreamWriter>(context);
}

}  // namespace ccr::proxy::gemini
