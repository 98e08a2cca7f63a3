#include "proxy/formats/anthropic_openai.h"

#include <string>
#include <string_view>

#include "proxy/core/error_body.h"
#include "proxy/formats/anthropic_openai_request.h"
#include "proxy/formats/anthropic_openai_response.h"
#include "proxy/formats/anthropic_openai_stream.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxErrorText = 4096;

std::string ErrorMessage(int status, std::string_view body) {
  const absl::StatusOr<json::value> parsed = ParseJson(body);
  if (parsed.ok()) return ReadUpstreamError(*parsed, status).message;
  if (!body.empty()) return std::string(body.substr(0, kMaxErrorText));
  return "the upstream answered with status " + std::to_string(status);
}

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
    return ErrorBody(Format::kAnthropic, status, ErrorMessage(status, body));
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
