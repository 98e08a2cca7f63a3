// How fast one key may be used: what its provider says of its limits, or what its refusals teach.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "broker/core/pacing/rate_window.h"
#include "broker/core/types.h"

namespace ccr::core {

// What a pacer has learned: it survives a restart, and people see it.
struct Learned {
  double rate = 0;             // requests a second, sustained; 0 = not known
  double depth = 0;            // requests at once
  uint32_t max_in_flight = 0;  // 0 = no such limit
};

// One limit as answers tell it: `limit`, `remaining`, `reset`.
//
// Three ways of keeping a limit are told apart by which of them foretells the next answers:
//   bucket    it fills at a steady rate; `reset` is the time until it is full (GCRA, ITU-T I.371; OpenAI, Anthropic)
//   window    nothing comes back before the instant `reset`, then everything (X-RateLimit-*)
//   sliding   a use comes back a minute after it was made; `reset` is a minute whatever was used
// An answer tells of the uses that reached the provider before its own, so the later ones are taken off; who answers
// first does not matter, as answers of earlier leases than the last one heeded are ignored. A refusal where
// there was to be room (others use the key, estimates of tokens, rates that are not exact) makes a reserve, which is
// given up slowly.
class LimitMirror {
 public:
  explicit LimitMirror(RateLimit::Unit unit) : unit_(unit) {}

  RateLimit::Unit unit() const { return unit_; }
  double limit() const { return limit_; }
  double rate() const;  // units a second, sustained
  bool fills() const { return kind() == Kind::kBucket; }

  // An answer to the lease `sequence`, granted at `granted`, up to which, itself included, `used` units were granted in
  // all; `later` of them after it. Not `known`: a guess, of a lease granted before there was a pacer.
  void OnAnswer(const RateLimit& said, uint64_t sequence, double used, double later, bool known, absl::Time granted,
                absl::Time now);
  void OnGranted(double units, absl::Time now);
  // The lease `sequence` used so much less than thought.
  void GiveBack(uint64_t sequence, double units) { level_ += sequence > heard_ ? units : 0; }
  // The provider had no room where there was to be some for `units`: others use the key, or a rate is not exact.
  void OnSurprise(double units);
  void OnRefused(absl::Time back, absl::Time now);
  // A grant that took of the reserve was served.
  void OnServedWithout(double units) { reserve_ = std::max(0.0, reserve_ - kGivenUp * units); }

  // When `units` fit, `limit` of them at the most. Not `sparing`: the reserve is room as well.
  absl::Time RoomAt(double units, absl::Time now, bool sparing = true) const;
  double Level(absl::Time now) const;

 private:
  enum class Kind { kBucket, kWindow, kSliding };

  static constexpr double kGivenUp = 0.2;

  struct Sample {
    double remaining = 0, used = 0;
    absl::Time at, reset_at;
    absl::Duration reset;
  };

  Kind kind() const;
  void Vote(const Sample& before, const Sample& after);
  void LearnRate(const Sample& sample, double latency);

  RateLimit::Unit unit_;
  double limit_ = 0;
  double level_ = 0;  // at at_
  absl::Time at_ = absl::InfinitePast();
  absl::Time reset_at_ = absl::InfiniteFuture();
  double rate_ = 0;     // of a bucket; 0 = not known
  double reserve_ = 0;  // of a bucket: units left in it, for surprises
  uint64_t heard_ = 0;  // the lease of the last answer that was heeded
  float bucket_ = 1, window_ = 0, sliding_ = 0;
  std::optional<Sample> anchor_;
  std::unique_ptr<RateWindow> minute_;  // grants, of a sliding limit
  double foreign_ = 0;                  // used until reset_at_, not by these
};

// Without a word of limits: learns from the refusals.
//
// A token bucket of its own paces the grants evenly, whatever way the provider keeps its limit. A cycle lasts from the
// first refusal of an episode to that of the next one. The provider had nothing left at both, so it gave n calls in
// time T at its own rate: n / T, to one n-th, for buckets and windows alike. Earlier cycles count half as much each.
// The pace begins a cycle there and grows with the successes i that had to wait for room,
//   pace(i) = rate (1 + 3 x^2 / reach) 2^max(0, x - 1.5),   x = i / reach,
// so that it has asked for one call too much after `reach` calls when the rate is right, and is twice as fast some three
// hundred calls after the limit was raised (the idea of CUBIC, RFC 9438: slow where the limit was, fast far from it).
// `reach` is what the rate is known to: short while it is searched, 130 at last, so about one call in a hundred is
// refused. What n / T does not know:
//   - A bucket that was full in between gave less than it had. A cycle that ended at a pace far above n / T is followed
//     by a trial halfway between them. When it lasts, the earlier cycles are forgotten; when not, n / T was right.
//   - Where demand was missing, n / T is only a lower bound: the refusal takes a little off the pace.
//   - Refusals in quick succession (others use the key, calls of unequal size) make a cushion: so many calls' time more
//     after a refusal.
//   - Where nobody may wait, a call that is held back is lost, so some are tried without room (Pacer::MayTry). One that is
//     served had it: the depth was more when the bucket has been full since the last refusal, else the rate was.
//   - The depth is a tenth of a minute's calls at first. A refusal after the bucket was full takes half of what was thought
//     to be left off it.
//   - The first cycle has no beginning. Its calls count as a minute's at least, as most providers count by the minute;
//     or the rate is one call in the time until the first success after it, if that is more.
class RateLearner {
 public:
  double rate() const { return rate_; }    // requests a second; 0 = no limit is known
  double depth() const { return depth_; }  // requests
  void Restore(double rate, double depth, absl::Time now);
  // `grants` were made from `since` on, before it was told of any.
  void Begin(uint32_t grants, absl::Time since) {
    cycle_ = grants;
    cycle_began_ = since;
  }

  // True when the grant had to wait for room.
  bool OnGranted(absl::Time now);
  // `fresh`: granted after the last refusal was known. `waited`: what OnGranted said.
  void OnSuccess(bool fresh, bool waited, absl::Time granted, absl::Time now);
  // A grant that lacked so much room was served.
  void OnServedWithout(double lack, absl::Time now);
  // A call that was none: granted, and not served.
  void Uncount(absl::Time granted) { cycle_ -= granted >= cycle_began_ && cycle_ > 0 ? 1 : 0; }
  // How long the key rests: what was `told`, else a call's time, doubling until it is back, to a minute.
  // `before`: what cycle() was at the grant.
  absl::Duration OnRefused(bool fresh, uint32_t before, std::optional<absl::Duration> told, absl::Time granted,
                           absl::Time now);
  uint32_t cycle() const { return cycle_; }
  absl::Time RoomAt(absl::Time now) const;
  double Level(absl::Time now) const { return std::min(depth_, Filled(now)); }

 private:
  double Pace() const;
  double Filled(absl::Time now) const;  // without an end at depth_
  void EndCycle(uint32_t calls, absl::Time granted);
  void Measure(uint32_t calls, double seconds, absl::Time granted);

  double rate_ = 0;
  double reach_ = 0;
  double grown_ = 0;  // i
  double depth_ = 1;
  double level_ = 0;  // at at_
  absl::Time at_ = absl::InfinitePast();

  absl::Time cycle_began_ = absl::InfinitePast();
  uint32_t cycle_ = 0;                      // grants since then that were not refused
  double missed_ = 0;                       // calls that had room in this cycle and did not come
  double burst_ = 0, burst_seconds_ = 0;    // of the first cycle, until depth_ is known by it
  bool first_ = false;                      // the first cycle
  uint32_t refusals_ = 0;                   // of the last episode: in a row
  absl::Duration rest_;                     // the last one
  absl::Time back_ = absl::InfinitePast();  // its end

  double calls_ = 0, seconds_ = 0;  // of the cycles
  double doubt_ = 0;                // seconds of these in which the key may have been back, and nobody asked
  double trial_ = 0;                // so much of the rate was added to it
  bool deep_ = false;               // a trial has failed: the bucket is not full in between
  double cushion_ = 0;
  double owed_ = 0;             // by the next grant, besides its own
  uint32_t told_ = 0;           // rests
  double longest_told_ = 0.05;  // rest, s
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

  // Of a pacer of one model: what the last answer told of whether its limit is the model's own (1) or the whole key's (-1).
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
