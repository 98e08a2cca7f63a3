#include "proxy/formats/openai_completion.h"

#include "absl/strings/str_cat.h"
#include "proxy/core/json/text.h"

namespace ccr::proxy {
namespace {

void AppendOrNull(bool present, std::string_view text, std::string* out) {
  if (present) {
    AppendJsonString(text, out);
  } else {
    *out += "null";
  }
}

}  // namespace

void OpenAiCompletion::AddCall(std::string_view id, std::string_view name, std::string_view arguments) {
  calls_ += calls_.empty() ? R"({"id":)" : R"(,{"id":)";
  AppendJsonString(id, &calls_);
  calls_ += R"(,"type":"function","function":{"name":)";
  AppendJsonString(name, &calls_);
  calls_ += R"(,"arguments":)";
  AppendJsonString(arguments, &calls_);
  calls_ += "}}";
}

std::string OpenAiCompletion::Write(std::string_view id, std::string_view model, int64_t created,
                                    std::string_view finish_reason, std::string_view usage) const {
  constexpr size_t kFrameBytes = 512;
  std::string out = R"({"id":)";
  out.reserve(text.size() + reasoning.size() + calls_.size() + kFrameBytes);
  AppendJsonString(id, &out);
  absl::StrAppend(&out, R"(,"object":"chat.completion","created":)", created, R"(,"model":)");
  AppendJsonString(model, &out);
  out += R"(,"choices":[{"index":0,"message":)";
  AppendMessage(&out);
  out.append(R"(,"logprobs":null,"finish_reason":")").append(finish_reason);
  out.append(R"("}],"usage":)").append(usage).append("}");
  return out;
}

void OpenAiCompletion::AppendMessage(std::string* out) const {
  *out += R"({"role":"assistant","content":)";
  AppendOrNull(!text.empty() || !has_calls(), text, out);
  *out += R"(,"refusal":)";
  AppendOrNull(!refusal.empty(), refusal, out);
  if (!reasoning.empty()) {
    *out += R"(,"reasoning_content":)";
    AppendJsonString(reasoning, out);
  }
  if (has_calls()) absl::StrAppend(out, ",\"tool_calls\":[", calls_, "]");
  *out += '}';
}

}  // namespace ccr::proxy
