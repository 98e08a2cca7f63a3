// The protection of a pool's keys from an outage of their provider.
#pragma once

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
#include "broker/core/types.h"

namespace ccr::core {

// CLOSED -> OPEN(until) -> HALF-OPEN -> CLOSED by a trial's success, -> OPEN again by its failure. A success counts
// from its first byte on.
//
// It opens when, with no success of the pool in between,
// - upstream failures of one reason come, within 30 s, from more than half of the usable keys and from two at least; or
// - three upstream failures in a row hit the last available key; or
// - three overloads in a row come, of whatever keys, and more of them than good answers are under way: who serves
//   forty streams is not down when it turns three requests away; or
// - within 30 s auth failures come from two keys at least and from so many that no key is left untried, or from five,
//   or three in a row hit the last available key: then the provider, or the way it is asked, refuses everybody. The
//   failures of one request alone do not say so while the pool has served within the last minute.
// The n-th opening in a row lasts 1 s * 2^(n-1) +-10 %, cap 30 s, or the provider's Retry-After, cap 30 min.
//
// Laws:
// - OPEN admits nobody. HALF-OPEN admits one lease at a time; one whose time for a verdict is over makes room for the
//   next. Whichever of them has a verdict first decides.
// - Evidence of leases granted before the last opening is stale: it belongs to an outage that is already known.
// - The failures that led to an opening are given back to their keys: the circuit holds back the whole pool instead.
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
  };

  void Reserve(KeyIndex capacity);

  CircuitState state() const { return state_; }
  absl::Time retry_at() const { return retry_at_; }    // of an open circuit
  std::string_view reason() const { return reason_; }  // of the last opening
  bool refuses_everybody() const;                      // it opened for auth failures
  absl::Span<const KeyIndex> to_blame() const { return to_blame_; }
  bool Admits() const { return state_ == CircuitState::kClosed || (state_ == CircuitState::kHalfOpen && !trial_); }
  bool IsStale(uint64_t lease_sequence) const { return lease_sequence < opened_; }

  // OPEN becomes HALF-OPEN when its time is over. True when it did.
  bool OnTime(absl::Time now);

  // Whether a lease is a trial whose verdict is still wanted, be it over time or not.
  bool IsTrial(uint64_t lease_sequence) const { return state_ == CircuitState::kHalfOpen && !IsStale(lease_sequence); }
  void OnTrialGranted() { trial_ = true; }
  // A lease that was granted as a trial has ended, or has no more time for a verdict.
  void OnTrialOver(uint64_t lease_sequence) {
    if (!IsStale(lease_sequence)) trial_ = false;
  }

  // True when the circuit closes: the success was a trial's.
  bool OnSuccess(uint64_t lease_sequence);
  // True when it must open now (the caller then calls Open). Precondition: closed.
  bool OnFailure(const Failure& failure, uint32_t usable_keys);
  // An auth failure; true when it is one of three in a row of the last available key. The caller judges refused().
  bool OnRefused(const Failure& failure);
  // The latest auth failure of each key in the window, of five keys at most.
  absl::Span<const Failure> refused() const { return refused_; }
  // The same. `flowing`: leases whose good answer has begun and goes on.
  bool OnOverload(uint32_t flowing) { return ++overloads_ >= kInARow && overloads_ > flowing; }

  // Opens, or opens again, and forgets what has led to it.
  void Open(std::string_view reason, std::optional<absl::Duration> retry_after, const Moment& now,
            absl::BitGenRef random);
  // The trial is due, and what came before `now` is stale: the reason for the opening is gone.
  void RetryNow(const Moment& now);
  void Blame(KeyIndex key);

  // The failures that an opening gives back.
  absl::Span<const Failure> Window(absl::Time now);
  // Forgets the failures seen.
  void ClearWindow();
  void ForgetKeys();  // and whom to blame: keys have changed their numbers

 private:
  static constexpr uint32_t kInARow = 3;
  static constexpr size_t kMaxRefused = 5;
  static constexpr size_t kMaxToBlame = 64;
  static constexpr absl::Duration kWindow = absl::Seconds(30);

  uint32_t Count(const Failure& failure);  // the distinct keys that failed for the same reason
  void Uncount(const Failure& failure);
  void DropOld(absl::Time now);

  CircuitState state_ = CircuitState::kClosed;
  absl::Time retry_at_ = absl::InfinitePast();
  bool trial_ = false;                    // law: only in HALF-OPEN
  std::string_view reason_;               // static storage
  uint64_t opened_ = 0;                   // leases with lower numbers are stale
  uint32_t openings_ = 0;                 // in a row
  uint32_t overloads_ = 0;                // in a row
  uint32_t last_available_failures_ = 0;  // in a row

  // Failures are numbered from 1. window_ holds numbers first_, first_+1, ...; those from begin_ on count.
  // latest_[key] is the number of the key's newest failure, and this one alone counts for its reason:
  // keys_by_reason_[r] = |{key : latest_[key] >= begin_, its reason is r}|.
  std::vector<Failure> window_;
  uint64_t first_ = 1;
  uint64_t begin_ = 1;
  std::vector<uint64_t> latest_;
  absl::InlinedVector<std::pair<std::string_view, uint32_t>, 16> keys_by_reason_;

  std::vector<Failure> refused_;    // of different keys
  std::vector<KeyIndex> to_blame_;  // oldest first; empty while closed
};

}  // namespace ccr::core
