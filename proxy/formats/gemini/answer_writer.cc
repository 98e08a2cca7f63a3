#include "proxy/formats/gemini/answer_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/gemini/arguments.h"
#include "proxy/formats/gemini/call_id.h"
#include "proxy/formats/gemini/media.h"
#include "proxy/formats/gemini/object_text.h"
#include "proxy/formats/gemini/signature.h"

namespace ccr::proxy::gemini {
namespace {

std::string_view FinishReason(const Stop& stop) {
  switch (stop.cause) {
    case StopCause::kMaxTokens:
    case StopCause::kContext:
      return "MAX_TOKENS";
    case StopCause::kRefusal:
      return "SAFETY";
    case StopCause::kUnknown:
    case StopCause::kEnd:
    case StopCause::kStopSequence:
    case StopCause::kToolUse:
    case StopCause::kPause:
      break;
  }
  return stop.explanation.empty() ? "STOP" : "OTHER";
}

// Thinking that has a signature of Gemini's and no text is how an empty text with one was read.
bool IsLoneSignature(const Part& part) {
  return part.text.empty() && part.state.size() == 1 && part.state[0].kind == StateKind::kGeminiSignature;
}

void AppendCallMember(const Part& part, JsonBudget* budget, ObjectText* object) {
  ObjectText call(object->Name("functionCall"));
  if (!part.id.empty()) call.Text("id", ClientCallId(part.id));
  call.Text("name", part.name);
  AppendArguments(part, budget, nullptr, call.Name("args"));
  call.Close();
}

// The members of a part; nothing where it has none.
std::string MembersOf(const Part& part, JsonBudget* budget) {
  std::string members;
  if (part.kind == PartKind::kMedia) {
    if (part.media.source != Media::Source::kFileId) AppendMedia(part.media, true, &members);
    return members;
  }
  if (part.kind == PartKind::kOther) {
    const bool own = part.own.contains("executableCode") || part.own.contains("codeExecutionResult");
    AppendJson(own ? part.own : json::object(), &members);
    members = members.substr(1, members.size() - 2);
    if (!own && !part.text.empty()) AppendJsonString(part.text, &members.append("\"text\":"));
    return members;
  }
  if (part.kind == PartKind::kToolResult) return members;
  if (part.kind != PartKind::kToolCall && part.text.empty() && part.state.empty()) return members;
  ObjectText object(&members);
  if (part.kind == PartKind::kToolCall) {
    AppendCallMember(part, budget, &object);
  } else {
    object.Text("text", part.text);
    if (part.kind == PartKind::kThinking && !IsLoneSignature(part)) object.Flag("thought", true);
  }
  return members.substr(1);
}

}  // namespace

bool AppendAnswerPart(const Part& part, JsonBudget* budget, std::string* out) {
  const std::string members = MembersOf(part, budget);
  if (members.empty()) return false;
  absl::StrAppend(out, "{", members);
  const std::string signature = part.kind == PartKind::kOther ? std::string() : SignatureOf(part.state);
  if (!signature.empty()) AppendJsonString(signature, &out->append(",\"thoughtSignature\":"));
  *out += '}';
  return true;
}

void AppendFinish(const Stop& stop, std::string* out) {
  absl::StrAppend(out, ",\"finishReason\":\"", ToAbsl(FinishReason(stop)), "\"");
  if (!stop.explanation.empty()) AppendJsonString(stop.explanation, &out->append(",\"finishMessage\":"));
}

void AppendUsage(const Usage& usage, std::string* out) {
  const uint64_t reasoning = std::min(usage.reasoning, usage.output);
  ObjectText object(&out->append(",\"usageMetadata\":"));
  object.Count("promptTokenCount", usage.input);
  object.Count("candidatesTokenCount", usage.output - reasoning);
  if (reasoning > 0) object.Count("thoughtsTokenCount", reasoning);
  if (usage.cache_read > 0) object.Count("cachedContentTokenCount", usage.cache_read);
  object.Count("totalTokenCount", usage.input + usage.output);
  object.Close();
}

std::string AnswerTail(std::string_view id, std::string_view model, const AnswerContext& context) {
  std::string tail = ",\"modelVersion\":";
  AppendJsonString(context.model.empty() ? model : std::string_view(context.model), &tail);
  tail += ",\"responseId\":";
  AppendJsonString(id.empty() ? MadeUpId("", context.id_seed, 0) : std::string(id), &tail);
  return tail.append("}");
}

std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context) {
  std::string body(kAnswerHead);
  JsonBudget budget;
  const size_t begin = body.size();
  for (const Part& part : answer.parts) {
    const size_t before = body.size();
    if (before > begin) body += ',';
    if (!AppendAnswerPart(part, &budget, &body)) body.resize(before);
  }
  body.append(kPartsEnd);
  AppendFinish(answer.stop, &body);
  body.append(",\"index\":0}]");
  AppendUsage(answer.usage, &body);
  return body.append(AnswerTail(answer.id, answer.model, context));
}

}  // namespace ccr::proxy::gemini
