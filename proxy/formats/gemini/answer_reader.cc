#include "proxy/formats/gemini/answer_reader.h"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/gemini/errors.h"
#include "proxy/formats/gemini/parts.h"
#include "proxy/formats/gemini/signature.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy::gemini {
namespace {

constexpr std::array<std::string_view, 9> kRefusals = {
    "SAFETY",   "RECITATION",   "BLOCKLIST",   "PROHIBITED_CONTENT",      "SPII",
    "LANGUAGE", "IMAGE_SAFETY", "MODEL_ARMOR", "IMAGE_PROHIBITED_CONTENT"};

// The first candidate, by its index or its place.
json::object* FirstCandidate(json::object* response) {
  json::array* candidates = FindArray(*response, "candidates");
  for (size_t i = 0; candidates != nullptr && i < candidates->size(); ++i) {
    json::object* candidate = (*candidates)[i].if_object();
    if (candidate != nullptr && FindUint(*candidate, "index") == 0) return candidate;
  }
  return nullptr;
}

absl::Status NoAnswer(std::string_view why) {
  return absl::InternalError(absl::StrCat("the upstream's answer ", ToAbsl(why)));
}

}  // namespace

void ResponseReader::Read(json::object* response, std::string_view text, Notes* notes, AnswerSink* sink) {
  if (over_) return;
  if (!started_) sink->Start(FindText(*response, "responseId"), FindText(*response, "modelVersion"));
  started_ = true;
  seed_.reset();
  ReadUsage(*response, sink);
  json::object* candidate = FirstCandidate(response);
  ReadEnd(*response, candidate);
  if (candidate == nullptr) return;
  json::object* content = FindObject(*candidate, "content");
  json::array* parts = content == nullptr ? nullptr : FindArray(*content, "parts");
  for (size_t i = 0; parts != nullptr && i < parts->size() && !over_; ++i) {
    if (json::object* part = (*parts)[i].if_object(); part != nullptr) ReadPart(part, text, notes, sink);
  }
  if (Find(*candidate, "groundingMetadata") != nullptr) AddNote(notes, "groundingMetadata: dropped");
}

void ResponseReader::End(AnswerSink* sink) {
  if (over_) return;
  Close(sink);
  Stop stop;
  if (refused()) {
    stop.cause = StopCause::kRefusal;
  } else if (finish_reason_ == "MAX_TOKENS") {
    stop.cause = StopCause::kMaxTokens;
  } else {
    stop.cause = ids_.given() > 0 ? StopCause::kToolUse : StopCause::kEnd;
  }
  if (!answered_) stop.explanation = Explanation();
  over_ = true;
  sink->End(stop);
}

void ResponseReader::Fail(const AnswerError& error, AnswerSink* sink) {
  if (over_) return;
  over_ = true;
  sink->Fail(error);
}

// Figures of a stream are totals: later ones replace earlier ones.
void ResponseReader::ReadUsage(const json::object& response, AnswerSink* sink) {
  const json::object* given = FindObject(response, "usageMetadata");
  if (given == nullptr) return;
  Usage usage;
  usage.input = FindUint(*given, "promptTokenCount") + FindUint(*given, "toolUsePromptTokenCount");
  usage.cache_read = std::min(usage.input, FindUint(*given, "cachedContentTokenCount"));
  usage.reasoning = FindUint(*given, "thoughtsTokenCount");
  usage.output = FindUint(*given, "candidatesTokenCount") + usage.reasoning;
  sink->SetUsage(usage);
}

void ResponseReader::ReadEnd(const json::object& response, const json::object* candidate) {
  if (const json::object* feedback = FindObject(response, "promptFeedback"); feedback != nullptr) {
    const std::string_view reason = FindText(*feedback, "blockReason");
    if (!reason.empty()) block_reason_ = reason;
    if (!reason.empty()) message_ = FindText(*feedback, "blockReasonMessage");
  }
  const std::string_view reason = candidate == nullptr ? std::string_view() : FindText(*candidate, "finishReason");
  if (reason.empty()) return;
  finish_reason_ = reason;
  message_ = FindText(*candidate, "finishMessage");
}

void ResponseReader::ReadPart(json::object* part, std::string_view text, Notes* notes, AnswerSink* sink) {
  const PartType type = TypeOfPart(part);
  if (type == PartType::kText) return ReadText(PartKind::kText, *part, sink);
  if (type == PartType::kThought) return ReadText(PartKind::kThinking, *part, sink);
  if (type == PartType::kCall && !FindText(*FindObject(*part, "functionCall"), "name").empty()) {
    return ReadCall(*part, text, sink);
  }
  Part whole;
  ReadSignature(FindText(*part, "thoughtSignature"), &whole.state);
  const bool known = Find(*part, "executableCode") != nullptr || Find(*part, "codeExecutionResult") != nullptr;
  if (type == PartType::kMedia) {
    whole.kind = PartKind::kMedia;
    whole.media = TakeMedia(part);
    answered_ = true;
  } else if (known) {
    whole.kind = PartKind::kOther;
    whole.own = *part;  // in memory of its own: it may outlive the response
  } else {
    return AddNote(notes, "parts: one that is neither text nor call was dropped");
  }
  Whole(std::move(whole), sink);
}

void ResponseReader::ReadText(PartKind kind, const json::object& part, AnswerSink* sink) {
  const std::string_view text = FindText(part, "text");
  OpaqueStates states;
  ReadSignature(FindText(part, "thoughtSignature"), &states);
  if (text.empty() && states.empty()) return;
  const bool signs = text.empty() && kind == PartKind::kText;  // what came before, whichever it is
  if (signs && !open_) kind = PartKind::kThinking;
  const bool goes_on = open_ && (signs || *open_ == kind);
  if (!goes_on) {
    Close(sink);
    sink->StartPart(next_++, {kind, {}, {}, false});
    open_ = kind;
  }
  const size_t number = next_ - 1;
  if (!text.empty()) sink->Delta(number, text);
  answered_ |= kind == PartKind::kText && !text.empty();
  for (const OpaqueState& state : states) sink->AddState(number, state);
  if (!states.empty()) Close(sink);  // what comes behind a signature is another part
}

void ResponseReader::ReadCall(const json::object& part, std::string_view text, AnswerSink* sink) {
  Close(sink);
  answered_ = true;
  if (ids_.given() == max_calls_) return Fail(UpstreamFailure("the upstream sent too many tool calls"), sink);
  if (!seed_) seed_ = StableHash(text);
  const json::object& call = *FindObject(part, "functionCall");
  const std::string id = ids_.Next(FindText(call, "id"), *seed_);
  OpaqueStates states;
  ReadSignature(FindText(part, "thoughtSignature"), &states);
  const size_t number = next_++;
  sink->StartPart(number, {PartKind::kToolCall, id, FindText(call, "name"), false});
  for (const OpaqueState& state : states) sink->AddState(number, state);
  std::string arguments = "{}";
  if (const json::object* given = FindObject(call, "args"); given != nullptr) {
    arguments.clear();
    AppendJson(*given, &arguments);
  }
  sink->Delta(number, arguments);
  sink->EndPart(number);
}

void ResponseReader::Whole(Part part, AnswerSink* sink) {
  Close(sink);
  sink->WholePart(next_++, std::move(part));
}

void ResponseReader::Close(AnswerSink* sink) {
  if (open_) sink->EndPart(next_ - 1);
  open_.reset();
}

bool ResponseReader::refused() const {
  if (finish_reason_.empty()) return !block_reason_.empty();
  return std::find(kRefusals.begin(), kRefusals.end(), finish_reason_) != kRefusals.end();
}

// What an answer without content says: why it has none.
std::string ResponseReader::Explanation() const {
  if (!message_.empty()) return message_;
  if (finish_reason_.empty() && !block_reason_.empty()) {
    return absl::StrCat("Gemini blocked the prompt: ", block_reason_);
  }
  if (finish_reason_ == "STOP" || finish_reason_ == "MAX_TOKENS" || finish_reason_.empty()) return {};
  return absl::StrCat("Gemini ended its answer: ", finish_reason_);
}

absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) {
  json::monotonic_resource memory(2 * body.size() + 1024);
  absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  if (!parsed.ok()) return NoAnswer(absl::StrCat("is ", parsed.status().message()));
  // A stream that is a list is an answer in pieces.
  json::array one(&memory);
  json::array* list = parsed->if_array();
  if (list == nullptr) {
    one.emplace_back(std::move(*parsed));
    list = &one;
  }
  AnswerCollector collector;
  ResponseReader reader(std::numeric_limits<size_t>::max());
  bool any = false;
  if (list->empty()) return NoAnswer("is no JSON object");
  for (json::value& value : *list) {
    json::object* response = value.if_object();
    if (response == nullptr) return NoAnswer("is no JSON object");
    if (Find(*response, "error") != nullptr) return absl::InternalError(ReadUpstreamError(value, 500).message);
    any |= FirstCandidate(response) != nullptr;
    reader.Read(response, body, notes, &collector);
  }
  if (!any && !reader.blocked()) return NoAnswer("has no candidates");
  reader.End(&collector);
  if (collector.failed()) return absl::InternalError(collector.error().message);
  return collector.Take();
}

}  // namespace ccr::proxy::gemini
