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

constexpr absl::Duration kToldWait = absl::Milliseconds(10);  // for keys; what is shorter is the way to the broker

// Of an error inside a 2xx, as long as the broker does not say what it stands for.
constexpr int kUnknownErrorStatus = 502;

// What the broker will make of evidence whose verdict nobody waits for.
std::string_view ExpectedOutcome(const Evidence& evidence) {
  if (evidence.client_cancelled || evidence.caller_fault) return "neutral";
  if (evidence.transport_error != TransportError::kNone || evidence.incomplete || evidence.http_status >= 500)
    return "upstream_failure";
  return evidence.http_status < 400 ? "success" : "caller_fault";
}

// Another provider's pool may do better; a broker that is away has none.
bool IsPoolsFault(const LeaseFailure& failure) {
  return failure.status.code() != absl::StatusCode::kUnavailable &&
         failure.status.code() != absl::StatusCode::kCancelled;
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
  if (!Is<Done>()) Abandon();
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
  if (Is<Done>()) return;
  if (now >= deadline_) return Expire();
  if (const auto* rest = std::get_if<BackingOff>(&state_); rest != nullptr && now >= rest->until)
    return Acquire(plan_->key_faults());
  if (Is<Trying>()) attempt_->Tick(now);
}

void Exchange::OnWritable() {
  if (Is<Trying>()) attempt_->Resume();
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
    case Endpoint::kModel:
    case Endpoint::kGeminiModels:
    case Endpoint::kGeminiModel:
      return ServeModels();
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

void Exchange::ServeModels() {
  const bool gemini = target_.endpoint != Endpoint::kModel;
  const std::optional<std::string> page = target_.endpoint == Endpoint::kGeminiModels
                                              ? std::optional<std::string>(GeminiModelsPage(*table_))
                                              : ModelPage(*table_, target_.model, gemini);
  if (!page) return Fail(404, "no provider lists a model of this name; GET /v1/models lists them");
  WriteJson(writer_, 200, *page);
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
  const absl::Duration waited = lease_wait_.value_or(absl::ZeroDuration());
  if (waited >= kToldWait) lines += "x-ccr-wait-ms: " + std::to_string(absl::ToInt64Milliseconds(waited)) + "\r\n";
  writer_.SetOwnFields(std::move(lines));
}

void Exchange::BeginRoute() {
  TellSource({});
  if (const auto page = routed_.OwnPage()) {
    WriteJson(writer_, 200, *page);
    return Finish();
  }
  plan_.emplace(*routed_.provider(), server_.clock.Now(), deadline_);
  kind_ = AttemptSummary::Kind::kFirst;
  kept_ = AttemptAnswer();
  kept_key_.clear();
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
  wanted.estimated_tokens = routed_.estimated_tokens();
  return wanted;
}

void Exchange::Acquire(const std::vector<std::string>& exclude) {
  const absl::Time now = server_.clock.Now();
  state_ = Leasing{server_.leases.Acquire(WantedLease(exclude, plan_->MaxWait(now)),
                                          [this](LeaseAnswer answer) { OnLease(std::move(answer)); }),
                   now};
}

void Exchange::OnLease(LeaseAnswer answer) {
  const absl::Duration waited = server_.clock.Now() - std::get<Leasing>(state_).asked;
  lease_wait_ = lease_wait_.value_or(absl::ZeroDuration()) + waited;
  if (answer.lease) return StartAttempt(std::move(*answer.lease));
  if (plan_->attempts() == 0) {
    if (IsPoolsFault(answer.failure) && BeginNextRoute()) return;
    TellSource({});
    return Answer(NoLease(answer.failure, routed_.provider()->name));
  }
  plan_->OnNoLease(answer.failure.retry_after);
  AnswerBest();
}

void Exchange::StartAttempt(Lease lease) {
  absl::StatusOr<std::string> url = routed_.UpstreamUrl(lease.base_url);
  if (!url.ok()) {
    GiveBack(lease.id);
    return Fail(400, std::string(ToStd(url.status().message())));
  }
  UpstreamRequest request = BuildRequest(lease, *std::move(url));
  const Attempt::Options options{client_format_,
                                 routed_.upstream_format(),
                                 routed_.wants_stream(),
                                 routed_.may_have_think_tags(),
                                 routed_.stream_type(),
                                 target_.endpoint != Endpoint::kPassthrough,
                                 routed_.PromisedMember(),
                                 routed_.translation(),
                                 routed_.model(),
                                 routed_.stream_options(),
                                 table_->max_buffered_bytes};
  ++attempts_;
  TellSource(lease.key_name);
  state_ = Trying();
  attempt_ = std::make_unique<Attempt>(server_, writer_, static_cast<Attempt::Owner&>(*this), options, std::move(lease),
                                       std::move(request));
}

UpstreamRequest Exchange::BuildRequest(const Lease& lease, std::string url) const {
  const Provider& provider = *routed_.provider();
  UpstreamRequest request;
  request.provider = provider.name;
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
  if (evidence.incomplete || evidence.transport_error != TransportError::kNone) end_ = "cut";
  if (routed_.IsChat() && attempt_->total_input_tokens() > 0)
    server_.sessions.Record(routed_.session(), attempt_->total_input_tokens());
  ReportOnly(attempt_->lease().id, evidence);
  ObserveAttempt(evidence, ExpectedOutcome(evidence));
  Finish();
}

void Exchange::OnAnswer(AttemptAnswer answer) {
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
  state_ = Reporting{server_.leases.Report(std::move(report), [this](ReportAnswer answer) {
    std::optional<LeaseAnswer> next = std::move(answer.next);
    OnReported(answer, std::move(next));
  })};
}

void Exchange::OnReported(const ReportAnswer& report, std::optional<LeaseAnswer> next) {
  ObserveAttempt(answer_.evidence, report.outcome);
  if (answer_.evidence.error_in_answer)
    answer_.head.status = report.http_status >= 400 ? report.http_status : kUnknownErrorStatus;
  kind_ = report.advice == Advice::kRotate ? AttemptSummary::Kind::kRotate : AttemptSummary::Kind::kRetry;
  const bool leased = next && next->lease;
  if (next && !leased) plan_->OnNoLease(next->failure.retry_after);
  const Lease& tried = attempt_->lease();
  const NextStep step =
      plan_->Decide({answer_.evidence, answer_.head.status, report.advice, tried.key_fingerprint, report.outcome,
                     leased, report.exhausted},
                    server_.clock.Now(), std::uniform_real_distribution<double>(0, 1)(server_.random));
  Log(LogLevel::kDebug, "attempt_judged",
      {{"id", request_.id},
       {"key", tried.key_name},
       {"outcome", report.outcome},
       {"reason", report.reason},
       {"next", ToString(step.why)}});
  if (step.keep) {
    kept_ = std::move(answer_);
    kept_key_ = tried.key_name;
  }
  switch (step.what) {
    case NextStep::Do::kTry:
      return StartAttempt(std::move(*next->lease));
    case NextStep::Do::kAcquire:
      if (step.at > server_.clock.Now()) {
        state_ = BackingOff{step.at};
        return;
      }
      return Acquire(plan_->key_faults());
    case NextStep::Do::kAnswer:
      if (leased) GiveBack(next->lease->id);
      return AnswerBest();
  }
}

void Exchange::AnswerBest() {
  const Ending end = plan_->End();
  if (end.others_may_serve && BeginNextRoute()) return;
  TellSource(kept_key_);
  const std::string& name = routed_.provider()->name;
  switch (end.kind) {
    case Ending::Kind::kRelay:
    case Ending::Kind::kRateLimited:
      return Relay(kept_, end.retry_after);
    case Ending::Kind::kNoKey:
      return Answer({429, "no key of provider '" + name + "' is available now", end.retry_after});
    case Ending::Kind::kKeysRefused:
      return Answer(KeysRefused(plan_->refusals(), name));
    case Ending::Kind::kQuotaGone:
      return Answer({503, "the quota of every key tried of provider '" + name + "' is used up", end.retry_after});
    case Ending::Kind::kNoAnswer:
      return Answer(NoUpstreamAnswer(kept_.evidence, name));
  }
}

void Exchange::Relay(const AttemptAnswer& answer, std::optional<absl::Duration> retry_after) {
  RelayAnswer(writer_, answer, retry_after, routed_.error_translation());
  Finish();
}

void Exchange::Expire() {
  CancelCall();
  end_ = "time_limit";
  if (Is<Trying>()) {
    const Evidence evidence = attempt_->CancelForDeadline(table_->api_timeout / 2);
    ReportOnly(attempt_->lease().id, evidence);
    ObserveAttempt(evidence, ExpectedOutcome(evidence));
  }
  if (writer_.started()) return Finish();
  Answer({504, "the time limit of this request (API_TIMEOUT_MS) has passed", std::nullopt});
}

void Exchange::Abandon() {
  end_ = "client_gone";
  CancelCall();
  if (!Is<Trying>()) return;
  const Evidence evidence = attempt_->CancelForClient();
  ReportOnly(attempt_->lease().id, evidence);
  ObserveAttempt(evidence, ExpectedOutcome(evidence));
}

void Exchange::CancelCall() {
  if (const auto* leasing = std::get_if<Leasing>(&state_)) server_.leases.Cancel(leasing->call);
  if (const auto* reporting = std::get_if<Reporting>(&state_)) server_.leases.Cancel(reporting->call);
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

void Exchange::GiveBack(const std::string& lease_id) {
  Evidence evidence;
  evidence.caller_fault = true;
  ReportOnly(lease_id, evidence);
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
  state_ = Done();
  done_();
}

}  // namespace ccr::proxy
