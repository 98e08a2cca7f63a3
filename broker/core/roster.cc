#include "broker/core/roster.h"

#include <algorithm>
#include <utility>

#include "broker/core/pacing/backoff.h"
#include "broker/core/verdict/outcome.h"

namespace ccr::core {
namespace {

constexpr absl::Duration kNoLatency = -absl::Seconds(1);
constexpr std::string_view kDefaultStrategy = "round_robin";

// No hold that was set in the past lasts longer, unless by a clock that was ahead.
absl::Duration LongestHold(std::string_view reason) {
  if (reason == kQuotaWindow) return kMaxQuotaWindow;
  return MeansLimit(reason) ? kMaxRetryAfter : kModelRest;
}

std::unique_ptr<Strategy> StrategyNamed(std::string_view name) {
  auto strategy = MakeStrategy(name);
  return strategy.ok() ? *std::move(strategy) : *MakeStrategy(kDefaultStrategy);
}

}  // namespace

bool Roster::Number(Reconfiguration* change, size_t limit) {
  const std::vector<KeySpec>& keys = change->spec.keys;
  std::vector<KeyIndex>& numbers = change->numbers;
  if (numbers.empty()) ++generation_;
  for (; limit > 0 && numbers.size() < keys.size(); --limit) {
    const KeyIndex index = SlotFor(keys[numbers.size()], change->spec.limits, &change->added);
    Slot& slot = slots_[index];
    slot.generation = generation_;
    slot.numbered = true;
    slot.left = 0;
    numbers.push_back(index);
  }
  return numbers.size() == keys.size();
}

bool Roster::Adopt(Reconfiguration* change, size_t limit, absl::Time now) {
  const PoolSpec& spec = change->spec;
  size_t& next = change->adopted;
  if (next == 0) BeginAdopting(spec);
  const size_t count = spec.keys.size();
  for (; limit > 0 && next < count; ++next, --limit) {
    const KeySpec& key = spec.keys[next];
    const KeyIndex index = change->numbers[next];
    slots_[index].key.Configure(key, spec.limits);
    const Limits& limits = key.limits;
    declares_limits_ |= key.max_concurrent + limits.rpm + limits.tpm + limits.rpd + limits.tpd > 0;
    for (const std::string& model : key.models) ModelOf(model);
    Restrict(index);
    Enter(index, {key.weight > 0 ? key.weight : 1, static_cast<uint32_t>(next)}, key.weight > 0 ? 0 : 1, now);
  }
  for (; limit > 0 && next >= count && next - count < order_.size(); ++next, --limit) Remove(order_[next - count]);
  if (next - count < order_.size() || next < count) return false;
  order_ = change->numbers;
  retiring_ = {};
  return true;
}

void Roster::BeginAdopting(const PoolSpec& spec) {
  declares_limits_ = false;
  if (spec.strategy != strategy_name_) {
    retiring_ = std::move(strategies_);
    for (auto& strategy : strategies_) strategy = StrategyNamed(spec.strategy);
    strategy_name_ = spec.strategy;
  }
  for (DeadlineHeap* heap : {&wakes_, &trials_, &probes_, &failed_}) heap->Reserve(capacity());
  for (auto& strategy : strategies_) strategy->Reserve(capacity());
  for (auto& spared : spared_) spared.Reserve(capacity());
  lanes_.Reserve(capacity());
  excluded_.reserve(slots_.size() + kLooks);
}

// Of the configuration before, unless it is in this one too.
void Roster::Remove(KeyIndex index) {
  Slot& slot = slots_[index];
  if (slot.generation == generation_) return;
  if (present(index)) Leave(index);
  slot.key.ForgetProbe();
  Remember(index);
}

KeyIndex Roster::Find(std::string_view fingerprint) const {
  const KeyIndex index = by_fingerprint_.Find(fingerprint);
  return index == kNoKey || !present(index) ? kNoKey : index;
}

bool Roster::OnGranted(const Choice& choice, uint64_t sequence, absl::Time now) {
  Slot& slot = slots_[choice.key];
  sequence_ = sequence;
  bool undecided = slot.key.OnGranted(choice.by == By::kTrial, sequence, slot.key.EstimateOf(tokens_), now);
  if (Lane* const lane = lanes_.Find(choice.key, model_)) {
    undecided |= lane->ramp.OnGranted();
    if (lane->pacer != nullptr) {
      lane->pacer->OnGranted(sequence, slot.key.EstimateOf(tokens_), now, slot.key.uses());
    }
    SettleLane(choice.key, model_, now);
  }
  if (choice.by == By::kSession) {
    StrategyOf(slot).OnPreferred(choice.key, now);
  } else {
    StrategyOf(slot).OnLeased(choice.key, now);
  }
  Settle(choice.key, now);
  return undecided;
}

void Roster::OnDecided(KeyIndex index, ModelId model, uint64_t sequence, absl::Time now) {
  key(index).OnDecided({sequence});
  Settle(index, now);
  Lane* const lane = lanes_.Find(index, model);
  if (lane == nullptr) return;
  lane->ramp.OnDecided(sequence);
  SettleLane(index, model, now);
}

void Roster::OnSuccess(KeyIndex index, ModelId model, uint64_t sequence, absl::Time now) {
  Lane* const lane = lanes_.Find(index, model);
  if (lane == nullptr || sequence < lane->episode) return;
  lane->refusals = 0;
  lane->until = absl::InfinitePast();
  lane->reason = {};
  lane->ramp.OnSuccess(sequence);
  SettleLane(index, model, now);
}

void Roster::Hold(KeyIndex index, ModelId model, absl::Time until, std::string_view reason, absl::Time now) {
  if (until <= now) return;
  Lane& lane = lanes_.Open(index, model);
  if (until <= lane.until) return;
  if (!lane.IsHeld(now)) {
    lane.episode = sequence_ + 1;
    lane.since = now;
  }
  lane.until = until;
  lane.reason = reason;
  SettleLane(index, model, now);
}

Pacer& Roster::PacerOf(KeyIndex index, ModelId model, absl::Time now) {
  Key& of = key(index);
  if (of.limit_scope().is_key()) {
    ShareLimits(index, now);
    return of.Pace(kAnyModel);
  }
  // Its models have limits of their own after all.
  if (of.paced_model() == kAnyModel && of.limit_scope().is_model(true)) of.TakePacer();
  const Lane* const known = lanes_.Find(index, model);
  if (known != nullptr && known->pacer != nullptr) return *known->pacer;
  const bool shared =
      of.pacer() == nullptr ? !lanes_.HasPacers(index) : of.paced_model() == kAnyModel || of.paced_model() == model;
  return shared || model == kAnyModel ? of.Pace(model) : ModelPacer(index, model, now);
}

// Its models have the key's limits.
void Roster::ShareLimits(KeyIndex index, absl::Time now) {
  if (!lanes_.HasPacers(index)) return;
  key(index).TakePacer();
  for (ModelId model = kAnyModel + 1; model <= models(); ++model) {
    Lane* const lane = lanes_.Find(index, model);
    if (lane == nullptr || lane->pacer == nullptr) continue;
    lane->pacer.reset();
    SettleLane(index, model, now);
  }
}

Pacer& Roster::ModelPacer(KeyIndex index, ModelId model, absl::Time now) {
  Key& of = key(index);
  if (of.pacer() != nullptr && of.paced_model() != kAnyModel) {
    const ModelId first = of.paced_model();
    if (Lane& lane = lanes_.Open(index, first); lane.pacer == nullptr) lane.pacer = of.TakePacer();
    SettleLane(index, first, now);
  }
  Lane& lane = lanes_.Open(index, model);
  if (lane.pacer == nullptr) lane.pacer = std::make_unique<Pacer>(key(index).NewPacer());
  return *lane.pacer;
}

void Roster::RestoreLanes(KeyIndex index, const KeySnapshot& saved, absl::Time now) {
  if (saved.holds.empty() && saved.paces.empty()) return;
  lanes_.Reserve(capacity());
  for (const ModelPace& pace : saved.paces) {
    const ModelId model = ModelOf(pace.model);
    if (model == kAnyModel) continue;
    ModelPacer(index, model, now).Restore(pace.learned, now);
    SettleLane(index, model, now);
  }
  for (const ModelHold& hold : saved.holds) {
    const ModelId model = ModelOf(hold.model);
    const absl::Time until = std::min(hold.until, now + LongestHold(hold.reason));
    if (model != kAnyModel) Hold(index, model, until, StaticReason(hold.reason), now);
  }
}

void Roster::Forget(KeyIndex index) {
  lanes_.Drop(index, standing(index));
  for (ModelId model = kAnyModel + 1; model < models_.size(); ++model) Bar(index, model);
}

size_t Roster::WakeLanes(size_t limit, absl::Time now) {
  for (Lane* lane; limit > 0 && (lane = lanes_.Due(now)) != nullptr; --limit) {
    if (lane->IsOver(now)) {
      const bool paced = lane->pacer != nullptr && MeansLimit(lane->reason) && lane->until - lane->since <= kPacedRest;
      lane->until = absl::InfinitePast();
      lane->reason = {};
      if (!paced) lane->ramp.Start(sequence_);
    }
    SettleLane(lane->key, lane->model, now);
  }
  return limit;
}

ModelId Roster::ModelOf(std::string_view name) {
  if (name.empty()) return kAnyModel;
  const ModelId known = models_.size();
  const ModelId model = models_.Of(name);
  if (models_.size() == known || restricted_ == 0) return model;
  for (KeyIndex index = 0; index < capacity(); ++index) {
    if (slots_[index].restricted) Bar(index, model);
  }
  return model;
}

void Roster::Restrict(KeyIndex index) {
  Slot& slot = slots_[index];
  const bool restricted = !slot.key.spec().models.empty();
  if (!restricted && !slot.restricted) return;
  restricted_ += restricted - slot.restricted;
  slot.restricted = restricted;
  for (ModelId model = kAnyModel + 1; model < models_.size(); ++model) Bar(index, model);
}

void Roster::Bar(KeyIndex index, ModelId model) {
  const std::vector<std::string>& allowed = slots_[index].key.spec().models;
  const bool serves =
      allowed.empty() || std::find(allowed.begin(), allowed.end(), models_.NameOf(model)) != allowed.end();
  lanes_.Bar(index, model, !serves, standing(index));
}

void Roster::OnReasserted(KeyIndex index, absl::Time now) {
  slots_[index].key.OnReasserted();
  StrategyOf(slots_[index]).OnLeased(index, now);
  Settle(index, now);
}

void Roster::OnBegun(KeyIndex index, absl::Duration latency, absl::Time now) {
  if (present(index) && latency > absl::ZeroDuration()) StrategyOf(slots_[index]).OnLatency(index, latency, now);
}

void Roster::OnEnded(KeyIndex index, bool trial, absl::Duration latency, absl::Time now) {
  slots_[index].key.OnEnded(trial);
  if (!present(index)) return;
  StrategyOf(slots_[index]).OnEnded(index, latency > absl::ZeroDuration() ? latency : kNoLatency, now);
}

void Roster::Settle(KeyIndex index, absl::Time now) {
  Slot& slot = slots_[index];
  if (!present(index)) {
    if (!slot.numbered) Remember(index);
    return;
  }
  Uncount(slot);
  slot.state = slot.key.state();
  slot.in_flight = slot.key.in_flight();
  slot.failures_disabled = slot.key.failures_disabled();
  Count(slot);
  Move(index, StandingOf(slot.key, now, &slot.wake));
}

KeyIndex Roster::Due(absl::Time now) const {
  return wakes_.empty() || wakes_.NextTime() > now ? kNoKey : wakes_.Next();
}

KeyIndex Roster::SlotFor(const KeySpec& spec, const Limits& others, std::vector<KeyIndex>* added) {
  const KeyIndex known = by_fingerprint_.Find(spec.fingerprint);
  if (known != kNoKey) return known;
  KeyIndex index = capacity();
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
    slots_[index] = Slot(Key(spec, others));
  } else {
    slots_.emplace_back(Key(spec, others));
  }
  by_fingerprint_.Insert(spec.fingerprint, index);
  added->push_back(index);
  return index;
}

void Roster::Enter(KeyIndex index, const KeyTraits& traits, uint8_t tier, absl::Time now) {
  Slot& slot = slots_[index];
  slot.numbered = false;
  if (present(index) && slot.strategy != strategies_[tier].get()) Leave(index);
  const uint64_t share = strategies_[tier]->uses_weights() ? Millionths(traits.weight) : 1;
  if (present(index)) {
    StrategyOf(slot).UpdateKey(index, traits);
    Uncount(slot);
    slot.share = share;
    Count(slot);
  } else {
    slot.tier = tier;
    slot.strategy = strategies_[tier].get();
    ++present_;
    slot.key.OnTime(now);
    StrategyOf(slot).AddKey(index, traits);
    for (uint32_t i = 0; i < slot.key.in_flight(); ++i) StrategyOf(slot).OnLeased(index, now);
    slot.standing = Standing::kOut;
    lanes_.OnStanding(index, Standing::kAbsent, Standing::kOut);
    slot.state = slot.key.state();
    slot.in_flight = slot.key.in_flight();
    slot.failures_disabled = slot.key.failures_disabled();
    slot.share = share;
    ++by_standing_[static_cast<size_t>(Standing::kOut)];
    Count(slot);
  }
  Settle(index, now);
}

void Roster::Leave(KeyIndex index) {
  Slot& slot = slots_[index];
  Move(index, Standing::kOut);
  probes_.Remove(index);
  StrategyOf(slot).RemoveKey(index);
  slot.standing = Standing::kAbsent;
  lanes_.OnStanding(index, Standing::kOut, Standing::kAbsent);
  --present_;
  --by_standing_[static_cast<size_t>(Standing::kOut)];
  Uncount(slot);
}

void Roster::Count(const Slot& slot) {
  ++by_state_[static_cast<size_t>(slot.state)];
  failures_disabled_ += slot.failures_disabled;
  if (slot.state != KeyState::kActive) return;
  load_[slot.tier].weight += slot.share;
  load_[slot.tier].in_flight += slot.in_flight;
}

void Roster::Uncount(const Slot& slot) {
  --by_state_[static_cast<size_t>(slot.state)];
  failures_disabled_ -= slot.failures_disabled;
  if (slot.state != KeyState::kActive) return;
  load_[slot.tier].weight -= slot.share;
  load_[slot.tier].in_flight -= slot.in_flight;
}

// A removed key, once its last lease has ended.
void Roster::Remember(KeyIndex index) {
  if (slots_[index].key.in_flight() > 0 || slots_[index].left != 0) return;
  slots_[index].left = ++leavings_;
  remembered_.emplace_back(index, leavings_);
  while (remembered_.size() > kRemembered) {
    const auto [oldest, left] = remembered_.front();
    remembered_.pop_front();
    if (slots_[oldest].left == left) Free(oldest);
  }
}

void Roster::Free(KeyIndex index) {
  slots_[index].free = true;
  lanes_.Drop(index, standing(index));
  restricted_ -= slots_[index].restricted;
  by_fingerprint_.Erase(slots_[index].key.spec().fingerprint);
  free_.push_back(index);
}

Roster::Standing Roster::StandingOf(Key& key, absl::Time now, absl::Time* wake) const {
  if (key.awaits_probe() || key.until() == absl::InfiniteFuture()) return Standing::kOut;
  const bool trial = key.state() == KeyState::kDisabled;
  if (trial && key.trial_in_flight() && !key.out()) return Standing::kBusy;
  *wake = key.state() == KeyState::kActive ? now : key.TryAt();
  // Until it is woken, even when its time is over.
  if (key.state() == KeyState::kCooling || key.out()) return Standing::kTimed;
  if (*wake <= now) *wake = key.OpenAt(now);
  if (*wake > now) return Standing::kTimed;
  if (key.saturated()) return Standing::kBusy;
  if (trial) return Standing::kTrial;
  *wake = key.spared_until();
  return *wake > now ? Standing::kSpared : Standing::kReady;
}

void Roster::Move(KeyIndex index, Standing standing) {
  Slot& slot = slots_[index];
  if (slot.standing != standing) {
    if (slot.standing == Standing::kReady) StrategyOf(slot).Erase(index);
    if (slot.standing == Standing::kSpared) spared_[slot.tier].Erase(index);
    if (slot.standing == Standing::kTimed || slot.standing == Standing::kSpared) wakes_.Remove(index);
    if (slot.standing == Standing::kTrial) trials_.Remove(index);
    if (standing == Standing::kReady) StrategyOf(slot).Insert(index);
    if (standing == Standing::kSpared) spared_[slot.tier].Insert(index, slot.key.latest());
    lanes_.OnStanding(index, slot.standing, standing);
    --by_standing_[static_cast<size_t>(slot.standing)];
    ++by_standing_[static_cast<size_t>(standing)];
    slot.standing = standing;
  }
  if (standing == Standing::kSpared) spared_[slot.tier].Update(index, slot.key.latest());
  if (standing == Standing::kTimed || standing == Standing::kSpared) wakes_.Set(index, slot.wake);
  if (standing == Standing::kTrial) trials_.Set(index, slot.key.until());
  if (standing == Standing::kTimed && slot.key.may_be_hastened() && slot.wake == slot.key.until()) {
    failed_.Set(index, slot.key.began());
  } else {
    failed_.Remove(index);
  }
  if (const absl::Time probe = slot.key.ProbeDue(); probe != absl::InfiniteFuture()) {
    probes_.Set(index, probe);
  } else {
    probes_.Remove(index);
  }
}

}  // namespace ccr::core
