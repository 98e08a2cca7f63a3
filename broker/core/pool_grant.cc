// Who gets a key: leases, waiters, refusals.
#include <algorithm>
#include <utility>

#include "broker/core/pool_impl.h"

namespace ccr::core {
namespace {

// So many requests that a new session sends at once stay together, whatever the share of their key: it has one prompt,
// which is in no cache yet.
constexpr uint32_t kFirstRequests = 4;

Affinity AffinityOf(SessionHash session, KeyIndex last, const Roster::Choice& choice) {
  if (session == kNoSession) return Affinity::kNotAsked;
  if (last == kNoKey) return Affinity::kNone;
  if (choice.by == Roster::By::kSession) return Affinity::kHit;
  return choice.over_share ? Affinity::kOverShare : Affinity::kMoved;
}

}  // namespace

LeaseResult Pool::Impl::Lease(const LeaseArgs& args, absl::Time now, absl::BitGenRef random) {
  Advance(now);
  const uint64_t inquiry = inquiries_.Of(args.retry_of);
  const LeaseResult result = LeaseNow(RequestOf(args, inquiry), random);
  if (std::holds_alternative<Refusal>(result)) Acquit(inquiry);
  return result;
}

Pool::Impl::Request Pool::Impl::RequestOf(const LeaseArgs& args, uint64_t inquiry) {
  return {args.id, args.owner, args.excluded,          args.session,
          inquiry, now_,       models_.Of(args.model), args.estimated_tokens};
}

LeaseResult Pool::Impl::LeaseNow(const Request& request, absl::BitGenRef random) {
  if (FirstToGo() == nullptr) {
    if (const auto grant = TryGrant(request, random)) return *grant;
  }
  roster_.Exclude(request.excluded);
  return Refuse(WhyNone());
}

std::optional<LeaseResult> Pool::Impl::Wait(const LeaseArgs& args, absl::Duration max_wait, absl::Time now,
                                            absl::BitGenRef random) {
  Advance(now);
  const uint64_t inquiry = inquiries_.Of(args.retry_of);
  const Request request = RequestOf(args, inquiry);
  const LeaseResult result = LeaseNow(request, random);
  max_wait = std::min(max_wait, spec_.queue_wait);
  if (std::holds_alternative<Grant>(result)) return result;
  const bool full = queue_.size() >= spec_.queue_size;
  const bool in_vain = max_wait <= absl::ZeroDuration() || std::get<Refusal>(result).retry_at == absl::InfiniteFuture();
  if (in_vain || full) {
    Acquit(inquiry);
    return in_vain ? result : Refuse(Refusal::Why::kQueueFull);
  }
  Waiter waiter{
      args.id, args.owner, {}, args.session, inquiry, now_, now_ + max_wait, request.model, request.estimated_tokens};
  waiter.excluded.assign(args.excluded.begin(), args.excluded.end());
  queue_.Push(std::move(waiter));
  Tell(Transition::Type::kQueued, kNoKey, "queued");
  return std::nullopt;
}

bool Pool::Impl::CancelWait(const LeaseId& id, absl::Time now) {
  Advance(now);
  return queue_.Remove(id);
}

void Pool::Impl::Poll(absl::Time now, absl::BitGenRef random, std::vector<Answer>* answers) {
  Advance(now);
  while (const std::optional<Waiter> late = queue_.PopOverdue(now_)) {
    roster_.Exclude(late->excluded);
    answers->push_back({late->id, Refuse(Refusal::Why::kWaitedTooLong)});
    Acquit(late->inquiry);
  }
  while (ServeNext(random, answers)) {
  }
}

const Waiter* Pool::Impl::FirstToGo() {
  if (queue_.empty()) return nullptr;
  roster_.Exclude({});
  if (roster_.Candidates() == 0 || GateOpensAt() > now_) {
    queue_.StopLooking();
    return queue_.FirstPlain();
  }
  return queue_.FirstThat([&](const Waiter& waiter) {
    roster_.Exclude(waiter.excluded);
    return roster_.Candidates() > 0;
  });
}

bool Pool::Impl::ServeNext(absl::BitGenRef random, std::vector<Answer>* answers) {
  const bool idle = leases_.size() == 0;  // then no lease's end will bring a credit
  if (queue_.empty() || (queue_.credits() == 0 && !idle)) return false;
  const Waiter* const waiter = FirstToGo();
  if (waiter == nullptr) return false;
  const std::optional<Grant> grant = TryGrant({waiter->id, waiter->owner, waiter->excluded, waiter->session,
                                               waiter->inquiry, waiter->since, waiter->model, waiter->estimated_tokens},
                                              random);
  if (!grant) return false;
  queue_.SpendCredit();
  queue_.Remove(grant->id);
  answers->push_back({grant->id, *grant});
  return true;
}

absl::Time Pool::Impl::GateOpensAt() const {
  absl::Time at = std::max(now_, rate_allows_at_);
  if (!circuit_.Admits()) {
    at = std::max(at, circuit_.state() == CircuitState::kOpen ? circuit_.retry_at() : now_ + kAnyTime);
  }
  if (spec_.max_concurrent > 0 && leases_.size() >= spec_.max_concurrent) at = std::max(at, now_ + kAnyTime);
  return at;
}

Roster::Choice Pool::Impl::Choose(absl::Span<const KeyIndex> excluded, const SessionTable::Preference& preferred,
                                  absl::BitGenRef random) {
  const uint32_t first_requests = preferred.assumed ? kFirstRequests : 0;
  if (!circuit_.to_blame().empty()) {
    std::vector<KeyIndex> avoided(excluded.begin(), excluded.end());
    avoided.insert(avoided.end(), circuit_.to_blame().begin(), circuit_.to_blame().end());
    roster_.Exclude(avoided);
    const Roster::Choice choice = roster_.Pick(preferred.key, first_requests, now_, random);
    if (choice.key != kNoKey) return choice;
  }
  roster_.Exclude(excluded);
  return roster_.Pick(preferred.key, first_requests, now_, random);
}

std::optional<Grant> Pool::Impl::TryGrant(const Request& request, absl::BitGenRef random) {
  if (GateOpensAt() > now_) return std::nullopt;
  const SessionHash session = spec_.session_affinity ? request.session : kNoSession;
  const SessionTable::Preference last = sessions_.Find(session, now_);
  const Roster::Choice choice = Choose(request.excluded, last, random);
  const KeyIndex key = choice.key;
  if (key == kNoKey) return std::nullopt;
  const bool key_trial = choice.by == Roster::By::kTrial;
  const bool circuit_trial = circuit_.state() == CircuitState::kHalfOpen;
  if (circuit_trial) circuit_.OnTrialGranted();
  if (!epoch_) epoch_ = request.id.epoch;
  leases_.Add({request.id, key, ++sequence_, key_trial, circuit_trial, session, now_ + spec_.trial_time,
               /*progressed=*/false, request.inquiry, request.model},
              request.owner, now_ + spec_.lease_ttl);
  if (last.key == kNoKey) sessions_.Assume(session, key, now_);
  ++acquired_;
  CountRate(now_, 1);
  roster_.OnGranted(choice, now_);
  Transition& leased = Tell(Transition::Type::kLeased, key, "");
  leased.wait = now_ - request.since;
  leased.affinity = AffinityOf(session, last.key, choice);
  const uint32_t itself = roster_.standing(key) == Roster::Standing::kReady ? 1 : 0;
  const uint32_t others = GateOpensAt() > now_ ? 0 : roster_.Candidates() - itself;
  return Grant{request.id, key, key_trial || circuit_trial, others};
}

Refusal::Why Pool::Impl::WhyNone() const {
  if (roster_.all_out()) return Refusal::Why::kAllDisabled;
  return circuit_.Admits() ? Refusal::Why::kNoneAvailable : Refusal::Why::kCircuitOpen;
}

Refusal Pool::Impl::Refuse(Refusal::Why why) {
  const absl::Time at = std::max(roster_.EarliestReturn(now_), GateOpensAt());
  const bool open = why == Refusal::Why::kCircuitOpen;
  const bool none = why == Refusal::Why::kNoneAvailable || why == Refusal::Why::kWaitedTooLong;
  const bool own = none && roster_.active() > 0 && (rate_allows_at_ > now_ || roster_.Candidates() == 0);
  return {why, at > now_ ? at : now_ + kAnyTime, open ? circuit_.reason() : own ? kOwnLimits : std::string_view()};
}

}  // namespace ccr::core
