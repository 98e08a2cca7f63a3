#include "proxy/formats/openai_anthropic/translation.h"

#include <utility>

#include "proxy/formats/openai_anthropic/request.h"
#include "proxy/formats/openai_anthropic/response.h"
#include "proxy/formats/openai_anthropic/stream.h"

namespace ccr::proxy {
namespace {

class OpenAiToAnthropic final : public Translation {
 public:
  explicit OpenAiToAnthropic(UnixSeconds now) : now_(std::move(now)) {}

  absl::StatusOr<TranslatedRequest> Request(std::string_view body, std::string_view model,
                                            Notes* notes) const override {
    return OpenAiRequestToAnthropic(body, model, notes);
  }
  absl::StatusOr<std::string> Response(std::string_view body, Notes* notes) const override {
    return AnthropicResponseToOpenAi(body, Created(), notes);
  }
  std::string Error(int status, std::string_view body) const override { return AnthropicErrorToOpenAi(status, body); }
  std::unique_ptr<StreamTranslator> Stream(std::string_view model, const StreamOptions& options) const override {
    return MakeAnthropicStreamToOpenAi(model, Created(), options);
  }

 private:
  int64_t Created() const { return now_ ? now_() : 0; }

  const UnixSeconds now_;
};

}  // namespace

std::unique_ptr<Translation> MakeOpenAiToAnthropic(UnixSeconds now) {
  return std::make_unique<OpenAiToAnthropic>(std::move(now));
}

}  // namespace ccr::proxy
