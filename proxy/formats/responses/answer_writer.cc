#include "proxy/formats/responses/answer_writer.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "proxy/formats/answer_id.h"
#include "proxy/formats/conversation/custom_tool.h"
#include "proxy/formats/responses/output_item.h"
#include "proxy/formats/responses/writing.h"

namespace ccr::proxy::responses {
namespace {

class AnswerWriter {
 public:
  explicit AnswerWriter(const AnswerContext& context) : context_(context) {}
  std::string Write(const ModelAnswer& answer);

 private:
  void Add(const Part& part);
  // Texts beside one another are one message, for clients take the last one to be the answer.
  void AddText(ItemKind kind, std::string_view text);
  void EndText();
  void AddThinking(const Part& part);
  void AddCall(const Part& part);
  void AddItem(const OutputItem& item);
  std::string* Next();

  const AnswerContext& context_;
  uint64_t seed_ = 0;
  size_t items_ = 0;
  std::string output_;
  OutputItem text_;  // the message that texts are added to; none while it is empty
  bool refused_ = false;
};

std::string AnswerWriter::Write(const ModelAnswer& answer) {
  const ResponseHead head = HeadOf(answer.id, answer.model, context_, &seed_);
  for (const Part& part : answer.parts) Add(part);
  EndText();
  const bool silent = items_ == 0 || answer.stop.cause == StopCause::kRefusal;
  if (silent && !refused_ && !answer.stop.explanation.empty()) {
    const bool refusal = answer.stop.cause == StopCause::kRefusal;
    AddText(refusal ? ItemKind::kRefusal : ItemKind::kText, answer.stop.explanation);
    EndText();
  }
  std::string body;
  body.reserve(output_.size() + 1024);
  AppendResponse(head, EndOf(answer.stop, refused_), output_, &answer.usage, &body);
  return body;
}

void AnswerWriter::Add(const Part& part) {
  switch (part.kind) {
    case PartKind::kText:
      return AddText(ItemKind::kText, part.text);
    case PartKind::kRefusal:
      return AddText(ItemKind::kRefusal, part.text);
    case PartKind::kThinking:
      return AddThinking(part);
    case PartKind::kToolCall:
      return AddCall(part);
    case PartKind::kMedia:
    case PartKind::kOther:
    case PartKind::kToolResult:
      break;
  }
  EndText();
  const std::string item = WholeItem(part, seed_, items_);
  if (!item.empty()) *Next() += item;
}

void AnswerWriter::AddText(ItemKind kind, std::string_view text) {
  if (text.empty()) return;
  refused_ |= kind == ItemKind::kRefusal;
  if (text_.kind != kind) EndText();
  text_.kind = kind;
  text_.text += text;
}

void AnswerWriter::EndText() {
  if (text_.text.empty()) return;
  text_.id = ItemId(text_.kind, seed_, items_);
  AddItem(std::exchange(text_, {}));
}

void AnswerWriter::AddThinking(const Part& part) {
  if (part.text.empty() && part.state.empty()) return;
  EndText();
  OutputItem item;
  item.kind = ItemKind::kReasoning;
  const OpaqueState* own = FindState(part.state, StateKind::kResponsesReasoning);
  if (own != nullptr) item.id = ReasoningId(own->data);
  if (item.id.empty()) item.id = ItemId(item.kind, seed_, items_);
  item.text = part.text;
  item.encrypted = EncryptedContent(part.state, item.id);
  AddItem(item);
}

void AnswerWriter::AddCall(const Part& part) {
  EndText();
  OutputItem item;
  item.kind = part.custom ? ItemKind::kCustomCall : ItemKind::kCall;
  NameCall(part.name, context_, &item);
  item.id = ItemId(item.kind, seed_, items_);
  item.call_id = IdWithState(UniqueId("call_", part.id, seed_, items_), part.state);
  const bool converted = item.kind == ItemKind::kCustomCall && !part.custom;
  item.text = converted ? CustomInput(part.text) : part.text;
  if (item.text.empty() && item.kind == ItemKind::kCall) item.text = "{}";
  AddItem(item);
}

void AnswerWriter::AddItem(const OutputItem& item) {
  AppendItem(item, /*complete=*/true, Next());
}

std::string* AnswerWriter::Next() {
  if (items_++ > 0) output_ += ',';
  return &output_;
}

}  // namespace

std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context) {
  return AnswerWriter(context).Write(answer);
}

}  // namespace ccr::proxy::responses
