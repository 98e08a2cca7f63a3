// One key with every kind of limit, under demand that never ends and demand below its limit: how much of what the key
// could serve is served, and how many calls are refused. CCR_PRINT_PACER=1 prints the table.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/pacer.h"
#include "gtest/gtest.h"

namespace ccr::core {
namespace {

enum class Limit { kBucket, kHoldingBucket, kFixedMinute, kSlidingMinute, kConcurrency };
enum class Told { kNothing, kReset, kInstant };      // headers: none, time until full, instant of a window's end
enum class Hint { kAbsent, kExact, kWholeSeconds };  // Retry-After

struct Row {
  const char* name;
  Limit limit;
  double rate;  // a second; for minutes: a minute; concurrency: leases
  double burst;
  Told told;
  Hint hint;
  double goodput;  // at least, with demand that never ends
  double wasted;   // at most, of all calls
};

// What the provider does.
class Provider {
 public:
  Provider(const Row& row, double now) : row_(row), level_(row.burst), at_(now) {}

  struct Answer {
    bool ok = false;
    std::optional<double> retry_after;
    RateLimits limits;
  };

  Answer Ask(double now) {
    Answer answer;
    double reset = 0, back = 0, limit = 0, left = 0;
    switch (row_.limit) {
      case Limit::kBucket:
      case Limit::kHoldingBucket:
        limit = row_.burst;
        level_ = std::min(row_.burst, level_ + row_.rate * (now - at_));
        at_ = now;
        answer.ok = level_ >= 1 - 1e-9;
        if (answer.ok) {
          level_ -= 1;
        } else if (row_.limit == Limit::kHoldingBucket) {
          level_ = std::max(-row_.burst, level_ - 0.5);
        }
        left = std::max(0.0, level_);
        reset = (row_.burst - level_) / row_.rate;
        back = (1 - level_) / row_.rate;
        break;
      case Limit::kFixedMinute:
        limit = row_.rate;
        if (now >= at_ + 60) {
          at_ += 60 * std::floor((now - at_) / 60);
          used_ = 0;
        }
        answer.ok = used_ < row_.rate;
        if (answer.ok) ++used_;
        left = row_.rate - used_;
        reset = back = at_ + 60 - now;
        break;
      case Limit::kSlidingMinute:
        limit = row_.rate;
        while (!uses_.empty() && uses_.front() <= now - 60) uses_.pop_front();
        answer.ok = static_cast<double>(uses_.size()) < row_.rate;
        if (answer.ok) uses_.push_back(now);
        left = row_.rate - static_cast<double>(uses_.size());
        reset = uses_.back() + 60 - now;
        back = uses_.front() + 60 - now;
        break;
      case Limit::kConcurrency:
        answer.ok = in_flight_ < row_.rate;
        if (answer.ok) ++in_flight_;
        back = 1;
        break;
    }
    if (row_.told != Told::kNothing) {
      RateLimit& said = answer.limits.emplace_back();
      said.limit = static_cast<uint64_t>(limit);
      said.remaining = static_cast<uint64_t>(left);
      said.reset = absl::Seconds(row_.told == Told::kInstant ? std::ceil(reset) : reset);
    }
    if (!answer.ok && row_.hint == Hint::kExact) answer.retry_after = back;
    if (!answer.ok && row_.hint == Hint::kWholeSeconds) answer.retry_after = std::ceil(back);
    return answer;
  }
  void End() { in_flight_ -= 1; }

  // The most that it could serve in `seconds` with answers of `latency`, without end of demand.
  double Capacity(double seconds, double latency) const {
    switch (row_.limit) {
      case Limit::kBucket:
      case Limit::kHoldingBucket:
        return row_.burst + row_.rate * seconds;
      case Limit::kFixedMinute:
      case Limit::kSlidingMinute:
        return row_.rate * std::ceil(seconds / 60);
      case Limit::kConcurrency:
        return row_.rate * seconds / latency;
    }
    return 0;
  }

 private:
  Row row_;
  double level_, at_, used_ = 0, in_flight_ = 0;
  std::deque<double> uses_;
};

struct Result {
  double served = 0, refused = 0, asked = 0, in_rest = 0;
};

// `demand` requests a second, infinite: always one that waits. A request waits 30 s at most.
Result Simulate(const Row& row, double seconds, double demand, uint64_t seed) {
  struct Event {
    double at;
    uint64_t lease;  // 0: a request comes
    bool operator>(const Event& other) const { return at > other.at; }
  };
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> latency(0.2, 5);
  const auto time = [](double s) { return absl::UnixEpoch() + absl::Seconds(1e9 + s); };
  Provider provider(row, 0);
  std::unique_ptr<Pacer> pacer;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
  std::map<uint64_t, Provider::Answer> leases;
  std::deque<double> waiting;
  uint32_t undecided = 0, ramp = 8;
  double now = 0, rest_until = 0;
  uint64_t sequence = 0;
  Result result;
  const bool endless = std::isinf(demand);
  if (!endless) events.push({0, 0});
  const auto grant = [&] {
    while (!waiting.empty() && waiting.front() < now - 30) waiting.pop_front();
    while (now < seconds && (endless || !waiting.empty()) && now >= rest_until && leases.size() < 200 &&
           undecided < ramp && (pacer == nullptr || pacer->RoomAt(0, time(now)) <= time(now)) &&
           (pacer == nullptr || pacer->max_in_flight() == 0 || leases.size() < pacer->max_in_flight())) {
      if (!waiting.empty()) waiting.pop_front();
      ++sequence;
      ++undecided;
      ++result.asked;
      if (pacer != nullptr) pacer->OnGranted(sequence, 0, time(now));
      leases[sequence] = provider.Ask(now);
      const double takes = leases[sequence].ok ? latency(random) : 0.05;
      events.push({now + takes, sequence});
    }
  };
  grant();
  while (now < seconds + 10) {
    double next = events.empty() ? seconds + 11 : events.top().at;
    if (endless || !waiting.empty()) {
      double room = std::max(now, rest_until);
      if (pacer != nullptr) {
        room = std::max(room, absl::ToDoubleSeconds(pacer->RoomAt(0, time(now)) - time(0)) + 1e-6);
      }
      if (room > now + 1e-5) next = std::min(next, room);
    }
    now = next;
    if (now > seconds + 10) break;
    if (!events.empty() && events.top().at <= now) {
      const Event event = events.top();
      events.pop();
      if (event.lease == 0) {
        waiting.push_back(now);
        if (now < seconds) events.push({now + std::exponential_distribution<double>(demand)(random), 0});
      } else {
        const Provider::Answer answer = leases[event.lease];
        leases.erase(event.lease);
        --undecided;
        if (pacer == nullptr && (!answer.ok || !answer.limits.empty())) {
          pacer = std::make_unique<Pacer>(static_cast<uint32_t>(leases.size() + 1), static_cast<uint32_t>(sequence),
                                          time(0));
        }
        if (answer.ok) {
          ++result.served;
          if (row.limit == Limit::kConcurrency) provider.End();
          ++ramp;
          if (pacer != nullptr) pacer->OnBegun(event.lease, answer.limits, time(now));
          if (pacer != nullptr) pacer->OnEnded(event.lease, 0, time(now));
        } else {
          ++result.refused;
          std::optional<absl::Duration> hint;
          if (answer.retry_after) hint = absl::Seconds(*answer.retry_after);
          const absl::Time back = pacer->OnRefused(event.lease, hint, answer.limits, time(now));
          rest_until = std::max(rest_until, absl::ToDoubleSeconds(back - time(0)));
          if (back - time(now) > absl::Seconds(5)) ramp = 1;
        }
      }
    }
    grant();
  }
  return result;
}

const Row kRows[] = {
    {"bucket 1/s burst 10, told, exact", Limit::kBucket, 1, 10, Told::kReset, Hint::kExact, .97, .01},
    {"bucket 1/s burst 60, told, whole", Limit::kBucket, 1, 60, Told::kReset, Hint::kWholeSeconds, .97, .01},
    {"bucket 10/s burst 20, told, none", Limit::kBucket, 10, 20, Told::kReset, Hint::kAbsent, .97, .01},
    {"bucket 0.2/s burst 5, told, none", Limit::kBucket, .2, 5, Told::kReset, Hint::kAbsent, .95, .03},
    {"bucket 1/s burst 1, told, exact", Limit::kBucket, 1, 1, Told::kReset, Hint::kExact, .95, .05},
    {"holding bucket 2/s burst 10, told", Limit::kHoldingBucket, 2, 10, Told::kReset, Hint::kExact, .97, .01},
    {"minute 60, told, whole", Limit::kFixedMinute, 60, 0, Told::kInstant, Hint::kWholeSeconds, .97, .01},
    {"minute 600, told, none", Limit::kFixedMinute, 600, 0, Told::kInstant, Hint::kAbsent, .97, .01},
    {"sliding minute 60, told, exact", Limit::kSlidingMinute, 60, 0, Told::kReset, Hint::kExact, .94, .02},
    {"bucket 1/s burst 10, exact", Limit::kBucket, 1, 10, Told::kNothing, Hint::kExact, .1, .05},
    {"bucket 1/s burst 10, whole", Limit::kBucket, 1, 10, Told::kNothing, Hint::kWholeSeconds, .1, .05},
    {"bucket 1/s burst 10, none", Limit::kBucket, 1, 10, Told::kNothing, Hint::kAbsent, .1, .05},
    {"bucket 10/s burst 60, none", Limit::kBucket, 10, 60, Told::kNothing, Hint::kAbsent, .1, .05},
    {"bucket 1/s burst 1, none", Limit::kBucket, 1, 1, Told::kNothing, Hint::kAbsent, .1, .05},
    {"bucket 0.2/s burst 5, none", Limit::kBucket, .2, 5, Told::kNothing, Hint::kAbsent, .1, .05},
    {"holding bucket 2/s burst 10, none", Limit::kHoldingBucket, 2, 10, Told::kNothing, Hint::kAbsent, .1, .05},
    {"minute 60, whole", Limit::kFixedMinute, 60, 0, Told::kNothing, Hint::kWholeSeconds, .1, .05},
    {"minute 60, none", Limit::kFixedMinute, 60, 0, Told::kNothing, Hint::kAbsent, .1, .05},
    {"minute 600, none", Limit::kFixedMinute, 600, 0, Told::kNothing, Hint::kAbsent, .1, .05},
    {"sliding minute 60, none", Limit::kSlidingMinute, 60, 0, Told::kNothing, Hint::kAbsent, .1, .05},
    {"4 at once, none", Limit::kConcurrency, 4, 0, Told::kNothing, Hint::kAbsent, .1, .05},
    {"20 at once, none", Limit::kConcurrency, 20, 0, Told::kNothing, Hint::kAbsent, .1, .05},
};

TEST(PacerSimulation, EveryKindOfLimit) {
  const bool print = std::getenv("CCR_PRINT_PACER") != nullptr;
  for (const Row& row : kRows) {
    for (const double minutes : {10.0, 60.0}) {
      const double seconds = minutes * 60;
      double capacity = 0;
      Result endless, below;
      constexpr int kSeeds = 3;
      for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
        const Result one = Simulate(row, seconds, std::numeric_limits<double>::infinity(), seed);
        capacity = Provider(row, 0).Capacity(seconds, 2.6);
        endless.served += one.served / kSeeds;
        endless.refused += one.refused / kSeeds;
        endless.asked += one.asked / kSeeds;
        const Result two = Simulate(row, seconds, 0.8 * capacity / seconds, seed);
        below.served += two.served / kSeeds;
        below.refused += two.refused / kSeeds;
        below.asked += two.asked / kSeeds;
      }
      const double served_below = below.served / (0.8 * capacity);
      if (print) {
        std::printf(
            "%-36s %2.0f min  endless: %.3f of %6.0f, wasted %5.2f %% (%.0f)   at .8: %.3f, wasted %5.2f %% (%.0f)\n",
            row.name, minutes, endless.served / capacity, capacity, 100 * endless.refused / endless.asked,
            endless.refused, served_below, 100 * below.refused / below.asked, below.refused);
        std::fflush(stdout);
        continue;
      }
      if (minutes < 60) continue;
      EXPECT_GE(endless.served / capacity, row.goodput) << row.name;
      EXPECT_LE(endless.refused / endless.asked, row.wasted) << row.name;
      EXPECT_LE(below.refused / below.asked, row.wasted) << row.name << " at .8";
    }
  }
}

}  // namespace
}  // namespace ccr::core
