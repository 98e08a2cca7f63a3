#include "broker/core/pool.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "broker/core/pool_impl.h"

namespace ccr::core {

Pool::Pool(PoolSpec spec, absl::Time now) : impl_(std::make_unique<Impl>(std::move(spec), now)) {}
Pool::~Pool() = default;

void Pool::Reconfigure(PoolSpec spec, absl::Time now) {
  impl_->Reconfigure(std::move(spec), now);
}

bool Pool::Number(Reconfiguration* change, size_t limit, absl::Time now) {
  return impl_->Number(change, limit, now);
}

bool Pool::Adopt(Reconfiguration* change, size_t limit, absl::Time now) {
  return impl_->Adopt(change, limit, now);
}

void Pool::Restore(KeyIndex key, const KeySnapshot& state, absl::Time now) {
  impl_->Restore(key, state, now);
}

void Pool::Restore(std::string_view fingerprint, const KeySnapshot& state, absl::Time now) {
  impl_->Restore(fingerprint, state, now);
}

LeaseResult Pool::Lease(const LeaseArgs& args, absl::Time now, absl::BitGenRef random) {
  return impl_->Lease(args, now, random);
}

std::optional<LeaseResult> Pool::Wait(const LeaseArgs& args, absl::Duration max_wait, absl::Time now,
                                      absl::BitGenRef random) {
  return impl_->Wait(args, max_wait, now, random);
}

bool Pool::CancelWait(const LeaseId& id, absl::Time now) {
  return impl_->CancelWait(id, now);
}

void Pool::Poll(absl::Time now, absl::BitGenRef random, std::vector<Answer>* answers) {
  impl_->Poll(now, random, answers);
}

absl::Time Pool::NextDue() const {
  return impl_->NextDue();
}

Decision Pool::Apply(const Report& report, absl::Time now, absl::BitGenRef random) {
  return impl_->Apply(report, now, random);
}

bool Pool::Progress(const LeaseId& id, const Beginning& beginning, absl::Time now, absl::BitGenRef random) {
  return impl_->Progress(id, beginning, now, random);
}

bool Pool::Renew(const LeaseId& id, absl::Time now) {
  return impl_->Renew(id, now);
}

bool Pool::Holds(const LeaseId& id) const {
  return impl_->Holds(id);
}

bool Pool::Release(const LeaseId& id, absl::Time now) {
  return impl_->Release(id, now);
}

void Pool::Orphan(OwnerId owner, absl::Time deadline, absl::Time now) {
  impl_->Orphan(owner, deadline, now);
}

bool Pool::Reassert(const LeaseId& id, OwnerId owner, std::string_view fingerprint, absl::Time now) {
  return impl_->Reassert(id, owner, fingerprint, now);
}

void Pool::OnProbe(KeyIndex key, const Evidence& evidence, absl::Time now, absl::BitGenRef random) {
  impl_->OnProbe(key, evidence, now, random);
}

void Pool::TakeProbes(uint32_t limit, absl::Time now, std::vector<KeyIndex>* keys) {
  impl_->TakeProbes(limit, now, keys);
}

absl::Time Pool::NextProbe() const {
  return impl_->NextProbe();
}

KeyIndex Pool::Find(std::string_view fingerprint) const {
  return impl_->Find(fingerprint);
}
const KeySpec& Pool::key(KeyIndex index) const {
  return impl_->key(index);
}
const PoolSpec& Pool::spec() const {
  return impl_->spec();
}
PoolSnapshot Pool::Snapshot(absl::Time now) {
  return impl_->Snapshot(now);
}
PoolSnapshot Pool::Outline(absl::Time now) {
  return impl_->Outline(now);
}
absl::Span<const KeyIndex> Pool::order() const {
  return impl_->order();
}
std::optional<KeySnapshot> Pool::Describe(KeyIndex key) {
  return impl_->Describe(key);
}
std::optional<KeySnapshot> Pool::DescribeUnderneath(KeyIndex key) {
  return impl_->DescribeUnderneath(key);
}
void Pool::TakeOut(KeyIndex key, absl::Time until, std::string_view reason, absl::Time now) {
  impl_->TakeOut(key, until, reason, now);
}
void Pool::Reset(KeyIndex key, absl::Time now) {
  impl_->Reset(key, now);
}
void Pool::TakeTransitions(std::vector<Transition>* out) {
  impl_->TakeTransitions(out);
}

Pool::Impl::Impl(PoolSpec spec, absl::Time now) : now_(now) {
  Reconfigure(std::move(spec), now);
}

void Pool::Impl::Reconfigure(PoolSpec spec, absl::Time now) {
  constexpr size_t kAll = std::numeric_limits<size_t>::max();
  Reconfiguration change(std::move(spec));
  Number(&change, kAll, now);
  Adopt(&change, kAll, now);
}

bool Pool::Impl::Number(Reconfiguration* change, size_t limit, absl::Time now) {
  Advance(now);
  return roster_.Number(change, limit);
}

bool Pool::Impl::Adopt(Reconfiguration* change, size_t limit, absl::Time now) {
  Advance(now);
  circuit_.Reserve(roster_.capacity());  // from the first step on new keys may fail
  if (!change->keys_adopted) change->keys_adopted = roster_.Adopt(change, limit, now_);
  if (!change->keys_adopted) return false;
  const bool access_changed = !spec_.keys.empty() && spec_.access != change->spec.access;
  if (access_changed && !ForgetRefusals(change, limit)) return false;
  std::swap(spec_, change->spec);
  circuit_.ForgetKeys();
  inquiries_.Clear();
  usage_.Keep(spec_.limits, {});
  CountUse(now_, 0, 0);
  if (!spec_.session_affinity) sessions_.Clear();
  sessions_.ForgetIf([this](KeyIndex key) { return !roster_.present(key); });
  queue_.OnRoom();
  return true;
}

void Pool::Impl::Restore(std::string_view fingerprint, const KeySnapshot& state, absl::Time now) {
  const KeyIndex index = roster_.Find(fingerprint);
  if (index != kNoKey) Restore(index, state, now);
}

void Pool::Impl::Restore(KeyIndex index, const KeySnapshot& state, absl::Time now) {
  Advance(now);
  Key& key = roster_.key(index);
  key.Restore(state, now_);
  roster_.RestoreLanes(index, state, now_);
  const Limits used = key.Used(now_);
  usage_.Restore(used, std::min(now_, state.last_used));
  CountUse(now_, 0, 0);
  roster_.Settle(index, now_);
}

PoolSnapshot Pool::Impl::Snapshot(absl::Time now) {
  PoolSnapshot snapshot = Outline(now);
  const bool open = Gate(kAnyModel, 0).IsNow(now_);
  snapshot.keys.reserve(roster_.order().size());
  for (KeyIndex index : roster_.order()) {
    snapshot.keys.push_back(DescribeKey(index, open));
    snapshot.available += snapshot.keys.back().available;
  }
  return snapshot;
}

PoolSnapshot Pool::Impl::Outline(absl::Time now) {
  Advance(now);
  PoolSnapshot snapshot;
  snapshot.in_flight = leases_.size();
  snapshot.waiting = queue_.size();
  snapshot.sessions = sessions_.Size(now_);
  snapshot.circuit = circuit_.state();
  snapshot.circuit_retry_at = circuit_.retry_at();
  if (circuit_.state() != CircuitState::kClosed) snapshot.circuit_reason = circuit_.reason();
  snapshot.acquired = acquired_;
  snapshot.reported = reported_;
  snapshot.expired = expired_;
  return snapshot;
}

std::optional<KeySnapshot> Pool::Impl::Describe(KeyIndex index) {
  if (!roster_.known(index)) return std::nullopt;
  return DescribeKey(index, Gate(kAnyModel, 0).IsNow(now_));
}

KeySnapshot Pool::Impl::DescribeKey(KeyIndex index, bool gate_open) {
  KeySnapshot key;
  key.key = index;
  roster_.key(index).Describe(&key, now_);
  const absl::Time rate = std::max(roster_.key(index).OpenAt(now_), limits_allow_at_);
  if (rate > now_) key.rate_allows_at = rate;
  roster_.lanes().ForEachOfKey(index, [&](const Lane& lane) {
    if (lane.IsHeld(now_)) key.holds.push_back({roster_.NameOf(lane.model), lane.until, lane.reason});
    const Learned learned = lane.pacer == nullptr ? Learned() : lane.pacer->learned();
    if (learned.rate > 0 || learned.max_in_flight > 0) key.paces.push_back({roster_.NameOf(lane.model), learned});
  });
  key.available = gate_open && IsGrantable(roster_.standing(index));
  return key;
}

std::optional<KeySnapshot> Pool::Impl::DescribeUnderneath(KeyIndex index) {
  if (!roster_.known(index)) return std::nullopt;
  KeySnapshot key = DescribeKey(index, /*gate_open=*/false);
  roster_.key(index).DescribeUnderneath(&key, now_);
  return key;
}

void Pool::Impl::TakeOut(KeyIndex index, absl::Time until, std::string_view reason, absl::Time now) {
  Advance(now);
  if (index >= roster_.capacity() || !roster_.present(index)) return;
  Key& key = roster_.key(index);
  const bool was_out = key.out();
  if (until > now_) {
    key.TakeOut(until, reason);
    roster_.Settle(index, now_);
    TellState(index, Key::Event::kDisabled, Outcome::kNeutral, "");
    return;
  }
  if (!was_out) return;
  key.TakeOut(now_, reason);
  const Key::Event event = key.OnTime(now_);
  roster_.Settle(index, now_);
  TellEvent(index, event, Outcome::kNeutral, "enabled");
  queue_.OnRoom();
}

void Pool::Impl::Reset(KeyIndex index, absl::Time now) {
  Advance(now);
  if (index >= roster_.capacity() || !roster_.present(index)) return;
  Key& key = roster_.key(index);
  key.Reset(Now());
  roster_.Forget(index);
  roster_.Settle(index, now_);
  TellEvent(index, Key::Event::kRecovered, Outcome::kNeutral, "reset");
  circuit_.RetryAt(now_);
  circuit_.OnTime(now_);
  queue_.OnRoom();
}

void Pool::Impl::TakeTransitions(std::vector<Transition>* out) {
  out->clear();
  out->swap(transitions_);
}

void Pool::Impl::Advance(absl::Time now) {
  const bool held = limits_allow_at_ > now_;
  now_ = std::max(now_, now);
  WakeKeys();
  ExpireLeases();
  EndOverdueTrials();
  if (circuit_.OnTime(now_) || (held && limits_allow_at_ <= now_)) queue_.OnRoom();
}

void Pool::Impl::ExpireLeases() {
  while (const std::optional<LeaseRecord> lease = leases_.PopExpired(now_)) EndUnreported(*lease, "expired");
}

void Pool::Impl::EndOverdueTrials() {
  while (const std::optional<LeaseRecord> lease = leases_.PopOverdueTrial(now_)) {
    EndTrial(*lease);
    roster_.Settle(lease->key, now_);
    queue_.OnRoom();
  }
}

void Pool::Impl::WakeKeys() {
  if (roster_.NextWake() > now_) return;
  queue_.OnRoom();
  size_t left = roster_.WakeLanes(kWakes, now_);
  for (KeyIndex index; left > 0 && (index = roster_.Due(now_)) != kNoKey; --left) {
    const bool out = roster_.key(index).out();
    const Key::Event event = roster_.key(index).OnTime(now_);
    roster_.Settle(index, now_);
    TellEvent(index, event, Outcome::kNeutral, out ? "enabled" : "cooldown_over");
  }
}

void Pool::Impl::CountUse(absl::Time when, uint32_t grants, uint64_t tokens) {
  usage_.Add(when, grants, tokens);
  limits_allow_at_ = usage_.RoomAt(spec_.limits, 1, now_);
}

absl::Time Pool::Impl::NextDue() const {
  absl::Time due = std::min({leases_.NextExpiry(), leases_.NextTrialEnd(), roster_.NextWake(), queue_.NextDeadline()});
  if (circuit_.state() == CircuitState::kOpen) due = std::min(due, circuit_.retry_at());
  if (!queue_.empty()) due = std::min(due, queue_.looks_left() ? now_ : std::max(now_, waiters_due_));
  return due;
}

Transition& Pool::Impl::Tell(Transition::Type type, KeyIndex key, std::string_view reason) {
  Transition& transition = transitions_.emplace_back();
  transition.type = type;
  transition.key = key;
  transition.reason = reason;
  transition.time = now_;
  return transition;
}

void Pool::Impl::TellEvent(KeyIndex index, Key::Event event, Outcome outcome, std::string_view recovery) {
  // While a key is out, what answers say of it changes nothing that others see.
  if (event == Key::Event::kNone || roster_.key(index).out()) return;
  TellState(index, event, outcome, recovery);
}

void Pool::Impl::TellState(KeyIndex index, Key::Event event, Outcome outcome, std::string_view recovery) {
  const Key& key = roster_.key(index);
  if (event == Key::Event::kRecovered) {
    Tell(Transition::Type::kRecovered, index, recovery).outcome = outcome;
    return;
  }
  const auto type = event == Key::Event::kCooling ? Transition::Type::kCooling : Transition::Type::kDisabled;
  Transition& transition = Tell(type, index, key.reason());
  transition.outcome = outcome;
  transition.available_at = key.until();
  transition.tried_by = key.tried_by();
  transition.next_try = key.NextTry(now_);
}

}  // namespace ccr::core
