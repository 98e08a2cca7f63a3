#include <boost/json/monotonic_resource.hpp>
#include <memory>

#include "proxy/formats/gemini/answer_reader.h"
#include "proxy/formats/gemini/errors.h"
#include "proxy/formats/sse.h"

namespace ccr::proxy::gemini {
namespace {

// Gemini has no last event: any may name a finishReason, and more may follow, so the end is told when the upstream has
// ended. A finishReason, or a blocked prompt, makes a proper end, after it even a cut stream; without one the end is an
// error.
class GeminiStreamReader final : public StreamReader {
 public:
  void Feed(std::string_view bytes, AnswerSink* sink) override;
  void Finish(bool cut, AnswerSink* sink) override;
  const Notes& notes() const override { return notes_; }

 private:
  void OnEvent(const SseEvent& event, AnswerSink* sink);
  void Fail(std::string_view message, AnswerSink* sink) { reader_.Fail(UpstreamFailure(message), sink); }

  SseParser parser_{kMaxHeldBytes};
  ResponseReader reader_{kMaxToolCalls};
  Notes notes_;
};

void GeminiStreamReader::Feed(std::string_view bytes, AnswerSink* sink) {
  if (reader_.over()) return;
  const bool fits = parser_.Feed(bytes, [&](const SseEvent& event) { OnEvent(event, sink); });
  if (!fits) Fail("the upstream sent an event that is too large", sink);
}

void GeminiStreamReader::Finish(bool cut, AnswerSink* sink) {
  if (reader_.over()) return;
  if (!cut) parser_.Finish([&](const SseEvent& event) { OnEvent(event, sink); });
  if (reader_.over()) return;
  if (reader_.ended()) return reader_.End(sink);
  Fail("the upstream's stream ended before the answer was complete", sink);
}

void GeminiStreamReader::OnEvent(const SseEvent& event, AnswerSink* sink) {
  if (reader_.over() || event.data.empty() || event.data == "[DONE]") return;
  unsigned char buffer[8192];
  json::monotonic_resource memory(buffer, sizeof buffer);
  absl::StatusOr<json::value> parsed = ParseJson(event.data, &memory);
  const bool listed = parsed.ok() && parsed->is_array() && !parsed->get_array().empty();
  json::object* response = !parsed.ok() ? nullptr : (listed ? parsed->get_array()[0] : *parsed).if_object();
  if (response == nullptr) return Fail("the upstream sent an event that is no JSON object", sink);
  if (Find(*response, "error") != nullptr) return reader_.Fail(ReadError(500, *parsed), sink);
  reader_.Read(response, event.data, &notes_, sink);
}

}  // namespace

std::unique_ptr<StreamReader> ReadStream() {
  return std::make_unique<GeminiStreamReader>();
}

}  // namespace ccr::proxy::gemini
