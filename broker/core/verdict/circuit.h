// The protection of a pool's keys from an outage of their provider.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/key.h"
#include "broker/core/model_table.h"
#include "broker/core/types.h"

namespace ccr::core {

// CLOSED -> OPEN(until) -> HALF-OPEN -> CLOSED by a trial's success, -> OPEN again by its failure. A success counts
// from its first byte on.
//
// It opens when, with no success of the same model in between,
// - upstream failures within 30 s, of more than one request, leave no active key that has not failed, of two at least; or
// - upstream failures of three requests in a row hit the last available key; or
// - three overloads in a row come, more of them than good answers are under way (who serves forty streams is not down
//   when it turns three requests away), and they leave no active key untried, or are of five keys, or fifteen; or
// - the host could not be reached three times in a row, with whatever keys; or
// - within 30 s auth failures come from two keys at least and from so many that no key is left untried, or from five,
//   or three in a row hit the last available key: then the provider, or the way it is asked, refuses everybody. The
//   failures of one request alone do not say so while the pool has served within the last minute.
// The n-th opening in a row lasts 1 s * 2^(n-1) +-10 %, cap 30 s, or until a probe finds the
// provider well again, or the provider's Retry-After, cap 30 min. A session that
// failed by itself, and then fails the trial too, does not prolong it: others may fare better.
//
// What leads to it was of one model, or of several: it holds back that model, or all. A circuit that holds back one
// widens to all when it would open for another one, and holds back but one again when that one fails its trial.
//
// Laws:
// - OPEN admits nobody that it holds back. HALF-OPEN admits one such lease at a time; one whose time for a verdict is over
//   makes room for the next. Whichever of them has a verdict first decides.
// - Evidence of leases granted before the last opening is stale: it belongs to an outage that is already known.
// - The failures that led to an opening are given back to their keys: the circuit holds them back instead.
// - The trial goes to a key that has not just failed, where there is one: those of the opening and of trials since, the
//   last 64, are to blame.
//
// Counts in O(1) amortised per report, over any number of keys. Not thread-safe; no clock.
class Circuit {
 public:
  struct Failure {
    KeyIndex key = kNoKey;
    absl::Time time;
    std::string_view reason;
    Key::Mark mark;
    bool last_available = false;  // hit the one key that was available, and so left it alone
    uint64_t request = 0;         // whose lease failed; 0 = not known
    ModelId model = kAnyModel;
    SessionHash session = kNoSession;
  };

  void Reserve(KeyIndex capacity);

  CircuitState state() const { return state_; }
  absl::Time retry_at() const { return retry_at_; }    // of an open circuit
  std::string_view reason() const { return reason_; }  // of the last opening
  bool refuses_everybody() const;                      // it opened for auth failures
  absl::Span<const KeyIndex> to_blame() const { return to_blame_; }
  // Whether what it says concerns a lease of that model. kAnyModel is one of all.
  bool HoldsBack(ModelId model) const {
    return state_ != CircuitState::kClosed && (model_ == kAnyModel || model == kAnyModel || model == model_);
  }
  bool Admits(ModelId model) const { return !HoldsBack(model) || (state_ == CircuitState::kHalfOpen && !trial_); }
  ModelId model() const { return model_; }  // that it holds back; kAnyModel: all
  bool IsStale(uint64_t lease_sequence) const { return lease_sequence < opened_; }

  // OPEN becomes HALF-OPEN when its time is over. True when it did.
  bool OnTime(absl::Time now);

  // Whether a lease is a trial whose verdict is still wanted, be it over time or not.
  bool IsTrial(uint64_t lease_sequence, ModelId model) const {
    return state_ == CircuitState::kHalfOpen && HoldsBack(model) && !IsStale(lease_sequence);
  }
  void OnTrialGranted() { trial_ = true; }
  // A lease that was granted as a trial has ended, or has no more time for a verdict.
  void OnTrialOver(uint64_t lease_sequence) {
    if (!IsStale(lease_sequence)) trial_ = false;
  }

  // True when the circuit closes: the success was a trial's.
  bool OnSuccess(uint64_t lease_sequence, ModelId model);
  // True when it must open now (the caller then calls Open). So many keys are active, `is_active(key)` tells of each.
  // Precondition: it does not hold back the failure's model.
  template <typename IsActive>
  bool OnFailure(const Failure& failure, uint32_t active, const IsActive& is_active);
  // Whether other keys than that one have failed without a success since.
  bool OthersFail(KeyIndex key, absl::Time now);
  // The failures of the key are its own no more: they are not to be given back.
  void Forgive(KeyIndex key);
  // The provider's host was not reached, or was. True when it is time to open.
  bool OnHostFailure() { return ++host_failures_ >= kInARow; }
  void OnHostReached() { host_failures_ = 0; }
  // An auth failure; true when it is one of three in a row of the last available key. The caller judges refused().
  bool OnRefused(const Failure& failure);
  // The latest auth failure of each key in the window, of five keys at most.
  absl::Span<const Failure> refused() const { return refused_; }
  // True when it is time to open. `flowing`: leases whose good answer has begun and goes on; `active` and `is_active` as
  // for OnFailure.
  template <typename IsActive>
  bool OnOverload(KeyIndex key, ModelId model, uint32_t flowing, uint32_t active, const IsActive& is_active);
  // Whether the overloads in a row leave a key that is worth another try.
  template <typename IsActive>
  bool LeavesUntried(uint32_t active, const IsActive& is_active) const;

  // Opens, or opens again, for what has led to it, and forgets that.
  void Open(std::string_view reason, std::optional<absl::Duration> retry_after, const Moment& now,
            absl::BitGenRef random);
  // The trial of an open circuit is due.
  void RetryAt(absl::Time now) {
    if (state_ == CircuitState::kOpen) retry_at_ = std::min(retry_at_, now);
  }
  // The trial is due, and what came before `now` is stale: the reason for the opening is gone.
  void RetryNow(const Moment& now);
  void Blame(KeyIndex key);
  // Open follows. kNoKey: the key is not to blame. kAnyModel: it tells of all models.
  void OnTrialFailed(KeyIndex key, ModelId model, SessionHash session);

  // The failures that an opening gives back.
  absl::Span<const Failure> Window(absl::Time now);
  // Forgets the failures seen.
  void ClearWindow();
  void ForgetKeys();  // and whom to blame: keys have changed their numbers

 private:
  static constexpr uint32_t kInARow = 3;
  static constexpr size_t kMaxRefused = 5;
  static constexpr size_t kMaxOverloaded = 5;
  static constexpr uint32_t kManyOverloads = 15;
  static constexpr size_t kMaxToBlame = 64;
  static constexpr absl::Duration kWindow = absl::Seconds(30);

  void CountOverload(KeyIndex key, ModelId model);
  void ForgetOverloads();
  void Add(const Failure& failure);
  void DropOld(absl::Time now);
  bool OfSeveralRequests() const;
  static ModelId Join(ModelId a, ModelId b) { return a == b ? a : kAnyModel; }

  CircuitState state_ = CircuitState::kClosed;
  absl::Time retry_at_ = absl::InfinitePast();
  bool trial_ = false;                  // law: only in HALF-OPEN
  ModelId model_ = kAnyModel;           // law: kAnyModel when CLOSED
  std::string_view reason_;             // static storage
  uint64_t opened_ = 0;                 // leases with lower numbers are stale
  uint32_t openings_ = 0;               // in a row
  SessionHash opened_by_ = kNoSession;  // all failures were of that one
  bool trial_failed_ = false;           // it opens for that
  bool repeated_ = false;               // and it was of opened_by_

  // In a row.
  uint32_t overloads_ = 0;
  ModelId overloaded_ = kAnyModel;
  absl::InlinedVector<KeyIndex, kMaxOverloaded> overloaded_keys_;  // different ones, kMaxOverloaded at most
  uint32_t host_failures_ = 0;
  uint32_t last_available_failures_ = 0;
  uint64_t last_available_request_ = 0;

  // Failures are numbered from 1. window_ holds numbers first_, first_+1, ...; those from begin_ on count.
  // latest_[key] is the number of the key's newest failure: keys_ = |{key : latest_[key] >= begin_}|.
  std::vector<Failure> window_;
  uint64_t first_ = 1;
  uint64_t begin_ = 1;
  std::vector<uint64_t> latest_;
  uint32_t keys_ = 0;
  ModelId failing_ = kAnyModel;  // of all failures in the window; kAnyModel: of several
  // At the last look so many active keys had not failed: looking again is no use before as many have.
  uint64_t look_at_ = 0;

  std::vector<Failure> refused_;    // of different keys
  std::vector<KeyIndex> to_blame_;  // oldest first; empty while closed
};

template <typename IsActive>
bool Circuit::OnOverload(KeyIndex key, ModelId model, uint32_t flowing, uint32_t active, const IsActive& is_active) {
  CountOverload(key, model);
  if (overloads_ < kInARow || overloads_ <= flowing) return false;
  return overloads_ >= kManyOverloads || !LeavesUntried(active, is_active);
}

template <typename IsActive>
bool Circuit::LeavesUntried(uint32_t active, const IsActive& is_active) const {
  if (overloaded_keys_.size() >= kMaxOverloaded) return false;
  const auto tried = std::count_if(overloaded_keys_.begin(), overloaded_keys_.end(), is_active);
  return static_cast<uint32_t>(tried) < active;
}

template <typename IsActive>
bool Circuit::OnFailure(const Failure& failure, uint32_t active, const IsActive& is_active) {
  DropOld(failure.time);
  const bool again = failure.request != 0 && failure.request == last_available_request_;
  if (failure.last_available && !again) {
    ++last_available_failures_;
    last_available_request_ = failure.request;
  }
  Add(failure);
  if (last_available_failures_ >= kInARow) return true;
  if (keys_ < 2 || keys_ < active || first_ + window_.size() < look_at_ || !OfSeveralRequests()) return false;
  uint32_t untried = active;
  for (uint64_t number = begin_; number < first_ + window_.size(); ++number) {
    const Failure& seen = window_[number - first_];
    if (latest_[seen.key] == number && is_active(seen.key) && untried > 0) --untried;
  }
  look_at_ = first_ + window_.size() + untried;
  return untried == 0;
}

}  // namespace ccr::core
