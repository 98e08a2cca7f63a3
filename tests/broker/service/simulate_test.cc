// Simulations of what a service did itself, and who may have one.
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <future>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/broker/service/fixture.h"

namespace ccr {
namespace {

using simulation::Counts;

// A provider with a limit for each key, and a client that tries again: one request at a time.
class Scene {
 public:
  Scene() : service_({&clock_, &store_, {}, TestSalt(), [](absl::Time) {}}) {}

  BrokerService& service() { return service_; }

  void Configure(const std::string& strategy, std::map<std::string, size_t> rpm) {
    rpm_ = std::move(rpm);
    std::vector<std::string> keys;
    for (const auto& [key, limit] : rpm_) keys.push_back(key);
    ProviderConfig provider = MakeProvider("p", keys);
    provider.strategy = strategy;
    EXPECT_TRUE(service_.Apply(MakeConfig(std::move(provider), MakeProvider("quiet", {"q"}))).ok());
  }

  core::Evidence Call(const std::string& key) {
    std::deque<absl::Time>& calls = calls_[key];
    while (!calls.empty() && calls.front() + absl::Minutes(1) <= clock_.Now()) calls.pop_front();
    core::Evidence evidence;
    evidence.http_status = 200;
    evidence.total = absl::Milliseconds(800);
    if (calls.size() < rpm_.at(key.substr(std::string("canary-key-").size()))) {
      calls.push_back(clock_.Now());
    } else {
      evidence.http_status = 429;
      evidence.total = absl::Milliseconds(50);
      evidence.retry_after = calls.front() + absl::Minutes(1) - clock_.Now() - evidence.total;
    }
    clock_.Advance(evidence.total);
    return evidence;
  }

  bool Request() {
    LeaseParams params;
    params.pool = "p";
    std::optional<LeaseAnswer> answer = service_.Lease(params, MustNotWait);
    while (answer->status.ok()) {
      core::Report report;
      report.id = answer->grant.id;
      report.evidence = Call(KeyOf(*answer));
      const ReportAnswer reported = service_.Report(report);
      if (report.evidence.http_status == 200) return true;
      answer = service_.LeaseNext(params, reported, MustNotWait);
    }
    return false;
  }

  void Requests(size_t count, absl::Duration gap) {
    for (size_t i = 0; i < count; ++i) {
      const absl::Time next = clock_.Now() + gap;
      Request();
      service_.Sweep();
      clock_.Advance(std::max(next - clock_.Now(), absl::ZeroDuration()));
    }
  }

  absl::StatusOr<BrokerService::Simulations> Simulate(const std::string& strategy, const std::string& pool = "") {
    std::promise<absl::StatusOr<BrokerService::Simulations>> promise;
    service_.Simulate({pool, strategy, {}}, [&promise](auto result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }

 private:
  ManualClock clock_;
  MemoryStore store_;
  BrokerService service_;
  std::map<std::string, size_t> rpm_;
  std::map<std::string, std::deque<absl::Time>> calls_;
};

double Share(const Counts& run, size_t key) {
  return static_cast<double>(run.keys[key].attempts) / static_cast<double>(run.attempts);
}

TEST(SimulateServiceTest, ReplayedAsConfiguredItComesOutAsRecorded) {
  for (const char* strategy : {"round_robin", "fill_first", "least_used"}) {
    SCOPED_TRACE(strategy);
    Scene scene;
    scene.Configure(strategy, {{"a", 4}, {"b", 8}, {"c", 20}});
    scene.Requests(600, absl::Seconds(2.5));
    const auto result = scene.Simulate("");
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->size(), 1u);  // nobody asked the other pool
    const Counts& recorded = result->front().recorded.run;
    const Counts& configured = result->front().configured.run;
    EXPECT_EQ(recorded.requests, 600u);
    EXPECT_EQ(configured.requests, recorded.requests);
    EXPECT_NEAR(static_cast<double>(configured.served), static_cast<double>(recorded.served), 6);
    EXPECT_NEAR(static_cast<double>(configured.wasted), static_cast<double>(recorded.wasted), 6);
    for (size_t key = 0; key < 3; ++key) EXPECT_NEAR(Share(configured, key), Share(recorded, key), 0.03) << key;
  }
}

TEST(SimulateServiceTest, WhatAnotherStrategyDoesIsForetold) {
  Scene scene;
  scene.Configure("round_robin", {{"a", 4}, {"b", 8}, {"c", 20}});
  scene.Requests(600, absl::Seconds(2.5));
  const auto foretold = scene.Simulate("fill_first", "P");
  ASSERT_TRUE(foretold.ok()) << foretold.status();
  const Counts proposed = foretold->front().proposed->run;

  Scene other;
  other.Configure("fill_first", {{"a", 4}, {"b", 8}, {"c", 20}});
  other.Requests(600, absl::Seconds(2.5));
  const auto done = other.Simulate("");
  ASSERT_TRUE(done.ok()) << done.status();
  const Counts& recorded = done->front().recorded.run;
  EXPECT_NEAR(static_cast<double>(proposed.served), static_cast<double>(recorded.served), 6);
  EXPECT_NEAR(static_cast<double>(proposed.wasted), static_cast<double>(recorded.wasted), 12);
  for (size_t key = 0; key < 3; ++key) EXPECT_NEAR(Share(proposed, key), Share(recorded, key), 0.1) << key;
}

TEST(SimulateServiceTest, TheRecordSurvivesAReload) {
  Scene scene;
  scene.Configure("round_robin", {{"a", 100}, {"b", 100}});
  scene.Requests(10, absl::Seconds(1));
  scene.Configure("fill_first", {{"b", 100}, {"c", 100}});  // "a" leaves, "c" comes
  scene.Requests(10, absl::Seconds(1));
  const auto result = scene.Simulate("");
  ASSERT_TRUE(result.ok()) << result.status();
  const simulation::PoolSimulation& pool = result->front();
  EXPECT_EQ(pool.recorded.keys, (std::vector<std::string>{"name-of-a", "name-of-b", "name-of-c"}));
  EXPECT_EQ(pool.recorded.run.keys[0].served, 5u);
  EXPECT_EQ(pool.recorded.run.keys[1].served, 15u);
  EXPECT_EQ(pool.configured.keys, (std::vector<std::string>{"name-of-b", "name-of-c"}));
  EXPECT_EQ(pool.configured.run.served, 20u);
}

TEST(SimulateServiceTest, WhatIsWrongIsNamed) {
  Scene scene;
  scene.Configure("round_robin", {{"a", 100}});
  EXPECT_EQ(scene.Simulate("").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(scene.Simulate("", "p").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(scene.Simulate("", "other").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(scene.Simulate("fastest").status().code(), absl::StatusCode::kInvalidArgument);
  scene.service().BeginDrain();
  EXPECT_EQ(scene.Simulate("").status().code(), absl::StatusCode::kUnavailable);
}

TEST(WorkerTest, OneAtATimeAndEndedEarly) {
  simulation::Worker worker;
  std::promise<void> begun;
  std::promise<bool> stopped;
  const bool started = worker.Start([&](const simulation::Worker::Stop& stop) {
    begun.set_value();
    while (!stop()) std::this_thread::yield();
    return [&] { stopped.set_value(true); };
  });
  EXPECT_TRUE(started);
  begun.get_future().wait();
  EXPECT_FALSE(worker.Start([](const simulation::Worker::Stop&) { return [] {}; }));
  worker.End();
  EXPECT_TRUE(stopped.get_future().get());
  EXPECT_FALSE(worker.Start([](const simulation::Worker::Stop&) { return [] {}; }));
}

TEST(WorkerTest, TheNextMayStartFromTheAnswerOn) {
  simulation::Worker worker;
  for (int i = 0; i < 50; ++i) {
    std::promise<void> done;
    ASSERT_TRUE(worker.Start([&](const simulation::Worker::Stop&) { return [&] { done.set_value(); }; })) << i;
    done.get_future().wait();
  }
}

}  // namespace
}  // namespace ccr
