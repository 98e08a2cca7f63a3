#include "proxy/formats/openai_gemini/stream.h"

#include <boost/json/monotonic_resource.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "proxy/core/error_body.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/openai_chunk_writer.h"
#include "proxy/formats/openai_gemini/gemini_call_id.h"
#include "proxy/formats/openai_gemini/response.h"
#include "proxy/formats/sse.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy {
namespace {

class GeminiStream final : public StreamTranslator {
 public:
  GeminiStream(std::string_view model, int64_t created, const StreamOptions& options)
      : writer_(model, created, options) {}

  void Feed(std::string_view bytes, std::string* out) override;
  void Finish(bool cut, std::string* out) override;
  bool failed() const override { return state_ == State::kFailed; }
  uint64_t input_tokens() const override { return usage_.prompt; }
  uint64_t output_tokens() const override { return usage_.output; }

 private:
  // kBefore -> kAnswer (role chunk) -> kDone ([DONE]); an error from anywhere but kDone -> kFailed.
  enum class State { kBefore, kAnswer, kDone, kFailed };

  void OnEvent(const SseEvent& event, std::string* out);
  void OnPart(GeminiPart kind, const json::object& part, uint64_t seed, std::string* out);
  void End(std::string* out);
  void Fail(int status, std::string_view message, std::string* out);
  bool over() const { return state_ == State::kDone || state_ == State::kFailed; }

  OpenAiChunkWriter writer_;
  SseParser parser_;
  State state_ = State::kBefore;
  bool answered_ = false;  // text or a call was written
  GeminiCallIds ids_;
  GeminiUsage usage_;
  GeminiEnd end_;
};

void GeminiStream::Feed(std::string_view bytes, std::string* out) {
  if (over()) return;
  const bool fits = parser_.Feed(bytes, [&](const SseEvent& event) { OnEvent(event, out); });
  if (!fits) Fail(502, "the upstream sent an event that is too large", out);
}

void GeminiStream::Finish(bool cut, std::string* out) {
  if (over()) return;
  if (!cut) parser_.Finish([&](const SseEvent& event) { OnEvent(event, out); });
  if (over()) return;
  if (end_.ended()) return End(out);
  Fail(502, "the upstream's stream ended before the answer was complete", out);
}

void GeminiStream::OnEvent(const SseEvent& event, std::string* out) {
  if (over() || event.data.empty() || event.data == "[DONE]") return;
  unsigned char buffer[8192];
  json::monotonic_resource memory(buffer, sizeof buffer);
  const absl::StatusOr<json::value> parsed = ParseJson(event.data, &memory);
  const bool listed = parsed.ok() && parsed->is_array() && !parsed->get_array().empty();
  const json::object* response = !parsed.ok() ? nullptr : (listed ? parsed->get_array()[0] : *parsed).if_object();
  if (response == nullptr) return Fail(502, "the upstream sent an event that is no JSON object", out);
  if (Find(*response, "error") != nullptr) {
    const UpstreamError error = ReadUpstreamError(*parsed, 500);
    return Fail(error.status, error.message, out);
  }
  if (state_ == State::kBefore) {
    const std::string_view id = FindText(*response, "responseId");
    writer_.Begin(id.empty() ? MadeUpId("chatcmpl-", StableHash(event.data), 0) : id,
                  FindText(*response, "modelVersion"));
    writer_.Role(out);
    state_ = State::kAnswer;
  }
  usage_.Read(*response);
  end_.Read(*response);
  std::optional<uint64_t> seed;
  ReadGeminiParts(*response, nullptr, [&](GeminiPart kind, const json::object& part) {
    if (kind == GeminiPart::kCall && !seed) seed = StableHash(event.data);
    OnPart(kind, part, seed.value_or(0), out);
  });
}

void GeminiStream::OnPart(GeminiPart kind, const json::object& part, uint64_t seed, std::string* out) {
  if (over()) return;
  if (kind == GeminiPart::kThought) return writer_.Text("reasoning_content", FindText(part, "text"), out);
  answered_ = true;
  if (kind == GeminiPart::kText) return writer_.Text("content", FindText(part, "text"), out);
  const size_t call = ids_.given();
  if (call == kMaxToolCalls) return Fail(502, "the upstream sent too many tool calls", out);
  writer_.Call(call, ids_.Next(part, seed), GeminiCallName(part), GeminiCallArguments(part), out);
}

void GeminiStream::End(std::string* out) {
  if (!answered_) writer_.Text(end_.refused() ? "refusal" : "content", end_.Explanation(), out);
  writer_.Finish(end_.OpenAi(ids_.given() > 0), out);
  std::string usage;
  usage_.AppendOpenAi(&usage);
  writer_.End(usage, out);
  state_ = State::kDone;
}

void GeminiStream::Fail(int status, std::string_view message, std::string* out) {
  AppendSseEvent("", ErrorBody(Format::kOpenAi, status, message), out);
  state_ = State::kFailed;
}

}  // namespace

std::unique_ptr<StreamTranslator> MakeGeminiStreamToOpenAi(std::string_view model, int64_t created,
                                                           const StreamOptions& options) {
  return std::make_unique<GeminiStream>(model, created, options);
}

}  // namespace ccr::proxy
