#include "proxy/formats/anthropic_openai/translation.h"

#include <string>
#include <string_view>

#include "proxy/core/error_body.h"
#include "proxy/formats/anthropic_openai/request.h"
#include "proxy/formats/anthropic_openai/response.h"
#include "proxy/formats/anthropic_openai/stream.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy {
namespace {

class AnthropicToOpenAi : public Translation {
 public:
  explicit AnthropicToOpenAi(AnthropicToOpenAiOptions options) : options_(options) {}

  absl::StatusOr<TranslatedRequest> Request(std::string_view body, std::string_view model,
                                            Notes* notes) const override {
    return AnthropicRequestToOpenAi(body, model, options_, notes);
  }

  absl::StatusOr<std::string> Response(std::string_view body, Notes* notes) const override {
    return OpenAiResponseToAnthropic(body, notes);
  }

  std::string Error(int status, std::string_view body) const override {
    return ErrorBody(Format::kAnthropic, status, UpstreamErrorMessage(status, body));
  }

  std::unique_ptr<StreamTranslator> Stream(std::string_view model, const StreamOptions& options) const override {
    return std::make_unique<OpenAiToAnthropicStream>(model, options.id_seed);
  }

 private:
  const AnthropicToOpenAiOptions options_;
};

}  // namespace

std::unique_ptr<Translation> MakeAnthropicToOpenAi(AnthropicToOpenAiOptions options) {
  return std::make_unique<AnthropicToOpenAi>(options);
}

}  // namespace ccr::proxy
