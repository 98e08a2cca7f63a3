#include "proxy/formats/openai_gemini/response.h"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/core/error_body.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/openai_completion.h"
#include "proxy/formats/openai_gemini/gemini_call_id.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy {
namespace {

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

  OpenAiCompletion answer;
  GeminiCallIds ids;
  const uint64_t seed = StableHash(body);
  ReadGeminiParts(*response, notes, [&](GeminiPart kind, const json::object& part) {
    if (kind == GeminiPart::kThought) answer.reasoning += FindText(part, "text");
    if (kind == GeminiPart::kText) answer.text += FindText(part, "text");
    if (kind == GeminiPart::kCall) {
      answer.AddCall(ids.Next(part, seed), GeminiCallName(part), GeminiCallArguments(part));
    }
  });
  if (answer.text.empty() && !answer.has_calls()) (end.refused() ? answer.refusal : answer.text) = end.Explanation();
  GeminiUsage usage;
  usage.Read(*response);
  std::string usage_json;
  usage.AppendOpenAi(&usage_json);
  const std::string_view id = FindText(*response, "responseId");
  return answer.Write(id.empty() ? MadeUpId("chatcmpl-", seed, 0) : id, FindText(*response, "modelVersion"), created,
                      end.OpenAi(answer.has_calls()), usage_json);
}

std::string GeminiErrorToOpenAi(int status, std::string_view body) {
  return ErrorBody(Format::kOpenAi, status, UpstreamErrorMessage(status, body));
}

}  // namespace ccr::proxy
