// Where a request may go, and what is sent there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proxy/core/credential_rules.h"
#include "proxy/core/header_rules.h"
#include "proxy/core/json/scan.h"
#include "proxy/core/request_facts.h"
#include "proxy/core/router.h"
#include "proxy/core/session_usage.h"
#include "proxy/core/target.h"
#include "proxy/formats/edited_translation.h"
#include "proxy/formats/format_pair.h"
#include "proxy/formats/translation.h"
#include "proxy/request/own_answer.h"
#include "proxy/request/request.h"

namespace ccr::proxy {

// One client's request on its present route: by the Router's rules first, then along the fallback list. Where client
// and provider speak different chat formats it is translated, and transformers of the provider and model edit it, once
// for all tries on that route. Thread-compatible.
class RoutedRequest {
 public:
  // Both outlive it.
  RoutedRequest(const Request& request, const Target& target) : request_(request), target_(target) {}
  RoutedRequest(const RoutedRequest&) = delete;
  RoutedRequest& operator=(const RoutedRequest&) = delete;

  // Once. The answer to give when there is no route. `table` outlives it.
  std::optional<OwnAnswer> PickFirst(const RoutingTable& table, SessionUsage& sessions);
  // The next entry of the fallback list that can serve this request, each once and not the first route again. False
  // when there is none: nothing has changed then.
  bool PickNext();

  // What decided the first route, for which fallbacks are tried.
  std::string_view first_rule() const { return RuleName(first_.rule); }

  bool is_fallback() const { return route_.rule == Rule::kFallback; }

  // As the client wrote it; empty where it named none.
  std::string_view asked_model() const { return AskedModel(); }
  const Provider* provider() const { return route_.provider; }  // of the table; nullptr until there is a route
  const std::string& model() const { return route_.model; }     // empty for kPassthrough
  const std::string& session() const { return facts_.session; }
  uint64_t estimated_tokens() const { return facts_.estimate; }
  // Whether its answers tell how large the context of its session is.
  bool IsChat() const;
  std::string_view PromisedMember() const;  // of every good answer of the provider; empty: not known
  // The page that answers it on this route without a provider.
  std::optional<std::string> OwnPage() const;

  // What is sent. The pieces of the body are views that stay valid until the next route.
  absl::StatusOr<std::string> UpstreamUrl(std::string_view base_url) const;
  // Without any credential of the client's, whatever the header `credential_header` is called that ours goes into.
  Headers UpstreamHeaders(std::string_view credential_header) const;
  const std::vector<std::string_view>& body() const { return body_; }
  // There will be no other try: neither the request's body is needed, nor what was made of it.
  void DropBody();

  // For good answers, and for errors; nullptr when bytes pass as they are.
  const Translation* translation();
  const Translation* error_translation() const { return pair_ ? &*pair_ : nullptr; }
  // For a good answer that has another form than was asked for: whole instead of streamed, or the other way. Of a chat
  // only; valid until the next route.
  const Translation* other_form();
  // The client asked for a stream of events. Gemini's array in pieces is one document where it comes from a provider.
  bool wants_stream() const;
  // Of a good answer that passes as it is.
  bool may_have_think_tags() const { return think_tags_; }
  std::string_view stream_type() const { return json_array_ ? "application/json" : "text/event-stream"; }
  // What the provider's answers are in.
  Format upstream_format() const { return upstream_format_; }
  const StreamOptions& stream_options() const { return translated_.stream_options; }

 private:
  std::optional<OwnAnswer> PickByName();
  std::optional<OwnAnswer> PickByModel(SessionUsage& sessions);
  void ReadBody();
  std::optional<OwnAnswer> Use(const Route& route);
  absl::StatusOr<TranslatedRequest> Translate(const Translation& translation, std::string_view model) const;
  absl::StatusOr<std::string> PathUrl(std::string_view base_url, const Target& target) const;
  std::optional<OwnAnswer> UseForChat(const Route& route, bool same_format);
  std::string_view AskedModel() const;
  // The client's, with that model and without the tag.
  std::vector<std::string_view> BodyFor(std::string_view model, std::string* splice) const;
  ClientCredentials Credentials() const;

  const Request& request_;
  const Target& target_;
  const RoutingTable* table_ = nullptr;
  BodyScan scan_;
  RequestFacts facts_;

  Route route_;
  Format upstream_format_ = Format::kChat;
  std::optional<FormatPair> pair_;  // of a chat
  bool json_array_ = false;         // the client's stream, Gemini's without alt=sse
  bool think_tags_ = false;
  bool translates_ = false;                  // by it: the formats differ
  std::optional<EditedTranslation> edited_;  // with the route's transformers, and the pair where the formats differ
  std::optional<EditedTranslation> other_form_;
  TranslatedRequest translated_;
  std::string splice_;
  std::vector<std::string_view> body_;  // of the request's body, splice_ and translated_

  Route first_;
  std::optional<std::vector<Route>> fallbacks_;  // listed when the first of them is needed
  size_t next_fallback_ = 0;
};

}  // namespace ccr::proxy
