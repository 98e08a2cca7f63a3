#include "proxy/formats/openai_gemini/translation.h"

#include <utility>

#include "proxy/formats/anthropic_openai/translation.h"
#include "proxy/formats/chained.h"
#include "proxy/formats/openai_gemini/request.h"
#include "proxy/formats/openai_gemini/response.h"
#include "proxy/formats/openai_gemini/stream.h"

namespace ccr::proxy {
namespace {

class OpenAiToGemini final : public Translation {
 public:
  explicit OpenAiToGemini(UnixSeconds now) : now_(std::move(now)) {}

  absl::StatusOr<TranslatedRequest> Request(std::string_view body, std::string_view model,
                                            Notes* notes) const override {
    return OpenAiRequestToGemini(body, model, notes);
  }
  absl::StatusOr<std::string> Response(std::string_view body, Notes* notes) const override {
    return GeminiResponseToOpenAi(body, Created(), notes);
  }
  std::string Error(int status, std::string_view body) const override { return GeminiErrorToOpenAi(status, body); }
  std::unique_ptr<StreamTranslator> Stream(std::string_view model, const StreamOptions& options) const override {
    return MakeGeminiStreamToOpenAi(model, Created(), options);
  }

 private:
  int64_t Created() const { return now_ ? now_() : 0; }

  const UnixSeconds now_;
};

}  // namespace

std::unique_ptr<Translation> MakeOpenAiToGemini(UnixSeconds now) {
  return std::make_unique<OpenAiToGemini>(std::move(now));
}

std::unique_ptr<Translation> MakeAnthropicToGemini() {
  return MakeChained(MakeAnthropicToOpenAi({.for_gemini = true}), MakeOpenAiToGemini());
}

}  // namespace ccr::proxy
