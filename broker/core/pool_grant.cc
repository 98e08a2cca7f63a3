// Who gets a key: leases, waiters, refusals.
#include <algorithm>
#include <utility>

#include "broker/core/pool_impl.h"

namespace ccr::core {
namespace {

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
  const Request request = RequestOf(args, inquiry);
  if (const auto grant = GrantNow(request, spec_.queue_wait > absl::ZeroDuration(), random)) return *grant;
  const Refusal refusal = Refuse(WhyNone(request.model), OpensAt(request, random));
  Acquit(inquiry, random);
  return refusal;
}

Pool::Impl::Request Pool::Impl::RequestOf(const LeaseArgs& args, uint64_t inquiry) {
  return {args.id,
          args.owner,
          args.excluded,
          args.session,
          inquiry,
          now_,
          roster_.ModelOf(args.model),
          args.estimated_tokens};
}

Pool::Impl::Request Pool::Impl::RequestOf(const Waiter& waiter) {
  return {waiter.id,      waiter.owner, waiter.excluded, waiter.session,
          waiter.inquiry, waiter.since, waiter.model,    waiter.estimated_tokens};
}

std::optional<Grant> Pool::Impl::GrantNow(const Request& request, bool may_wait, absl::BitGenRef random) {
  const bool behind = request.excluded.empty() && queue_.HasLine(request.model);
  if (behind || FirstToGo(random) != nullptr) return std::nullopt;
  return TryGrant(request, may_wait, random);
}

std::optional<LeaseResult> Pool::Impl::Wait(const LeaseArgs& args, absl::Duration max_wait, absl::Time now,
                                            absl::BitGenRef random) {
  Advance(now);
  const uint64_t inquiry = inquiries_.Of(args.retry_of);
  const Request request = RequestOf(args, inquiry);
  max_wait = std::min(max_wait, spec_.queue_wait);
  if (const auto grant = GrantNow(request, max_wait > absl::ZeroDuration(), random)) return *grant;
  const Opening opening = OpensAt(request, random);
  const bool in_vain = max_wait <= absl::ZeroDuration() || IsHopeless(opening, now_ + max_wait);
  if (in_vain && max_wait > absl::ZeroDuration()) {
    if (const auto grant = GrantNow(request, /*may_wait=*/false, random)) return *grant;
  }
  if (in_vain || queue_.size() >= spec_.queue_size) {
    const Refusal refusal = Refuse(in_vain ? WhyNone(request.model) : Refusal::Why::kQueueFull, opening);
    Acquit(inquiry, random);
    return refusal;
  }
  Waiter waiter{args.id, args.owner, {}, args.session, inquiry, now_, now_ + max_wait, request.model, request.tokens};
  waiter.excluded.assign(args.excluded.begin(), args.excluded.end());
  waiters_due_ = std::min(waiters_due_, opening.at);
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
    Dismiss(*late, Refusal::Why::kWaitedTooLong, random, answers);
  }
  while (ServeNext(random, answers) || GiveUpNext(random, answers)) {
  }
}

Opening Pool::Impl::OpensAt(const Request& request, absl::BitGenRef random) {
  roster_.Consider(request.excluded, request.model, request.tokens);
  const bool again = !request.excluded.empty();
  const Opening gate = Gate(request.model, request.tokens);
  if (gate.IsNow(now_) && roster_.Pick(kNoKey, again, now_, random).key != kNoKey) return {now_};
  return gate.And(roster_.EarliestReturn(now_), now_);
}

const Waiter* Pool::Impl::FirstToGo(absl::BitGenRef random) {
  waiters_due_ = absl::InfiniteFuture();
  if (queue_.empty()) return nullptr;
  return queue_.FirstThat([&](const Waiter& waiter) {
    const Opening opening = OpensAt(RequestOf(waiter), random);
    if (!opening.IsNow(now_)) waiters_due_ = std::min(waiters_due_, opening.at);
    return opening.IsNow(now_);
  });
}

bool Pool::Impl::ServeNext(absl::BitGenRef random, std::vector<Answer>* answers) {
  const Waiter* const waiter = FirstToGo(random);
  if (waiter == nullptr) return false;
  const std::optional<Grant> grant = TryGrant(RequestOf(*waiter), true, random);
  if (!grant) return false;
  queue_.Remove(grant->id);
  answers->push_back({grant->id, *grant});
  return true;
}

bool Pool::Impl::GiveUpNext(absl::BitGenRef random, std::vector<Answer>* answers) {
  const Waiter* const found = queue_.FirstThat(
      [&](const Waiter& waiter) { return IsHopeless(OpensAt(RequestOf(waiter), random), waiter.deadline); });
  if (found == nullptr) return false;
  const Waiter vain = *found;
  queue_.Remove(vain.id);
  Dismiss(vain, WhyNone(vain.model), random, answers);
  return true;
}

void Pool::Impl::Dismiss(const Waiter& waiter, Refusal::Why why, absl::BitGenRef random, std::vector<Answer>* answers) {
  const Request request = RequestOf(waiter);
  if (FirstToGo(random) == nullptr) {
    if (const std::optional<Grant> grant = TryGrant(request, /*may_wait=*/false, random)) {
      answers->push_back({waiter.id, *grant});
      return;
    }
  }
  answers->push_back({waiter.id, Refuse(why, OpensAt(request, random))});
  Acquit(waiter.inquiry, random);
}

Opening Pool::Impl::Gate(ModelId model, uint64_t tokens) {
  Opening gate{std::max(now_, limits_allow_at_)};
  if (tokens > 1) gate.at = std::max(gate.at, usage_.RoomAt(spec_.limits, tokens, now_));
  const bool held_back = !circuit_.Admits(model);
  if (held_back && circuit_.state() == CircuitState::kOpen) gate.at = std::max(gate.at, circuit_.retry_at());
  const bool full = spec_.max_concurrent > 0 && leases_.size() >= spec_.max_concurrent;
  gate.any_time = full || (held_back && circuit_.state() == CircuitState::kHalfOpen);
  return gate;
}

Roster::Choice Pool::Impl::Choose(const Request& request, bool may_wait, KeyIndex preferred, absl::BitGenRef random) {
  const bool again = !request.excluded.empty();
  roster_.Consider(request.excluded, request.model, request.tokens);
  if (!circuit_.to_blame().empty()) {
    avoided_.assign(request.excluded.begin(), request.excluded.end());
    avoided_.insert(avoided_.end(), circuit_.to_blame().begin(), circuit_.to_blame().end());
    roster_.Consider(avoided_, request.model, request.tokens);
    const Roster::Choice choice = roster_.Pick(preferred, again, now_, random);
    roster_.Consider(request.excluded, request.model, request.tokens);
    if (choice.key != kNoKey) return choice;
  }
  const Roster::Choice choice = roster_.Pick(preferred, again, now_, random);
  if (choice.key != kNoKey || may_wait) return choice;
  roster_.Consider(request.excluded, request.model, request.tokens);
  return roster_.PickTry(now_);
}

std::optional<Grant> Pool::Impl::TryGrant(const Request& request, bool may_wait, absl::BitGenRef random) {
  if (!Gate(request.model, request.tokens).IsNow(now_)) return std::nullopt;
  const SessionHash session = spec_.session_affinity ? request.session : kNoSession;
  const KeyIndex last = sessions_.Find(session, now_);
  const Roster::Choice choice = Choose(request, may_wait, last, random);
  const KeyIndex key = choice.key;
  if (key == kNoKey) return std::nullopt;
  const bool key_trial = choice.by == Roster::By::kTrial;
  const bool circuit_trial = circuit_.state() == CircuitState::kHalfOpen && circuit_.HoldsBack(request.model);
  if (circuit_trial) circuit_.OnTrialGranted();
  if (!epoch_) epoch_ = request.id.epoch;
  const uint64_t tokens = roster_.key(key).EstimateOf(request.tokens);
  const bool undecided = roster_.OnGranted(choice, ++sequence_, now_);
  const bool awaited = key_trial || circuit_trial || undecided;
  leases_.Add({request.id, key, sequence_, key_trial, circuit_trial, session,
               awaited ? now_ + spec_.trial_time : absl::InfiniteFuture(), /*progressed=*/false, request.inquiry,
               request.model, now_, tokens, undecided},
              request.owner, now_ + spec_.lease_ttl);
  if (last == kNoKey) sessions_.Assume(session, key, now_);
  ++acquired_;
  CountUse(now_, 1, tokens);
  Transition& leased = Tell(Transition::Type::kLeased, key, "");
  leased.wait = now_ - request.since;
  leased.affinity = AffinityOf(session, last, choice);
  const bool itself = IsGrantable(roster_.standing(key)) && !roster_.lanes().IsClosed(key, request.model);
  const uint32_t others = !Gate(request.model, request.tokens).IsNow(now_) ? 0 : roster_.Candidates() - itself;
  return Grant{request.id, key, key_trial || circuit_trial, others};
}

Refusal::Why Pool::Impl::WhyNone(ModelId model) const {
  if (roster_.all_out()) return Refusal::Why::kAllDisabled;
  return circuit_.Admits(model) ? Refusal::Why::kNoneAvailable : Refusal::Why::kCircuitOpen;
}

Refusal Pool::Impl::Refuse(Refusal::Why why, const Opening& opening) {
  const absl::Time at = opening.Guess(now_);
  const bool open = why == Refusal::Why::kCircuitOpen;
  const bool none = why == Refusal::Why::kNoneAvailable || why == Refusal::Why::kWaitedTooLong;
  const bool held_back = roster_.active() > 0 && roster_.declares_limits() && roster_.Candidates() == 0;
  const bool own = none && (limits_allow_at_ > now_ || held_back);
  return {why, at > now_ ? at : now_ + Opening::kAnyTime,
          open  ? circuit_.reason()
          : own ? kOwnLimits
                : std::string_view()};
}

}  // namespace ccr::core
