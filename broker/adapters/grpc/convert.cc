#include "broker/adapters/grpc/convert.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/config/url.h"

namespace ccr {
namespace {

constexpr size_t kLeaseIdDigits = 48;

template <typename Word>
void AppendHex(Word word, std::string* out) {
  constexpr size_t kDigits = sizeof(Word) * 2;
  char digits[kDigits];
  for (size_t i = kDigits; i > 0; word >>= 4) digits[--i] = "0123456789abcdef"[word & 15];
  out->append(digits, kDigits);
}

// Negative for anything but a lower-case digit.
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

template <typename Word>
bool TakeHex(std::string_view* text, Word* word) {
  constexpr size_t kDigits = sizeof(Word) * 2;
  for (const char c : text->substr(0, kDigits)) {
    const int value = HexValue(c);
    if (value < 0) return false;
    *word = static_cast<Word>(*word << 4 | static_cast<Word>(value));
  }
  text->remove_prefix(kDigits);
  return true;
}

v1::ReportResponse::Advice ToProto(core::Advice advice) {
  switch (advice) {
    case core::Advice::kRelay:
      return v1::ReportResponse::RELAY;
    case core::Advice::kRotate:
      return v1::ReportResponse::ROTATE;
    case core::Advice::kRetry:
      return v1::ReportResponse::RETRY;
  }
  return v1::ReportResponse::ADVICE_UNSPECIFIED;
}

v1::ReportResponse::Disposition ToProto(core::Disposition disposition) {
  switch (disposition) {
    case core::Disposition::kApplied:
      return v1::ReportResponse::APPLIED;
    case core::Disposition::kDuplicate:
      return v1::ReportResponse::DUPLICATE;
    case core::Disposition::kLate:
      return v1::ReportResponse::LATE;
  }
  return v1::ReportResponse::DISPOSITION_UNSPECIFIED;
}

v1::Event::Type ToProto(core::Transition::Type type) {
  using Type = core::Transition::Type;
  switch (type) {
    case Type::kLeased:
      return v1::Event::LEASED;
    case Type::kSuccess:
      return v1::Event::SUCCESS;
    case Type::kFailure:
      return v1::Event::FAILURE;
    case Type::kCooling:
      return v1::Event::COOLING;
    case Type::kDisabled:
      return v1::Event::DISABLED;
    case Type::kRecovered:
      return v1::Event::RECOVERED;
    case Type::kCircuitOpened:
      return v1::Event::CIRCUIT_OPENED;
    case Type::kCircuitClosed:
      return v1::Event::CIRCUIT_CLOSED;
    case Type::kLeaseExpired:
      return v1::Event::LEASE_EXPIRED;
    case Type::kQueued:
    case Type::kProbed:
      break;
  }
  return v1::Event::TYPE_UNSPECIFIED;
}

bool IsFinite(absl::Time time) {
  return time != absl::InfiniteFuture() && time != absl::InfinitePast();
}

void FillLimits(const core::Limits& limits, v1::Limits* out) {
  out->set_rpm(limits.rpm);
  out->set_tpm(limits.tpm);
  out->set_rpd(limits.rpd);
  out->set_tpd(limits.tpd);
}

void FillPace(const core::KeySnapshot& key, v1::KeyStatus* out) {
  if (key.learned.rate <= 0 && key.learned.max_in_flight == 0) return;
  v1::Pace& pace = *out->mutable_pace();
  pace.set_rpm(60 * key.learned.rate);
  pace.set_burst(key.learned.depth);
  pace.set_max_in_flight(key.learned.max_in_flight);
  if (key.learned.rate > 0) pace.set_room(key.room);
}

v1::KeyStatus::TriedBy ToProto(core::TriedBy by) {
  return static_cast<v1::KeyStatus::TriedBy>(static_cast<int>(by));
}
static_assert(v1::KeyStatus::PROBE == static_cast<int>(core::TriedBy::kProbe));
static_assert(v1::KeyStatus::REQUEST == static_cast<int>(core::TriedBy::kRequest));

void FillKey(const core::KeySnapshot& key, const core::KeySpec& spec, v1::KeyStatus* out) {
  out->set_name(spec.name);
  out->set_fingerprint(spec.fingerprint);
  out->set_state(ccr::ToProto(key.state));
  const bool active = key.state == core::KeyState::kActive;
  if (!active) out->set_reason(key.reason.data(), key.reason.size());
  const bool disabled = key.state == core::KeyState::kDisabled;
  const absl::Time back = active ? key.rate_allows_at : disabled ? key.next_try : key.available_at;
  out->set_tried_by(ToProto(key.tried_by));
  if (IsFinite(back)) SetTime(back, out->mutable_available_at());
  out->set_consecutive_failures(key.consecutive_failures);
  out->set_max_failures(spec.max_failures);
  out->set_in_flight(key.in_flight);
  out->set_max_concurrent(spec.max_concurrent);
  out->set_rpm(static_cast<uint32_t>(spec.limits.rpm));
  out->set_rpm_used(static_cast<uint32_t>(key.used.rpm));
  FillLimits(spec.limits, out->mutable_limits());
  FillLimits(key.used, out->mutable_used());
  FillPace(key, out);
  for (const core::ModelHold& hold : key.holds) {
    v1::ModelHold* const shown = out->add_holds();
    shown->set_model(hold.model);
    SetTime(hold.until, shown->mutable_until());
    shown->set_reason(hold.reason.data(), hold.reason.size());
  }
  out->set_weight(spec.weight);
  out->set_uses(key.uses);
  out->set_successes(key.successes);
  out->set_failures(key.failures);
  if (IsFinite(key.last_used)) SetTime(key.last_used, out->mutable_last_used());
  if (IsFinite(key.last_failure)) SetTime(key.last_failure, out->mutable_last_failure());
  if (IsFinite(key.last_success)) SetTime(key.last_success, out->mutable_last_success());
  out->set_latency_ms(std::max(0.0, absl::ToDoubleMilliseconds(key.latency)));
  out->set_input_tokens(key.input_tokens);
  out->set_output_tokens(key.output_tokens);
  out->set_available(key.available);
}

void FillCircuit(const core::PoolSnapshot& pool, v1::CircuitStatus* out) {
  switch (pool.circuit) {
    case core::CircuitState::kClosed:
      out->set_state(v1::CircuitStatus::CLOSED);
      break;
    case core::CircuitState::kOpen:
      out->set_state(v1::CircuitStatus::OPEN);
      if (IsFinite(pool.circuit_retry_at)) SetTime(pool.circuit_retry_at, out->mutable_retry_at());
      break;
    case core::CircuitState::kHalfOpen:
      out->set_state(v1::CircuitStatus::HALF_OPEN);
      break;
  }
  out->set_reason(pool.circuit_reason.data(), pool.circuit_reason.size());
}

v1::Format ToFormat(ProviderFormat format) {
  switch (format) {
    case ProviderFormat::kOpenAi:
      return v1::FORMAT_OPENAI;
    case ProviderFormat::kAnthropic:
      return v1::FORMAT_ANTHROPIC;
    case ProviderFormat::kGemini:
      return v1::FORMAT_GEMINI;
    case ProviderFormat::kResponses:
      return v1::FORMAT_RESPONSES;
  }
  return v1::FORMAT_UNSPECIFIED;
}

void FillTransformers(const std::vector<TransformerConfig>& transformers,
                      google::protobuf::RepeatedPtrField<v1::Transformer>* out) {
  for (const TransformerConfig& transformer : transformers) {
    v1::Transformer* const added = out->Add();
    added->set_name(transformer.name);
    added->set_options(transformer.options);
  }
}

void FillNames(const std::vector<std::string>& names, v1::NameList* out) {
  out->mutable_names()->Assign(names.begin(), names.end());
}

void FillRules(const RulesConfig& rules, v1::Rules* out) {
  if (rules.system) out->set_system(*rules.system);
  if (rules.developer) out->set_developer(*rules.developer);
  if (rules.user_after_tool) out->set_user_after_tool(*rules.user_after_tool);
  if (rules.alternate) out->set_alternate(*rules.alternate);
  if (rules.call_ids) out->set_call_ids(*rules.call_ids);
  if (rules.reasoning) out->set_reasoning(*rules.reasoning);
  if (rules.reasoning_with_calls) out->set_reasoning_with_calls(*rules.reasoning_with_calls);
  if (rules.forced) out->set_forced(*rules.forced);
  if (rules.thinking) out->set_thinking(*rules.thinking);
  if (rules.efforts) FillNames(*rules.efforts, out->mutable_efforts());
  if (rules.sampling) out->set_sampling(*rules.sampling);
  if (rules.cache_control) out->set_cache_control(*rules.cache_control);
  if (rules.schema_combinators) out->set_schema_combinators(*rules.schema_combinators);
  if (rules.schema_items) out->set_schema_items(*rules.schema_items);
  if (rules.schema_refs) out->set_schema_refs(*rules.schema_refs);
  if (rules.responses) out->set_responses(*rules.responses);
  if (rules.think_tags) out->set_think_tags(*rules.think_tags);
  if (rules.max_tokens) out->set_max_tokens(*rules.max_tokens);
  if (rules.max_output) out->set_max_output(*rules.max_output);
  if (rules.drop) FillNames(*rules.drop, out->mutable_drop());
  out->mutable_also_drop()->Assign(rules.also_drop.begin(), rules.also_drop.end());
}

void FillProvider(const ProviderConfig& provider, v1::Provider* out) {
  out->set_name(provider.name);
  out->set_base_url(provider.base_url);
  out->set_format(ToFormat(provider.format));
  out->mutable_models()->Assign(provider.models.begin(), provider.models.end());
  out->set_retry_on_failure(provider.retry_on_failure);
  out->set_max_retries(provider.max_retries);
  out->mutable_timeouts()->set_connect_ms(absl::ToInt64Milliseconds(provider.timeouts.connect));
  out->mutable_timeouts()->set_first_byte_ms(absl::ToInt64Milliseconds(provider.timeouts.first_byte));
  out->mutable_timeouts()->set_idle_ms(absl::ToInt64Milliseconds(provider.timeouts.idle));
  out->set_proxy_url(provider.proxy_url);
  out->set_ca_pem(provider.authorities);
  out->set_queue_wait_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(provider.queue.max_wait)));
  for (const ModelRulesConfig& entry : provider.rules) {
    v1::ModelRules* const added = out->add_rules();
    added->mutable_models()->Assign(entry.models.begin(), entry.models.end());
    FillRules(entry.rules, added->mutable_rules());
  }
  FillTransformers(provider.transformers, out->mutable_transformers());
  for (const auto& [model, transformers] : provider.model_transformers) {
    FillTransformers(transformers, (*out->mutable_model_transformers())[model].mutable_transformers());
  }
}

void FillRouter(const RouterConfig& router, v1::Router* out) {
  out->set_default_route(router.default_route);
  out->set_background(router.background);
  out->set_think(router.think);
  out->set_long_context(router.long_context);
  out->set_long_context_threshold(router.long_context_threshold);
  out->set_web_search(router.web_search);
  out->set_image(router.image);
}

void FillProxy(const ProxyConfig& proxy, v1::ProxySettings* out) {
  out->set_max_head_bytes(proxy.max_head_bytes);
  out->set_max_body_bytes(proxy.max_body_bytes);
  out->set_header_timeout_ms(absl::ToInt64Milliseconds(proxy.header_timeout));
  out->set_idle_timeout_ms(absl::ToInt64Milliseconds(proxy.idle_timeout));
  out->set_max_buffered_bytes(proxy.max_buffered_bytes);
  out->set_max_connections(proxy.max_connections);
  out->mutable_allowed_hosts()->Assign(proxy.allowed_hosts.begin(), proxy.allowed_hosts.end());
}

}  // namespace

void AppendLeaseId(const core::LeaseId& id, std::string* out) {
  out->reserve(out->size() + kLeaseIdDigits);
  AppendHex(id.epoch, out);
  AppendHex(id.pool, out);
  AppendHex(id.random_high, out);
  AppendHex(id.random_low, out);
}

std::optional<core::LeaseId> ParseLeaseId(std::string_view text) {
  core::LeaseId id;
  if (text.size() != kLeaseIdDigits) return std::nullopt;
  if (!TakeHex(&text, &id.epoch) || !TakeHex(&text, &id.pool) || !TakeHex(&text, &id.random_high) ||
      !TakeHex(&text, &id.random_low)) {
    return std::nullopt;
  }
  return id;
}

absl::Duration FromMilliseconds(uint64_t milliseconds) {
  return absl::Milliseconds(static_cast<int64_t>(std::min<uint64_t>(milliseconds, INT64_MAX)));
}

core::RateLimits ToCore(const google::protobuf::RepeatedPtrField<v1::RateLimit>& limits) {
  core::RateLimits out;
  for (const v1::RateLimit& limit : limits) {
    if (limit.unit() == v1::RateLimit::UNIT_UNSPECIFIED || !v1::RateLimit::Unit_IsValid(limit.unit())) continue;
    core::RateLimit& entry = out.emplace_back();
    entry.unit = static_cast<core::RateLimit::Unit>(static_cast<int>(limit.unit()) - 1);
    if (limit.has_limit()) entry.limit = limit.limit();
    if (limit.has_remaining()) entry.remaining = limit.remaining();
    if (limit.has_reset_ms()) entry.reset = FromMilliseconds(limit.reset_ms());
  }
  return out;
}
static_assert(v1::RateLimit::REQUESTS == static_cast<int>(core::RateLimit::Unit::kRequests) + 1);
static_assert(v1::RateLimit::OUTPUT_TOKENS == static_cast<int>(core::RateLimit::Unit::kOutputTokens) + 1);

core::Evidence ToCore(const v1::Evidence& evidence) {
  core::Evidence out;
  if (evidence.has_success()) out.success = evidence.success();
  out.http_status = static_cast<int>(std::min<uint32_t>(evidence.http_status(), 1000));
  out.error_type = evidence.error_type();
  out.error_code = evidence.error_code();
  if (evidence.has_retry_after_ms()) {
    out.retry_after = FromMilliseconds(evidence.retry_after_ms());
  }
  out.transport_error = static_cast<core::TransportError>(evidence.transport_error());
  out.detail = evidence.detail();
  out.message = evidence.message();
  out.provider_request_id = evidence.provider_request_id();
  out.client_cancelled = evidence.client_cancelled();
  out.caller_fault = evidence.caller_fault();
  out.incomplete = evidence.incomplete();
  out.foreign_path = evidence.foreign_path();
  out.input_tokens = evidence.input_tokens();
  out.output_tokens = evidence.output_tokens();
  out.model_only = evidence.model_only();
  out.error_in_answer = evidence.error_in_answer();
  out.quota_window = evidence.quota_window();
  out.rate_limits = ToCore(evidence.rate_limits());
  out.first_byte = FromMilliseconds(evidence.first_byte_ms());
  out.total = FromMilliseconds(evidence.total_ms());
  return out;
}

v1::Outcome ToProto(core::Outcome outcome) {
  return static_cast<v1::Outcome>(static_cast<int>(outcome) + 1);
}
static_assert(v1::OUTCOME_SUCCESS == static_cast<int>(core::Outcome::kSuccess) + 1);
static_assert(v1::OUTCOME_OVERLOADED == static_cast<int>(core::Outcome::kOverloaded) + 1);
static_assert(v1::OUTCOME_NEUTRAL == static_cast<int>(core::Outcome::kNeutral) + 1);
static_assert(v1::TRANSPORT_ERROR_CONNECT == static_cast<int>(core::TransportError::kConnect));
static_assert(v1::TRANSPORT_ERROR_READ == static_cast<int>(core::TransportError::kRead));
static_assert(v1::TRANSPORT_ERROR_PROXY == static_cast<int>(core::TransportError::kProxy));

v1::KeyState ToProto(core::KeyState state) {
  return static_cast<v1::KeyState>(static_cast<int>(state) + 1);
}
static_assert(v1::KEY_STATE_ACTIVE == static_cast<int>(core::KeyState::kActive) + 1);
static_assert(v1::KEY_STATE_DISABLED == static_cast<int>(core::KeyState::kDisabled) + 1);

void Fill(const LeaseAnswer& answer, v1::LeaseResponse* out) {
  const PoolInfo& pool = *answer.pool;
  const core::KeySpec& key = pool.keys[answer.grant.key];
  AppendLeaseId(answer.grant.id, out->mutable_lease_id());
  out->set_pool(pool.pool);
  out->set_key_name(key.name);
  out->set_key_fingerprint(key.fingerprint);
  v1::Credential* credential = out->mutable_credential();
  const std::string_view secret = pool.secrets[answer.grant.key].Reveal();
  credential->set_header(pool.auth_header);
  credential->set_prefix(pool.auth_prefix);
  credential->set_secret(secret.data(), secret.size());
  out->set_base_url(pool.base_url);
  out->set_ttl_ms(absl::ToInt64Milliseconds(pool.lease_ttl));
  out->set_candidates_left(answer.grant.candidates_left);
  out->set_trial(answer.grant.trial);
}

void Fill(const ReportAnswer& answer, v1::ReportResponse* out) {
  const core::Decision& decision = answer.decision;
  out->set_disposition(ToProto(decision.disposition));
  out->set_outcome(ToProto(decision.outcome));
  out->set_reason(decision.reason.data(), decision.reason.size());
  out->set_advice(ToProto(decision.advice));
  out->set_http_status(static_cast<uint32_t>(decision.http_status));
  out->set_exhausted(decision.exhausted);
}

void Fill(const PoolStatus& status, v1::PoolStatus* out) {
  const core::PoolSnapshot& pool = status.snapshot;
  out->set_provider(status.info->pool);
  out->set_enabled(pool.keys.size() > 1);
  out->set_strategy(status.info->rules.strategy);
  out->set_total_keys(static_cast<uint32_t>(pool.keys.size()));
  out->set_available_keys(pool.available);
  for (size_t i = 0; i < pool.keys.size(); ++i) {
    v1::KeyStatus* key = out->add_keys();
    FillKey(pool.keys[i], status.info->keys[pool.keys[i].key], key);
    const LastError& error = status.last_errors[i];
    key->set_last_error(error.text);
    key->set_last_error_request_id(error.request_id);
    if (IsFinite(error.at)) SetTime(error.at, key->mutable_last_error_at());
  }
  FillCircuit(pool, out->mutable_circuit());
  out->set_waiting(pool.waiting);
  out->set_in_flight(pool.in_flight);
  out->set_acquired(pool.acquired);
  out->set_reported(pool.reported);
  out->set_expired(pool.expired);
  out->set_base_url(HideUrlSecrets(status.info->base_url));
}

void Fill(const Routing& routing, v1::RoutingTable* out) {
  out->set_version(routing.version);
  for (const ProviderConfig& provider : routing.config.providers) FillProvider(provider, out->add_providers());
  FillRouter(routing.config.router, out->mutable_router());
  for (const auto& [route, models] : routing.config.fallback) {
    (*out->mutable_fallback())[route].mutable_models()->Assign(models.begin(), models.end());
  }
  out->set_client_token_sha256(routing.client_token_sha256);
  out->set_api_timeout_ms(absl::ToInt64Milliseconds(routing.config.api_timeout));
  out->set_ca_pem(routing.config.authorities);
  out->set_log_level(routing.config.log ? routing.config.log_level : "off");
  out->set_log_format(routing.config.log_format);
  FillProxy(routing.config.proxy, out->mutable_proxy());
}

bool Fill(const PoolNames& pool, const core::Transition& transition, bool include_leases, v1::Event* out) {
  const v1::Event::Type type = ToProto(transition.type);
  const bool single_lease = type == v1::Event::LEASED || type == v1::Event::SUCCESS;
  if (type == v1::Event::TYPE_UNSPECIFIED || (single_lease && !include_leases)) return false;
  out->set_type(type);
  SetTime(transition.time, out->mutable_time());
  out->set_pool(pool.pool);
  if (transition.key < pool.keys.size()) {
    out->set_key_name(pool.keys[transition.key].name);
    out->set_key_fingerprint(pool.keys[transition.key].fingerprint);
  }
  if (type == v1::Event::SUCCESS || type == v1::Event::FAILURE) out->set_outcome(ToProto(transition.outcome));
  out->set_reason(transition.reason.data(), transition.reason.size());
  out->set_request_id(transition.request_id);
  if (IsFinite(transition.available_at) && transition.available_at != absl::UnixEpoch()) {
    SetTime(transition.available_at, out->mutable_available_at());
  }
  return true;
}

void SetTime(absl::Time time, google::protobuf::Timestamp* out) {
  const int64_t nanos = absl::ToUnixNanos(time);
  out->set_seconds(nanos / 1000000000);
  out->set_nanos(static_cast<int32_t>(nanos % 1000000000));
}

void Fill(const ReloadReport& report, v1::ReloadVerdict* out) {
  constexpr size_t kMaxProblems = 100;
  out->set_accepted(report.accepted);
  SetTime(report.time, out->mutable_time());
  for (size_t i = 0; i < std::min(report.problems.size(), kMaxProblems); ++i) {
    const ConfigProblem& problem = report.problems[i];
    v1::ConfigProblem& told = *out->add_problems();
    const bool is_error = problem.severity == ConfigProblem::Severity::kError;
    told.set_severity(is_error ? v1::ConfigProblem::ERROR : v1::ConfigProblem::WARNING);
    told.set_file(problem.file);
    told.set_line(problem.line);
    told.set_provider(problem.provider);
    told.set_field(problem.field);
    told.set_message(problem.message);
  }
  for (const std::string& change : report.changes) out->add_changes(change);
  for (const std::string& field : report.needs_restart) out->add_needs_restart(field);
}

void Fill(const KeySources::Problem& problem, v1::KeySourceProblem* out) {
  out->set_source(problem.source);
  out->set_error(problem.error);
  SetTime(problem.since, out->mutable_since());
  out->set_has_keys(problem.has_keys);
}

}  // namespace ccr
