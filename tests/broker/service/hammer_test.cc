// Many threads at once, with reloads, waits, streams and a real sweeper: for ThreadSanitizer, and for the sums.
#include <gtest/gtest.h>

#include <array>
#include <future>
#include <thread>

#include "broker/service/sweeper.h"
#include "tests/broker/service/fixture.h"

namespace ccr {
namespace {

constexpr int kThreads = 8;
constexpr int kRounds = 3000;
constexpr uint32_t kLimit = 2;
constexpr size_t kKeys = 4;

Config LimitedConfig(double weight) {
  ProviderConfig provider = MakeProvider("p", {"0", "1", "2", "3"});
  provider.strategy = "weighted";
  provider.queue.max_wait = absl::Milliseconds(20);
  for (KeyConfig& key : provider.keys) {
    key.max_concurrent = kLimit;
    key.weight = weight;
  }
  return MakeConfig(std::move(provider));
}

class Hammer {
 public:
  Hammer()
      : sweeper_(&clock_), service_({&clock_, &store_, {}, TestSalt(), [this](absl::Time t) { sweeper_.WakeBy(t); }}) {
    EXPECT_TRUE(service_.Apply(LimitedConfig(1)).ok());
    sweeper_.Start([this] { return service_.Sweep(); });
  }
  ~Hammer() { sweeper_.Stop(); }

  void Work(int seed) {
    const auto stream = service_.OpenStream("token-of-thread-" + std::to_string(seed), {});
    for (int i = 0; i < kRounds; ++i) {
      const LeaseAnswer answer = Lease(stream.owner, i % 3 == 0);
      if (answer.status.ok()) Use(answer, i);
    }
    service_.CloseStream(stream.owner);
  }

  void Reload() {
    for (int i = 1; i <= 200; ++i) ASSERT_TRUE(service_.Apply(LimitedConfig(i)).ok());
  }

  core::PoolSnapshot Snapshot() { return service_.GetPool("p")->snapshot; }
  uint64_t granted() const { return granted_; }
  uint64_t broken_limits() const { return broken_limits_; }

 private:
  LeaseAnswer Lease(core::OwnerId owner, bool wait) {
    LeaseParams params;
    params.pool = "p";
    params.owner = owner;
    if (wait) params.max_wait = absl::Milliseconds(20);
    const auto later = std::make_shared<std::promise<LeaseAnswer>>();
    std::future<LeaseAnswer> future = later->get_future();
    std::optional<LeaseAnswer> now = service_.Lease(params, [&](const core::LeaseId&) -> LeaseCallback {
      return [later](LeaseAnswer answer) { later->set_value(std::move(answer)); };
    });
    return now.has_value() ? *now : future.get();
  }

  void Use(const LeaseAnswer& answer, int round) {
    ++granted_;
    std::atomic<uint32_t>& used = in_use_.at(static_cast<size_t>(KeyOf(answer).back() - '0'));
    if (++used > kLimit) ++broken_limits_;
    if (round % 7 == 0) std::this_thread::yield();
    --used;
    if (round % 11 == 0) {
      EXPECT_TRUE(service_.Release(answer.grant.id));
    } else {
      const core::Report report = MakeReport(answer.grant.id, round % 5 == 0 ? 400 : 200);
      EXPECT_EQ(service_.Report(report).decision.disposition, core::Disposition::kApplied);
    }
  }

  MonotonicWallClock clock_;
  MemoryStore store_;
  Sweeper sweeper_;
  BrokerService service_;
  std::array<std::atomic<uint32_t>, kKeys> in_use_{};
  std::atomic<uint64_t> granted_{0};
  std::atomic<uint64_t> broken_limits_{0};
};

TEST(HammerTest, SumsAndLimitsHold) {
  Hammer hammer;
  std::vector<std::thread> threads;
  threads.emplace_back([&hammer] { hammer.Reload(); });
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([&hammer, i] { hammer.Work(i); });
  for (std::thread& thread : threads) thread.join();

  const core::PoolSnapshot pool = hammer.Snapshot();
  EXPECT_GT(hammer.granted(), 1000u);
  EXPECT_EQ(hammer.broken_limits(), 0u);
  EXPECT_EQ(pool.acquired, hammer.granted());
  EXPECT_EQ(pool.in_flight, 0u);
  EXPECT_EQ(pool.acquired, pool.reported + pool.expired + pool.in_flight);
}

}  // namespace
}  // namespace ccr
