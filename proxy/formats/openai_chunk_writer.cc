#include "proxy/formats/openai_chunk_writer.h"

#include "absl/strings/str_cat.h"
#include "proxy/core/json/text.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxName = 256;

}  // namespace

void OpenAiChunkWriter::Begin(std::string_view id, std::string_view model) {
  head_ = R"(data: {"id":)";
  head_ += JsonString(id.empty() ? "chatcmpl-0" : Utf8Prefix(id, kMaxName));
  absl::StrAppend(&head_, R"(,"object":"chat.completion.chunk","created":)", created_, R"(,"model":)");
  head_ += JsonString(Utf8Prefix(model_.empty() ? model : std::string_view(model_), kMaxName));
  head_ += R"(,"choices":)";
  tail_ = options_.include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n";
}

void OpenAiChunkWriter::Role(std::string* out) {
  if (head_.empty()) Begin("", "");
  absl::StrAppend(out, head_, R"([{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null)", tail_);
}

void OpenAiChunkWriter::Text(std::string_view member, std::string_view text, std::string* out) {
  if (text.empty()) return;
  out->append(head_).append(R"([{"index":0,"delta":{")").append(member).append("\":");
  *out += JsonString(text);
  out->append(R"(},"finish_reason":null)").append(tail_);
}

void OpenAiChunkWriter::Call(size_t index, std::string_view id, std::string_view name, std::string_view arguments,
                             std::string* out) {
  absl::StrAppend(out, head_, R"([{"index":0,"delta":{"tool_calls":[{"index":)", index, R"(,"id":)");
  *out += JsonString(id);
  *out += R"(,"type":"function","function":{"name":)";
  *out += JsonString(name);
  *out += R"(,"arguments":)";
  *out += JsonString(arguments);
  absl::StrAppend(out, R"(}}]},"finish_reason":null)", tail_);
}

void OpenAiChunkWriter::Arguments(size_t index, std::string_view json, std::string* out) {
  absl::StrAppend(out, head_, R"([{"index":0,"delta":{"tool_calls":[{"index":)", index, R"(,"function":{"arguments":)");
  *out += JsonString(json);
  out->append(R"(}}]},"finish_reason":null)").append(tail_);
}

void OpenAiChunkWriter::Finish(std::string_view reason, std::string* out) {
  out->append(head_).append(R"([{"index":0,"delta":{},"finish_reason":")").append(reason).append("\"").append(tail_);
}

void OpenAiChunkWriter::End(std::string_view usage, std::string* out) {
  if (options_.include_usage) out->append(head_).append(R"([],"usage":)").append(usage).append("}\n\n");
  AppendSseEvent("", "[DONE]", out);
}

}  // namespace ccr::proxy
