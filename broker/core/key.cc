#include "broker/core/key.h"

#include <algorithm>
#include <utility>

#include "broker/core/pacing/backoff.h"
#include "broker/core/verdict/outcome.h"

namespace ccr::core {
namespace {

constexpr std::string_view kAuthReason = "auth";
// A busy provider turns away one request or another; three in a row that other keys serve are the key's own.
constexpr uint32_t kOverloadsOfItsOwn = 3;
constexpr float kFailingOver = 16;     // attempts that the share of failed ones is of
constexpr double kSparedLonger = 200;  // a key whose attempts all failed is spared so many times longer

// EWMA: a + (x - a) / 8; the first sample is taken as it is (the smoothing of RFC 6298).
absl::Duration Smoothed(absl::Duration average, absl::Duration sample) {
  const int64_t old = absl::ToInt64Nanoseconds(average);
  return old == 0 ? sample : absl::Nanoseconds(old + (absl::ToInt64Nanoseconds(sample) - old) / 8);
}

// No deadline that was set in the past lies further away, unless by a clock that was ahead. A disable for failures may
// have been prolonged by a provider's word.
absl::Duration LongestWait(const KeySnapshot& saved) {
  if (saved.state == KeyState::kDisabled) return std::max(kMaxProbeBackoff, kMaxRetryAfter);
  if (saved.reason == kQuotaWindow) return kMaxQuotaWindow;
  return MeansLimit(saved.reason) ? kMaxRetryAfter : kMaxBackoff;
}

}  // namespace

absl::Duration LimitRest(const KeySpec& spec, Outcome outcome, uint32_t earlier,
                         std::optional<absl::Duration> retry_after) {
  if (outcome == Outcome::kQuota) {
    return std::max(Exponential(kQuotaBackoff, earlier, kMaxRetryAfter),
                    Clamped(retry_after.value_or(absl::ZeroDuration()), kMaxRetryAfter));
  }
  if (retry_after) return Clamped(*retry_after, kMaxRetryAfter);
  return spec.cooldown ? Exponential(*spec.cooldown, earlier, kMaxBackoff)
                       : Exponential(kFailureBackoff, earlier, kMaxFailureBackoff);
}

Key::Key(KeySpec spec, const Limits& others) {
  Configure(std::move(spec), others);
}

void Key::Configure(KeySpec spec, const Limits& others) {
  spec_ = std::move(spec);
  spec_.max_failures = std::max<uint32_t>(1, spec_.max_failures);
  usage_.Keep(spec_.limits, others);
}

void Key::Restore(const KeySnapshot& saved, absl::Time now) {
  consecutive_failures_ = saved.consecutive_failures;
  uses_ = saved.uses;
  successes_ = saved.successes;
  failures_ = saved.failures;
  input_tokens_ = saved.input_tokens;
  output_tokens_ = saved.output_tokens;
  last_used_ = std::min(saved.last_used, now);
  last_failure_ = std::min(saved.last_failure, now);
  last_success_ = std::min(saved.last_success, now);
  latency_ = saved.latency;
  usage_.Restore(saved.used, last_used_);
  if (saved.learned.rate > 0 || saved.learned.max_in_flight > 0) {
    Pace(kAnyModel).Restore(saved.learned, now);
  }
  const bool over = saved.state == KeyState::kCooling && saved.available_at <= now;
  if (saved.state == KeyState::kActive || over) return;
  const bool auth = saved.state == KeyState::kDisabled && saved.reason == kAuthReason;
  if (saved.state == KeyState::kDisabled && !auth) consecutive_disables_ = 1;
  const absl::Time until = std::min(saved.available_at, now + LongestWait(saved));
  Begin(saved.state, StaticReason(saved.reason), until, {now, 0});
}

void Key::Describe(KeySnapshot* out, absl::Time now) {
  DescribeUnderneath(out, now);
  if (!this->out()) return;
  out->state = state();
  out->reason = reason();
  out->available_at = until();
  out->tried_by = TriedBy::kNobody;
  out->next_try = until();
}

void Key::DescribeUnderneath(KeySnapshot* out, absl::Time now) {
  out->state = state_;
  out->reason = reason_;
  out->available_at = until_;
  out->tried_by = tried_by();
  if (out->tried_by != TriedBy::kNobody) out->next_try = NextTry(now);
  out->consecutive_failures = consecutive_failures_;
  out->in_flight = in_flight_;
  out->used = Used(now);
  if (pacer_ != nullptr) {
    out->learned = pacer_->learned();
    out->room = pacer_->RoomNow(now);
  }
  out->uses = uses_;
  out->successes = successes_;
  out->failures = failures_;
  out->input_tokens = input_tokens_;
  out->output_tokens = output_tokens_;
  out->last_used = last_used_;
  out->last_failure = last_failure_;
  out->last_success = last_success_;
  out->latency = latency_;
}

bool Key::auth_disabled() const {
  return state_ == KeyState::kDisabled && reason_ == kAuthReason;
}

bool Key::awaits_probe() const {
  return !out() && auth_disabled() && probed() && !lease_may_try_;
}

TriedBy Key::tried_by() const {
  if (state_ != KeyState::kDisabled) return TriedBy::kNobody;
  return auth_disabled() && probed() && !probe_says_nothing_ ? TriedBy::kProbe : TriedBy::kRequest;
}

bool Key::rests() const {
  return state_ == KeyState::kCooling && (reason_ == kAuthSuspected || reason_ == kPermissionSuspected);
}

absl::Time Key::ProbeDue() const {
  if (probe_in_flight_ || !probed() || out()) return absl::InfiniteFuture();
  return auth_disabled() ? until_ : probe_at_;
}

absl::Time Key::RoomAt(uint64_t tokens, absl::Time now) {
  const absl::Time room = usage_.RoomAt(spec_.limits, EstimateOf(tokens), now);
  return needs_no_room() ? room : std::max(room, pacer_->RoomAt(EstimateOf(tokens), now));
}

absl::Time Key::OpenAt(absl::Time now) {
  const absl::Time room = usage_.RoomAt(spec_.limits, 1, now);
  return needs_no_room() ? room : std::max(room, pacer_->RoomAt(1, now));
}

Pacer& Key::Pace(ModelId model) {
  if (pacer_ == nullptr) {
    pacer_ = std::make_unique<Pacer>(NewPacer());
    paced_model_ = model;
  }
  return *pacer_;
}

std::unique_ptr<Pacer> Key::TakePacer() {
  paced_model_ = kAnyModel;
  return std::move(pacer_);
}

bool Key::OnGranted(bool trial, uint64_t sequence, uint64_t tokens, absl::Time now) {
  if (in_flight_ == 0 && now - burst_began_ >= absl::Minutes(1)) {
    burst_ = 0;
    burst_began_ = now;
  }
  ++burst_;
  ++in_flight_;
  if (pacer_ != nullptr) pacer_->OnGranted(sequence, tokens, now);
  ++uses_;
  last_used_ = now;
  latest_ = sequence;
  usage_.Add(now, 1, tokens);
  if (trial) {
    trial_in_flight_ = true;
    lease_may_try_ = false;
  }
  return ramp_.OnGranted();
}

void Key::OnUsed(absl::Time granted, uint64_t estimated, uint64_t used, absl::Time now) {
  // What is restored counts from last_used_ on: nothing may count from a later time.
  if (usage_.Settle(granted, estimated, used, now)) last_used_ = std::max(last_used_, now);
  if (used > 0) mean_tokens_ = mean_tokens_ == 0 ? used : mean_tokens_ - mean_tokens_ / 8 + used / 8;
}

void Key::OnEnded(bool trial) {
  --in_flight_;
  if (trial) trial_in_flight_ = false;
}

void Key::CountSuccess(const Evidence& evidence, absl::Time now) {
  ++successes_;
  consecutive_cuts_ = 0;
  last_success_ = now;
  input_tokens_ += evidence.input_tokens;
  output_tokens_ += evidence.output_tokens;
}

Key::Event Key::OnSuccess(const Ticket& ticket, absl::Duration first_byte, absl::Time now) {
  last_success_ = now;
  failing_ -= failing_ / kFailingOver;
  doubted_by_ = 0;
  vain_probes_ = 0;
  if (first_byte > absl::ZeroDuration()) latency_ = Smoothed(latency_, first_byte);
  SettleBefore(ticket.sequence);
  ramp_.OnSuccess(ticket.sequence);
  if (state_ == KeyState::kDisabled) {
    if (IsStale(ticket)) return Event::kNone;
    Recover();
    ramp_.Start(latest_, 2);
    return Event::kRecovered;
  }
  if (!IsStale(ticket)) ForgetSuspicion();
  ForgetFailures();
  return Event::kNone;
}

Key::Event Key::OnFailure(const Ticket& ticket, std::string_view reason, const Moment& now, absl::BitGenRef random,
                          const Leniency& leniency) {
  if (IsStale(ticket) || (auth_disabled() && probed())) return Event::kNone;
  ++consecutive_failures_;
  const float failed_before = failing_;
  failing_ += (1 - failing_) / kFailingOver;
  if (state_ == KeyState::kDisabled || (leniency.may_disable && consecutive_failures_ >= spec_.max_failures)) {
    const uint32_t earlier = consecutive_disables_++;
    const absl::Duration wait = spec_.cooldown
                                    ? Exponential(*spec_.cooldown, earlier + 1, kMaxBackoff)
                                    : std::min(leniency.longest_wait, Exponential(kTrialBackoff, earlier, kMaxBackoff));
    return Disable(kFailuresReason, now.time + wait, now);
  }
  Spare(failed_before, now.time);
  if (leniency.spares_first && !spec_.cooldown && consecutive_failures_ == 1) {
    episode_ = now.sequence + 1;
    return Event::kNone;
  }
  const absl::Duration cap = spec_.cooldown ? kMaxBackoff : kMaxFailureBackoff;
  const uint32_t earlier = consecutive_failures_ - (leniency.spares_first && !spec_.cooldown ? 2 : 1);
  const absl::Duration wait = Exponential(spec_.cooldown.value_or(kFailureBackoff), earlier, cap);
  return CoolUntil(now.time + Jittered(wait, cap, random), reason, now);
}

bool Key::HastenTrial(const Ticket& ticket, absl::Time now) {
  if (!may_be_hastened() || IsStale(ticket)) return false;
  until_ = std::min(until_, now);
  return true;
}

void Key::Spare(float failing, absl::Time now) {
  if (spec_.cooldown) return;
  const absl::Duration wait = Exponential(kFailureBackoff, consecutive_failures_ - 1, kMaxFailureBackoff);
  spared_until_ = now + std::min(kMaxFailureBackoff, wait * (1 + kSparedLonger * failing));
}

Key::Event Key::OnOverloaded(const Ticket& ticket, std::string_view reason, const Moment& now, absl::BitGenRef random) {
  if (IsStale(ticket) || ++consecutive_overloads_ < kOverloadsOfItsOwn) return Event::kNone;
  const absl::Duration wait =
      Exponential(kFailureBackoff, consecutive_overloads_ - kOverloadsOfItsOwn, kMaxFailureBackoff);
  return CoolUntil(now.time + Jittered(wait, kMaxFailureBackoff, random), reason, now);
}

Key::Event Key::OnRateLimited(const Ticket& ticket, absl::Time back, bool told, std::string_view reason,
                              const Moment& now) {
  const bool stale = IsStale(ticket);
  if (stale && !told) return Event::kNone;
  const uint32_t earlier = consecutive_rate_limits_;
  if (!stale) ++consecutive_rate_limits_;
  if (!told && spec_.cooldown) back = now.time + LimitRest(spec_, Outcome::kRateLimited, earlier, std::nullopt);
  if (told && back <= now.time && !stale) ramp_.Start(latest_);
  return CoolUntil(std::min(back, now.time + kMaxRetryAfter), reason, now);
}

Key::Event Key::OnQuota(const Ticket& ticket, std::optional<absl::Duration> retry_after, bool window,
                        std::string_view reason, const Moment& now) {
  if (window && retry_after) return CoolUntil(now.time + Clamped(*retry_after, kMaxQuotaWindow), kQuotaWindow, now);
  const bool stale = IsStale(ticket);
  const absl::Duration wait = stale ? Clamped(retry_after.value_or(absl::ZeroDuration()), kMaxRetryAfter)
                                    : LimitRest(spec_, Outcome::kQuota, consecutive_quota_++, retry_after);
  return CoolUntil(now.time + wait, reason, now);
}

Key::Event Key::OnRefused(const Ticket& ticket, bool auth, bool rest, const Moment& now, absl::BitGenRef random) {
  if (auth && auth_disabled()) {
    if (IsStale(ticket)) return Event::kNone;
    ++vain_probes_;
    until_ = std::max(until_, ProbeTime(now.time, random));
    return Event::kDisabled;
  }
  const absl::Duration wait = Jittered(Exponential(kSuspectRest, rests_, kMaxSuspectRest), kMaxSuspectRest, random);
  if (auth) {
    suspected_ = true;
    ProbeBy(now.time + wait);
  }
  if (!rest || IsStale(ticket)) return Event::kNone;
  ++rests_;
  return CoolUntil(now.time + wait, auth ? kAuthSuspected : kPermissionSuspected, now);
}

Key::Event Key::OnAcquitted(const Mark& rest, absl::Time now) {
  if (suspected_) ProbeBy(now);
  const Event event = GiveBack(rest);
  if (event == Event::kRecovered && rests_ > 0) --rests_;
  return event;
}

void Key::ForgetSuspicion() {
  suspected_ = false;
  probe_at_ = absl::InfiniteFuture();
  rests_ = 0;
}

Key::Event Key::OnAuth(const Moment& now, absl::BitGenRef random) {
  if (auth_disabled()) return Event::kNone;
  ForgetSuspicion();
  unanswered_probes_ = 0;
  return Disable(kAuthReason, ProbeTime(now.time, random), now);
}

absl::Time Key::ProbeTime(absl::Time now, absl::BitGenRef random) const {
  const absl::Duration wait =
      Exponential(probed() ? spec_.probe_interval : kUnprobedBackoff, vain_probes_, kMaxProbeBackoff);
  const absl::Duration longer = std::max(wait, Exponential(wait, unanswered_probes_, kMaxProbeGap));
  return now + Jittered(longer, kMaxProbeBackoff, random);
}

void Key::ProbeBy(absl::Time time) {
  const absl::Duration gap = Exponential(kProbeGap, vain_probes_, kMaxProbeGap);
  probe_at_ = std::min(probe_at_, std::max(time, last_probe_ + gap));
}

void Key::OnProbeStarted(absl::Time now) {
  probe_in_flight_ = true;
  probe_at_ = absl::InfiniteFuture();
  last_probe_ = now;
}

Key::Event Key::OnAccessChanged(absl::Time now) {
  probe_is_old_ = probe_in_flight_;
  probe_says_nothing_ = false;
  vain_probes_ = unanswered_probes_ = 0;
  ForgetSuspicion();
  last_probe_ = absl::InfinitePast();
  if (!auth_disabled()) return EndRest();
  until_ = now;
  return Event::kDisabled;
}

Key::Event Key::EndRest() {
  if (!rests()) return Event::kNone;
  state_ = KeyState::kActive;
  reason_ = {};
  until_ = absl::InfinitePast();
  return Event::kRecovered;
}

void Key::CountFailure(absl::Time now) {
  ++failures_;
  last_failure_ = now;
}

Key::Event Key::OnProbe(Outcome outcome, const Moment& now, absl::BitGenRef random) {
  probe_in_flight_ = probe_says_nothing_ = false;
  if (std::exchange(probe_is_old_, false) && outcome != Outcome::kSuccess) return Event::kNone;
  if (suspected_) return OnSuspectsProbe(outcome, now, random);
  if (state_ != KeyState::kDisabled) return Event::kNone;
  if (outcome == Outcome::kSuccess) {
    ++vain_probes_;  // until a success shows that it was not
    Recover();
    ramp_.Start(latest_);
    return Event::kRecovered;
  }
  if (outcome == Outcome::kAuth && !auth_disabled()) return OnAuth(now, random);
  if (!auth_disabled() || !probed()) return Event::kNone;
  if (outcome == Outcome::kAuth || outcome == Outcome::kPermission) {
    ++vain_probes_;
    unanswered_probes_ = 0;
  } else {
    ++unanswered_probes_;
  }
  until_ = std::max(until_, ProbeTime(now.time, random));
  return Event::kDisabled;
}

Key::Event Key::OnSuspectsProbe(Outcome outcome, const Moment& now, absl::BitGenRef random) {
  if (outcome == Outcome::kAuth) {
    SettleBefore(now.sequence + 1);
    return OnAuth(now, random);
  }
  suspected_ = false;
  probe_at_ = absl::InfiniteFuture();
  if (outcome != Outcome::kSuccess) return Event::kNone;
  ++vain_probes_;
  return EndRest();
}

void Key::TakeOut(absl::Time until, std::string_view reason) {
  spec_.out_until = until;
  spec_.out_reason = until == absl::InfinitePast() ? std::string_view() : reason;
}

void Key::Reset(const Moment& now) {
  Recover();
  consecutive_disables_ = consecutive_cuts_ = 0;
  failing_ = 0;
  spared_until_ = absl::InfinitePast();
  vain_probes_ = 0;
  doubted_by_ = 0;
  pacer_.reset();
  paced_model_ = kAnyModel;
  limit_scope_ = LimitScope();
  ramp_ = Ramp();
  episode_ = now.sequence + 1;
  settled_ = std::max(settled_, now.sequence + 1);
}

Key::Event Key::OnTime(absl::Time now) {
  if (out()) {
    if (spec_.out_until > now) return Event::kNone;
    TakeOut(absl::InfinitePast(), {});
    if (state_ == KeyState::kActive) return Event::kRecovered;
    if (state_ == KeyState::kDisabled) return Event::kDisabled;
    if (until_ > now) return Event::kCooling;
  }
  if (state_ != KeyState::kCooling || until_ > now) return Event::kNone;
  const bool paced = pacer_ != nullptr && MeansLimit(reason_) && until_ - began_ <= kPacedRest;
  state_ = KeyState::kActive;
  reason_ = {};
  until_ = absl::InfinitePast();
  if (!paced) ramp_.Start(latest_);
  return Event::kRecovered;
}

Key::Mark Key::MarkOf(Event event, bool counted) const {
  const bool began = event == Event::kCooling || event == Event::kDisabled;
  return {began ? begins_ : 0, counted, event == Event::kDisabled};
}

Key::Event Key::GiveBack(const Mark& mark) {
  if (mark.counted && consecutive_failures_ > 0) --consecutive_failures_;
  if (mark.counted) {
    failing_ = std::max(0.0F, (kFailingOver * failing_ - 1) / (kFailingOver - 1));
    spared_until_ = absl::InfinitePast();
  }
  if (mark.disabled && consecutive_disables_ > 0) --consecutive_disables_;
  const bool alone = mark.begin != 0 && mark.begin == begins_ && !prolonged_ && state_ != KeyState::kActive;
  if (!alone) return Event::kNone;
  state_ = KeyState::kActive;
  reason_ = {};
  until_ = absl::InfinitePast();
  return Event::kRecovered;
}

Key::Event Key::CoolUntil(absl::Time until, std::string_view reason, const Moment& now) {
  if ((auth_disabled() && probed()) || until <= std::max(until_, now.time)) return Event::kNone;
  if (state_ == KeyState::kActive) {
    Begin(KeyState::kCooling, reason, until, now);
    return Event::kCooling;
  }
  until_ = until;
  prolonged_ = true;
  if (state_ == KeyState::kDisabled) return Event::kDisabled;
  reason_ = reason;
  return Event::kCooling;
}

Key::Event Key::Disable(std::string_view reason, absl::Time until, const Moment& now) {
  Begin(KeyState::kDisabled, reason, std::max(until_, until), now);
  return Event::kDisabled;
}

void Key::Recover() {
  lease_may_try_ = false;
  state_ = KeyState::kActive;
  reason_ = {};
  until_ = absl::InfinitePast();
  ForgetFailures();
  ForgetSuspicion();
}

void Key::ForgetFailures() {
  consecutive_failures_ = consecutive_rate_limits_ = consecutive_quota_ = consecutive_overloads_ = 0;
  if (consecutive_cuts_ == 0) consecutive_disables_ = 0;
}

void Key::Begin(KeyState state, std::string_view reason, absl::Time until, const Moment& now) {
  lease_may_try_ = false;
  state_ = state;
  reason_ = reason;
  until_ = until;
  episode_ = now.sequence + 1;
  began_ = now.time;
  ++begins_;
  prolonged_ = false;
}

}  // namespace ccr::core
