#include "proxy/http/attempt.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/log.h"
#include "proxy/core/body_form.h"
#include "proxy/core/error_body.h"
#include "proxy/core/evidence/evidence_builder.h"
#include "proxy/core/header_rules.h"
#include "proxy/core/mask.h"
#include "proxy/http/write_answer.h"
#include "proxy/request/own_answer.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kPing = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
constexpr std::string_view kPingComment = ": ping\n\n";
constexpr std::string_view kEventStream = "text/event-stream";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kOutOfTime = "the time limit of this request (API_TIMEOUT_MS) has passed";

bool IsEventStream(const UpstreamHead& head) {
  return absl::StartsWithIgnoreCase(ToAbsl(FindHeader(head.headers, "content-type")), ToAbsl(kEventStream));
}

// `content_type` takes the place of the provider's own, unless it is empty.
void WriteHead(ResponseWriter& writer, const UpstreamHead& head, std::optional<absl::Duration> retry_after,
               std::string_view content_type) {
  writer.BeginHead(head.status);
  for (const auto& [name, value] : head.headers) {
    if (!RelayResponseHeader(name)) continue;
    if (retry_after && absl::StartsWithIgnoreCase(name, "retry-after")) continue;
    if (!content_type.empty() && absl::EqualsIgnoreCase(name, "content-type")) continue;
    writer.Header(name, value);
  }
  if (!content_type.empty()) writer.Header("content-type", content_type);
  if (retry_after) writer.Header("retry-after", RetryAfterSeconds(*retry_after));
  if (FindHeader(head.headers, "x-request-id").empty()) WriteRequestId(writer);
}

void LogNotes(const Notes& notes) {
  for (const std::string& note : notes) Log(LogLevel::kDebug, "translated_answer", {{"note", note}});
  if (notes.more() > 0) Log(LogLevel::kDebug, "translated_answer", {{"more_notes", std::to_string(notes.more())}});
}

}  // namespace

Attempt::Attempt(Server& server, ResponseWriter& writer, Owner& owner, Options options, Lease lease,
                 UpstreamRequest request)
    : server_(server),
      writer_(writer),
      owner_(owner),
      options_(std::move(options)),
      lease_(std::move(lease)),
      started_(server.clock.Now()),
      transfer_(server.upstream.Start(std::move(request), this)) {
  charge_.Use(&server_.bodies, options_.max_buffered_bytes);
}

Attempt::~Attempt() {
  StopTransfer();
}

void Attempt::StopTransfer() {
  if (transfer_ != nullptr) server_.upstream.Cancel(std::exchange(transfer_, nullptr));
}

void Attempt::OnHead(UpstreamHead head) {
  head_ = std::move(head);
  head_at_ = server_.clock.Now();
  if (!IsSuccess())
    for (auto& header : head_.headers) Mask(lease_.credential.Reveal(), &header.second);
  event_stream_ = IsEventStream(head_);
  if (options_.known_format && Inflater::Knows(FindHeader(head_.headers, "content-encoding"))) {
    inflater_.emplace();
    head_.content_length = -1;
    std::erase_if(head_.headers,
                  [](const auto& header) { return absl::EqualsIgnoreCase(header.first, "content-encoding"); });
  }
  const bool held = IsSuccess() || (head_.status < 400 && options_.translation == nullptr);
  state_ = held ? State::kHeadHeld : State::kCollecting;
  if (IsSuccess()) BeginReading();
}

void Attempt::BeginReading() {
  opening_.reset();
  if (event_stream_ && FindHeader(head_.headers, "content-encoding").empty()) opening_.emplace();
  const bool gemini = options_.provider_format == Format::kGemini;
  scanner_.emplace(event_stream_ ? UsageScanner::Body::kEventStream : UsageScanner::Body::kJson,
                   gemini ? UsageScanner::Names::kGemini : UsageScanner::Names::kSnakeCase);
}

bool Attempt::OnData(std::string_view bytes) {
  std::string inflated;
  if (!Decompress(&bytes, &inflated)) return false;
  if (bytes.empty()) return true;
  if (state_ == State::kCollecting) return CollectError(bytes);
  std::string held;
  if (state_ == State::kHeadHeld && IsSuccess() && !form_decided_) {
    if (!DecideForm(&bytes, &held)) return true;
    form_decided_ = true;
  }
  return Take(bytes);
}

bool Attempt::Take(std::string_view bytes) {
  if (TranslatedWhole()) return Collect(bytes);
  const bool error = opening_ && opening_->Feed(bytes) == StreamOpening::Kind::kError;
  if (state_ != State::kRelaying) {
    if (error) return FailWith({opening_->error(), {}}), false;
    if (HoldsBody() && held_body_.size() + bytes.size() <= kMaxHeldBody) {
      held_body_ += bytes;
      return true;
    }
    if (IsHeldPage()) return FailWith({"", "a page of HTML or XML"}), false;
    BeginRelay();
  }
  LeaveBody();
  Relay(bytes);
  if (stream_ != nullptr && stream_->failed()) {
    StopTransfer();
    writer_.End();
    state_ = State::kDone;
    return owner_.OnRelayed(RelayedEvidence()), false;
  }
  TellProgress();
  paused_ = writer_.full();
  return !paused_;
}

// What is relayed is not tried again.
void Attempt::LeaveBody() {
  if (!body_needed_ || transfer_ == nullptr || !UpstreamClient::Uploaded(transfer_)) return;
  body_needed_ = false;
  owner_.OnBodyUnneeded();
}

void Attempt::TellProgress() {
  if (progress_told_ || !IsSuccess()) return;
  const auto kind = opening_ ? opening_->kind() : StreamOpening::Kind::kAnswer;
  if (kind == StreamOpening::Kind::kUndecided && opening_->held() <= kMaxHeldBody) return;
  opening_.reset();
  progress_told_ = true;
  if (kind == StreamOpening::Kind::kError) return;
  server_.leases.Progress(
      {lease_.id, head_.status, *first_relayed_ - started_, lease_.trial, std::exchange(evidence_.rate_limits, {})});
}

bool Attempt::HoldsBody() const {
  return WholeOrNothing() || (opening_ && opening_->kind() == StreamOpening::Kind::kUndecided);
}

bool Attempt::TranslatedWhole() const {
  if (other_form_ != nullptr) return true;
  return options_.translation != nullptr && !(IsSuccess() && event_stream_);
}

bool Attempt::Collect(std::string_view bytes) {
  const size_t size = held_body_.size() + bytes.size();
  const bool room = size > kMaxTranslatedBody || charge_.GrowTo(size);
  if (room && size <= kMaxTranslatedBody) {
    held_body_ += bytes;
    return true;
  }
  StopTransfer();
  evidence_ = ReadEvidence({});
  evidence_.caller_fault = true;
  RefuseAnswer(room ? "the provider's answer is too large to be translated"
                    : "the answers in progress take all the memory there is for bodies (Proxy.max_buffered_bytes)");
  return false;
}

bool Attempt::CollectError(std::string_view bytes) {
  held_body_ += bytes.substr(0, kMaxHeldBody - held_body_.size());
  if (held_body_.size() < kMaxHeldBody) return true;
  StopTransfer();
  UpstreamResult result;
  result.first_byte = head_at_ - started_;
  result.total = server_.clock.Now() - started_;
  return OnDone(result), false;
}

bool Attempt::WholeOrNothing() const {
  if (event_stream_) return false;
  if (document_) return true;
  const absl::string_view type = ToAbsl(FindHeader(head_.headers, "content-type"));
  const bool whole = absl::StartsWithIgnoreCase(type, ToAbsl(kJson)) || absl::StartsWithIgnoreCase(type, "text/html");
  return head_.content_length >= 0 || (whole && options_.known_format);
}

// Whether the endpoint answers with a JSON object, and what came can be read.
bool Attempt::PromisesObject() const {
  return !event_stream_ && options_.known_format && IsSuccess() &&
         FindHeader(head_.headers, "content-encoding").empty();
}

bool Attempt::IsHeldPage() const {
  return PromisesObject() && IsMarkup(held_body_);
}

// What a complete 2xx is when it is no answer.
std::optional<NoAnswer> Attempt::HeldNoAnswer() {
  if (other_form_ != nullptr && opening_) opening_->Feed(held_body_);
  if (PromisesObject()) return FindNoAnswer(held_body_, options_.promised);
  if (!opening_) return std::nullopt;
  const StreamOpening::Kind kind = opening_->Finish();
  if (kind == StreamOpening::Kind::kError) return NoAnswer{opening_->error(), {}};
  if (kind == StreamOpening::Kind::kAnswer || !options_.known_format) return std::nullopt;
  return NoAnswer{"", "a stream without events"};
}

// The answer is the error, with a head as a provider sends it with one.
void Attempt::FailWith(NoAnswer none) {
  StopTransfer();
  state_ = State::kDone;
  Mask(lease_.credential.Reveal(), &none.error);
  Evidence evidence = FromErrorInAnswer(head_.status, head_.headers, none.error, server_.clock.Now(), options_.model);
  const bool silent = none.error.empty();
  if (silent) evidence.message = "no answer: the provider sent " + none.why;
  ShortenMessage(&evidence);
  if (silent) none.error = ErrorBody(options_.provider_format, 502, evidence.message);
  BoundRetryAfter(&head_.headers, server_.clock.Now());
  evidence.first_byte = evidence.total = server_.clock.Now() - started_;
  head_.content_length = -1;
  std::erase_if(head_.headers, [](const auto& header) { return absl::EqualsIgnoreCase(header.first, "content-type"); });
  head_.headers.emplace_back("content-type", kJson);
  owner_.OnAnswer({std::move(head_), std::move(none.error), std::move(evidence)});
}

void Attempt::BeginRelay() {
  state_ = State::kRelaying;
  form_decided_ = true;
  held_body_ += std::exchange(undecided_, {});
  if (!IsSuccess()) Mask(lease_.credential.Reveal(), &held_body_);
  evidence_ = ReadEvidence(held_body_);
  first_relayed_ = quiet_since_ = server_.clock.Now();
  if (options_.translation != nullptr) {
    stream_ = options_.translation->Stream(options_.model, options_.stream_options);
    WriteHead(writer_, head_, std::nullopt, options_.stream_type);
    writer_.EndHead(ResponseWriter::kUnknownLength);
  } else {
    if (options_.think_tags && event_stream_ && IsSuccess()) {
      think_probe_.emplace();
      head_.content_length = -1;
    }
    WriteHead(writer_, head_, std::nullopt, {});
    writer_.EndHead(head_.content_length);
  }
  if (!held_body_.empty()) Relay(std::exchange(held_body_, {}));
}

void Attempt::Relay(std::string_view bytes) {
  if (scanner_) scanner_->Feed(bytes);
  std::string held;
  DecideTags(&bytes, &held);
  if (stream_ != nullptr) {
    translated_.clear();
    stream_->Feed(bytes, &translated_);
    bytes = translated_;
  }
  if (bytes.empty()) return;
  if (event_stream_) quiet_since_ = server_.clock.Now();
  writer_.Body(bytes);
  if (stream_ != nullptr) return;
  if (event_stream_) KeepEnd(bytes);
}

void Attempt::KeepEnd(std::string_view bytes) {
  constexpr size_t kMaxEventEnd = 3;  // bytes that tell an event's end
  last_bytes_ += bytes.substr(bytes.size() - std::min(bytes.size(), kMaxEventEnd));
  if (last_bytes_.size() > kMaxEventEnd) last_bytes_.erase(0, last_bytes_.size() - kMaxEventEnd);
}

// A complete good answer, at once.
void Attempt::RelayTranslated(const UpstreamResult& result) {
  Notes notes;
  const Translation& translation = other_form_ != nullptr ? *other_form_ : *options_.translation;
  const bool stream = other_form_ != nullptr && options_.wants_stream;
  const absl::StatusOr<std::string> body =
      stream ? translation.ResponseAsStream(held_body_, &notes) : translation.Response(held_body_, &notes);
  LogNotes(notes);
  if (!body.ok()) return FailWith({"", absl::StrCat("what cannot be translated: ", body.status().message())});
  scanner_->Feed(held_body_);
  evidence_ = ReadEvidence({});
  evidence_ = RelayedEvidence();
  evidence_.first_byte = result.first_byte;
  first_relayed_ = server_.clock.Now();
  WriteHead(writer_, head_, std::nullopt, stream ? options_.stream_type : kJson);
  writer_.EndHead(static_cast<int64_t>(body->size()));
  writer_.Body(*body);
  writer_.End();
  state_ = State::kDone;
  owner_.OnRelayed(evidence_);
}

// Ends the attempt with an answer of ours in place of the provider's, as an error of the provider's format.
void Attempt::RefuseAnswer(std::string_view message) {
  state_ = State::kDone;
  evidence_.total = server_.clock.Now() - started_;
  owner_.OnAnswer({{502, -1, {}}, ErrorBody(options_.provider_format, 502, message), std::move(evidence_)});
}

void Attempt::OnDone(const UpstreamResult& upstream) {
  transfer_ = nullptr;
  UpstreamResult result = upstream;
  if (result.error == TransportError::kNone && inflater_ && inflater_->broken_off()) {
    result.error = TransportError::kRead;
    result.detail = "the compressed body ended before its end";
  }
  const bool broken = result.error != TransportError::kNone;
  if (!broken && !undecided_.empty()) {
    form_decided_ = true;
    UseForm(BodyForm::kUnknown);
    Take(std::exchange(undecided_, {}));
    if (state_ == State::kDone) return;
  }
  if (!broken && state_ == State::kHeadHeld) {
    if (std::optional<NoAnswer> none = HeldNoAnswer()) return FailWith(*std::move(none));
    if (options_.think_tags && options_.translation == nullptr && BeginsWithThinkTag(held_body_))
      other_form_ = owner_.OtherForm();
    if (TranslatedWhole()) return RelayTranslated(result);
    BeginRelay();
  }
  if (broken && state_ == State::kHeadHeld) {
    head_ = UpstreamHead{};
    held_body_.clear();
  }
  const bool relayed = state_ == State::kRelaying;
  if (!relayed) Mask(lease_.credential.Reveal(), &held_body_);
  if (relayed && broken) BreakOff(kStreamBroke);
  if (relayed && !broken) EndStream(false);

  Evidence evidence = relayed ? RelayedEvidence() : ReadEvidence(held_body_);
  evidence.transport_error = result.error;
  evidence.caller_fault = result.error == TransportError::kLocal;
  evidence.detail = result.detail;
  evidence.first_byte = result.first_byte;
  evidence.total = result.total;
  state_ = State::kDone;
  if (relayed) return owner_.OnRelayed(evidence);
  owner_.OnAnswer({std::move(head_), std::move(held_body_), std::move(evidence)});
}

// And then bounds the waits in the head, which is about to go to the client.
Evidence Attempt::ReadEvidence(std::string_view error_body) {
  const absl::Time now = server_.clock.Now();
  Evidence evidence = FromResponse(head_.status, head_.headers, error_body, now, options_.model);
  ShortenMessage(&evidence);
  BoundRetryAfter(&head_.headers, now);
  return evidence;
}

// The key, too, as JSON may have escaped it: the body was searched for its plain bytes.
void Attempt::ShortenMessage(Evidence* evidence) const {
  Mask(lease_.credential.Reveal(), &evidence->message);
  Mask(lease_.credential.Reveal(), &evidence->error_code);
  evidence->message = ShortMessage(Redact(evidence->message));
}

Evidence Attempt::RelayedEvidence() {
  Evidence evidence = std::move(evidence_);
  evidence.total = server_.clock.Now() - started_;
  if (first_relayed_) evidence.first_byte = *first_relayed_ - started_;
  if (stream_ != nullptr) LogNotes(stream_->notes());
  if (!scanner_) return evidence;
  evidence.input_tokens = scanner_->input_tokens();
  evidence.output_tokens = scanner_->output_tokens();
  evidence.incomplete = scanner_->error() || writer_.aborted() || (options_.known_format && scanner_->incomplete()) ||
                        (stream_ != nullptr && stream_->failed());
  return evidence;
}

void Attempt::EndStream(bool cut) {
  EndProbe();
  if (stream_ != nullptr) {
    translated_.clear();
    stream_->Finish(cut, &translated_);
    writer_.Body(translated_);
  }
  writer_.End();
}

void Attempt::BreakOff(std::string_view message) {
  EndProbe();
  if (stream_ != nullptr) return EndStream(true);
  if (!event_stream_ || !writer_.extensible()) return writer_.Abort();
  if (!BetweenEvents()) writer_.Body("\n\n");
  writer_.Body(SseErrorEvent(options_.client_format, message));
  writer_.End();
}

void Attempt::Tick(absl::Time now) {
  const bool held_long = state_ == State::kHeadHeld && now - head_at_ >= kHeadHold;
  if (held_long && !TranslatedWhole() && !HeadIsOfOtherForm()) BeginRelay();
  if (!PingIsDue(now)) return;
  quiet_since_ = now;
  writer_.Body(options_.client_format == Format::kAnthropic ? kPing : kPingComment);
}

bool Attempt::PingIsDue(absl::Time now) const {
  // Clients of Gemini's know no comments.
  if (state_ != State::kRelaying || !event_stream_ || !options_.known_format) return false;
  if (options_.client_format == Format::kGemini) return false;
  return BetweenEvents() && scanner_ && !scanner_->ended() && !paused_ && writer_.extensible() &&
         now - quiet_since_ >= server_.ping_interval;
}

bool Attempt::BetweenEvents() const {
  return stream_ != nullptr || last_bytes_.empty() || last_bytes_.ends_with("\n\n") || last_bytes_.ends_with("\n\r\n");
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

void RelayAnswer(ResponseWriter& writer, const AttemptAnswer& answer, std::optional<absl::Duration> retry_after,
                 const Translation* translation) {
  const std::string translated =
      translation == nullptr ? std::string() : translation->Error(answer.head.status, answer.body);
  const bool same = translation == nullptr || translated == answer.body;
  const std::string_view body = same ? answer.body : translated;
  UpstreamHead head = answer.head;
  if (!same) head.status = translation->ErrorStatus(head.status, answer.body);
  WriteHead(writer, head, retry_after, same ? std::string_view() : kJson);
  writer.EndHead(static_cast<int64_t>(body.size()));
  writer.Body(body);
  writer.End();
}

}  // namespace ccr::proxy
