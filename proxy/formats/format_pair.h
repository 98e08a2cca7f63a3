// From a client's format to a provider's, by way of the conversation in the middle.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/core/provider_rules.h"
#include "proxy/core/request_facts.h"
#include "proxy/core/routing_table.h"
#include "proxy/formats/conversation/format.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

struct FormatPairOptions {
  Format client = Format::kChat;
  Format provider = Format::kChat;
  ProviderRules rules;
  bool stream_in_path = false;  // the client's path asks for a stream (Gemini): the body does not say it
  bool json_array = false;      // the client's stream is a JSON array in pieces, not events (Gemini without alt=sse)
  UnixSeconds now;              // without it "created" is 0
};

// One route of one request. Both formats may be the same: the request then changes by the provider's rules alone, and
// answers are read and written anew, in the form that was asked for. Thread-compatible.
class FormatPair final : public Translation {
 public:
  explicit FormatPair(FormatPairOptions options) : options_(std::move(options)) {}

  // Whether a request of the provider's own format may have to be edited, so that Request() is called at all. Cheap.
  static bool MayEdit(Format client, const ProviderRules& rules, const RequestFacts& facts, std::string_view body);

  // Where both formats are the same and nothing has to change, the body of the result is empty: bytes pass as they are.
  absl::StatusOr<TranslatedRequest> Request(std::string_view body, std::string_view model, Notes* notes) const override;
  // Before any answer, what Request() told.
  void Expect(const TranslatedRequest& request);

  absl::StatusOr<std::string> Response(std::string_view body, Notes* notes) const override;
  absl::StatusOr<std::string> ResponseAsStream(std::string_view body, Notes* notes) const override;
  std::string Error(int status, std::string_view body) const override;
  int ErrorStatus(int status, std::string_view body) const override;
  std::unique_ptr<StreamTranslator> Stream(std::string_view model, const StreamOptions& options) const override;

 private:
  AnswerContext Context(std::string_view model) const;
  AnswerContext ContextOf(std::string_view body) const;
  absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) const;

  FormatPairOptions options_;
  ToolNames names_;
  AnswerContext context_;
};

}  // namespace ccr::proxy
