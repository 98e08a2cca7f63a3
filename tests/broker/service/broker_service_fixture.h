// A service with a store in memory and an observer that remembers.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <set>
#include <thread>

#include "broker/service/broker_service.h"
#include "tests/broker/service/fixture.h"
#include "tests/broker/service/stores.h"

namespace ccr {

class RecordingObserver final : public Observer {
 public:
  void OnTransitions(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) override {
    for (const core::Transition& transition : batch) {
      types.push_back(transition.type);
      const bool failed =
          transition.type == core::Transition::Type::kFailure || transition.type == core::Transition::Type::kCooling;
      if (failed) requests.push_back(transition.request_id);
      if (transition.key != core::kNoKey) keys.push_back(pool->keys.at(transition.key).name);
    }
  }
  void OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) override { pools.push_back("+" + pool->pool); }
  void OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) override { pools.push_back("-" + pool->pool); }
  void OnAnswer(const PoolNames& /*pool*/, const Answer& answer) override {
    refusals += std::holds_alternative<core::Refusal::Why>(answer);
  }

  std::vector<core::Transition::Type> types;
  std::vector<std::string> requests;  // of failures and cooldowns
  std::vector<std::string> keys;
  std::vector<std::string> pools;
  int refusals = 0;
};

class BrokerServiceTest : public ::testing::Test {
 protected:
  BrokerServiceTest() { Restart(); }

  void Restart() {
    service_ = std::make_unique<BrokerService>(BrokerService::Options{
        &clock_, &store_, {&observer_}, TestSalt(), [this](absl::Time when) { due_ = std::min(due_, when); }});
  }
  void Apply(Config config) { ASSERT_TRUE(service_->Apply(std::move(config)).ok()); }
  PoolStatus Pool(std::string_view name) { return *service_->GetPool(name); }
  // And waits until it is written and told.
  ReportAnswer Report(const LeaseAnswer& lease, int status) {
    const ReportAnswer answer = service_->Report(MakeReport(lease.grant.id, status));
    EXPECT_TRUE(service_->Settle().ok());
    return answer;
  }

  // Its first key is refused, and another one serves the request.
  void Disable(std::string_view pool) {
    const ReportAnswer refused = Report(LeaseNow(*service_, pool), 401);
    LeaseParams params;
    params.pool = pool;
    Report(*service_->LeaseNext(params, refused, MustNotWait), 200);
  }

  ManualClock clock_;
  MemoryStore store_;
  RecordingObserver observer_;
  absl::Time due_ = absl::InfiniteFuture();
  std::unique_ptr<BrokerService> service_;
};

}  // namespace ccr
