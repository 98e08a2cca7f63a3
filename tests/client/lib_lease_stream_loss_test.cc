#include "tests/client/lib_lease_stream_fixture.h"

namespace ccr::client {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

TEST_F(LeaseStreamTest, WaitsForTheBrokerNoLongerThanHold) {
  options_.hold = absl::Milliseconds(100);
  const std::string address = UnixAddress("hold");
  Open(address);
  absl::Status lease_status, report_status;
  const absl::Time start = absl::Now();
  stream_->Lease(LeaseOf("p"), [&](LeaseResult lease) { lease_status = lease.status(); });
  auto report = ReportOf("l1");
  report.mutable_next()->set_pool("p");
  stream_->Report(report, [&](ReportResult r) { report_status = r.status(); });
  stream_->Flush();
  ASSERT_TRUE(loop_.RunUntil([&] { return !lease_status.ok() && !report_status.ok(); }));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(100));
  EXPECT_EQ(lease_status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(report_status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(stream_->pending(), 1u) << "the report stays";

  broker_ = std::make_unique<FakeBroker>(address);
  AwaitOperations(1);
  const auto operations = broker_->operations();
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].report().lease_id(), "l1");
  EXPECT_FALSE(operations[0].report().has_next());
}

TEST_F(LeaseStreamTest, ASilentBrokerIsWaitedForNoLongerThanHold) {
  options_.hold = absl::Milliseconds(200);
  OpenConnected();
  TakeLease("held");
  broker_->Hang();
  absl::Status at_once, patient, report_status;
  auto may_wait = LeaseOf("p");
  may_wait.set_max_wait_ms(30'000);
  const absl::Time start = absl::Now();
  const auto first = stream_->Lease(LeaseOf("p"), [&](LeaseResult lease) { at_once = lease.status(); });
  stream_->Flush();
  const auto second = stream_->Lease(may_wait, [&](LeaseResult lease) { patient = lease.status(); });
  auto report = ReportOf("held");
  report.mutable_next()->set_pool("p");
  const auto third = stream_->Report(report, [&](ReportResult r) { report_status = r.status(); });
  stream_->Flush();
  ASSERT_TRUE(loop_.RunUntil([&] { return !at_once.ok() && !patient.ok() && !report_status.ok(); }));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(200));
  for (const absl::Status& status : {at_once, patient, report_status}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_TRUE(stream_->connected());
  EXPECT_EQ(stream_->pending(), 1u) << "the report stays";

  // It goes on: what it granted meanwhile is given back, what it never saw is not asked of it.
  FakeBroker::Response late;
  Grant(late, first, "late");
  broker_->Send(late);
  broker_->GoOn();
  std::vector<std::string> reported;
  uint64_t cancelled = 0;
  bool next_wanted = false;
  ASSERT_TRUE(loop_.RunUntil([&] {
    stream_->Flush();
    reported.clear();
    for (const auto& operation : broker_->operations()) {
      EXPECT_FALSE(operation.has_lease() && operation.correlation_id() == second);
      if (operation.has_cancel()) cancelled = operation.cancel().correlation_id();
      if (!operation.has_report()) continue;
      reported.push_back(operation.report().lease_id());
      next_wanted = next_wanted || operation.report().has_next();
    }
    return reported.size() == 2;
  }));
  EXPECT_THAT(reported, UnorderedElementsAre("held", "late"));
  EXPECT_FALSE(next_wanted);
  EXPECT_EQ(cancelled, first);
  FakeBroker::Response applied;
  Applied(applied, third);
  broker_->Send(applied);
  ASSERT_TRUE(loop_.RunUntil([&] { return stream_->held() == 0; }));
}

TEST_F(LeaseStreamTest, ABrokerThatLivesMayLetALeaseWait) {
  options_.hold = absl::Milliseconds(100);
  OpenConnected();
  absl::Status status = absl::UnknownError("no answer");
  auto may_wait = LeaseOf("p");
  may_wait.set_max_wait_ms(30'000);
  const auto id = stream_->Lease(may_wait, [&](LeaseResult lease) { status = lease.status(); });
  stream_->Flush();
  const absl::Time start = absl::Now();
  ASSERT_TRUE(loop_.RunUntil([&] { return absl::Now() - start > 5 * options_.hold; }));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
  FakeBroker::Response response;
  Grant(response, id, "late");
  broker_->Send(response);
  ASSERT_TRUE(loop_.RunUntil([&] { return status.ok(); }));
  // From now on it is silent: the wait is over when that has lasted.
  const auto other = stream_->Lease(may_wait, [&](LeaseResult lease) { status = lease.status(); });
  stream_->Flush();
  const auto taken = [&] {
    const auto operations = broker_->operations();
    return !operations.empty() && operations.back().correlation_id() == other;
  };
  ASSERT_TRUE(loop_.RunUntil(taken));
  broker_->Hang();
  ASSERT_TRUE(loop_.RunUntil([&] { return absl::IsUnavailable(status); }));
}

TEST_F(LeaseStreamTest, RestartedBrokerGetsWhatWaits) {
  options_.hold = absl::Minutes(1);
  const std::string address = UnixAddress("restart");
  broker_ = std::make_unique<FakeBroker>(address);
  Open(address);
  ASSERT_TRUE(loop_.RunUntil([&] { return stream_->connected(); }));
  broker_.reset();
  ASSERT_TRUE(loop_.RunUntil([&] { return !stream_->connected(); }));
  bool failed = false;
  stream_->Lease(LeaseOf("p"), [&](LeaseResult lease) { failed = !lease.ok(); });
  stream_->Flush();
  broker_ = std::make_unique<FakeBroker>(address);
  AwaitOperations(1);
  EXPECT_FALSE(failed);
  EXPECT_TRUE(stream_->connected());
}

TEST_F(LeaseStreamTest, OldestReportsAreDroppedWithoutABroker) {
  options_.max_queued_reports = 3;
  const std::string address = UnixAddress("dropped");
  Open(address);
  for (const char* id : {"1", "2", "3"}) stream_->Report(ReportOf(id), nullptr);
  EXPECT_EQ(stream_->dropped_reports(), 0u);
  for (const char* id : {"4", "5"}) stream_->Report(ReportOf(id), nullptr);
  EXPECT_EQ(stream_->dropped_reports(), 2u);
  broker_ = std::make_unique<FakeBroker>(address);
  AwaitOperations(3);
  std::vector<std::string> ids;
  for (const auto& operation : broker_->operations()) ids.push_back(operation.report().lease_id());
  EXPECT_THAT(ids, ElementsAre("3", "4", "5"));
}

}  // namespace
}  // namespace ccr::client
