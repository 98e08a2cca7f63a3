// One key with every kind of limit, under demand that never ends and under demand below its limit: how much of what the
// key could serve is served, how many calls are refused, how long requests wait. CCR_PRINT_PACER=1 prints the table,
// CCR_PRINT_PACER=trace each refusal too; CCR_PACER_ROWS=TEXT takes the rows that have TEXT in their names.
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
#include "broker/core/pacing/pacer.h"
#include "gtest/gtest.h"

namespace ccr::core {
namespace {

enum class Limit { kBucket, kHoldingBucket, kFixedMinute, kSlidingMinute, kConcurrency };
enum class Told { kNothing, kReset, kInstant };      // headers: none, time until full, instant in whole seconds
enum class Hint { kAbsent, kExact, kWholeSeconds };  // Retry-After

struct Row {
  const char* name;
  Limit limit;
  double rate;  // a second; for minutes: a minute; concurrency: leases
  double burst;
  Told told;
  Hint hint;
  double goodput;      // at least, with demand that never ends, in an hour
  double wasted;       // at most, of all calls
  double others = 0;   // calls a second of somebody else with the same key
  double becomes = 1;  // the rate is so many times what it was after half of the time
  double tokens = 0;   // a second; besides, a bucket of a minute of these
};

constexpr double kMeanTokens = 1000;
// What a row should reach; some do not, and have bounds of their own.
constexpr double kGoodput = 0.98, kWastedTold = 0.01, kWastedUntold = 0.02;

struct Bucket {
  double rate, depth, level, at;

  void Fill(double now) {
    level = std::min(depth, level + rate * (now - at));
    at = now;
  }
};

// What the provider does.
class Provider {
 public:
  Provider(const Row& row, double half)
      : row_(row),
        half_(half),
        bucket_{row.rate, row.burst, row.burst, 0},
        tokens_{row.tokens, row.tokens * 60, row.tokens * 60, 0} {}

  struct Answer {
    bool ok = false;
    std::optional<double> retry_after;
    RateLimits limits;
    double reset_at[2] = {0, 0};
  };

  Answer Ask(double now, double tokens) {
    if (now >= half_ && row_.becomes != 1) {
      row_.rate *= row_.becomes;
      bucket_.rate = row_.rate;
      row_.becomes = 1;
    }
    Answer answer;
    double limit = 0, left = 0, reset = 0, back = 0;
    answer.ok = Take(now, &limit, &left, &reset, &back);
    if (row_.told != Told::kNothing) Tell(&answer, RateLimit::Unit::kRequests, limit, left, reset, now);
    if (row_.tokens > 0) {
      tokens_.Fill(now);
      if (answer.ok && tokens_.level < tokens) {
        answer.ok = false;
        back = std::max(back, (tokens - tokens_.level) / row_.tokens);
      } else if (answer.ok) {
        tokens_.level -= tokens;
      }
      if (row_.told != Told::kNothing) {
        const double until_full = (tokens_.depth - tokens_.level) / row_.tokens;
        Tell(&answer, RateLimit::Unit::kTokens, tokens_.depth, tokens_.level, until_full, now);
      }
    }
    if (!answer.ok && row_.hint == Hint::kExact) answer.retry_after = back;
    if (!answer.ok && row_.hint == Hint::kWholeSeconds) answer.retry_after = std::ceil(back);
    return answer;
  }
  // `reset` as the reader of the answer's head sees it.
  RateLimits HeadAt(const Answer& answer, double now) const {
    RateLimits limits = answer.limits;
    for (size_t i = 0; i < limits.size() && row_.told == Told::kInstant; ++i) {
      limits[i].reset = absl::Seconds(std::max(0.0, answer.reset_at[i] - now));
    }
    return limits;
  }
  void End() { in_flight_ -= 1; }

  // The most that it could serve in `seconds` with answers of `latency`, without end of demand.
  double Capacity(double seconds, double latency) const {
    const double mean = (1 + row_.becomes) / 2;
    double most = 0;
    switch (row_.limit) {
      case Limit::kBucket:
      case Limit::kHoldingBucket:
        most = row_.burst + row_.rate * mean * seconds;
        break;
      case Limit::kFixedMinute:
      case Limit::kSlidingMinute:
        most = row_.rate * mean * std::ceil(seconds / 60);
        break;
      case Limit::kConcurrency:
        most = row_.rate * mean * seconds / latency;
        break;
    }
    if (row_.tokens > 0) most = std::min(most, row_.tokens * (seconds + 60) / kMeanTokens);
    return most - row_.others * seconds;
  }

 private:
  bool Take(double now, double* limit, double* left, double* reset, double* back) {
    bool ok = false;
    switch (row_.limit) {
      case Limit::kBucket:
      case Limit::kHoldingBucket:
        bucket_.Fill(now);
        ok = bucket_.level >= 1 - 1e-9;
        if (ok) {
          bucket_.level -= 1;
        } else if (row_.limit == Limit::kHoldingBucket) {
          bucket_.level = std::min(bucket_.level, 0.0);
        }
        *limit = row_.burst;
        *left = std::max(0.0, bucket_.level);
        *reset = (row_.burst - bucket_.level) / row_.rate;
        *back = (1 - bucket_.level) / row_.rate;
        break;
      case Limit::kFixedMinute:
        if (now >= window_ + 60) {
          window_ += 60 * std::floor((now - window_) / 60);
          used_ = 0;
        }
        ok = used_ < row_.rate;
        if (ok) ++used_;
        *limit = row_.rate;
        *left = row_.rate - used_;
        *reset = *back = window_ + 60 - now;
        break;
      case Limit::kSlidingMinute:
        while (!uses_.empty() && uses_.front() <= now - 60) uses_.pop_front();
        ok = static_cast<double>(uses_.size()) < row_.rate;
        if (ok) uses_.push_back(now);
        *limit = row_.rate;
        *left = row_.rate - static_cast<double>(uses_.size());
        *reset = uses_.back() + 60 - now;
        *back = uses_.front() + 60 - now;
        break;
      case Limit::kConcurrency:
        ok = in_flight_ < row_.rate;
        if (ok) ++in_flight_;
        break;
    }
    return ok;
  }

  void Tell(Answer* answer, RateLimit::Unit unit, double limit, double left, double reset, double now) const {
    RateLimit& said = answer->limits.emplace_back();
    said.unit = unit;
    said.limit = static_cast<uint64_t>(limit);
    said.remaining = static_cast<uint64_t>(left + 1e-9);
    said.reset = absl::Seconds(reset);
    answer->reset_at[answer->limits.size() - 1] = std::ceil(now + reset);
  }

  Row row_;
  double half_;
  Bucket bucket_, tokens_;
  double window_ = -17.3, used_ = 0;
  double in_flight_ = 0;
  std::deque<double> uses_;
};

struct Result {
  double served = 0, refused = 0, offered = 0, waited = 0;
};

// The owner of the key and its clients. `demand` requests a second, infinite: always one that waits. A request waits
// 30 s at most. The key begins with eight undecided leases at once, returns from a rest above 5 s with one, and has
// one more with each success.
class Simulation {
 public:
  Simulation(const Row& row, double seconds, double demand, uint64_t seed, bool trace)
      : row_(row), seconds_(seconds), demand_(demand), trace_(trace), provider_(row, seconds / 2), random_(seed) {}

  Result Run() {
    if (!endless()) events_.push({0, Event::kRequest, 0});
    if (row_.others > 0) events_.push({0.5, Event::kOther, 0});
    Grant();
    while (now_ < seconds_ + 10) {
      double next = events_.empty() ? seconds_ + 11 : events_.top().at;
      if (endless() || !waiting_.empty()) next = std::min(next, std::max(RoomAt(), now_) + 1e-8);
      if (next > now_ + 1 && !waiting_.empty()) next = now_ + 1;
      now_ = next;
      if (!events_.empty() && events_.top().at <= now_) {
        const Event event = events_.top();
        events_.pop();
        On(event);
      }
      Grant();
    }
    return result_;
  }

 private:
  struct Event {
    enum What { kRequest, kOther, kBegun, kEnded };
    double at;
    What what;
    uint64_t lease;
    bool operator>(const Event& other) const { return at > other.at; }
  };
  struct Lease {
    Provider::Answer answer;
    uint64_t tokens = 0;
    double granted = 0;
    bool ramped = false;
  };

  static absl::Time Time(double s) { return absl::UnixEpoch() + absl::Seconds(1e9 + s); }
  bool endless() const { return std::isinf(demand_); }
  double Within(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }

  double RoomAt() const {
    const bool many = leases_.size() >= 200 || (ramp_ > 0 && undecided_ >= ramp_) ||
                      (pacer_ != nullptr && pacer_->max_in_flight() > 0 && leases_.size() >= pacer_->max_in_flight());
    if (many || now_ >= seconds_) return std::numeric_limits<double>::infinity();
    double room = std::max(now_, rest_until_);
    if (pacer_ != nullptr) {
      const absl::Time at = pacer_->RoomAt(next_tokens_, Time(now_));
      if (at > Time(now_)) room = std::max(room, std::max(now_ + 1e-8, absl::ToDoubleSeconds(at - Time(0))));
    }
    return room;
  }

  void Grant() {
    while (!waiting_.empty() && waiting_.front() < now_ - 30) waiting_.pop_front();
    while ((endless() || !waiting_.empty()) && RoomAt() <= now_) {
      if (!waiting_.empty()) {
        result_.waited += now_ - waiting_.front();
        waiting_.pop_front();
      }
      const uint64_t number = ++sequence_;
      Lease& lease = leases_[number];
      lease.tokens = next_tokens_;
      lease.granted = now_;
      lease.ramped = ramp_ > 0;
      if (lease.ramped) ++undecided_;
      const double used = static_cast<double>(lease.tokens) * Within(0.7, 1.1);
      lease.answer = provider_.Ask(now_, used);
      if (pacer_ != nullptr) pacer_->OnGranted(number, lease.tokens, Time(now_));
      if (lease.answer.ok) {
        const double latency = Within(0.2, 5);
        events_.push({now_ + latency * Within(0.2, 1), Event::kBegun, number});
        events_.push({now_ + latency + 1e-6, Event::kEnded, number});
        used_[number] = static_cast<uint64_t>(used);
      } else {
        events_.push({now_ + 0.05, Event::kBegun, number});
      }
      if (row_.tokens > 0) next_tokens_ = static_cast<uint64_t>(kMeanTokens * Within(0.3, 1.9));
    }
  }

  void On(const Event& event) {
    switch (event.what) {
      case Event::kRequest:
        ++result_.offered;
        waiting_.push_back(now_);
        if (now_ < seconds_) {
          events_.push({now_ + std::exponential_distribution<double>(demand_)(random_), Event::kRequest, 0});
        }
        break;
      case Event::kOther:
        provider_.Ask(now_, 0);
        events_.push({now_ + std::exponential_distribution<double>(row_.others)(random_), Event::kOther, 0});
        break;
      case Event::kBegun:
        OnHead(event.lease);
        break;
      case Event::kEnded:
        ++result_.served;
        if (row_.limit == Limit::kConcurrency) provider_.End();
        if (pacer_ != nullptr) pacer_->OnEnded(event.lease, row_.tokens > 0 ? used_[event.lease] : 0, Time(now_));
        leases_.erase(event.lease);
        used_.erase(event.lease);
        break;
    }
  }

  void OnHead(uint64_t number) {
    const Lease lease = leases_[number];
    const RateLimits limits = provider_.HeadAt(lease.answer, now_);
    if (lease.ramped && undecided_ > 0 && number > ramp_since_) --undecided_;
    if (pacer_ == nullptr && (!lease.answer.ok || !limits.empty())) {
      pacer_ =
          std::make_unique<Pacer>(static_cast<uint32_t>(leases_.size()), static_cast<uint32_t>(sequence_), Time(0));
    }
    if (lease.answer.ok) {
      if (ramp_ > 0 && number > ramp_since_) ramp_ = ramp_ >= 63 ? 0 : ramp_ + 1;
      if (pacer_ != nullptr) pacer_->OnBegun(number, limits, Time(now_));
      return;
    }
    ++result_.refused;
    leases_.erase(number);
    std::optional<absl::Duration> hint;
    if (lease.answer.retry_after) hint = absl::Seconds(std::max(0.0, *lease.answer.retry_after - 0.05));
    const absl::Time back = pacer_->OnRefused(number, hint, limits, Time(now_));
    const double rest = absl::ToDoubleSeconds(back - Time(now_));
    rest_until_ = std::max(rest_until_, now_ + rest);
    if (rest > 5) {
      ramp_ = 1;
      undecided_ = 0;
      ramp_since_ = sequence_;
    }
    if (trace_) {
      const Learned learned = pacer_->learned();
      std::printf("%8.2f refused %4d, granted at %.2f, served %5.0f, rests %.3f, rate %.3f depth %.1f at once %u\n",
                  now_, static_cast<int>(number), lease.granted, result_.served, rest, learned.rate, learned.depth,
                  learned.max_in_flight);
    }
  }

  const Row row_;
  const double seconds_, demand_;
  const bool trace_;
  Provider provider_;
  std::mt19937_64 random_;
  std::unique_ptr<Pacer> pacer_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::map<uint64_t, Lease> leases_;
  std::map<uint64_t, uint64_t> used_;
  std::deque<double> waiting_;
  uint32_t undecided_ = 0, ramp_ = 8;  // 0 = no ramp
  uint64_t ramp_since_ = 0, sequence_ = 0, next_tokens_ = 0;
  double now_ = 0, rest_until_ = 0;
  Result result_;
};

using enum Limit;
using enum Told;
using enum Hint;

const Row kRows[] = {
    {"bucket 1/s burst 10, told, exact", kBucket, 1, 10, kReset, kExact, .98, .01},
    {"bucket 1/s burst 60, told, whole", kBucket, 1, 60, kReset, kWholeSeconds, .98, .01},
    {"bucket 1/s burst 60, instant", kBucket, 1, 60, kInstant, kAbsent, .98, .01},
    {"bucket 10/s burst 20, told, none", kBucket, 10, 20, kReset, kAbsent, .98, .01},
    {"bucket 20/s burst 60, instant", kBucket, 20, 60, kInstant, kAbsent, .98, .01},
    {"bucket 0.2/s burst 5, told, none", kBucket, .2, 5, kReset, kAbsent, .98, .01},
    {"bucket 1/s burst 1, told, exact", kBucket, 1, 1, kReset, kExact, .975, .01},
    {"bucket 1/s burst 1, instant", kBucket, 1, 1, kInstant, kAbsent, .975, .01},
    {"holding bucket 2/s burst 10, told", kHoldingBucket, 2, 10, kReset, kExact, .98, .01},
    {"bucket 1/s burst 10, told, .3 others", kBucket, 1, 10, kReset, kExact, .98, .013, .3},
    {"bucket 2/s burst 10, told, halves", kBucket, 2, 10, kReset, kExact, .98, .01, 0, .5},
    {"bucket 1/s burst 10, told, doubles", kBucket, 1, 10, kReset, kExact, .98, .01, 0, 2},
    {"tokens 1000/s, 5/s burst 60, told", kBucket, 5, 60, kReset, kWholeSeconds, .98, .01, 0, 1, 1000},
    {"minute 60, told, whole", kFixedMinute, 60, 0, kInstant, kWholeSeconds, .98, .01},
    {"minute 600, told, none", kFixedMinute, 600, 0, kInstant, kAbsent, .98, .01},
    {"sliding minute 60, told, exact", kSlidingMinute, 60, 0, kReset, kExact, .98, .01},
    {"sliding minute 300, instant", kSlidingMinute, 300, 0, kInstant, kAbsent, .98, .01},
    {"bucket 1/s burst 10, exact", kBucket, 1, 10, kNothing, kExact, .98, .02},
    {"bucket 1/s burst 10, whole", kBucket, 1, 10, kNothing, kWholeSeconds, .98, .02},
    {"bucket 1/s burst 10, none", kBucket, 1, 10, kNothing, kAbsent, .98, .02},
    {"bucket 10/s burst 60, none", kBucket, 10, 60, kNothing, kAbsent, .98, .02},
    {"bucket 10/s burst 60, whole", kBucket, 10, 60, kNothing, kWholeSeconds, .98, .02},
    {"bucket 20/s burst 5, none", kBucket, 20, 5, kNothing, kAbsent, .98, .02},
    {"bucket 1/s burst 1, none", kBucket, 1, 1, kNothing, kAbsent, .96, .02},
    {"bucket 0.1/s burst 1, none", kBucket, .1, 1, kNothing, kAbsent, .83, .06},
    {"bucket 0.2/s burst 5, none", kBucket, .2, 5, kNothing, kAbsent, .98, .03},
    {"bucket 0.2/s burst 60, none", kBucket, .2, 60, kNothing, kAbsent, .98, .03},
    {"holding bucket 2/s burst 10, none", kHoldingBucket, 2, 10, kNothing, kAbsent, .98, .02},
    {"bucket 1/s burst 10, none, .3 others", kBucket, 1, 10, kNothing, kAbsent, .98, .035, .3},
    {"bucket 2/s burst 10, none, halves", kBucket, 2, 10, kNothing, kAbsent, .98, .02, 0, .5},
    {"bucket 1/s burst 10, none, doubles", kBucket, 1, 10, kNothing, kAbsent, .95, .02, 0, 2},
    {"tokens 1000/s, none", kBucket, 5, 60, kNothing, kAbsent, .98, .02, 0, 1, 1000},
    {"minute 60, whole", kFixedMinute, 60, 0, kNothing, kWholeSeconds, .98, .02},
    {"minute 60, none", kFixedMinute, 60, 0, kNothing, kAbsent, .98, .025},
    {"minute 10, none", kFixedMinute, 10, 0, kNothing, kAbsent, .98, .05},
    {"minute 600, none", kFixedMinute, 600, 0, kNothing, kAbsent, .98, .03},
    {"minute 600, whole", kFixedMinute, 600, 0, kNothing, kWholeSeconds, .98, .02},
    {"sliding minute 60, none", kSlidingMinute, 60, 0, kNothing, kAbsent, .95, .02},
    {"4 at once, none", kConcurrency, 4, 0, kNothing, kAbsent, .98, .02},
    {"20 at once, none", kConcurrency, 20, 0, kNothing, kAbsent, .98, .02},
};

TEST(PacerSimulation, EveryKindOfLimit) {
  const char* const print = std::getenv("CCR_PRINT_PACER");
  const char* const rows = std::getenv("CCR_PACER_ROWS");
  const bool trace = print != nullptr && std::string_view(print) == "trace";
  for (const Row& row : kRows) {
    if (rows != nullptr && std::string_view(row.name).find(rows) == std::string_view::npos) continue;
    for (const double minutes : {10.0, 60.0}) {
      if (print == nullptr && minutes < 60) continue;
      // A test of the fast ones needs no hour.
      const double seconds = print == nullptr && (row.rate >= 300 || row.rate * row.burst >= 200) ? 1200 : minutes * 60;
      const double capacity = Provider(row, 0).Capacity(seconds, 2.6);
      Result endless, below;
      const int seeds = print != nullptr ? 3 : 1;
      const auto add = [seeds](const Result& one, Result* sum) {
        sum->served += one.served / seeds;
        sum->refused += one.refused / seeds;
        sum->offered += one.offered / seeds;
        sum->waited += one.waited / seeds;
      };
      for (int seed = 1; seed <= seeds; ++seed) {
        const uint64_t s = static_cast<uint64_t>(seed);
        add(Simulation(row, seconds, std::numeric_limits<double>::infinity(), s, trace && seed == 1).Run(), &endless);
        add(Simulation(row, seconds, 0.8 * capacity / seconds, s, false).Run(), &below);
      }
      const double goodput = endless.served / capacity;
      const double wasted = endless.refused / (endless.served + endless.refused);
      const double wasted_below = below.refused / (below.served + below.refused);
      if (print != nullptr) {
        const bool poor = goodput < kGoodput || wasted > (row.told == kNothing ? kWastedUntold : kWastedTold);
        const char* const missed = minutes >= 60 && poor ? "  <--" : "";
        std::printf(
            "%-36s %2.0f min: %.3f of %5.0f, wasted %5.2f %% (%3.0f)   at .8: %.3f, wasted %5.2f %% (%3.0f), waits "
            "%4.1f s%s\n",
            row.name, minutes, goodput, capacity, 100 * wasted, endless.refused, below.served / below.offered,
            100 * wasted_below, below.refused, below.waited / below.served, missed);
        std::fflush(stdout);
        continue;
      }
      EXPECT_GE(goodput, row.goodput) << row.name;
      EXPECT_LE(wasted, row.wasted) << row.name;
      EXPECT_LE(wasted_below, row.wasted) << row.name << " at .8";
    }
  }
}

}  // namespace
}  // namespace ccr::core
