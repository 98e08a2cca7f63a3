// How a provider may count the calls of a key, and which way fits what it refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace ccr::simulation {

inline constexpr absl::Duration kMinute = absl::Minutes(1);

// More than that many times a limit: what was served shows that it is another one, or not of all these calls.
inline constexpr double kExceeded = 1.2;

struct CallLimit {
  enum class Kind : uint8_t {
    kNone,
    kSliding,  // `most` in any minute
    kFixed,    // `most` in each minute that begins at `phase`
    kBucket,   // `most` at once, of which `rate` a second come back
    kAtOnce,   // `most` in flight
  };
  Kind kind = Kind::kNone;
  double most = 0;
  double rate = 0;
  absl::Duration phase = absl::ZeroDuration();  // since the epoch, less than a minute
};

// What a limit's calls have used up of it. Times never decrease.
class LimitMeter {
 public:
  explicit LimitMeter(const CallLimit& limit) : limit_(limit) {}

  double Used(absl::Time now);
  void Take(absl::Time now);
  void Ended() { in_flight_ -= 1; }  // a call that was taken

  // When one more fits: `now` when it does, InfiniteFuture when only an end helps.
  absl::Time RoomAt(absl::Time now);
  absl::Duration FullIn(absl::Time now);  // until nothing is used, by what is known now

 private:
  absl::Time WindowOf(absl::Time now) const { return now - (now - absl::UnixEpoch() - limit_.phase) % kMinute; }

  const CallLimit limit_;
  std::deque<absl::Time> taken_;              // kSliding: within a minute
  absl::Time window_ = absl::InfinitePast();  // kFixed
  absl::Time at_ = absl::InfinitePast();      // kBucket: when used_ was so much
  double used_ = 0, in_flight_ = 0;
};

// One call of a key, as far as its limit goes.
struct LimitedCall {
  absl::Time granted, ended;
  bool served = false;
  bool refused = false;                // for a limit that may be this one
  std::optional<absl::Duration> told;  // of a refused one: when there is room, from `ended` on
};

struct Fit {
  CallLimit limit;
  int score = 0;  // how well it explains the refusals
};

// The limit that allows all that was served and explains the most refusals: nearly nothing was left, and room came back
// when they said. Of equals a sliding minute, as most providers count. None where no refusal is explained. `calls` are
// in the order of their grants. O(calls x candidates).
Fit FitLimit(absl::Span<const LimitedCall> calls);

// The most that the served calls used of a limit of this kind at once, whatever its `most`.
double MostUsed(absl::Span<const LimitedCall> calls, const CallLimit& limit);

// The same limit, not much tighter than what was served: a faster bucket, or more at a time.
CallLimit Widened(CallLimit limit, absl::Span<const LimitedCall> calls);

// By call: what the ones before it had used.
std::vector<double> UsedBefore(absl::Span<const LimitedCall> calls, const CallLimit& limit);

// A limit as the head of a good answer tells it.
struct ToldLimit {
  absl::Time at;
  double limit = 0, remaining = 0;
  absl::Duration reset;
};

// Which limit tells that; kNone when nothing is told.
CallLimit LimitToldBy(absl::Span<const ToldLimit> told);

}  // namespace ccr::simulation
