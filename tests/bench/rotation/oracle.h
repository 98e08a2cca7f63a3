// The most that any policy could serve.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

struct Interval {
  double from, until;  // s from the start, both inclusive; empty when from > until
};

// The most pairs of intervals that meet, one of each family, none twice.
size_t Match(const std::vector<Interval>& requests, const std::vector<Interval>& permits);

// The requests that could be answered when each may begin at any time from its arrival to `max_wait` later, by somebody
// who knows all limits and all that will happen: a greatest matching of requests to what the keys allow.
//
// A limit is a set of permits, each for one request, good during an interval: of a bucket, one comes each 1/rate s and
// is lost when burst/rate s later it is not used; of a window, `amount` are good from its begin to its end. The matching
// of two families of intervals, an edge where they meet, is found exactly by taking the interval that ends first and
// giving it the partner that ends first. It is an upper bound, and tight but for this:
// - of a key with several limits only the tightest counts; limits of single models are matched for each model alone, and
//   for all together as if each permit were for any; the less of both;
// - a sliding window is taken as a fixed one and as a bucket, whichever allows less in all;
// - concurrency n allows n/d a second, d the mean duration; tokens allow as many requests as there are of mean size;
// - of a flaky key, and of one that cuts streams, the expected share of calls counts;
// - another user of a key comes first.
// Times in which a key, or all, cannot serve are cut out of the intervals.
size_t MostServed(const Scenario& scenario, absl::Duration max_wait);

// What goodput is measured by: MostServed, or what RunSeer serves if that is more. Where nobody waits, and a key limits
// concurrency or has another user, it is what RunSeer serves at once: then concurrency is no rate, and who comes before
// the other user does.
size_t Bound(const Scenario& scenario, absl::Duration max_wait);

}  // namespace ccr::rotation
