#include "proxy/formats/chat/stream_writer.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/chat/answer_words.h"
#include "proxy/formats/chat/common.h"
#include "proxy/formats/chat/reasoning_details.h"
#include "proxy/formats/conversation/custom_tool.h"
#include "proxy/formats/openai_error.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy::chat {
namespace {

// kBefore -> kAnswer (role chunk) -> kOver ([DONE], or an error from anywhere).
class ChunkWriter final : public StreamWriter {
 public:
  explicit ChunkWriter(AnswerContext context) : context_(std::move(context)) {}

  void WriteTo(std::string* out) override { out_ = out; }
  void Start(std::string_view id, std::string_view model) override;
  void StartPart(size_t part, const PartHead& head) override;
  void Delta(size_t part, std::string_view text) override;
  void AddState(size_t part, const OpaqueState& state) override;
  void EndPart(size_t part) override;
  void WholePart(size_t part, Part whole) override;
  void SetUsage(const Usage& usage) override { usage_ = usage; }
  void End(const Stop& stop) override;
  void Fail(const AnswerError& error) override;

 private:
  enum class State { kBefore, kAnswer, kOver };
  struct Open {
    PartKind kind;
    OpaqueStates states;
    ThinkingPiece piece;  // kThinking
    // kToolCall.
    std::string id, name;
    bool custom = false;   // for the client, who gets its input when it is whole
    bool is_text = false;  // the provider knows it as such too
    bool begun = false;    // the client knows of it
    bool has_arguments = false;
    size_t call = 0;
    std::string input;
  };

  bool Answering();
  void Text(PartKind kind, std::string_view text);
  void Arguments(std::string_view text, Open* open);
  void BeginCall(Open* open);
  void CustomCall(Open* open);
  void Details(const Open& open);
  void Close(Open* open);
  // One chunk: what it writes between them is the value of "delta" without its braces.
  void BeginDelta() { out_->append(head_).append(R"([{"index":0,"delta":{)"); }
  void EndDelta() { out_->append(R"(},"finish_reason":null)").append(tail_); }

  const AnswerContext context_;
  std::string* out_ = nullptr;
  State state_ = State::kBefore;
  std::string head_;  // what all chunks begin with, up to the value of "choices"
  std::string tail_;  // what ends a chunk of the answer, behind its finish_reason
  std::map<size_t, Open> open_;
  CallIds ids_;
  Usage usage_;
  size_t thinking_ = 0;  // bytes so far
  size_t packed_ = 0;    // of reasoning_details
  size_t held_ = 0;      // inputs of custom calls
  bool has_text_ = false;
  bool refused_ = false;
};

void ChunkWriter::Start(std::string_view id, std::string_view model) {
  if (state_ != State::kBefore) return;
  constexpr size_t kMaxName = 256;
  state_ = State::kAnswer;
  const std::string own = id.empty() ? MadeUpId("chatcmpl-", context_.id_seed, 0) : Utf8Prefix(id, kMaxName);
  head_ = R"(data: {"id":)";
  AppendJsonString(own, &head_);
  absl::StrAppend(&head_, R"(,"object":"chat.completion.chunk","created":)", context_.created, R"(,"model":)");
  AppendJsonString(Utf8Prefix(context_.model.empty() ? model : std::string_view(context_.model), kMaxName), &head_);
  head_ += R"(,"choices":)";
  tail_ = context_.include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n";
  BeginDelta();
  *out_ += R"("role":"assistant","content":"")";
  EndDelta();
}

// Whether parts may still come.
bool ChunkWriter::Answering() {
  if (state_ == State::kBefore) Start({}, {});
  return state_ == State::kAnswer;
}

void ChunkWriter::StartPart(size_t part, const PartHead& head) {
  if (!Answering() || open_.contains(part)) return;
  Open open{.kind = head.kind,
            .states = {},
            .piece = ThinkingPiece(thinking_),
            .id = std::string(head.id),
            .name = std::string(head.name),
            .input = {}};
  open.is_text = head.custom;
  open.custom = head.kind == PartKind::kToolCall && IsCustomCall(context_, head.name, head.custom);
  open_.emplace(part, std::move(open));
}

void ChunkWriter::Delta(size_t part, std::string_view text) {
  const auto open = open_.find(part);
  if (state_ != State::kAnswer || open == open_.end() || text.empty()) return;
  if (open->second.kind == PartKind::kToolCall) return Arguments(text, &open->second);
  if (open->second.kind == PartKind::kThinking) {
    open->second.piece.Add(text);
    thinking_ += text.size();
  }
  Text(open->second.kind, text);
}

void ChunkWriter::Text(PartKind kind, std::string_view text) {
  has_text_ |= kind != PartKind::kThinking;
  refused_ |= kind == PartKind::kRefusal;
  BeginDelta();
  out_->append(kind == PartKind::kThinking  ? R"("reasoning_content":)"
               : kind == PartKind::kRefusal ? R"("refusal":)"
                                            : R"("content":)");
  AppendJsonString(text, out_);
  EndDelta();
}

void ChunkWriter::Arguments(std::string_view text, Open* open) {
  open->has_arguments = true;
  if (open->custom) {
    open->input += text;
    held_ += text.size();
    if (held_ <= StreamReader::kMaxHeldBytes) return;
    AnswerError error;
    error.status = 502;
    error.message = "the upstream sent more tool calls than can be held";
    return Fail(error);
  }
  BeginCall(open);
  BeginDelta();
  absl::StrAppend(out_, R"("tool_calls":[{"index":)", open->call, R"(,"function":{"arguments":)");
  AppendJsonString(text, out_);
  *out_ += "}}]";
  EndDelta();
}

void ChunkWriter::BeginCall(Open* open) {
  if (std::exchange(open->begun, true)) return;
  open->call = ids_.given();
  BeginDelta();
  absl::StrAppend(out_, R"("tool_calls":[{"index":)", open->call, R"(,"id":)");
  AppendJsonString(ids_.Next(open->id, open->states), out_);
  *out_ += R"(,"type":"function","function":{"name":)";
  AppendJsonString(open->name, out_);
  *out_ += R"(,"arguments":""})";
  if (const std::string extra = ExtraContent(open->states); !extra.empty())
    out_->append(R"(,"extra_content":)").append(extra);
  *out_ += "}]";
  EndDelta();
}

void ChunkWriter::CustomCall(Open* open) {
  const size_t call = ids_.given();
  BeginDelta();
  absl::StrAppend(out_, R"("tool_calls":[{"index":)", call, R"(,"id":)");
  AppendJsonString(ids_.Next(open->id, open->states), out_);
  *out_ += R"(,"type":"custom","custom":{"name":)";
  AppendJsonString(open->name, out_);
  *out_ += R"(,"input":)";
  held_ -= open->input.size();
  AppendJsonString(open->is_text ? open->input : CustomInput(open->input), out_);
  *out_ += "}}]";
  EndDelta();
}

void ChunkWriter::AddState(size_t part, const OpaqueState& state) {
  const auto open = open_.find(part);
  if (state_ != State::kAnswer || open == open_.end()) return;
  Open& to = open->second;
  to.states.push_back(state);
  if (!to.begun || state.kind != StateKind::kChatExtraContent) return;
  const std::string extra = ExtraContent({state});
  if (extra.empty()) return;
  BeginDelta();
  absl::StrAppend(out_, R"("tool_calls":[{"index":)", to.call, R"(,"function":{"arguments":""},"extra_content":)",
                  extra, "}]");
  EndDelta();
}

void ChunkWriter::EndPart(size_t part) {
  const auto open = open_.find(part);
  if (state_ != State::kAnswer || open == open_.end()) return;
  Close(&open->second);
  open_.erase(open);
}

void ChunkWriter::Close(Open* open) {
  if (open->kind == PartKind::kThinking && !open->states.empty()) Details(*open);
  if (open->kind != PartKind::kToolCall) return;
  if (open->custom) return CustomCall(open);
  if (!open->has_arguments) Arguments("{}", open);
}

void ChunkWriter::Details(const Open& open) {
  std::string details;
  {
    ListWriter list(&details);
    AppendDetails(open.states, open.piece, &packed_, &list);
  }
  if (details == "[]") return;
  BeginDelta();
  out_->append(R"("reasoning_details":)").append(details);
  EndDelta();
}

void ChunkWriter::WholePart(size_t part, Part whole) {
  if (!Answering() || open_.contains(part)) return;
  if (whole.kind == PartKind::kMedia) {
    const std::string image = ImageElement(whole.media);
    if (image.empty()) return;
    has_text_ = true;
    BeginDelta();
    out_->append(R"("images":[)").append(image).append("]");
    return EndDelta();
  }
  if (whole.kind == PartKind::kOther && !whole.text.empty()) return Text(PartKind::kText, whole.text);
  if (whole.kind == PartKind::kOther || whole.kind == PartKind::kToolResult) return;
  StartPart(part, {whole.kind, whole.id, whole.name, whole.custom});
  if (whole.kind == PartKind::kToolCall)
    for (const OpaqueState& state : std::exchange(whole.state, {})) AddState(part, state);
  Delta(part, whole.text);
  for (const OpaqueState& state : whole.state) AddState(part, state);
  EndPart(part);
}

void ChunkWriter::End(const Stop& stop) {
  if (!Answering()) return;
  for (auto& [part, open] : open_) Close(&open);
  open_.clear();
  if (state_ != State::kAnswer) return;
  const bool called = ids_.given() > 0;
  const std::string_view reason = FinishReason(stop.cause, called, refused_);
  if (!has_text_ && !called && !stop.explanation.empty())
    Text(stop.cause == StopCause::kRefusal ? PartKind::kRefusal : PartKind::kText, stop.explanation);
  out_->append(head_).append(R"([{"index":0,"delta":{},"finish_reason":")").append(reason);
  out_->append("\"").append(tail_);
  if (context_.include_usage) {
    out_->append(head_).append(R"([],"usage":)");
    AppendUsage(usage_, out_);
    *out_ += "}\n\n";
  }
  AppendSseEvent("", "[DONE]", out_);
  state_ = State::kOver;
}

void ChunkWriter::Fail(const AnswerError& error) {
  if (state_ == State::kOver) return;
  AppendSseEvent("", WriteOpenAiError(error), out_);
  state_ = State::kOver;
}

}  // namespace

std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context) {
  return std::make_unique<ChunkWriter>(context);
}

}  // namespace ccr::proxy::chat
