#include "proxy/request/routed_request.h"

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "broker/base/absl_text.h"
#include "broker/base/log.h"
#include "proxy/core/ascii.h"
#include "proxy/core/format.h"
#include "proxy/formats/anthropic_openai/translation.h"
#include "proxy/formats/openai_anthropic/translation.h"
#include "proxy/formats/openai_gemini/translation.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxSession = 256;
constexpr std::string_view kAnthropicVersion = "2023-06-01";

int64_t NowInSeconds() {
  return absl::ToUnixSeconds(absl::Now());
}

const Translation& AnthropicToOpenAi(const AnthropicToOpenAiOptions& options) {
  static const std::array<const Translation*, 4> all = [] {
    std::array<const Translation*, 4> made = {};
    for (size_t i = 0; i < made.size(); ++i)
      made[i] = MakeAnthropicToOpenAi({.keep_reasoning = (i & 1) != 0, .keep_cache_control = (i & 2) != 0}).release();
    return made;
  }();
  return *all[(options.keep_reasoning ? 1 : 0) + (options.keep_cache_control ? 2 : 0)];
}

// Between two formats that differ.
const Translation& TranslationFor(Format client, Format provider, const TransformerChain& chain) {
  static const Translation& openai_to_anthropic = *MakeOpenAiToAnthropic(NowInSeconds).release();
  static const Translation& anthropic_to_gemini = *MakeAnthropicToGemini().release();
  static const Translation& openai_to_gemini = *MakeOpenAiToGemini(NowInSeconds).release();
  const bool from_anthropic = client == Format::kAnthropic;
  if (provider == Format::kGemini) return from_anthropic ? anthropic_to_gemini : openai_to_gemini;
  return from_anthropic ? AnthropicToOpenAi(chain.Kept()) : openai_to_anthropic;
}

bool IsTranslatable(Endpoint endpoint) {
  return endpoint == Endpoint::kMessages || endpoint == Endpoint::kChatCompletions;
}

// What only a provider of the client's own format understands, and what we set anew.
bool IsOfFormat(Format client, std::string_view header) {
  const std::string_view prefix = client == Format::kAnthropic ? "anthropic-" : "openai-";
  return absl::StartsWithIgnoreCase(ToAbsl(header), ToAbsl(prefix)) ||
         absl::EqualsIgnoreCase(ToAbsl(header), "content-type");
}

OwnAnswer Untranslatable(const absl::Status& why) {
  const std::string message(ToStd(why.message()));
  if (!absl::IsResourceExhausted(why)) return {400, message, std::nullopt};
  return {413, "the body is " + message, std::nullopt};
}

bool IsRoute(const Route& a, const Route& b) {
  return a.provider == b.provider && a.model == b.model;
}

}  // namespace

std::optional<OwnAnswer> RoutedRequest::PickFirst(const RoutingTable& table, SessionUsage& sessions) {
  table_ = &table;
  std::optional<OwnAnswer> refusal = target_.endpoint == Endpoint::kPassthrough ? PickByName() : PickByModel(sessions);
  first_ = route_;
  return refusal;
}

std::optional<OwnAnswer> RoutedRequest::PickByName() {
  const Provider* provider = table_->FindProvider(target_.provider);
  if (provider == nullptr) return OwnAnswer{404, "there is no provider of this name", std::nullopt};
  ReadBody();
  return Use({provider, "", Rule::kExplicit});
}

std::optional<OwnAnswer> RoutedRequest::PickByModel(SessionUsage& sessions) {
  scan_ = ScanBody(request_.body);
  if (!scan_.valid) return OwnAnswer{400, "the body is not a JSON object: " + scan_.error, std::nullopt};
  ReadBody();
  const Format client = ClientFormat(target_.endpoint);
  const auto route = PickRoute(*table_, client, scan_.model.value_or(""), facts_, sessions.Last(facts_.session));
  if (!route.ok()) {
    const int status = route.status().code() == absl::StatusCode::kNotFound ? 404 : 400;
    return OwnAnswer{status, std::string(ToStd(route.status().message())), std::nullopt};
  }
  Log(LogLevel::kDebug, "routed",
      {{"rule", RuleName(route->rule)}, {"provider", route->provider->name}, {"model", route->model}});
  return Use(*route);
}

void RoutedRequest::ReadBody() {
  const bool counts = target_.endpoint == Endpoint::kCountTokens;
  if (IsChat() || counts) {
    facts_ = ReadFacts(request_.body, scan_, counts || NeedsTokenCount(*table_));
  } else {
    facts_.estimate = EstimateUnread(request_.body);
  }
  facts_.session = scan_.session;
  const std::string_view header = request_.Find("x-claude-code-session-id");
  if (!header.empty() && header.size() <= kMaxSession) facts_.session = header;
}

std::string_view RoutedRequest::PromisedMember() const {
  if (target_.endpoint == Endpoint::kEmbeddings) return "data";
  if (!IsChat()) return {};
  switch (provider()->format) {
    case Format::kOpenAi:
      return "choices";
    case Format::kAnthropic:
      return "content";
    case Format::kGemini:
      return "candidates";
  }
  return {};
}

bool RoutedRequest::IsChat() const {
  return IsTranslatable(target_.endpoint);
}

bool RoutedRequest::PickNext() {
  if (target_.endpoint == Endpoint::kPassthrough) return false;
  if (!fallbacks_) fallbacks_ = Fallbacks(*table_, first_rule());
  while (next_fallback_ < fallbacks_->size()) {
    const Route next = (*fallbacks_)[next_fallback_++];
    if (IsRoute(next, first_)) continue;
    const std::string failed = route_.provider->name + "," + route_.model;
    const std::optional<OwnAnswer> refusal = Use(next);
    Log(LogLevel::kDebug, "fallback",
        {{"failed", failed}, {"provider", next.provider->name}, {"model", next.model}, {"usable", !refusal}});
    if (!refusal) return true;
  }
  return false;
}

std::optional<OwnAnswer> RoutedRequest::Use(const Route& route) {
  const bool same_format = SameFormat(target_.endpoint, route.provider->format);
  if (!same_format && target_.endpoint != Endpoint::kCountTokens && !IsChat()) {
    return OwnAnswer{501,
                     "provider '" + route.provider->name + "' speaks " +
                         (route.provider->format == Format::kGemini ? "Gemini" : "Anthropic") +
                         "'s format, which has no such endpoint; choose a model of a provider that speaks OpenAI's",
                     std::nullopt};
  }
  if (IsChat()) {
    if (std::optional<OwnAnswer> refusal = UseForChat(route, same_format)) return refusal;
  } else if (target_.endpoint == Endpoint::kPassthrough) {
    body_ = {request_.body};
  } else {
    body_ = BodyFor(route.model, &splice_);
  }
  route_ = route;
  return std::nullopt;
}

std::optional<OwnAnswer> RoutedRequest::UseForChat(const Route& route, bool same_format) {
  TransformerChain chain(*route.provider, route.model);
  const Translation* translation =
      same_format ? nullptr : &TranslationFor(ClientFormat(target_.endpoint), route.provider->format, chain);
  EditedTranslation edited(translation, std::move(chain));
  if (!same_format || edited.EditsRequests()) {
    absl::StatusOr<TranslatedRequest> translated = Translate(edited, route.model);
    if (!translated.ok()) return Untranslatable(translated.status());
    translated_ = *std::move(translated);
    edited.RestoreTools(std::move(translated_.tool_names));
    body_ = {translated_.body};
  } else {
    body_ = BodyFor(route.model, &splice_);
  }
  translation_ = translation;
  edited_.emplace(std::move(edited));
  return std::nullopt;
}

std::vector<std::string_view> RoutedRequest::BodyFor(std::string_view model, std::string* splice) const {
  const std::vector<std::string_view> pieces = SpliceModel(request_.body, scan_, model, splice);
  return facts_.subagent ? CutTag(request_.body, pieces, *facts_.subagent) : pieces;
}

absl::StatusOr<TranslatedRequest> RoutedRequest::Translate(const Translation& translation,
                                                           std::string_view model) const {
  std::string splice;
  std::string body;
  for (const std::string_view piece : BodyFor(model, &splice)) body += piece;
  Notes notes;
  auto translated = translation.Request(body, model, &notes);
  for (const std::string& note : notes) Log(LogLevel::kDebug, "translated_request", {{"note", note}});
  if (notes.more() > 0) Log(LogLevel::kDebug, "translated_request", {{"more_notes", std::to_string(notes.more())}});
  return translated;
}

void RoutedRequest::DropBody() {
  body_.clear();
  translated_.body = std::string();
}

const Translation* RoutedRequest::translation() const {
  if (edited_ && (translation_ != nullptr || edited_->EditsAnswers())) return &*edited_;
  return translation_;
}

std::optional<std::string> RoutedRequest::OwnPage() const {
  if (target_.endpoint != Endpoint::kCountTokens || route_.provider->format == Format::kAnthropic) return std::nullopt;
  return CountTokensAnswer(facts_.tokens);
}

ClientCredentials RoutedRequest::Credentials() const {
  ClientCredentials credentials;
  for (const auto& [name, value] : request_.fields) credentials.Add(name, value);
  return credentials;
}

absl::StatusOr<std::string> RoutedRequest::UpstreamUrl(std::string_view base_url) const {
  const Format format = route_.provider->format;
  if (translation_ != nullptr && format == Format::kGemini)
    return GeminiUrl(base_url, route_.model, translated_.stream);
  if (translation_ != nullptr) {
    const bool anthropic = format == Format::kAnthropic;
    return proxy::UpstreamUrl(base_url, anthropic ? Endpoint::kMessages : Endpoint::kChatCompletions, Target());
  }
  const auto url = [&](const Target& target) {
    return format == Format::kGemini ? GeminiPassthroughUrl(base_url, target)
                                     : proxy::UpstreamUrl(base_url, target.endpoint, target);
  };
  if (target_.query.empty()) return url(target_);
  const std::string query = WithoutCredentials(target_.query, Credentials());
  Target target = target_;
  target.query = query;
  return url(target);
}

Headers RoutedRequest::UpstreamHeaders(std::string_view credential_header) const {
  Headers headers;
  headers.reserve(request_.fields.size() + 2);
  const ClientCredentials credentials = Credentials();
  const std::string_view connection = request_.Find("connection");
  const Format client = ClientFormat(target_.endpoint);
  for (const auto& [name, value] : request_.fields) {
    if (!ForwardRequestHeader(name) || NamedByConnection(connection, name)) continue;
    if (SameWithoutCase(name, credential_header) || credentials.In(value)) continue;
    if (translation_ != nullptr && IsOfFormat(client, name)) continue;
    // Evidence has to be read: bodies come uncompressed.
    const bool encoding = absl::EqualsIgnoreCase(ToAbsl(name), "accept-encoding");
    headers.emplace_back(name, encoding ? std::string_view("identity") : value);
  }
  if (translation_ == nullptr) return headers;
  headers.emplace_back("content-type", "application/json");
  if (route_.provider->format == Format::kAnthropic && request_.Find("anthropic-version").empty())
    headers.emplace_back("anthropic-version", kAnthropicVersion);
  return headers;
}

}  // namespace ccr::proxy
