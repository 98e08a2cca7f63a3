// A pool's keys, and which of them may be leased.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/deadline_heap.h"
#include "broker/core/fingerprint_table.h"
#include "broker/core/key.h"
#include "broker/core/lanes.h"
#include "broker/core/model_table.h"
#include "broker/core/pacing/fair_share.h"
#include "broker/core/pool_spec.h"
#include "broker/core/slots.h"
#include "broker/core/strategies/indexed_heap.h"
#include "broker/core/strategies/strategy.h"
#include "broker/core/types.h"

namespace ccr::core {

// When something opens: at a time, and where the end of a lease may open it too, any time.
struct Opening {
  // The guess of a moment where only the end of some lease is waited for.
  static constexpr absl::Duration kAnyTime = absl::Seconds(1);

  absl::Time at = absl::InfiniteFuture();
  bool any_time = false;

  bool IsNow(absl::Time now) const { return at <= now && !any_time; }
  absl::Time Guess(absl::Time now) const { return any_time ? std::min(at, now + kAnyTime) : at; }
  // When both are open: this one, and after it that one.
  Opening And(const Opening& other, absl::Time now) const {
    const absl::Time first = std::max(any_time ? now : at, other.any_time ? now : other.at);
    if (first > now || !(any_time || other.any_time)) return {first, false};
    return {any_time ? absl::InfiniteFuture() : other.at, true};
  }
};

// Holds the keys and sorts them by what they wait for, so that picking one and telling when the next returns cost
// O(log keys + excluded), and for a model with lanes that are held O(those) more. Keys of weight 0 have a strategy of
// their own, asked when the first has none, nor a key that is spared: one that is active but has failed lately. Those go
// by turns, whatever the strategy.
//
// Whoever changes a key calls Settle for it afterwards. Removed keys stay, out of every order, until their last lease
// ends and then until kRemembered others were removed after them: a key that comes back is the one it was. Not
// thread-safe; no clock.
class Roster {
 public:
  using Standing = core::Standing;

  static constexpr absl::Duration kNextStep = absl::Milliseconds(1);

  // Removed keys without leases that are remembered.
  static constexpr size_t kRemembered = 16'384;

  // A configuration comes into effect in two acts, each in steps of at most `limit` keys; in between, everything goes
  // on. Keys follow by fingerprint and keep all they are.
  //
  // Number: each key gets its slot, without effect yet. Slots of new keys never equal those of keys that are known.
  // True when all have theirs.
  bool Number(Reconfiguration* change, size_t limit);
  // Adopt: the keys are taken as they are now configured, those of the configuration before leave. True when all is
  // done: then order() is the new one. Until then keys of both may be picked.
  bool Adopt(Reconfiguration* change, size_t limit, absl::Time now);

  Key& key(KeyIndex index) { return slots_[index].key; }
  const Key& key(KeyIndex index) const { return slots_[index].key; }
  Standing standing(KeyIndex index) const { return slots_[index].standing; }
  bool present(KeyIndex index) const { return slots_[index].standing != Standing::kAbsent; }
  bool known(KeyIndex index) const { return index < capacity() && !slots_[index].free; }  // present or remembered
  KeyIndex Find(std::string_view fingerprint) const;           // present keys; kNoKey when unknown
  absl::Span<const KeyIndex> order() const { return order_; }  // of the configuration
  KeyIndex capacity() const { return static_cast<KeyIndex>(slots_.size()); }

  uint32_t active() const { return CountOf(KeyState::kActive); }
  uint32_t failures_disabled() const { return failures_disabled_; }  // keys that are, as they say
  bool declares_limits() const { return declares_limits_; }          // some key is configured with one
  bool all_out() const { return by_standing_[static_cast<size_t>(Standing::kOut)] == present_; }

  // What the next calls are about: a request for that model of so many tokens (0 = not known) that leaves those keys
  // out. Duplicates and unknown numbers do no harm.
  void Consider(absl::Span<const KeyIndex> excluded, ModelId model = kAnyModel, uint64_t tokens = 0);

  enum class By : uint8_t { kTrial, kSession, kStrategy };
  struct Choice {
    KeyIndex key = kNoKey;
    By by = By::kStrategy;
    bool over_share = false;  // the preferred key was available, but not within its share
  };
  // A due trial first (of disabled keys, the longest due; last for who tries `again`, as a key has failed him), else the
  // preferred key (kNoKey: none) when it is within its share, else what the strategy says, else kNoKey. A preferred key of
  // weight 0 is no exception from the rule that such keys come last. Keys without room for the request's tokens are passed
  // over, and excluded from then on; kLooks at most.
  Choice Pick(KeyIndex preferred, bool again, absl::Time now, absl::BitGenRef random);
  // Where Pick has none: a key that lacks nothing but room by the estimate of its pacer, which may be tried (see Pacer);
  // the one that is nearest to having some. kLooks are looked at.
  Choice PickTry(absl::Time now);
  uint32_t Candidates() const;  // keys, not excluded, that Pick may give
  // When the first key that is not excluded can be granted: `now`, a later time, or InfiniteFuture when none is in
  // sight. kNextStep from now where its rest is over and it is still to be woken.
  Opening EarliestReturn(absl::Time now);

  // The next lease, by number. True when it is undecided; then OnDecided follows once.
  bool OnGranted(const Choice& choice, uint64_t sequence, absl::Time now);
  void OnDecided(KeyIndex index, ModelId model, uint64_t sequence, absl::Time now);
  // A good answer has begun, or is there whole: opens the lane. The key itself is told by the caller.
  void OnSuccess(KeyIndex index, ModelId model, uint64_t sequence, absl::Time now);
  void OnReasserted(KeyIndex index, absl::Time now);
  // A good answer of the key has begun; `latency` is its time to first byte, 0 when not known.
  void OnBegun(KeyIndex index, absl::Duration latency, absl::Time now);
  // `latency` is the time to first byte of a success that OnBegun has not told; 0 when not known.
  void OnEnded(KeyIndex index, bool trial, absl::Duration latency, absl::Time now);
  void Settle(KeyIndex index, absl::Time now);

  // The key does not serve that model until then. A hold only grows; its time or a success of a lease that was granted
  // after it began ends it.
  void Hold(KeyIndex index, ModelId model, absl::Time until, std::string_view reason, absl::Time now);
  void Forget(KeyIndex index);  // what is known of the key's models
  // What a store remembers of the key's models. The key needs a number, and may enter later.
  void RestoreLanes(KeyIndex index, const KeySnapshot& saved, absl::Time now);
  // What is known of the key for the model; nullptr when nothing is, and for kAnyModel. Settle it after a change.
  Lane* FindLane(KeyIndex index, ModelId model) { return lanes_.Find(index, model); }
  // What learns from an answer of the key for the model. While it has answered for one model alone, the limits are the
  // key's; from the second on each model has its own, until it is sure that they share the key's.
  Pacer& PacerOf(KeyIndex index, ModelId model, absl::Time now);
  // Whether something may: its lanes may have pacers.
  bool IsPaced(KeyIndex index) const { return slots_[index].key.pacer() != nullptr || lanes_.HasSome(index); }
  Pacer& ModelPacer(KeyIndex index, ModelId model, absl::Time now);  // of that model alone; settle its lane afterwards
  Lane& OpenLane(KeyIndex index, ModelId model) { return lanes_.Open(index, model); }
  void SettleLane(KeyIndex index, ModelId model, absl::Time now) { lanes_.Settle(index, model, standing(index), now); }
  const LaneTable& lanes() const { return lanes_; }
  ModelId ModelOf(std::string_view name);
  uint32_t models() const { return models_.size() - 1; }  // that were asked for; their numbers are from 1 on
  const std::string& NameOf(ModelId model) const { return models_.NameOf(model); }
  size_t WakeLanes(size_t limit, absl::Time now);  // ends so many holds whose time is over; what is left of `limit`

  absl::Time NextProbe() const { return probes_.NextTime(); }
  // The next key whose probe is due, or kNoKey. The caller calls key().OnProbeStarted and Settle, which take it out.
  KeyIndex DueProbe(absl::Time now) const { return NextProbe() > now ? kNoKey : probes_.Next(); }
  absl::Time NextWake() const { return std::min(wakes_.NextTime(), lanes_.NextWake()); }
  // Of the keys whose trial waits for its time and may be hastened the one that was disabled first, or kNoKey. The
  // caller hastens it and calls Settle, which takes it out.
  KeyIndex NextToHasten() const { return failed_.Next(); }
  // The next key whose time has come, or kNoKey. The caller calls key().OnTime and Settle, which take it out.
  KeyIndex Due(absl::Time now) const;

 private:
  static constexpr size_t kTiers = 2;
  static constexpr uint32_t kLooks = 32;

  // Laws: a slot is known to its strategy while it is present and eligible there while kReady; that is
  // strategies_[tier], or while a change of strategy is under way retiring_[tier]; it is in wakes_ while kTimed or
  // kSpared, at `wake`, in spared_[tier] while kSpared, in trials_ while kTrial, in probes_ while its probe is due at some
  // time, and in failed_ while it waits for a trial that may be hastened. by_standing_ and by_state_ count the present
  // slots, and load_[tier] those of the tier that are ACTIVE.
  struct Slot {
    explicit Slot(Key k) : key(std::move(k)) {}
    Key key;
    Standing standing = Standing::kAbsent;
    KeyState state = KeyState::kActive;  // as counted
    uint32_t in_flight = 0;              // as counted
    bool failures_disabled = false;      // as counted
    uint64_t share = 1;                  // as counted: the weight, where the strategy uses it
    uint8_t tier = 0;
    Strategy* strategy = nullptr;
    absl::Time wake;
    uint64_t generation = 0;  // of the last configuration that has it
    uint64_t left = 0;        // its number in remembered_; 0: it is not there
    bool free = false;        // nobody's
    bool numbered = false;    // about to be adopted: it stays
    bool restricted = false;  // to some models
  };

  uint32_t CountOpen(Standing standing) const;  // for the model that is considered
  uint32_t CountOf(KeyState state) const { return by_state_[static_cast<size_t>(state)]; }
  static Strategy& StrategyOf(const Slot& slot) { return *slot.strategy; }
  KeyIndex SlotFor(const KeySpec& spec, const Limits& others, std::vector<KeyIndex>* added);
  void BeginAdopting(const PoolSpec& spec);
  void Remove(KeyIndex index);
  void Remember(KeyIndex index);
  void Enter(KeyIndex index, const KeyTraits& traits, uint8_t tier, absl::Time now);
  void Leave(KeyIndex index);
  void Count(const Slot& slot);
  void Uncount(const Slot& slot);
  bool Is(KeyIndex preferred, Standing standing, size_t tier) const;  // and may be picked
  void Free(KeyIndex index);
  Standing StandingOf(Key& key, absl::Time now, absl::Time* wake) const;
  Excluded View() const { return {excluded_, lanes_.Closed(model_)}; }
  Choice PickOnce(KeyIndex preferred, bool again, absl::Time now, absl::BitGenRef random);
  KeyIndex PickReady(size_t tier, absl::Time now, absl::BitGenRef random) const;
  void ShareLimits(KeyIndex index, absl::Time now);
  bool MayTry(KeyIndex index, absl::Time now);
  absl::Time RoomAt(KeyIndex index, absl::Time now);  // for the request, as far as limits go
  bool MayReturnAnyTime(absl::Time now) const;        // some key waits for the end of a lease
  void Restrict(KeyIndex index);                      // to the models that it may serve
  void Bar(KeyIndex index, ModelId model);            // unless it may serve it
  void Move(KeyIndex index, Standing standing);

  using Strategies = std::array<std::unique_ptr<Strategy>, kTiers>;

  Slots<Slot> slots_;
  std::vector<KeyIndex> free_;
  std::vector<KeyIndex> order_;
  FingerprintTable by_fingerprint_;                       // removed keys too, while they are known
  std::deque<std::pair<KeyIndex, uint64_t>> remembered_;  // as they left, with Slot::left; stale where that differs
  uint64_t leavings_ = 0;
  uint64_t generation_ = 0;
  uint32_t present_ = 0;
  std::string strategy_name_;
  Strategies strategies_;
  Strategies retiring_;                               // of the configuration before, while not all keys are adopted
  std::array<IndexedHeap<uint64_t>, kTiers> spared_;  // by their last leases
  DeadlineHeap wakes_;
  DeadlineHeap trials_;
  DeadlineHeap probes_;
  DeadlineHeap failed_;
  uint32_t failures_disabled_ = 0;
  std::array<uint32_t, kStandings> by_standing_{};
  std::array<uint32_t, 3> by_state_{};
  std::array<SharedLoad, kTiers> load_{};
  ModelTable models_;
  LaneTable lanes_;
  bool declares_limits_ = false;
  uint32_t restricted_ = 0;  // known keys that may not serve every model
  uint64_t sequence_ = 0;    // of the last lease

  // The request that is considered.
  std::vector<KeyIndex> excluded_;
  ModelId model_ = kAnyModel;
  uint64_t tokens_ = 0;
  absl::Time passed_over_until_ = absl::InfiniteFuture();  // the earliest room in a key that had none for it
};

}  // namespace ccr::core
