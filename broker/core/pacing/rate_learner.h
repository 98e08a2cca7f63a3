// A rate that a provider does not tell.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace ccr::core {

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

}  // namespace ccr::core
