#include "tests/broker/service/broker_service_fixture.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using Type = core::Transition::Type;

TEST_F(BrokerServiceTest, StateSurvivesInTheStore) {
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  Disable("p");
  core::Report limited = MakeReport(LeaseNow(*service_, "p").grant.id, 429);
  limited.evidence.retry_after = absl::Seconds(30);
  service_->Report(limited);

  const absl::Time next_probe = Pool("p").snapshot.keys[0].available_at;

  Restart();
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  EXPECT_EQ(Pool("p").snapshot.keys[0].state, core::KeyState::kDisabled);
  EXPECT_EQ(Pool("p").snapshot.keys[0].available_at, next_probe);
  EXPECT_EQ(Pool("p").snapshot.keys[1].state, core::KeyState::kCooling);
  clock_.Advance(absl::Milliseconds(29999));
  EXPECT_FALSE(LeaseNow(*service_, "p").status.ok());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(KeyOf(LeaseNow(*service_, "p")), "canary-key-b");
}

TEST_F(BrokerServiceTest, OnlyKeysThatChangedAreWrittenAndEachOnce) {
  std::vector<std::string> written;
  ScriptedStore store([&](absl::Span<const Record> batch) {
    for (const Record& record : batch) written.push_back(std::get<KeyRecord>(record).fingerprint);
    return absl::OkStatus();
  });
  service_ = std::make_unique<BrokerService>(BrokerService::Options{&clock_, &store, {}, TestSalt(), nullptr});
  Apply(MakeConfig(MakeProvider("p", {"a", "b", "c"})));
  Report(LeaseNow(*service_, "p"), 200);
  EXPECT_THAT(written, ElementsAre());
  const LeaseAnswer lease = LeaseNow(*service_, "p");
  Report(lease, 401);  // a failure and a rest
  EXPECT_THAT(written, ElementsAre(lease.pool->keys[lease.grant.key].fingerprint));
  const LeaseAnswer removed = LeaseNow(*service_, "p");
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  Report(removed, 429);  // for the day it comes back
  EXPECT_THAT(written, ElementsAre(lease.pool->keys[lease.grant.key].fingerprint,
                                   removed.pool->keys[removed.grant.key].fingerprint));
  service_.reset();  // before the store
}

TEST_F(BrokerServiceTest, FlushWritesTheCountersOfEveryKey) {
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  Report(LeaseNow(*service_, "p"), 200);
  ASSERT_TRUE(service_->Flush().ok());
  Restart();
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  EXPECT_EQ(Pool("p").snapshot.keys[0].uses, 1u);
  EXPECT_EQ(Pool("p").snapshot.keys[0].successes, 1u);
}

TEST_F(BrokerServiceTest, ACheckpointWritesTheKeysUsedSinceTheLastOne) {
  ScriptedStore store;
  BrokerService service(BrokerService::Options{&clock_, &store, {}, TestSalt(), nullptr, nullptr});
  ASSERT_TRUE(service.Apply(MakeConfig(MakeProvider("p", {"a", "b"}))).ok());
  EXPECT_EQ(service.Checkpoint(), clock_.Now() + absl::Seconds(10));
  EXPECT_THAT(store.sizes(), ::testing::ElementsAre(2));  // the first one writes all
  service.Checkpoint();
  EXPECT_EQ(store.sizes().size(), 1u);
  service.Report(MakeReport(LeaseNow(service, "p").grant.id, 200));  // at the very moment of the last one
  service.Checkpoint();
  EXPECT_THAT(store.sizes(), ::testing::ElementsAre(2, 1));
  clock_.Advance(absl::Nanoseconds(1));
  service.Checkpoint();
  EXPECT_THAT(store.sizes(), ::testing::ElementsAre(2, 1, 1));
  service.Checkpoint();
  EXPECT_EQ(store.sizes().size(), 3u);
}

TEST_F(BrokerServiceTest, OnlyWhatMustBeDurableWaitsForTheStore) {
  Gate gate;
  ScriptedStore store([&](absl::Span<const Record>) { return gate.Pass(); });
  BrokerService service({&clock_, &store, {&observer_}, TestSalt(), nullptr});
  ASSERT_TRUE(service.Apply(MakeConfig(MakeProvider("p", {"a", "b"}))).ok());
  const LeaseAnswer good = LeaseNow(service, "p");
  const LeaseAnswer bad = LeaseNow(service, "p");
  const ReportAnswer refused = service.Report(MakeReport(bad.grant.id, 401));
  std::atomic<bool> acknowledged{false};
  std::promise<bool> stored;
  ASSERT_TRUE(service.AwaitCommit(refused, [&] {
    acknowledged = true;
    stored.set_value(store.Load()->keys.size() == 1);
  }));
  gate.AwaitArrival();
  const ReportAnswer success = service.Report(MakeReport(good.grant.id, 200));
  EXPECT_FALSE(service.AwaitCommit(success, [] { FAIL(); }));
  EXPECT_TRUE(LeaseNow(service, "p").status.ok());
  EXPECT_FALSE(service.AwaitCommit(service.Report(MakeReport(bad.grant.id, 401)), [] { FAIL(); })) << "a duplicate";
  EXPECT_FALSE(acknowledged);
  EXPECT_FALSE(service.Settle(absl::ZeroDuration()).ok() && acknowledged);
  gate.Open();
  EXPECT_TRUE(stored.get_future().get());
  EXPECT_FALSE(service.AwaitCommit(refused, [] { FAIL(); }));
}

// A checkpoint that began before a key was disabled is written before it, not over it.
TEST_F(BrokerServiceTest, ACheckpointNeverOverwritesANewerRecord) {
  Gate gate;
  ScriptedStore store([&](absl::Span<const Record>) { return gate.Pass(); });
  BrokerService service({&clock_, &store, {}, TestSalt(), nullptr});
  ASSERT_TRUE(service.Apply(MakeConfig(MakeProvider("p", {"a"}))).ok());
  const LeaseAnswer lease = LeaseNow(service, "p");
  std::thread checkpoint([&] { service.Checkpoint(); });
  gate.AwaitArrival();
  service.Report(MakeReport(lease.grant.id, 402));
  gate.Open();
  checkpoint.join();
  ASSERT_TRUE(service.Settle().ok());
  EXPECT_EQ(store.Load()->keys.at(0).state.state, core::KeyState::kCooling);
}

// A file with a wrong header costs no key, and its correction is tried at once.

}  // namespace
}  // namespace ccr
