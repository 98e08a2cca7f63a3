#include "proxy/http/exchange.h"

#include <algorithm>
#include <random>
#include <utility>

#include "broker/base/absl_text.h"
#include "broker/base/log.h"
#include "proxy/core/format.h"
#include "proxy/http/access_log.h"
#include "proxy/http/request_id.h"
#include "proxy/http/write_answer.h"

namespace ccr::proxy {
namespace {

// Ours is the deadline that counts; the transfer's own only keeps a stray one from living on.
constexpr absl::Duration kTransferSlack = absl::Seconds(5);

RetryPlan::Advice ToPlan(Advice advice) {
  switch (advice) {
    case Advice::kRotate:
      return RetryPlan::Advice::kRotate;
    case Advice::kRetry:
      return RetryPlan::Advice::kRetry;
    case Advice::kRelay:
      break;
  }
  return RetryPlan::Advice::kRelay;
}

// What the broker will make of evidence whose verdict nobody waits for.
std::string_view ExpectedOutcome(const Evidence& evidence) {
  if (evidence.client_cancelled || evidence.caller_fault) return "neutral";
  if (evidence.transport_error != TransportError::kNone || evidence.incomplete || evidence.http_status >= 500)
    return "upstream_failure";
  return evidence.http_status < 400 ? "success" : "caller_fault";
}

// The provider refused the key, not the request: nothing a client should see.
bool IsKeyRefused(int status, std::string_view outcome) {
  return status == 401 || outcome == "auth";
}
bool IsQuotaGone(int status, std::string_view outcome) {
  return status == 402 || outcome == "quota";
}

// Another provider's pool may do better; a broker that is away has none.
bool IsPoolsFault(const LeaseFailure& failure) {
  return failure.status.code() != absl::StatusCode::kUnavailable &&
         failure.status.code() != absl::StatusCode::kCancelled;
}

std::optional<absl::Duration> Earlier(std::optional<absl::Duration> a, std::optional<absl::Duration> b) {
  return a && b ? std::min(*a, *b) : (a ? a : b);
}

}  // namespace

Exchange::Exchange(Server& server, ResponseWriter& writer, Request& request, const Target& target,
                   std::function<void()> done)
    : server_(server),
      writer_(writer),
      request_(request),
      done_(std::move(done)),
      started_(server.clock.Now()),
      target_(target),
      client_format_(ClientFormat(target_.endpoint)),
      routed_(request_, target_) {
  server_.observer.OnRequestStarted();
}

Exchange::~Exchange() {
  if (!done_called_) Abandon();
  RequestSummary summary;
  summary.endpoint = target_.endpoint;
  summary.status = writer_.started() ? writer_.status() : 0;
  if (routed_.provider() != nullptr) summary.provider = routed_.provider()->name;
  summary.total = server_.clock.Now() - started_;
  if (attempt_ && attempt_->first_relayed()) summary.first_byte = *attempt_->first_relayed() - started_;
  summary.lease_wait = lease_wait_;
  server_.observer.OnRequestEnded(summary);
  LogEnd();
}

void Exchange::LogEnd() const {
  if (!LogEnabled(LogLevel::kInfo)) return;
  AccessEntry entry;
  entry.endpoint = target_.endpoint;
  entry.status = writer_.started() ? writer_.status() : 0;
  entry.end = end_;
  entry.outcome = last_outcome_;
  entry.model = routed_.asked_model();
  entry.session = routed_.session();
  entry.attempts = attempts_;
  entry.lease_wait = lease_wait_;
  entry.total = server_.clock.Now() - started_;
  if (routed_.provider() != nullptr) {
    entry.route = routed_.first_rule();
    entry.fallback = routed_.is_fallback();
    entry.provider = routed_.provider()->name;
    entry.model_sent = routed_.model();
  }
  if (attempt_) {
    entry.key = attempt_->lease().key_name;
    entry.provider_id = last_evidence_.provider_request_id;
    if (attempt_->first_relayed()) entry.first_byte = *attempt_->first_relayed() - started_;
    entry.input_tokens = last_evidence_.input_tokens;
    entry.cached_tokens = attempt_->total_input_tokens() - std::min(attempt_->total_input_tokens(), entry.input_tokens);
    entry.output_tokens = last_evidence_.output_tokens;
  }
  LogAccess(request_, entry);
}

void Exchange::Tick(absl::Time now) {
  if (done_called_) return;
  if (now >= deadline_) return Expire();
  if (backoff_until_ && now >= *backoff_until_) {
    backoff_until_.reset();
    return Acquire(plan_->key_faults());
  }
  if (attempt_running_) attempt_->Tick(now);
}

void Exchange::OnWritable() {
  if (attempt_running_) attempt_->Resume();
}

void Exchange::Start() {
  table_ = server_.leases.routing();
  switch (target_.endpoint) {
    case Endpoint::kRoot:
      WriteJson(writer_, 200, R"({"name":"ccr-proxy","version":")" CCR_VERSION R"("})");
      return Finish();
    case Endpoint::kHealth:
      return ServeHealth();
    case Endpoint::kModels:
      WriteJson(writer_, 200, ModelsPage(*table_));
      return Finish();
    case Endpoint::kNotFound:
      return Fail(404, "there is no such endpoint; /p/PROVIDER/ reaches every path of a provider");
    case Endpoint::kMethodNotAllowed:
      return Fail(405, "this endpoint does not serve this method");
    default:
      return Forward();
  }
}

void Exchange::ServeHealth() {
  const bool ready = table_ != nullptr && server_.leases.connected();
  WriteJson(writer_, ready ? 200 : 503, ready ? R"({"status":"ok"})" : R"({"status":"waiting for the key broker"})");
  Finish();
}

void Exchange::Forward() {
  if (const auto refusal = routed_.PickFirst(*table_, server_.sessions)) return Answer(*refusal);
  deadline_ = started_ + table_->api_timeout;
  BeginRoute();
}

// In the head of whatever answer comes next. Never a key, but its name.
void Exchange::TellSource(std::string_view key) {
  std::string lines = "x-ccr-provider: " + HeaderText(routed_.provider()->name) + "\r\n";
  if (!key.empty()) lines += "x-ccr-key: " + HeaderText(key) + "\r\n";
  lines += "x-ccr-attempts: " + std::to_string(attempts_) + "\r\n";
  writer_.SetOwnFields(std::move(lines));
}

void Exchange::BeginRoute() {
  TellSource({});
  if (const auto page = routed_.OwnPage()) {
    WriteJson(writer_, 200, *page);
    return Finish();
  }
  plan_.emplace(*routed_.provider(), deadline_);
  queue_until_.reset();
  kind_ = AttemptSummary::Kind::kFirst;
  best_ = AttemptAnswer();
  best_outcome_.clear();
  best_key_.clear();
  refusal_retry_after_.reset();
  last_lease_.clear();
  Acquire({});
}

bool Exchange::BeginNextRoute() {
  if (server_.clock.Now() >= deadline_ || !routed_.PickNext()) return false;
  server_.observer.OnFallback(routed_.first_rule());
  BeginRoute();
  return true;
}

LeaseRequest Exchange::WantedLease(const std::vector<std::string>& exclude, absl::Duration max_wait) const {
  LeaseRequest wanted;
  wanted.pool = routed_.provider()->name;
  wanted.model = routed_.model();
  wanted.session = routed_.session();
  wanted.exclude = exclude;
  wanted.retry_of = last_lease_;
  wanted.max_wait = max_wait;
  wanted.request_id = request_.id;
  return wanted;
}

void Exchange::Acquire(const std::vector<std::string>& exclude) {
  asked_ = server_.clock.Now();
  if (!queue_until_) queue_until_ = std::min(asked_ + routed_.provider()->queue_wait, deadline_);
  const absl::Duration wait = std::max(*queue_until_ - asked_, absl::ZeroDuration());
  call_ = server_.leases.Acquire(WantedLease(exclude, wait), [this](LeaseAnswer answer) {
    call_.reset();
    OnLease(std::move(answer));
  });
}

void Exchange::OnLease(LeaseAnswer answer) {
  if (!lease_wait_) lease_wait_ = server_.clock.Now() - asked_;
  if (answer.lease) return StartAttempt(std::move(*answer.lease));
  if (plan_->attempts() == 0) {
    if (IsPoolsFault(answer.failure) && BeginNextRoute()) return;
    return Answer(NoLease(answer.failure, routed_.provider()->name));
  }
  refusal_retry_after_ = answer.failure.retry_after;
  AnswerBest();
}

void Exchange::StartAttempt(Lease lease) {
  absl::StatusOr<std::string> url = routed_.UpstreamUrl(lease.base_url);
  if (!url.ok()) {
    Evidence evidence;
    evidence.caller_fault = true;
    ReportOnly(lease.id, evidence);
    return Fail(400, std::string(ToStd(url.status().message())));
  }
  UpstreamRequest request = BuildRequest(lease, *std::move(url));
  const Attempt::Options options{client_format_,
                                 routed_.provider()->format,
                                 target_.endpoint != Endpoint::kPassthrough,
                                 routed_.translation(),
                                 routed_.model(),
                                 routed_.stream_options(),
                                 table_->max_buffered_bytes};
  ++attempts_;
  TellSource(lease.key_name);
  attempt_running_ = true;
  attempt_ = std::make_unique<Attempt>(server_, writer_, static_cast<Attempt::Owner&>(*this), options, std::move(lease),
                                       std::move(request));
}

UpstreamRequest Exchange::BuildRequest(const Lease& lease, std::string url) const {
  const Provider& provider = *routed_.provider();
  UpstreamRequest request;
  request.method = std::string(request_.method);
  request.url = std::move(url);
  request.headers = routed_.UpstreamHeaders(lease.credential_header);
  request.credential_header = lease.credential_header;
  request.credential_prefix = lease.credential_prefix;
  request.credential = lease.credential.Clone();
  request.body = routed_.body();
  request.has_body = request_.has_body;
  request.connect_timeout = provider.connect_timeout;
  request.first_byte_timeout = provider.first_byte_timeout;
  request.idle_timeout = provider.idle_timeout;
  request.total_timeout = deadline_ - server_.clock.Now() + kTransferSlack;
  request.proxy_url = provider.proxy_url;
  request.authorities = provider.authorities;
  return request;
}

void Exchange::OnBodyUnneeded() {
  routed_.DropBody();
  request_.DropBody();
}

void Exchange::OnRelayed(const Evidence& evidence) {
  attempt_running_ = false;
  if (evidence.incomplete || evidence.transport_error != TransportError::kNone) end_ = "cut";
  if (routed_.IsChat() && attempt_->total_input_tokens() > 0)
    server_.sessions.Record(routed_.session(), attempt_->total_input_tokens());
  ReportOnly(attempt_->lease().id, evidence);
  ObserveAttempt(evidence, ExpectedOutcome(evidence));
  Finish();
}

void Exchange::OnAnswer(AttemptAnswer answer) {
  attempt_running_ = false;
  answer_ = std::move(answer);
  if (MayRetry(answer_.evidence)) return AskBroker();
  ReportOnly(attempt_->lease().id, answer_.evidence);
  ObserveAttempt(answer_.evidence, ExpectedOutcome(answer_.evidence));
  if (answer_.head.status == 0) return Answer(NoUpstreamAnswer(answer_.evidence, routed_.provider()->name));
  if (answer_.head.status >= 500 && BeginNextRoute()) return;
  Relay(answer_, std::nullopt);
}

void Exchange::AskBroker() {
  ReportRequest report;
  report.lease_id = attempt_->lease().id;
  report.request_id = request_.id;
  answer_.evidence.foreign_path = target_.endpoint == Endpoint::kPassthrough;
  report.evidence = answer_.evidence;
  last_lease_ = report.lease_id;
  report.earlier_refusals = plan_->refusals();
  report.earlier_overloads = plan_->overloads();
  if (plan_->WantsNext(answer_.evidence, server_.clock.Now()))
    report.next = WantedLease(plan_->exclude(), absl::ZeroDuration());
  call_ = server_.leases.Report(std::move(report), [this](ReportAnswer answer) {
    call_.reset();
    std::optional<LeaseAnswer> next = std::move(answer.next);
    OnReported(answer, std::move(next));
  });
}

void Exchange::OnReported(const ReportAnswer& report, std::optional<LeaseAnswer> next) {
  ObserveAttempt(answer_.evidence, report.outcome);
  plan_->Record(answer_.evidence, ToPlan(report.advice), attempt_->lease().key_fingerprint, report.outcome);
  kind_ = report.advice == Advice::kRotate ? AttemptSummary::Kind::kRotate : AttemptSummary::Kind::kRetry;
  if (plan_->Final().attempt + 1 == plan_->attempts()) {
    best_ = std::move(answer_);
    best_outcome_ = report.outcome;
    best_key_ = attempt_->lease().key_name;
  }

  const absl::Time now = server_.clock.Now();
  const bool granted = next && next->lease;
  if (next && !granted) refusal_retry_after_ = next->failure.retry_after;
  if (granted && plan_->MayContinue(now)) return StartAttempt(std::move(*next->lease));
  if (granted) {
    Evidence evidence;
    evidence.caller_fault = true;
    ReportOnly(next->lease->id, evidence);
    return AnswerBest();
  }
  if (!plan_->MayContinue(now)) return AnswerBest();
  const double random = std::uniform_real_distribution<double>(0, 1)(server_.random);
  if (const auto wait = plan_->Backoff(now, random)) {
    backoff_until_ = now + *wait;
  } else if (now < *queue_until_) {
    Acquire(plan_->key_faults());
  } else {
    AnswerBest();
  }
}

void Exchange::AnswerBest() {
  const RetryPlan::Answer final = plan_->Final();
  const int status = best_.head.status;
  const bool foreign = target_.endpoint == Endpoint::kPassthrough;
  const bool key_refused = !foreign && IsKeyRefused(status, best_outcome_);
  const bool quota_gone = IsQuotaGone(status, best_outcome_);
  const bool failed = final.rate_limited || key_refused || quota_gone || status == 0 || status == 429 || status >= 500;
  if (failed && BeginNextRoute()) return;
  TellSource(best_key_);

  const std::string& name = routed_.provider()->name;
  if (final.rate_limited) return AnswerRateLimited(Earlier(final.retry_after, refusal_retry_after_));
  if (key_refused) return Answer(KeysRefused(plan_->refusals(), name));
  if (quota_gone)
    return Answer({503, "the quota of every key tried of provider '" + name + "' is used up", refusal_retry_after_});
  if (status == 0) return Answer(NoUpstreamAnswer(best_.evidence, name));
  Relay(best_, std::nullopt);
}

void Exchange::AnswerRateLimited(std::optional<absl::Duration> retry_after) {
  if (best_.head.status != 429 || best_outcome_ != "rate_limited")
    return Answer({429, "no key of provider '" + routed_.provider()->name + "' is available now", retry_after});
  Relay(best_, retry_after);
}

void Exchange::Relay(const AttemptAnswer& answer, std::optional<absl::Duration> retry_after) {
  RelayAnswer(writer_, answer, retry_after, routed_.error_translation());
  Finish();
}

void Exchange::Expire() {
  if (call_) server_.leases.Cancel(*std::exchange(call_, std::nullopt));
  backoff_until_.reset();
  end_ = "time_limit";
  if (std::exchange(attempt_running_, false)) {
    const Evidence evidence = attempt_->CancelForDeadline(table_->api_timeout / 2);
    ReportOnly(attempt_->lease().id, evidence);
    ObserveAttempt(evidence, ExpectedOutcome(evidence));
  }
  if (writer_.started()) return Finish();
  Answer({504, "the time limit of this request (API_TIMEOUT_MS) has passed", std::nullopt});
}

void Exchange::Abandon() {
  end_ = "client_gone";
  if (call_) server_.leases.Cancel(*call_);
  if (!attempt_running_) return;
  const Evidence evidence = attempt_->CancelForClient();
  ReportOnly(attempt_->lease().id, evidence);
  ObserveAttempt(evidence, ExpectedOutcome(evidence));
}

void Exchange::ReportOnly(const std::string& lease_id, const Evidence& evidence) {
  ReportRequest report;
  report.lease_id = lease_id;
  report.request_id = request_.id;
  report.evidence = evidence;
  report.earlier_refusals = plan_->refusals();
  report.earlier_overloads = plan_->overloads();
  server_.leases.Report(std::move(report), nullptr);
}

void Exchange::ObserveAttempt(const Evidence& evidence, std::string_view outcome) {
  AttemptSummary summary;
  summary.kind = kind_;
  summary.provider = routed_.provider()->name;
  summary.outcome = outcome;
  summary.input_tokens = evidence.input_tokens;
  summary.output_tokens = evidence.output_tokens;
  server_.observer.OnAttemptEnded(summary);
  last_outcome_ = outcome;
  last_evidence_ = evidence;
  if (evidence.transport_error == TransportError::kNone) return;
  Log(LogLevel::kWarn, "attempt_failed",
      {{"id", request_.id},
       {"provider", summary.provider},
       {"key", attempt_->lease().key_name},
       {"error", ToString(evidence.transport_error)},
       {"detail", evidence.detail}});
}

void Exchange::Fail(int status, std::string message) {
  Answer({status, std::move(message), std::nullopt});
}

void Exchange::Answer(const OwnAnswer& answer) {
  WriteError(writer_, client_format_, answer, target_.allow);
  Finish();
}

void Exchange::Finish() {
  done_called_ = true;
  done_();
}

}  // namespace ccr::proxy
