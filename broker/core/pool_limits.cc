// What refusals for a limit, and tokens that were used, do.
#include "broker/core/pool_impl.h"

namespace ccr::core {

Key::Event Pool::Impl::JudgeLimit(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence) {
  if (evidence.model_only && lease.model != kAnyModel) {
    HoldLane(lease, verdict, evidence.retry_after);
    return Key::Event::kNone;
  }
  Key& key = roster_.key(lease.key);
  return verdict.outcome == Outcome::kQuota
             ? key.OnQuota(TicketOf(lease), evidence.retry_after, verdict.reason, Now())
             : key.OnRateLimited(TicketOf(lease), evidence.retry_after, verdict.reason, Now());
}

void Pool::Impl::HoldLane(const LeaseRecord& lease, const Verdict& verdict, std::optional<absl::Duration> retry_after) {
  if (!roster_.present(lease.key) || lease.model == kAnyModel) return;
  Lane& lane = roster_.OpenLane(lease.key, lease.model);
  const bool stale = lease.sequence < lane.episode;
  if (stale && !retry_after) return;
  const uint32_t earlier = stale ? 0 : lane.refusals++;
  const absl::Duration wait = LimitRest(roster_.key(lease.key).spec(), verdict.outcome, earlier, retry_after);
  roster_.Hold(lease.key, lease.model, now_ + wait, verdict.reason, now_);
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
