// One key's life.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "broker/core/model_table.h"
#include "broker/core/pacing/backoff.h"
#include "broker/core/pacing/limit_scope.h"
#include "broker/core/pacing/pacer.h"
#include "broker/core/pacing/ramp.h"
#include "broker/core/pool_spec.h"
#include "broker/core/snapshot.h"
#include "broker/core/types.h"
#include "broker/core/usage.h"

namespace ccr::core {

// When something happens: the time, and the number of the last lease granted until then.
struct Moment {
  absl::Time time;
  uint64_t sequence = 0;
};

// What a key must know of the lease that a report is about.
struct Ticket {
  uint64_t sequence = 0;  // the lease's number; 0 = granted by an earlier run of the broker
};

// What an upstream failure may do to a key.
struct Leniency {
  bool may_disable = true;  // false: other keys fail as well
  // Where no cooldown is set.
  bool spares_first = false;                  // the first failure in a row cools nothing
  absl::Duration longest_wait = kMaxBackoff;  // until the next trial
};

// How long a refusal for a limit (rate limited, quota) lasts; `earlier` such ones came in a row before it.
// Rate limited: exactly `retry_after` (cap 24 h), else the cooldown * 2^n, cap 30 min; 1 s * 2^n, cap 1 min, where none is
// set. Quota: 1 h * 2^n, cap 24 h, or `retry_after` when that is longer.
absl::Duration LimitRest(const KeySpec& spec, Outcome outcome, uint32_t earlier,
                         std::optional<absl::Duration> retry_after);

// ACTIVE -> COOLING(until) -> ACTIVE, and -> DISABLED("failures" | "auth") -> ACTIVE by a trial lease or a probe.
//
// Laws:
// - The deadline of a cooldown or disable only grows until the key is ACTIVE again; only a probe's or trial's success,
//   GiveBack, OnAcquitted and OnAccessChanged end one early.
// - Evidence of a lease granted before the present (or last) cooldown or disable began is stale. It does not escalate:
//   no failure is counted and no deadline moves, but for a longer explicit Retry-After.
// - DISABLED("failures") admits one trial at a time once its deadline is over; DISABLED("auth") admits none, but where
//   keys are not probed, or its probe says nothing, one trial at a time as well. So whatever lease of a disabled key is not stale is a trial, and
//   its verdict counts, be the trial over time or not.
// - A refusal alone never disables: it makes the key a suspect, which may rest, until OnAuth, OnAcquitted, its probe or
//   a later success.
//
// Knows nothing of its pool. Not thread-safe; no clock.
class Key {
 public:
  // What a report or a moment has done to the key, for others to be told.
  enum class Event { kNone, kCooling, kDisabled, kRecovered };

  // An upstream failure that may have to be given back: what it began and counted.
  struct Mark {
    uint64_t begin = 0;  // the number of the cooldown or disable that the failure began; 0 = none
    bool counted = false;
    bool disabled = false;
  };

  // Also keeps account of what `others`, the limits of its pool, need.
  Key(KeySpec spec, const Limits& others);

  // Keeps state, counters and leases.
  void Configure(KeySpec spec, const Limits& others);
  // Takes over what a store remembers.
  void Restore(const KeySnapshot& saved, absl::Time now);
  void Describe(KeySnapshot* out, absl::Time now);  // all but `key` and `available`
  // The same, with what answers said of it even while it is out: for Restore.
  void DescribeUnderneath(KeySnapshot* out, absl::Time now);

  const KeySpec& spec() const { return spec_; }
  // DISABLED while it is out. What answers said of it before, and say meanwhile, holds again afterwards.
  KeyState state() const { return out() ? KeyState::kDisabled : state_; }
  std::string_view reason() const { return out() ? spec_.out_reason : reason_; }
  // Of COOLING: its end; of DISABLED: the next trial or probe, InfiniteFuture when there will be none.
  absl::Time until() const { return out() ? spec_.out_until : until_; }
  // Taken out by people, until OnTime at `until()` or TakeOut with InfinitePast.
  bool out() const { return spec_.out_until != absl::InfinitePast(); }
  uint32_t in_flight() const { return in_flight_; }
  uint64_t uses() const { return uses_; }
  bool awaits_probe() const;  // DISABLED("auth"), where keys are probed and no lease may try it
  // When a lease may try it again: the end of COOLING, the next trial of DISABLED.
  absl::Time TryAt() const { return lease_may_try_ && !out() ? absl::InfinitePast() : until(); }
  // What the next try of a DISABLED key is, and when. Where probes say nothing, each lets a lease try.
  TriedBy tried_by() const;
  absl::Time NextTry(absl::Time now) const { return lease_may_try_ ? now : until(); }
  bool auth_disabled() const;                    // DISABLED("auth")
  bool suspected() const { return suspected_; }  // its probe will tell
  absl::Time ProbeDue() const;                   // InfiniteFuture when none is due ever, or one is in flight
  bool trial_in_flight() const { return trial_in_flight_; }
  bool saturated() const {
    const uint32_t learned = pacer_ == nullptr ? 0 : pacer_->max_in_flight();
    return (spec_.max_concurrent > 0 && in_flight_ >= spec_.max_concurrent) || (learned > 0 && in_flight_ >= learned) ||
           ramp_.full();
  }
  // When one more request of so many tokens (0 = not known) is within all limits: `now` when it is.
  absl::Time RoomAt(uint64_t tokens, absl::Time now);
  // Whether one more may be tried without room, as its pacer says.
  bool MayTry(uint64_t tokens, absl::Time now) {
    if (state() != KeyState::kActive || saturated() || usage_.RoomAt(spec_.limits, EstimateOf(tokens), now) > now)
      return false;
    return RoomAt(tokens, now) <= now || pacer_->MayTry(EstimateOf(tokens), now);
  }
  // When the smallest request is.
  absl::Time OpenAt(absl::Time now);
  Limits Used(absl::Time now) { return usage_.Used(now); }
  uint64_t EstimateOf(uint64_t tokens) const { return tokens > 0 ? tokens : mean_tokens_; }
  uint64_t latest() const { return latest_; }  // the number of its last lease
  bool IsStale(const Ticket& ticket) const { return ticket.sequence < episode_; }
  // Whether refusals of leases before that one are old news: a later lease succeeded, or judgement was passed since.
  bool IsSettled(uint64_t sequence) const { return sequence < settled_; }
  void SettleBefore(uint64_t sequence) { settled_ = std::max(settled_, sequence); }
  // Whether it served within `lately`, and has not failed another request than this one since.
  bool WorksOtherwise(uint64_t request, absl::Duration lately, absl::Time now) const {
    return last_success_ + lately >= now && (doubted_by_ == 0 || doubted_by_ == request);
  }
  // It failed another request than this one since its last success.
  bool IsDoubted(uint64_t request) const { return doubted_by_ != 0 && doubted_by_ != request; }
  // It failed that request in a way that may be the request's fault.
  void OnDoubt(uint64_t request) { doubted_by_ = request; }

  // True when the lease is undecided until it begins or ends, or has no more time for that.
  bool OnGranted(bool trial, uint64_t sequence, uint64_t tokens, absl::Time now);
  void OnDecided(const Ticket& ticket) { ramp_.OnDecided(ticket.sequence); }
  // What a lease used that ended; `estimated` as of its grant.
  void OnUsed(absl::Time granted, uint64_t estimated, uint64_t used, absl::Time now);

  // What paces the key, all its models alike; nullptr while nothing is known of its limits. A pacer that learned from the
  // answers of one model alone is of `paced_model`, which is kAnyModel when it learned from several.
  Pacer* pacer() const { return pacer_.get(); }
  ModelId paced_model() const { return paced_model_; }
  Pacer& Pace(
      ModelId model);  // makes one that knows of the leases since it was idle, of a minute at least, if there is none
  std::unique_ptr<Pacer> TakePacer();
  // Whether its limits are each model's own, as what is left of them tells.
  LimitScope& limit_scope() { return limit_scope_; }
  // An answer for the model told what is left. Whether that shows whose the limits are: a pacer of one model tells it with
  // each, one of all models with one for another than the last.
  bool TellsScope(const Pacer& of, ModelId model) {
    const bool other = std::exchange(told_model_, model) != model;
    return &of != pacer_.get() || (paced_model_ == kAnyModel && other);
  }
  Pacer NewPacer() const { return {in_flight_, burst_, burst_began_}; }
  void OnReasserted() { ++in_flight_; }
  void OnEnded(bool trial);
  void OnTrialOver() { trial_in_flight_ = false; }  // it has its verdict, or no more time for one; its lease goes on

  // A good answer has begun, or is there whole: once for a lease. `first_byte` is 0 when not known.
  Event OnSuccess(const Ticket& ticket, absl::Duration first_byte, absl::Time now);
  // For the statistics alone: a good answer is complete.
  void CountSuccess(const Evidence& evidence, absl::Time now);
  // What a report does, after OnEnded.
  // failures += 1; cools cooldown * 2^(failures-1) +-10 %, cap 30 min; from max_failures on, or as a trial:
  // DISABLED, next trial after cooldown * 2^k, cap 30 min, k = times disabled in a row. Where no cooldown is set: the
  // first may only be spared, the next ones cool 1 s * 2^(failures-2), cap 1 min, and the trial comes after 10 s *
  // 2^(k-1), cap 30 min.
  Event OnFailure(const Ticket& ticket, std::string_view reason, const Moment& now, absl::BitGenRef random,
                  const Leniency& leniency = {});
  // DISABLED("failures"), where no cooldown is set.
  bool failures_disabled() const {
    return state_ == KeyState::kDisabled && reason_ == kFailuresReason && !spec_.cooldown;
  }
  // Nothing but its failures says when the next trial is due.
  bool may_be_hastened() const { return failures_disabled() && !prolonged_ && !trial_in_flight_; }
  absl::Time began() const { return began_; }  // the present or last cooldown or disable
  // A lease of another key that failures had disabled has succeeded: its trial is due now. False for a key
  // that may not be hastened, or that has failed since that lease.
  bool HastenTrial(const Ticket& ticket, absl::Time now);
  // Until then it is leased only when no other key can be: after each failure, where no cooldown is set, for 1 s *
  // 2^(failures-1), and up to two hundred times longer the more of the attempts before it failed, cap 1 min.
  absl::Time spared_until() const { return spared_until_; }
  // An answer that began well was cut: the success that its beginning was does not end the failures in a row, only one
  // of a whole answer does. OnFailure follows.
  void CountCut() { consecutive_failures_ = std::max(consecutive_failures_, consecutive_cuts_++); }
  // Another key served the request. From the third in a row on it cools 1 s * 2^n, cap 1 min.
  Event OnOverloaded(const Ticket& ticket, std::string_view reason, const Moment& now, absl::BitGenRef random);
  // Cools until `back`, what the provider says or its pacer; without it, where a cooldown is set, as LimitRest says
  // after 429s in a row before this one. `told`: the provider has said so.
  Event OnRateLimited(const Ticket& ticket, absl::Time back, bool told, std::string_view reason, const Moment& now);
  // Cools as LimitRest says, after quota failures in a row before this one. With `window` exactly `retry_after`, cap 400
  // days, and the reason is kQuotaWindow.
  Event OnQuota(const Ticket& ticket, std::optional<absl::Duration> retry_after, bool window, std::string_view reason,
                const Moment& now);
  // Refused, by whose fault is not known yet. With `rest` it cools 2 s * 2^n +-10 %, cap 5 min, n = rests since the
  // last success. After an auth failure its probe is due by then, but within kProbeGap * 2^k, cap 10 min, not again, k
  // as of OnAuth. As the trial of DISABLED("auth"): the next one is due later, as OnAuth says.
  Event OnRefused(const Ticket& ticket, bool auth, bool rest, const Moment& now, absl::BitGenRef random);
  // It was not this key's fault, as far as its request could tell: the rest ends, and its probe is due.
  Event OnAcquitted(const Mark& rest, absl::Time now);
  void ForgetSuspicion();
  // DISABLED at once; the probe is due in probe_interval * 2^n +-10 %, cap 24 h, n = refused probes and returns by a
  // probe since the last success. (Some providers list their models for everybody: a probe may succeed for nothing.)
  Event OnAuth(const Moment& now, absl::BitGenRef random);
  // For the statistics alone: an attempt that failed for the key or its provider.
  void CountFailure(absl::Time now);

  // The provider is asked in another way from now on: what it said of the key counts no more. A suspect is ACTIVE, and
  // DISABLED("auth") due at once.
  Event OnAccessChanged(absl::Time now);

  bool MayBeProbed() const { return probed() && !probe_in_flight_ && !out(); }
  void OnProbeStarted(absl::Time now);
  // Of DISABLED("auth"): its probe says nothing, so one lease may try it, whatever the time of the next probe.
  bool lease_may_try() const { return lease_may_try_; }
  void LetLeaseTry() { lease_may_try_ = probe_says_nothing_ = auth_disabled() && probed(); }
  void ForgetProbe() { probe_in_flight_ = false; }  // its answer will not come
  // Of a DISABLED key. Auth and permission: n += 1, and the next probe as OnAuth says; others: that wait again, doubled
  // with each in a row as long as it is below 10 min.
  // Of a suspect: success and auth decide, others say nothing.
  Event OnProbe(Outcome outcome, const Moment& now, absl::BitGenRef random);
  // People take it out until then, or with InfinitePast put it back.
  void TakeOut(absl::Time until, std::string_view reason);
  // As if nothing had been said of it: ACTIVE, nothing counted in a row, nothing learned. Totals stay. What was leased
  // before counts no more.
  void Reset(const Moment& now);
  // Ends a cooldown, or an absence, whose time is over.
  Event OnTime(absl::Time now);

  Mark MarkOf(Event event, bool counted) const;
  // Takes a failure back; the key is ACTIVE again when its cooldown or disable came of this failure alone.
  Event GiveBack(const Mark& mark);

 private:
  static constexpr std::string_view kFailuresReason = "failures";

  bool probed() const { return spec_.probe_interval > absl::ZeroDuration(); }
  // Nothing paces it, or its next lease is the first after a rest.
  bool needs_no_room() const { return pacer_ == nullptr || state_ != KeyState::kActive || ramp_.first(); }
  bool rests() const;  // COOLING as a suspect, for nothing else
  absl::Time ProbeTime(absl::Time now, absl::BitGenRef random) const;
  void ProbeBy(absl::Time time);
  Event OnSuspectsProbe(Outcome outcome, const Moment& now, absl::BitGenRef random);
  Event EndRest();
  Event CoolUntil(absl::Time until, std::string_view reason, const Moment& now);
  Event Disable(std::string_view reason, absl::Time until, const Moment& now);
  void Recover();
  void Spare(float failing, absl::Time now);  // `failing`: the share before the last failure
  void ForgetFailures();                      // in a row; how often it was disabled not before a whole answer has come
  void Begin(KeyState state, std::string_view reason, absl::Time until, const Moment& now);

  KeySpec spec_;
  Usage usage_;
  Ramp ramp_;
  std::unique_ptr<Pacer> pacer_;
  ModelId paced_model_ = kAnyModel;
  LimitScope limit_scope_;
  ModelId told_model_ = kAnyModel;
  uint32_t burst_ = 0;  // leases since it was idle last, for a minute at least
  absl::Time burst_began_ = absl::InfinitePast();
  uint64_t latest_ = 0;       // number of its last lease
  uint64_t mean_tokens_ = 0;  // moving average of what a request used

  KeyState state_ = KeyState::kActive;
  std::string_view reason_;                  // static storage; empty when ACTIVE
  absl::Time until_ = absl::InfinitePast();  // law: InfinitePast when ACTIVE
  absl::Time began_ = absl::InfinitePast();  // of the present or last cooldown or disable
  uint64_t episode_ = 0;                     // leases with lower numbers are stale
  uint64_t begins_ = 0;                      // cooldowns and disables so far
  bool prolonged_ = false;                   // something else than its first failure has moved until_
  bool trial_in_flight_ = false;
  bool lease_may_try_ = false;       // law: only DISABLED("auth"); until that lease is granted
  bool probe_says_nothing_ = false;  // as the last one did
  bool probe_in_flight_ = false;
  bool probe_is_old_ = false;  // the one in flight was sent before the access changed

  bool suspected_ = false;
  absl::Time probe_at_ = absl::InfiniteFuture();  // of a suspect
  absl::Time last_probe_ = absl::InfinitePast();
  uint64_t settled_ = 0;
  uint64_t doubted_by_ = 0;  // the last request that failed in doubt since a success; 0 = none
  uint32_t rests_ = 0;       // in a row

  absl::Time spared_until_ = absl::InfinitePast();
  float failing_ = 0;  // moving share of attempts that failed upstream
  uint32_t consecutive_failures_ = 0;
  uint32_t consecutive_rate_limits_ = 0;
  uint32_t consecutive_overloads_ = 0;  // of its own
  uint32_t consecutive_cuts_ = 0;
  uint32_t consecutive_quota_ = 0;
  uint32_t consecutive_disables_ = 0;
  uint32_t vain_probes_ = 0;        // refused, or followed by another auth failure
  uint32_t unanswered_probes_ = 0;  // in a row, of DISABLED("auth"): their answers said nothing of the key

  uint32_t in_flight_ = 0;
  uint64_t uses_ = 0, successes_ = 0, failures_ = 0, input_tokens_ = 0, output_tokens_ = 0;
  absl::Time last_used_ = absl::InfinitePast();
  absl::Time last_failure_ = absl::InfinitePast();
  absl::Time last_success_ = absl::InfinitePast();
  absl::Duration latency_;
};

}  // namespace ccr::core
