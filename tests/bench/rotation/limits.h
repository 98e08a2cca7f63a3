// What a provider allows a key, as the provider keeps it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace ccr::rotation {

// One limit. What it counts is a request, or its tokens.
struct LimitSpec {
  enum class Kind {
    kBucket,       // `amount` at once, `rate` a second
    kFixedWindow,  // `amount` in each window, all back at its end
    kSliding,      // `amount` in any `window`
    kConcurrency,  // `amount` at the same time
  };
  enum class Unit { kRequests, kTokens };

  Kind kind = Kind::kBucket;
  double amount = 1;
  double rate = 1;
  absl::Duration window = absl::Minutes(1);
  absl::Duration phase = absl::ZeroDuration();  // of fixed windows: when the first one ends, after the start
  Unit unit = Unit::kRequests;
  bool holds = false;  // of a bucket: a call while it is empty starts the wait for the next one anew
  std::string model;   // empty = of all models together
};

LimitSpec Bucket(double rate, double burst);
LimitSpec HoldingBucket(double rate, double burst);
LimitSpec FixedMinute(double amount, absl::Duration phase = absl::Minutes(1));
LimitSpec SlidingMinute(double amount);
LimitSpec Concurrency(double amount);
LimitSpec TokensPerMinute(double amount);
LimitSpec Quota(double amount);  // of a day
LimitSpec ForModel(LimitSpec spec, std::string model);

// The state of one limit. Times never go back. Not thread-safe.
class Limit {
 public:
  // What an answer's headers tell of it.
  struct Told {
    double limit, remaining;
    absl::Duration reset;  // until `remaining` is `limit`
  };

  virtual ~Limit() = default;
  // When `cost` has room: `now` when it has; InfiniteFuture when it never has.
  virtual absl::Time RoomAt(double cost, absl::Time now) = 0;
  virtual void Take(double cost, absl::Time now) = 0;
  virtual void Refuse(absl::Time /*now*/) {}
  virtual void GiveBack() {}  // a call that was taken has ended
  virtual std::optional<Told> Tell(absl::Time now) = 0;
};
std::unique_ptr<Limit> MakeLimit(const LimitSpec& spec, absl::Time start);

// Requests a second that it allows for ever, when each costs `tokens` and takes `seconds`.
double SustainedRate(const LimitSpec& spec, double tokens, double seconds);

}  // namespace ccr::rotation
