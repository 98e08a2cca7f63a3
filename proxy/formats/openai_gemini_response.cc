#include "proxy/formats/openai_gemini_response.h"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/core/error_body.h"
#include "proxy/formats/anthropic_openai_response.h"
#include "proxy/formats/gemini_call_id.h"
#include "proxy/formats/openai_anthropic_content.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxErrorText = 4096;

constexpr std::array<std::string_view, 9> kRefusals = {
    "SAFETY",   "RECITATION",   "BLOCKLIST",   "PROHIBITED_CONTENT",      "SPII",
    "LANGUAGE", "IMAGE_SAFETY", "MODEL_ARMOR", "IMAGE_PROHIBITED_CONTENT"};

// The first candidate, by its index or its place.
const json::object* FirstCandidate(const json::object& response) {
  const json::array* candidates = FindArray(response, "candidates");
  for (size_t i = 0; candidates != nullptr && i < candidates->size(); ++i) {
    const json::object* candidate = (*candidates)[i].if_object();
    if (candidate != nullptr && FindUint(*candidate, "index") == 0) return candidate;
  }
  return nullptr;
}

// One complete answer.
struct Answer {
  std::string text;
  std::string thoughts;
  std::string calls;  // elements of a JSON array
  GeminiCallIds ids;
};

void AppendCall(const json::object& part, std::string_view seed, Answer* answer) {
  std::string* out = &answer->calls;
  if (!out->empty()) *out += ',';
  *out += R"({"id":)";
  AppendJsonString(answer->ids.Next(part, seed), out);
  *out += R"(,"type":"function","function":{"name":)";
  AppendJsonString(GeminiCallName(part), out);
  *out += R"(,"arguments":)";
  AppendJsonString(GeminiCallArguments(part), out);
  *out += "}}";
}

void AppendMessage(const Answer& answer, const GeminiEnd& end, std::string* out) {
  const bool empty = answer.text.empty() && answer.calls.empty();
  const std::string explanation = empty ? end.Explanation() : std::string();
  const bool refused = end.refused() && !explanation.empty();
  *out += R"({"role":"assistant","content":)";
  if (answer.text.empty() && !answer.calls.empty()) {
    *out += "null";
  } else {
    AppendJsonString(refused || !empty ? answer.text : explanation, out);
  }
  *out += R"(,"refusal":)";
  if (refused) {
    AppendJsonString(explanation, out);
  } else {
    *out += "null";
  }
  if (!answer.thoughts.empty()) {
    *out += R"(,"reasoning_content":)";
    AppendJsonString(answer.thoughts, out);
  }
  if (!answer.calls.empty()) absl::StrAppend(out, ",\"tool_calls\":[", answer.calls, "]");
  *out += '}';
}

absl::Status NoAnswer(std::string_view why) {
  return absl::InternalError(absl::StrCat("the upstream's answer ", ToAbsl(why)));
}

}  // namespace

void GeminiUsage::Read(const json::object& response) {
  const json::object* usage = FindObject(response, "usageMetadata");
  if (usage == nullptr) return;
  prompt = FindUint(*usage, "promptTokenCount") + FindUint(*usage, "toolUsePromptTokenCount");
  cached = std::min(prompt, FindUint(*usage, "cachedContentTokenCount"));
  thoughts = FindUint(*usage, "thoughtsTokenCount");
  output = FindUint(*usage, "candidatesTokenCount") + thoughts;
}

void GeminiUsage::AppendOpenAi(std::string* out) const {
  absl::StrAppend(out, R"({"prompt_tokens":)", prompt, R"(,"completion_tokens":)", output, R"(,"total_tokens":)",
                  prompt + output, R"(,"prompt_tokens_details":{"cached_tokens":)", cached,
                  R"(},"completion_tokens_details":{"reasoning_tokens":)", thoughts, "}}");
}

void ReadGeminiParts(const json::object& response, Notes* notes,
                     absl::FunctionRef<void(GeminiPart, const json::object& part)> sink) {
  const json::object* candidate = FirstCandidate(response);
  const json::object* content = candidate == nullptr ? nullptr : FindObject(*candidate, "content");
  const json::array* parts = content == nullptr ? nullptr : FindArray(*content, "parts");
  for (size_t i = 0; parts != nullptr && i < parts->size(); ++i) {
    const json::object* part = (*parts)[i].if_object();
    if (part == nullptr) continue;
    if (!GeminiCallName(*part).empty()) {
      sink(GeminiPart::kCall, *part);
    } else if (!FindText(*part, "text").empty()) {
      sink(FindBool(*part, "thought") ? GeminiPart::kThought : GeminiPart::kText, *part);
    } else if (Find(*part, "text") == nullptr) {
      AddNote(notes, "parts: one that is neither text nor call was dropped");
    }
  }
  if (candidate != nullptr && Find(*candidate, "groundingMetadata") != nullptr) {
    AddNote(notes, "groundingMetadata: dropped");
  }
}

std::string_view GeminiCallName(const json::object& part) {
  const json::object* call = FindObject(part, "functionCall");
  return call == nullptr ? std::string_view() : FindText(*call, "name");
}

std::string GeminiCallArguments(const json::object& part) {
  const json::object* call = FindObject(part, "functionCall");
  const json::object* arguments = call == nullptr ? nullptr : FindObject(*call, "args");
  std::string text;
  if (arguments == nullptr) return "{}";
  AppendJson(*arguments, &text);
  return text;
}

void GeminiEnd::Read(const json::object& response) {
  if (const json::object* feedback = FindObject(response, "promptFeedback"); feedback != nullptr) {
    const std::string_view reason = FindText(*feedback, "blockReason");
    if (!reason.empty()) block_reason = reason;
    if (!reason.empty()) message = FindText(*feedback, "blockReasonMessage");
  }
  const json::object* candidate = FirstCandidate(response);
  const std::string_view reason = candidate == nullptr ? std::string_view() : FindText(*candidate, "finishReason");
  if (reason.empty()) return;
  finish_reason = reason;
  message = FindText(*candidate, "finishMessage");
}

bool GeminiEnd::refused() const {
  if (finish_reason.empty()) return !block_reason.empty();
  return std::find(kRefusals.begin(), kRefusals.end(), finish_reason) != kRefusals.end();
}

std::string_view GeminiEnd::OpenAi(bool called) const {
  if (refused()) return "content_filter";
  if (finish_reason == "MAX_TOKENS") return "length";
  return called ? "tool_calls" : "stop";
}

std::string GeminiEnd::Explanation() const {
  if (!message.empty()) return message;
  if (finish_reason.empty() && !block_reason.empty()) {
    return absl::StrCat("Gemini blocked the prompt: ", block_reason);
  }
  if (finish_reason == "STOP" || finish_reason == "MAX_TOKENS" || finish_reason.empty()) return {};
  return absl::StrCat("Gemini ended its answer: ", finish_reason);
}

absl::StatusOr<std::string> GeminiResponseToOpenAi(std::string_view body, int64_t created, Notes* notes) {
  json::monotonic_resource memory(2 * body.size() + 1024);
  const absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  if (!parsed.ok()) return NoAnswer(absl::StrCat("is ", parsed.status().message()));
  const json::object* response = parsed->if_object();
  if (response == nullptr) return NoAnswer("is no JSON object");
  if (Find(*response, "error") != nullptr) return absl::InternalError(ReadUpstreamError(*parsed, 500).message);
  GeminiEnd end;
  end.Read(*response);
  if (FirstCandidate(*response) == nullptr && end.block_reason.empty()) return NoAnswer("has no candidates");

  Answer answer;
  ReadGeminiParts(*response, notes, [&](GeminiPart kind, const json::object& part) {
    if (kind == GeminiPart::kThought) answer.thoughts += FindText(part, "text");
    if (kind == GeminiPart::kText) answer.text += FindText(part, "text");
    if (kind == GeminiPart::kCall) AppendCall(part, body, &answer);
  });
  GeminiUsage usage;
  usage.Read(*response);
  const std::string_view id = FindText(*response, "responseId");

  std::string out = R"({"id":)";
  out.reserve(body.size() + 512);
  AppendJsonString(id.empty() ? MadeUpId("chatcmpl-", body, 0) : id, &out);
  absl::StrAppend(&out, R"(,"object":"chat.completion","created":)", created, R"(,"model":)");
  AppendJsonString(FindText(*response, "modelVersion"), &out);
  out += R"(,"choices":[{"index":0,"message":)";
  AppendMessage(answer, end, &out);
  absl::StrAppend(&out, R"(,"logprobs":null,"finish_reason":")", ToAbsl(end.OpenAi(!answer.calls.empty())),
                  R"("}],"usage":)");
  usage.AppendOpenAi(&out);
  out += '}';
  return out;
}

std::string GeminiErrorToOpenAi(int status, std::string_view body) {
  const absl::StatusOr<json::value> parsed = ParseJson(body);
  if (parsed.ok()) return ErrorBody(Format::kOpenAi, status, ReadUpstreamError(*parsed, status).message);
  if (!body.empty()) return ErrorBody(Format::kOpenAi, status, body.substr(0, kMaxErrorText));
  return ErrorBody(Format::kOpenAi, status, absl::StrCat("the upstream answered with status ", status));
}

}  // namespace ccr::proxy
