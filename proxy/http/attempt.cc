#include "proxy/http/attempt.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "broker/base/absl_text.h"
#include "proxy/core/error_body.h"
#include "proxy/core/evidence_builder.h"
#include "proxy/core/header_rules.h"
#include "proxy/http/own_answer.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kStreamBroke = "the provider's stream broke off";
constexpr std::string_view kOutOfTime = "the time limit of this request (API_TIMEOUT_MS) has passed";

bool IsEventStream(const UpstreamHead& head) {
  return absl::StartsWithIgnoreCase(ToAbsl(FindHeader(head.headers, "content-type")), "text/event-stream");
}

void WriteHead(ResponseWriter& writer, const UpstreamHead& head, std::optional<absl::Duration> retry_after) {
  writer.BeginHead(head.status);
  for (const auto& [name, value] : head.headers) {
    if (!RelayResponseHeader(name)) continue;
    if (retry_after && absl::StartsWithIgnoreCase(name, "retry-after")) continue;
    writer.Header(name, value);
  }
  if (retry_after) writer.Header("retry-after", RetryAfterSeconds(*retry_after));
}

}  // namespace

Attempt::Attempt(Server& server, ResponseWriter& writer, Owner& owner, Options options, Lease lease,
                 UpstreamRequest request)
    : server_(server),
      writer_(writer),
      owner_(owner),
      options_(options),
      lease_(std::move(lease)),
      started_(server.clock.Now()),
      transfer_(server.upstream.Start(std::move(request), this)) {}

Attempt::~Attempt() {
  StopTransfer();
}

void Attempt::StopTransfer() {
  if (transfer_ != nullptr) server_.upstream.Cancel(std::exchange(transfer_, nullptr));
}

void Attempt::OnHead(UpstreamHead head) {
  head_ = std::move(head);
  head_at_ = server_.clock.Now();
  event_stream_ = IsEventStream(head_);
  state_ = head_.status < 400 ? State::kHeadHeld : State::kCollecting;
  if (IsSuccess()) scanner_.emplace(event_stream_ ? UsageScanner::Body::kEventStream : UsageScanner::Body::kJson);
}

bool Attempt::OnData(std::string_view bytes) {
  const bool hold = state_ == State::kCollecting || (state_ == State::kHeadHeld && WholeOrNothing());
  if (hold && held_body_.size() + bytes.size() <= kMaxHeldBody) {
    held_body_ += bytes;
    return true;
  }
  if (state_ != State::kRelaying) BeginRelay();
  Relay(bytes);
  paused_ = writer_.full();
  return !paused_;
}

bool Attempt::WholeOrNothing() const {
  if (event_stream_) return false;
  const bool json = absl::StartsWithIgnoreCase(ToAbsl(FindHeader(head_.headers, "content-type")), "application/json");
  return head_.content_length >= 0 || (json && options_.known_stream_end);
}

void Attempt::BeginRelay() {
  state_ = State::kRelaying;
  evidence_ = FromResponse(head_.status, head_.headers, held_body_, server_.clock.Now());
  first_relayed_ = server_.clock.Now();
  WriteHead(writer_, head_, std::nullopt);
  writer_.EndHead(head_.content_length);
  if (!held_body_.empty()) Relay(std::exchange(held_body_, {}));
}

void Attempt::Relay(std::string_view bytes) {
  if (scanner_) scanner_->Feed(bytes);
  writer_.Body(bytes);
  if (!event_stream_) return;
  last_bytes_ += bytes.substr(bytes.size() - std::min<size_t>(bytes.size(), 2));
  if (last_bytes_.size() > 2) last_bytes_.erase(0, last_bytes_.size() - 2);
}

void Attempt::OnDone(const UpstreamResult& result) {
  transfer_ = nullptr;
  const bool broken = result.error != TransportError::kNone;
  if (!broken && state_ == State::kHeadHeld) BeginRelay();
  if (broken && state_ == State::kHeadHeld) {
    head_ = UpstreamHead{};
    held_body_.clear();
  }
  const bool relayed = state_ == State::kRelaying;
  if (relayed && broken) BreakOff(kStreamBroke);
  if (relayed && !broken) writer_.End();

  Evidence evidence =
      relayed ? RelayedEvidence() : FromResponse(head_.status, head_.headers, held_body_, server_.clock.Now());
  evidence.transport_error = result.error;
  evidence.first_byte = result.first_byte;
  evidence.total = result.total;
  state_ = State::kDone;
  if (relayed) return owner_.OnRelayed(evidence);
  owner_.OnAnswer({std::move(head_), std::move(held_body_), std::move(evidence)});
}

Evidence Attempt::RelayedEvidence() {
  Evidence evidence = std::move(evidence_);
  evidence.total = server_.clock.Now() - started_;
  if (first_relayed_) evidence.first_byte = *first_relayed_ - started_;
  if (!scanner_) return evidence;
  evidence.input_tokens = scanner_->input_tokens();
  evidence.output_tokens = scanner_->output_tokens();
  evidence.incomplete = scanner_->error() || writer_.aborted() || (options_.known_stream_end && scanner_->incomplete());
  return evidence;
}

void Attempt::BreakOff(std::string_view message) {
  if (!event_stream_ || !writer_.extensible()) return writer_.Abort();
  if (!last_bytes_.empty() && last_bytes_ != "\n\n") writer_.Body("\n\n");
  writer_.Body(SseErrorEvent(options_.client_format, message));
  writer_.End();
}

void Attempt::Tick(absl::Time now) {
  if (state_ == State::kHeadHeld && now - head_at_ >= kHeadHold) BeginRelay();
}

void Attempt::Resume() {
  if (paused_ && transfer_ != nullptr) {
    paused_ = false;
    server_.upstream.Resume(transfer_);
  }
}

Evidence Attempt::CancelForClient() {
  StopTransfer();
  Evidence evidence = RelayedEvidence();
  evidence.incomplete = false;
  evidence.client_cancelled = true;
  state_ = State::kDone;
  return evidence;
}

Evidence Attempt::CancelForDeadline(absl::Duration fair_wait) {
  StopTransfer();
  const bool relaying = state_ == State::kRelaying;
  if (relaying) BreakOff(kOutOfTime);
  Evidence evidence = RelayedEvidence();
  evidence.incomplete = false;
  const bool silent = !relaying && evidence.total >= fair_wait;
  evidence.caller_fault = !silent;
  if (silent) evidence.transport_error = TransportError::kFirstByteTimeout;
  state_ = State::kDone;
  return evidence;
}

void RelayAnswer(ResponseWriter& writer, const AttemptAnswer& answer, std::optional<absl::Duration> retry_after) {
  WriteHead(writer, answer.head, retry_after);
  writer.EndHead(static_cast<int64_t>(answer.body.size()));
  writer.Body(answer.body);
  writer.End();
}

}  // namespace ccr::proxy
