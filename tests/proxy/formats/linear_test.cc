// What is done with a body costs time in proportion to its size, whatever it holds.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <limits>
#include <string>

#include "tests/proxy/formats/hard_bodies.h"

namespace ccr::proxy {
namespace {

constexpr size_t kBytes = 32 * 1024;
constexpr size_t kTimes = 4;
// What is linear takes kTimes as long for kTimes as much, what is quadratic kTimes squared.
constexpr double kMaxRatio = 2.2 * kTimes;
constexpr double kNegligible = 0.02;  // seconds, of the larger body
constexpr int kMostRuns = 6;

double Seconds(const HardWork& work, const std::string& body) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double begin = now();
  work.run(body);
  return now() - begin;
}

// The least times of some runs: what else the machine does only adds to them.
TEST(Linear, TimeGrowsWithTheBody) {
  for (const HardWork& work : AllHardWork()) {
    const std::string small = work.Body(kBytes);
    const std::string large = work.Body(kTimes * kBytes);
    double one = std::numeric_limits<double>::max();
    double many = one;
    for (int run = 0; run < kMostRuns && (run == 0 || (many > kNegligible && many > kMaxRatio * one)); ++run) {
      one = std::min(one, Seconds(work, small));
      many = std::min(many, Seconds(work, large));
    }
    EXPECT_TRUE(many <= kNegligible || many <= kMaxRatio * one)
        << work.name << ": " << one * 1000 << " ms for " << small.size() << " bytes, " << many * 1000 << " ms for "
        << large.size();
  }
}

}  // namespace
}  // namespace ccr::proxy
