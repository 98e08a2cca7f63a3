#include "proxy/request/routed_request.h"

#include <string.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "broker/base/absl_text.h"
#include "broker/base/log.h"
#include "proxy/core/ascii.h"
#include "proxy/core/format.h"
#include "proxy/core/model_rules.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxSession = 256;
constexpr std::string_view kAnthropicVersion = "2023-06-01";

int64_t NowInSeconds() {
  return absl::ToUnixSeconds(absl::Now());
}

bool IsTranslatable(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kMessages:
    case Endpoint::kChatCompletions:
    case Endpoint::kResponses:
    case Endpoint::kGenerate:
    case Endpoint::kStreamGenerate:
      return true;
    default:
      return false;
  }
}

bool CountsTokens(Endpoint endpoint) {
  return endpoint == Endpoint::kCountTokens || endpoint == Endpoint::kGeminiCount;
}

// Where a provider of that format serves a chat; of Gemini's the model is in the path.
Endpoint ChatEndpoint(Format format) {
  switch (format) {
    case Format::kAnthropic:
      return Endpoint::kMessages;
    case Format::kResponses:
      return Endpoint::kResponses;
    default:
      return Endpoint::kChatCompletions;
  }
}

std::string_view NameOf(Format format) {
  switch (format) {
    case Format::kAnthropic:
      return "Anthropic's";
    case Format::kGemini:
      return "Gemini's";
    case Format::kResponses:
      return "OpenAI's Responses";
    case Format::kChat:
      return "OpenAI's";
  }
  return "";
}

bool HasParameter(std::string_view query, std::string_view parameter) {
  const std::string all = "&" + std::string(query) + "&";
  return all.find("&" + std::string(parameter) + "&") != all.npos;
}

// What only a provider of the client's own format understands, and what we set anew.
bool IsOfFormat(Format client, std::string_view header) {
  const std::string_view prefix = client == Format::kAnthropic ? "anthropic-"
                                  : client == Format::kGemini  ? "x-goog-"
                                                               : "openai-";
  return absl::StartsWithIgnoreCase(ToAbsl(header), ToAbsl(prefix)) ||
         absl::EqualsIgnoreCase(ToAbsl(header), "content-type");
}

OwnAnswer Untranslatable(const absl::Status& why) {
  const std::string message(ToStd(why.message()));
  if (!absl::IsResourceExhausted(why)) return {400, message, std::nullopt};
  return {413, "the body is " + message, std::nullopt};
}

// stream_options.include_usage of a body that passes as it is.
bool AsksForUsage(std::string_view body) {
  constexpr std::string_view kName = "\"include_usage\"";
  const void* at = memmem(body.data(), body.size(), kName.data(), kName.size());
  if (at == nullptr) return false;
  body.remove_prefix(static_cast<size_t>(static_cast<const char*>(at) - body.data()) + kName.size());
  body.remove_prefix(std::min(body.find_first_not_of(" \t\r\n:"), body.size()));
  return body.starts_with("true");
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
  const auto route = PickRoute(*table_, client, AskedModel(), facts_, sessions.Last(facts_.session));
  if (!route.ok()) {
    const int status = route.status().code() == absl::StatusCode::kNotFound ? 404 : 400;
    return OwnAnswer{status, std::string(ToStd(route.status().message())), std::nullopt};
  }
  Log(LogLevel::kDebug, "routed",
      {{"rule", RuleName(route->rule)}, {"provider", route->provider->name}, {"model", route->model}});
  return Use(*route);
}

std::string_view RoutedRequest::AskedModel() const {
  if (ModelInPath(target_.endpoint)) return target_.model;
  return scan_.model ? std::string_view(*scan_.model) : std::string_view();
}

void RoutedRequest::ReadBody() {
  const bool counts = CountsTokens(target_.endpoint);
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
  switch (upstream_format_) {
    case Format::kChat:
      return "choices";
    case Format::kAnthropic:
      return "content";
    case Format::kGemini:
      return "candidates";
    case Format::kResponses:
      return "output";
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
  const Format format = route.provider->format;
  const bool same_format = SameFormat(target_.endpoint, format);
  if (!same_format && !CountsTokens(target_.endpoint) && !IsChat()) {
    return OwnAnswer{501,
                     "provider '" + route.provider->name + "' speaks " + std::string(NameOf(format)) +
                         " format, which has no such endpoint; choose a model of a provider that speaks OpenAI's",
                     std::nullopt};
  }
  if (IsChat()) {
    if (std::optional<OwnAnswer> refusal = UseForChat(route, same_format)) return refusal;
    route_ = route;
    return std::nullopt;
  }
  upstream_format_ = format;
  if (target_.endpoint == Endpoint::kPassthrough || ModelInPath(target_.endpoint)) {
    body_ = {request_.body};
  } else {
    body_ = BodyFor(route.model, &splice_);
  }
  route_ = route;
  return std::nullopt;
}

std::optional<OwnAnswer> RoutedRequest::UseForChat(const Route& route, bool same_format) {
  FormatPairOptions options;
  options.client = ClientFormat(target_.endpoint);
  options.provider = route.provider->format;
  options.rules = RulesFor(*route.provider, route.model);
  // A host that serves Responses beside Chat Completions takes them as they come.
  if (options.client == Format::kResponses && options.provider == Format::kChat && options.rules.responses) {
    options.provider = Format::kResponses;
    same_format = true;
  }
  options.stream_in_path = target_.endpoint == Endpoint::kStreamGenerate;
  options.json_array = options.stream_in_path && !HasParameter(target_.query, "alt=sse");
  options.now = NowInSeconds;
  FormatPair pair(options);
  const TransformerChain chain(*route.provider, route.model, options.provider);
  const bool by_pair = !same_format || FormatPair::MayEdit(options.client, options.rules, facts_, request_.body);
  TranslatedRequest translated;
  if (by_pair || chain.EditsRequests()) {
    const EditedTranslation edited(by_pair ? &pair : nullptr, chain);
    absl::StatusOr<TranslatedRequest> made = Translate(edited, route.model);
    if (!made.ok()) return Untranslatable(made.status());
    translated = *std::move(made);
    pair.Expect(translated);
  }
  upstream_format_ = options.provider;
  json_array_ = options.json_array;
  think_tags_ = same_format && options.client == Format::kChat && options.rules.think_tags;
  translates_ = !same_format;
  pair_.emplace(std::move(pair));
  edited_.emplace(translates_ ? &*pair_ : nullptr, chain);
  if (!translates_) edited_->RestoreTools(translated.tool_names);
  other_form_.reset();
  if (!by_pair && think_tags_ && scan_.stream) translated.stream_options.include_usage = AsksForUsage(request_.body);
  translated_ = std::move(translated);
  body_ = translated_.body.empty() ? BodyFor(route.model, &splice_) : std::vector<std::string_view>{translated_.body};
  return std::nullopt;
}

std::vector<std::string_view> RoutedRequest::BodyFor(std::string_view model, std::string* splice) const {
  const std::vector<std::string_view> pieces = ModelInPath(target_.endpoint)
                                                   ? std::vector<std::string_view>{request_.body}
                                                   : SpliceModel(request_.body, scan_, model, splice);
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

const Translation* RoutedRequest::translation() {
  // Edits would pass the tags on.
  if (think_tags_ && edited_ && edited_->EditsAnswers()) return other_form();
  return edited_ && (translates_ || edited_->EditsAnswers()) ? &*edited_ : nullptr;
}

const Translation* RoutedRequest::other_form() {
  if (!edited_ || translates_) return translation();
  if (!other_form_) other_form_.emplace(&*pair_, TransformerChain(*route_.provider, route_.model, upstream_format_));
  return &*other_form_;
}

bool RoutedRequest::wants_stream() const {
  if (target_.endpoint == Endpoint::kStreamGenerate) return translates_ || !json_array_;
  return target_.endpoint != Endpoint::kGenerate && scan_.stream;
}

std::optional<std::string> RoutedRequest::OwnPage() const {
  if (!CountsTokens(target_.endpoint) || SameFormat(target_.endpoint, route_.provider->format)) return std::nullopt;
  return CountTokensAnswer(ClientFormat(target_.endpoint), facts_.tokens);
}

ClientCredentials RoutedRequest::Credentials() const {
  ClientCredentials credentials;
  for (const auto& [name, value] : request_.fields) credentials.Add(name, value);
  return credentials;
}

absl::StatusOr<std::string> RoutedRequest::UpstreamUrl(std::string_view base_url) const {
  if (translates_ && upstream_format_ == Format::kGemini) {
    const bool stream = translated_.stream;
    return GeminiUrl(base_url, route_.model, GeminiMethod(stream ? Endpoint::kStreamGenerate : Endpoint::kGenerate),
                     stream ? "alt=sse" : "");
  }
  if (translates_) return proxy::UpstreamUrl(base_url, ChatEndpoint(upstream_format_), Target());
  if (target_.query.empty()) return PathUrl(base_url, target_);
  const std::string query = WithoutCredentials(target_.query, Credentials());
  Target target = target_;
  target.query = query;
  return PathUrl(base_url, target);
}

absl::StatusOr<std::string> RoutedRequest::PathUrl(std::string_view base_url, const Target& target) const {
  if (ModelInPath(target.endpoint))
    return GeminiUrl(base_url, route_.model, GeminiMethod(target.endpoint), target.query);
  if (route_.provider->format == Format::kGemini) return GeminiPassthroughUrl(base_url, target);
  return proxy::UpstreamUrl(base_url, target.endpoint, target);
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
    if (translates_ && IsOfFormat(client, name)) continue;
    // Evidence has to be read: bodies come uncompressed.
    const bool encoding = absl::EqualsIgnoreCase(ToAbsl(name), "accept-encoding");
    headers.emplace_back(name, encoding ? std::string_view("identity") : value);
  }
  if (!translates_) return headers;
  headers.emplace_back("content-type", "application/json");
  if (upstream_format_ == Format::kAnthropic && request_.Find("anthropic-version").empty())
    headers.emplace_back("anthropic-version", kAnthropicVersion);
  return headers;
}

}  // namespace ccr::proxy
