// What answers tell of limits, and what refusals for one and tokens that were used do.
#include <algorithm>

#include "broker/core/pacing/backoff.h"
#include "broker/core/pool_impl.h"

namespace ccr::core {
namespace {

// Whether the provider itself says when the key is back.
bool TellsReturn(const Evidence& evidence) {
  return evidence.retry_after.has_value() ||
         std::any_of(evidence.rate_limits.begin(), evidence.rate_limits.end(),
                     [](const RateLimit& limit) { return limit.remaining == 0 && limit.reset.has_value(); });
}

}  // namespace

bool Pool::Impl::IsOfModel(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence) const {
  if (lease.model == kAnyModel || evidence.model_only) return lease.model != kAnyModel;
  const bool others = roster_.models() > 1;
  return others && verdict.outcome == Outcome::kRateLimited && limit_scope_.is_model(TellsReturn(evidence));
}

bool Pool::Impl::AnotherModelRests(const LeaseRecord& lease) {
  if (!roster_.lanes().HasSome(lease.key)) return false;
  for (ModelId model = kAnyModel + 1; model <= roster_.models(); ++model) {
    if (model == lease.model) continue;
    const Lane* const lane = roster_.FindLane(lease.key, model);
    if (lane != nullptr && lane->IsHeld(now_) && MeansLimit(lane->reason) && lease.sequence >= lane->episode)
      return true;
  }
  return false;
}

Key::Event Pool::Impl::JudgeLimit(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence) {
  const bool of_model = IsOfModel(lease, verdict, evidence);
  if (verdict.outcome == Outcome::kRateLimited && lease.model != kAnyModel && AnotherModelRests(lease)) {
    limit_scope_.OnOtherRefused();
  }
  if (verdict.outcome == Outcome::kRateLimited && !evidence.model_only && !TellsReturn(evidence)) {
    limit_scope_.OnTaken(of_model);
  }
  if (of_model) {
    HoldLane(lease, verdict, evidence);
    return Key::Event::kNone;
  }
  Key& key = roster_.key(lease.key);
  if (verdict.outcome == Outcome::kQuota) {
    return key.OnQuota(TicketOf(lease), evidence.retry_after, evidence.quota_window, verdict.reason, Now());
  }
  return key.OnRateLimited(TicketOf(lease), back_at_, TellsReturn(evidence), verdict.reason, Now());
}

void Pool::Impl::HoldLane(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence) {
  if (!roster_.present(lease.key) || lease.model == kAnyModel) return;
  Lane& lane = roster_.OpenLane(lease.key, lease.model);
  const bool stale = lease.sequence < lane.episode;
  const bool told = TellsReturn(evidence);
  if (stale && !told) return;
  const uint32_t earlier = stale ? 0 : lane.refusals++;
  const KeySpec& spec = roster_.key(lease.key).spec();
  const bool paced = verdict.outcome == Outcome::kRateLimited && (told || !spec.cooldown);
  const bool window = evidence.quota_window && evidence.retry_after;
  absl::Time until = now_ + LimitRest(spec, verdict.outcome, earlier, evidence.retry_after);
  if (paced) until = std::min(back_at_, now_ + kMaxRetryAfter);
  if (window) until = now_ + Clamped(*evidence.retry_after, kMaxQuotaWindow);
  if (until <= now_ && !stale) lane.ramp.Start(sequence_);
  roster_.Hold(lease.key, lease.model, until, window ? kQuotaWindow : verdict.reason, now_);
  roster_.SettleLane(lease.key, lease.model, now_);
}

void Pool::Impl::PaceBegun(const LeaseRecord& lease, const RateLimits& limits) {
  if (lease.sequence == 0 || (limits.empty() && !roster_.IsPaced(lease.key))) return;
  Pacer* const learns = limits.empty() ? nullptr : &roster_.PacerOf(lease.key, lease.model, now_);
  ForEachPacer(lease,
               [&](Pacer& pacer) { pacer.OnBegun(lease.sequence, &pacer == learns ? limits : RateLimits(), now_); });
  if (learns == nullptr) return;
  Key& key = roster_.key(lease.key);
  if (lease.model == kAnyModel || !key.TellsScope(*learns, lease.model)) return;
  if (learns->scope() > 0) key.limit_scope().OnOtherServed();
  if (learns->scope() < 0) key.limit_scope().OnOtherRefused();
}

void Pool::Impl::PaceEnded(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence) {
  if (lease.sequence == 0) return;
  if (verdict.outcome == Outcome::kSuccess) {
    if (!lease.progressed) PaceBegun(lease, evidence.rate_limits);
    if (!roster_.IsPaced(lease.key)) return;
    const uint64_t used = evidence.input_tokens + evidence.output_tokens;
    ForEachPacer(lease, [&](Pacer& pacer) { pacer.OnEnded(lease.sequence, used, now_); });
    return;
  }
  Key& key = roster_.key(lease.key);
  const bool by_cooldown = key.spec().cooldown.has_value() && !TellsReturn(evidence);
  if (verdict.outcome != Outcome::kRateLimited || by_cooldown) return PaceUnknown(lease);
  const bool of_model = IsOfModel(lease, verdict, evidence);
  Pacer* const learns = of_model                       ? &roster_.ModelPacer(lease.key, lease.model, now_)
                        : evidence.rate_limits.empty() ? &key.Pace(lease.model)
                                                       : &roster_.PacerOf(lease.key, lease.model, now_);
  std::optional<absl::Duration> told = evidence.retry_after;
  if (told) told = Clamped(*told, kMaxRetryAfter);
  back_at_ = learns->OnRefused(lease.sequence, told, evidence.rate_limits, now_);
  ForEachPacer(lease, [&](Pacer& pacer) {
    if (&pacer != learns) pacer.OnUnknown(lease.sequence, now_);
  });
}

void Pool::Impl::PaceUnknown(const LeaseRecord& lease) {
  if (lease.sequence == 0) return;
  ForEachPacer(lease, [&](Pacer& pacer) { pacer.OnUnknown(lease.sequence, now_); });
}

// Tokens of an attempt that was refused or failed cost nothing; of one that tells none, what was estimated.
void Pool::Impl::SettleTokens(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence) {
  if (lease.sequence == 0) return;
  const uint64_t told = evidence.input_tokens + evidence.output_tokens;
  const bool served = lease.progressed || evidence.incomplete || verdict.outcome == Outcome::kSuccess ||
                      verdict.outcome == Outcome::kNeutral;
  const uint64_t used = told > 0 ? told : served ? lease.tokens : 0;
  roster_.key(lease.key).OnUsed(lease.granted, lease.tokens, used, now_);
  usage_.Settle(lease.granted, lease.tokens, used, now_);
  CountUse(now_, 0, 0);
}

}  // namespace ccr::core
