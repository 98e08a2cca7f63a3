#include "proxy/bridge/convert.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "client/lib/broker_status.h"
#include "client/lib/lease_guard.h"
#include "proxy/bridge/convert_rules.h"

namespace ccr::proxy {
namespace {

uint64_t ToMilliseconds(absl::Duration duration) {
  return static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Milliseconds(duration)));
}

// Text of a client for logs: the contract's strings are UTF-8 and short, a client's may be anything.
std::string Informative(const std::string& text) {
  constexpr size_t kMaxBytes = 256;
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(c); });
  return (ascii ? text : absl::CHexEscape(text)).substr(0, kMaxBytes);
}

// A field that an older broker leaves at 0 keeps our default.
template <typename Field>
void SetDuration(uint64_t milliseconds, Field* field) {
  if (milliseconds > 0) *field = absl::Milliseconds(milliseconds);
}
template <typename Field, typename Value>
void SetLimit(Value value, Field* field) {
  if (value > 0) *field = value;
}

Format ToFormat(v1::Format format) {
  switch (format) {
    case v1::FORMAT_ANTHROPIC:
      return Format::kAnthropic;
    case v1::FORMAT_GEMINI:
      return Format::kGemini;
    case v1::FORMAT_RESPONSES:
      return Format::kResponses;
    default:
      return Format::kChat;
  }
}

std::vector<TransformerUse> ToTransformers(const google::protobuf::RepeatedPtrField<v1::Transformer>& messages) {
  std::vector<TransformerUse> transformers;
  for (const v1::Transformer& message : messages) transformers.push_back({message.name(), message.options()});
  return transformers;
}

std::shared_ptr<const std::string> ToAuthorities(const std::string& pem) {
  return pem.empty() ? nullptr : std::make_shared<const std::string>(pem);
}

Provider ToProvider(const v1::Provider& message) {
  Provider provider;
  provider.name = message.name();
  provider.base_url = message.base_url();
  provider.format = ToFormat(message.format());
  provider.models.assign(message.models().begin(), message.models().end());
  provider.retry_on_failure = message.retry_on_failure();
  provider.max_retries = message.max_retries();
  SetDuration(message.timeouts().connect_ms(), &provider.connect_timeout);
  SetDuration(message.timeouts().first_byte_ms(), &provider.first_byte_timeout);
  SetDuration(message.timeouts().idle_ms(), &provider.idle_timeout);
  provider.proxy_url = message.proxy_url();
  provider.authorities = ToAuthorities(message.ca_pem());
  provider.queue_wait = absl::Milliseconds(message.queue_wait_ms());
  provider.transformers = ToTransformers(message.transformers());
  provider.rules = ToModelRules(message.rules());
  for (const auto& [model, list] : message.model_transformers())
    provider.model_transformers[model] = ToTransformers(list.transformers());
  return provider;
}

void ReadRouter(const v1::Router& message, RoutingTable* table) {
  table->default_route = message.default_route();
  table->background = message.background();
  table->think = message.think();
  table->long_context = message.long_context();
  table->web_search = message.web_search();
  table->image = message.image();
  SetLimit(message.long_context_threshold(), &table->long_context_threshold);
}

void ReadSettings(const v1::ProxySettings& message, RoutingTable* table) {
  SetLimit(message.max_head_bytes(), &table->max_head_bytes);
  SetLimit(message.max_body_bytes(), &table->max_body_bytes);
  SetLimit(message.max_buffered_bytes(), &table->max_buffered_bytes);
  SetLimit(message.max_connections(), &table->max_connections);
  SetDuration(message.header_timeout_ms(), &table->header_timeout);
  SetDuration(message.idle_timeout_ms(), &table->idle_timeout);
  table->allowed_hosts.assign(message.allowed_hosts().begin(), message.allowed_hosts().end());
}

v1::TransportError ToMessage(TransportError error) {
  switch (error) {
    case TransportError::kNone:
    case TransportError::kLocal:  // a caller_fault
      return v1::TRANSPORT_ERROR_UNSPECIFIED;
    case TransportError::kConnect:
      return v1::TRANSPORT_ERROR_CONNECT;
    case TransportError::kConnectTimeout:
      return v1::TRANSPORT_ERROR_CONNECT_TIMEOUT;
    case TransportError::kSend:
      return v1::TRANSPORT_ERROR_SEND;
    case TransportError::kFirstByteTimeout:
      return v1::TRANSPORT_ERROR_FIRST_BYTE_TIMEOUT;
    case TransportError::kIdleTimeout:
      return v1::TRANSPORT_ERROR_IDLE_TIMEOUT;
    case TransportError::kName:
      return v1::TRANSPORT_ERROR_NAME;
    case TransportError::kRefused:
      return v1::TRANSPORT_ERROR_REFUSED;
    case TransportError::kTls:
      return v1::TRANSPORT_ERROR_TLS;
    case TransportError::kProxy:
      return v1::TRANSPORT_ERROR_PROXY;
    case TransportError::kRead:
      break;
  }
  return v1::TRANSPORT_ERROR_READ;
}

void AddRateLimits(const std::vector<RateLimit>& limits, google::protobuf::RepeatedPtrField<v1::RateLimit>* out) {
  for (const RateLimit& limit : limits) {
    v1::RateLimit& entry = *out->Add();
    entry.set_unit(static_cast<v1::RateLimit::Unit>(static_cast<int>(limit.unit) + 1));
    if (limit.limit) entry.set_limit(*limit.limit);
    if (limit.remaining) entry.set_remaining(*limit.remaining);
    if (limit.reset) entry.set_reset_ms(ToMilliseconds(absl::Ceil(*limit.reset, absl::Milliseconds(1))));
  }
}
static_assert(v1::RateLimit::REQUESTS == static_cast<int>(RateLimit::Unit::kRequests) + 1);
static_assert(v1::RateLimit::OUTPUT_TOKENS == static_cast<int>(RateLimit::Unit::kOutputTokens) + 1);

v1::Evidence ToMessage(const Evidence& evidence) {
  v1::Evidence message;
  message.set_http_status(static_cast<uint32_t>(evidence.http_status));
  message.set_error_type(evidence.error_type);
  message.set_error_code(evidence.error_code);
  if (evidence.retry_after)
    message.set_retry_after_ms(ToMilliseconds(absl::Ceil(*evidence.retry_after, absl::Milliseconds(1))));
  message.set_transport_error(ToMessage(evidence.transport_error));
  message.set_detail(Informative(evidence.detail));
  message.set_message(evidence.message);
  message.set_provider_request_id(evidence.provider_request_id);
  message.set_client_cancelled(evidence.client_cancelled);
  message.set_caller_fault(evidence.caller_fault);
  message.set_incomplete(evidence.incomplete);
  message.set_foreign_path(evidence.foreign_path);
  message.set_input_tokens(evidence.input_tokens);
  message.set_output_tokens(evidence.output_tokens);
  message.set_first_byte_ms(ToMilliseconds(evidence.first_byte));
  message.set_total_ms(ToMilliseconds(evidence.total));
  message.set_model_only(evidence.model_only);
  message.set_error_in_answer(evidence.error_in_answer);
  message.set_quota_window(evidence.quota_window);
  AddRateLimits(evidence.rate_limits, message.mutable_rate_limits());
  return message;
}

// "OUTCOME_RATE_LIMITED" -> "rate_limited".
std::string OutcomeName(v1::Outcome outcome) {
  constexpr std::string_view kPrefix = "OUTCOME_";
  const std::string name = v1::Outcome_Name(outcome);
  if (outcome == v1::OUTCOME_UNSPECIFIED || name.size() <= kPrefix.size()) return "unknown";
  return absl::AsciiStrToLower(name.substr(kPrefix.size()));
}

Advice ToAdvice(v1::ReportResponse::Advice advice) {
  if (advice == v1::ReportResponse::ROTATE) return Advice::kRotate;
  if (advice == v1::ReportResponse::RETRY) return Advice::kRetry;
  return Advice::kRelay;
}

Lease ToLease(v1::LeaseResponse message) {
  Lease lease;
  lease.id = std::move(*message.mutable_lease_id());
  lease.key_name = std::move(*message.mutable_key_name());
  lease.key_fingerprint = std::move(*message.mutable_key_fingerprint());
  lease.credential_header = std::move(*message.mutable_credential()->mutable_header());
  lease.credential_prefix = std::move(*message.mutable_credential()->mutable_prefix());
  lease.base_url = std::move(*message.mutable_base_url());
  lease.trial = message.trial();
  lease.credential = client::TakeSecret(message);
  return lease;
}

}  // namespace

std::shared_ptr<const RoutingTable> ToRoutingTable(const v1::RoutingTable& message) {
  auto table = std::make_shared<RoutingTable>();
  table->version = message.version();
  for (const v1::Provider& provider : message.providers()) table->providers.push_back(ToProvider(provider));
  ReadRouter(message.router(), table.get());
  for (const auto& [route, models] : message.fallback())
    table->fallback[route].assign(models.models().begin(), models.models().end());
  table->client_token_sha256 = message.client_token_sha256();
  SetDuration(message.api_timeout_ms(), &table->api_timeout);
  const auto authorities = ToAuthorities(message.ca_pem());
  for (Provider& provider : table->providers) {
    if (provider.authorities == nullptr) provider.authorities = authorities;
  }
  ReadSettings(message.proxy(), table.get());
  table->log_level = message.log_level();
  table->log_format = message.log_format();
  return table;
}

v1::LeaseRequest ToMessage(const LeaseRequest& request) {
  v1::LeaseRequest message;
  message.set_pool(request.pool);
  message.set_model(Informative(request.model));
  message.set_session(Informative(request.session));
  for (const std::string& fingerprint : request.exclude) message.add_exclude(fingerprint);
  message.set_retry_of(request.retry_of);
  message.set_request_id(request.request_id);
  message.set_estimated_tokens(request.estimated_tokens);
  message.set_max_wait_ms(static_cast<uint32_t>(ToMilliseconds(request.max_wait)));
  return message;
}

v1::ReportRequest ToMessage(const ReportRequest& request) {
  v1::ReportRequest message;
  message.set_lease_id(request.lease_id);
  *message.mutable_evidence() = ToMessage(request.evidence);
  if (request.next) *message.mutable_next() = ToMessage(*request.next);
  message.set_earlier_permission_denials(request.earlier_refusals);
  message.set_earlier_overloads(request.earlier_overloads);
  message.set_request_id(request.request_id);
  return message;
}

v1::ProgressRequest ToMessage(ProgressRequest request) {
  v1::ProgressRequest message;
  message.set_lease_id(std::move(request.lease_id));
  message.set_http_status(static_cast<uint32_t>(request.http_status));
  message.set_first_byte_ms(ToMilliseconds(request.first_byte));
  AddRateLimits(request.rate_limits, message.mutable_rate_limits());
  return message;
}

LeaseAnswer ToLeaseAnswer(absl::StatusOr<v1::LeaseResponse> response) {
  LeaseAnswer answer;
  if (response.ok()) {
    answer.lease = ToLease(*std::move(response));
  } else {
    answer.failure = {response.status(), client::RetryAfter(response.status())};
  }
  return answer;
}

ReportAnswer ToReportAnswer(absl::StatusOr<v1::ReportResponse> response) {
  ReportAnswer answer;
  answer.outcome = "unknown";
  if (!response.ok()) return answer;
  answer.outcome = OutcomeName(response->outcome());
  answer.reason = response->reason();
  answer.advice = ToAdvice(response->advice());
  answer.http_status = static_cast<int>(response->http_status());
  answer.exhausted = response->exhausted();
  if (response->has_next()) {
    answer.next = ToLeaseAnswer(std::move(*response->mutable_next()));
  } else if (response->has_next_error()) {
    answer.next = ToLeaseAnswer(client::ToStatus(response->next_error()));
  }
  return answer;
}

}  // namespace ccr::proxy
