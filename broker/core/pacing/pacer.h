// How fast one key may be used: what its provider says of its limits, or what its refusals teach.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/pacing/limit_mirror.h"
#include "broker/core/pacing/rate_learner.h"
#include "broker/core/types.h"

namespace ccr::core {

// What a pacer has learned: it survives a restart, and people see it.
struct Learned {
  double rate = 0;             // requests a second, sustained; 0 = not known
  double depth = 0;            // requests at once
  uint32_t max_in_flight = 0;  // 0 = no such limit
};

// One key's pacer (or that of one model of a key, where a provider limits so). Its owner makes it when the first answer
// tells a limit or the first 429 comes; before that a key is not paced. A limit that answers tell is mirrored, one that
// they do not tell is learned; refusals that come only with more leases in flight than were ever served are of a limit
// of concurrency. Not thread-safe; no clock. RoomAt is O(1), the others O(leases in flight) at worst.
class Pacer {
 public:
  // The key had `grants` since `since`; `in_flight` of these are under way.
  Pacer(uint32_t in_flight, uint32_t grants, absl::Time since) : untold_(in_flight) { learner_.Begin(grants, since); }

  // When a grant of `tokens` (estimated; 0 = not known) has room: `now` when it has.
  absl::Time RoomAt(uint64_t tokens, absl::Time now) const { return RoomAt(tokens, now, true); }
  // Whether a grant without room may be tried, which is better than none: what keeps it out is an estimate, no word of the
  // provider's. One at a time, and so many that few calls are refused for it.
  bool MayTry(uint64_t tokens, absl::Time now) const {
    return !trying_ && tries_ >= 1 && RoomAt(tokens, now, false) <= now;
  }
  // So many leases may be in flight, as far as is known; 0 = no such limit.
  uint32_t max_in_flight() const { return max_in_flight_; }
  // Whether as many are, of those that it was told of.
  bool full() const { return max_in_flight_ > 0 && flights_.size() + untold_ >= max_in_flight_; }

  // Numbers rise. `of_key`: of a pacer of one model, the grants of the whole key up to this one; 0 = not known.
  void OnGranted(uint64_t sequence, uint64_t tokens, absl::Time now, uint64_t of_key = 0);
  // A good answer has begun, with what its head told. Once for a lease, OnEnded at the latest.
  void OnBegun(uint64_t sequence, const RateLimits& limits, absl::Time now);
  void OnEnded(uint64_t sequence, uint64_t used_tokens, absl::Time now);  // well; 0 tokens = not known
  void OnUnknown(uint64_t sequence, absl::Time now);                      // without a word of limits
  // A 429. Returns when the key is back: the provider's own moment, else `reset` of what is used up, else what was
  // learned, else 1 s doubling to 60 s; `now` when there is room as soon as another lease ends. A refusal of a lease
  // granted before the last refusal was known teaches nothing; neither does a quota's, of more than 10 min.
  absl::Time OnRefused(uint64_t sequence, std::optional<absl::Duration> retry_after, const RateLimits& limits,
                       absl::Time now);

  // What the last answer told of whether the limit that it speaks of is the model's own (1) or the whole key's (-1).
  // 0 = nothing.
  int scope() const { return scope_; }

  Learned learned() const;
  void Restore(const Learned& learned, absl::Time now);
  double RoomNow(absl::Time now) const;  // requests; infinite when nothing is known

 private:
  struct Flight {
    uint64_t sequence = 0;
    absl::Time granted;
    double requests = 0, tokens = 0;  // granted in all, up to and with it
    uint32_t own_tokens = 0;
    uint32_t in_flight = 0;  // with it
    bool begun = false;
    bool waited = false;  // for room
    uint32_t before = 0;  // see RateLearner
    float lack = 0;       // of room, at a grant that was tried
    bool tried = false;
    uint64_t of_key = 0;
  };
  // An answer of requests that are left.
  struct Told {
    double remaining = 0, limit = 0, requests = 0;
    uint64_t of_key = 0;
    absl::Time granted, reset_at;
  };

  static constexpr uint32_t kNobodyRefused = std::numeric_limits<uint32_t>::max();

  absl::Time RoomAt(uint64_t tokens, absl::Time now, bool sparing) const;
  Flight* Find(uint64_t sequence);
  void Read(const Flight& flight, const RateLimits& limits, absl::Time now);
  void LearnScope(const Flight& flight, const RateLimit& said, double rate, absl::Time now);
  int ScopeOfModels(const Told& before, const Told& told, double rate) const;
  LimitMirror& MirrorOf(RateLimit::Unit unit);
  bool mirrors_requests() const;
  double UsedOf(const LimitMirror& mirror, const Flight& flight) const;
  void Erase(uint64_t sequence);
  void TakeBack(Flight* refused);
  std::optional<absl::Duration> RestTold(const RateLimits& limits) const;
  void OnServed(const Flight& flight);
  bool IsOfConcurrency(const Flight& flight);  // a refusal

  bool trying_ = false;          // a grant without room, not decided yet
  double tries_ = 1;             // that may be refused; successes earn them
  std::vector<Flight> flights_;  // by sequence
  uint32_t untold_;
  double requests_ = 0, tokens_ = 0;  // granted in all
  double mean_tokens_ = 0;
  uint64_t last_ = 0;     // granted
  bool refused_ = false;  // before
  uint64_t settled_ = 0;  // leases up to this one were granted before the last refusal was known
  absl::InlinedVector<LimitMirror, 1> mirrors_;
  RateLearner learner_;
  std::optional<Told> last_told_;
  int scope_ = 0;

  // Leases in flight at a grant, itself included. Law while a limit of concurrency is possible: every lease that was
  // served had at most most_served_, every one that was refused at least least_refused_ > most_served_.
  uint32_t max_in_flight_ = 0;
  uint32_t most_served_ = 0;
  uint32_t least_refused_ = kNobodyRefused;
  uint32_t agreeing_ = 0;       // refusals since that law was broken
  uint32_t contradicting_ = 0;  // refusals below max_in_flight_, lately
  uint32_t at_the_limit_ = 0;   // successes with max_in_flight_ in flight
};

}  // namespace ccr::core
