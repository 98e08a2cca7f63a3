#include "tests/client/lib_lease_stream_fixture.h"

namespace ccr::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_F(LeaseStreamTest, SaysHelloFirst) {
  OpenConnected();
  const auto messages = broker_->messages();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].hello().client(), "test");
  EXPECT_EQ(messages[0].hello().session_token(), "0123456789abcdef");
  EXPECT_THAT(messages[0].hello().held(), IsEmpty());
  EXPECT_THAT(states_, ElementsAre(true));
}

TEST_F(LeaseStreamTest, OperationsOfOneTurnLeaveAsOneMessage) {
  OpenConnected();
  for (const char* pool : {"a", "b", "c"}) stream_->Lease(LeaseOf(pool), [](LeaseResult) {});
  stream_->Report(ReportOf("l1"), nullptr);
  EXPECT_EQ(broker_->messages().size(), 1u) << "nothing leaves before Flush";
  stream_->Flush();
  AwaitOperations(4);
  const auto messages = broker_->messages();
  ASSERT_EQ(messages.size(), 2u);
  ASSERT_EQ(messages[1].operations_size(), 4);
  EXPECT_EQ(messages[1].operations(2).lease().pool(), "c");
  EXPECT_EQ(messages[1].operations(3).report().lease_id(), "l1");
}

TEST_F(LeaseStreamTest, WhatGathersWhileAnAnswerIsDueLeavesTogether) {
  OpenConnected();
  constexpr uint64_t kCount = 2000;
  std::vector<uint64_t> ids;
  for (uint64_t i = 0; i < kCount; ++i) {
    ids.push_back(stream_->Lease(LeaseOf("p"), [](LeaseResult) {}));
    stream_->Flush();
    EXPECT_TRUE(stream_->answer_due());
  }
  AwaitOperations(1);
  EXPECT_EQ(broker_->operations().size(), 1u);
  FakeBroker::Response response;
  Grant(response, ids[0], "l");
  broker_->Send(response);
  AwaitOperations(kCount);
  EXPECT_EQ(broker_->messages().size(), 3u) << "hello, the first, all others";
  const auto operations = broker_->operations();
  ASSERT_EQ(operations.size(), kCount);
  for (uint64_t i = 0; i < kCount; ++i) EXPECT_EQ(operations[i].correlation_id(), ids[i]);
}

TEST_F(LeaseStreamTest, ALeaseThatMayWaitForAKeyHoldsNothingBack) {
  OpenConnected();
  v1::LeaseRequest patient = LeaseOf("busy");
  patient.set_max_wait_ms(60'000);
  stream_->Lease(patient, [](LeaseResult) {});
  stream_->Flush();
  EXPECT_FALSE(stream_->answer_due());
  auto report = ReportOf("l1");
  *report.mutable_next() = patient;
  stream_->Report(report, [](ReportResult) {});
  stream_->Flush();
  EXPECT_FALSE(stream_->answer_due());
  stream_->Report(ReportOf("l2"), nullptr);
  stream_->Flush();
  EXPECT_TRUE(stream_->answer_due());
  AwaitOperations(3);
}

TEST_F(LeaseStreamTest, AnswersOfOneMessageAreOneTask) {
  OpenConnected();
  std::vector<std::string> answers;
  std::vector<uint64_t> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(stream_->Lease(LeaseOf("p"), [&](LeaseResult lease) { answers.push_back(lease->lease_id()); }));
  }
  stream_->Flush();
  AwaitOperations(3);
  const int posted = loop_.posted();
  FakeBroker::Response response;
  for (const int i : {2, 0, 1}) Grant(response, ids[i], "l" + std::to_string(i));
  broker_->Send(response);
  ASSERT_TRUE(loop_.RunUntil([&] { return answers.size() == 3; }));
  EXPECT_THAT(answers, ElementsAre("l2", "l0", "l1"));
  EXPECT_EQ(loop_.posted(), posted + 1);
  EXPECT_EQ(stream_->held(), 3u);
  EXPECT_EQ(stream_->pending(), 0u);
}

TEST_F(LeaseStreamTest, ErrorsKeepTheirDetails) {
  OpenConnected();
  absl::Status status;
  const auto id = stream_->Lease(LeaseOf("p"), [&](LeaseResult lease) { status = lease.status(); });
  stream_->Flush();
  AwaitOperations(1);
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(2);
  info.mutable_retry_delay()->set_nanos(500'000'000);
  FakeBroker::Response response;
  auto* result = response.add_results();
  result->set_correlation_id(id);
  result->mutable_error()->set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
  result->mutable_error()->set_message("no key is available");
  result->mutable_error()->add_details()->PackFrom(info);
  broker_->Send(response);
  ASSERT_TRUE(loop_.RunUntil([&] { return !status.ok(); }));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfter(status), absl::Milliseconds(2500));
  EXPECT_EQ(stream_->held(), 0u);
}

TEST_F(LeaseStreamTest, ReconnectReassertsAndSendsAgain) {
  OpenConnected();
  TakeLease("kept");
  TakeLease("reported");
  TakeLease("being-reported");
  const auto first = stream_->Report(ReportOf("reported"), nullptr);
  stream_->Flush();
  AwaitOperations(4);
  FakeBroker::Response response;
  Applied(response, first);
  broker_->Send(response);
  ASSERT_TRUE(loop_.RunUntil([&] { return stream_->held() == 2; }));

  int answers = 0;
  const auto report = stream_->Report(ReportOf("being-reported"), [&](ReportResult r) { answers += r.ok(); });
  const auto lease = stream_->Lease(LeaseOf("q"), [&](LeaseResult l) { answers += l.ok(); });
  stream_->Flush();
  AwaitOperations(6);
  broker_->Break();
  AwaitOperations(8);
  EXPECT_EQ(broker_->streams(), 2);
  EXPECT_THAT(states_, ElementsAre(true, false, true));

  const auto messages = broker_->messages();
  const auto& hello = messages[messages.size() - 2].hello();
  EXPECT_EQ(hello.session_token(), "0123456789abcdef");
  std::vector<std::string> held;
  for (const auto& h : hello.held()) held.push_back(h.lease_id() + "/" + h.pool() + "/" + h.key_fingerprint());
  EXPECT_THAT(held, UnorderedElementsAre("kept/p/fp-kept", "being-reported/p/fp-being-reported"));
  ASSERT_EQ(messages.back().operations_size(), 2);
  EXPECT_EQ(messages.back().operations(0).correlation_id(), report);
  EXPECT_EQ(messages.back().operations(1).correlation_id(), lease);

  response.Clear();
  Applied(response, report);
  Grant(response, lease, "new");
  broker_->Send(response);
  ASSERT_TRUE(loop_.RunUntil([&] { return answers == 2; }));
  EXPECT_EQ(stream_->held(), 2u);
}

TEST_F(LeaseStreamTest, ProgressLeavesBeforeWhatFollowsAndIsNotAwaited) {
  OpenConnected();
  TakeLease("a");
  stream_->Progress(ProgressOf("a"));
  stream_->Progress(ProgressOf("not-held"));
  stream_->Flush();
  AwaitOperations(2);
  EXPECT_FALSE(stream_->answer_due());
  EXPECT_EQ(broker_->operations()[1].progress().first_byte_ms(), 5u);
  stream_->Report(ReportOf("a"), nullptr);
  stream_->Flush();
  AwaitOperations(3);
  EXPECT_EQ(broker_->operations()[2].report().lease_id(), "a");
}

TEST_F(LeaseStreamTest, ProgressIsDroppedWhenTheReportFollowsAtOnce) {
  OpenConnected();
  TakeLease("a");
  TakeLease("b");
  stream_->Progress(ProgressOf("a"));
  stream_->Progress(ProgressOf("b"));
  stream_->Report(ReportOf("a"), nullptr);
  stream_->Flush();
  AwaitOperations(4);
  const auto messages = broker_->messages();
  ASSERT_EQ(messages.back().operations_size(), 2);
  EXPECT_EQ(messages.back().operations(0).progress().lease_id(), "b");
  EXPECT_EQ(messages.back().operations(1).report().lease_id(), "a");
}

TEST_F(LeaseStreamTest, ProgressOfHeldLeasesIsToldAgainAfterAReconnect) {
  OpenConnected();
  for (const char* id : {"told", "reported", "silent"}) TakeLease(id);
  stream_->Progress(ProgressOf("told"));
  stream_->Progress(ProgressOf("reported"));
  stream_->Flush();
  AwaitOperations(5);
  stream_->Report(ReportOf("reported"), nullptr);
  broker_->Break();
  ASSERT_TRUE(loop_.RunUntil([&] { return !stream_->connected(); }));
  stream_->Progress(ProgressOf("told"));
  AwaitOperations(7);
  const auto messages = broker_->messages();
  ASSERT_EQ(messages.back().operations_size(), 2);
  EXPECT_EQ(messages.back().operations(0).progress().lease_id(), "told");
  EXPECT_EQ(messages.back().operations(1).report().lease_id(), "reported");
}

TEST_F(LeaseStreamTest, LeasesThatLastAreRenewed) {
  OpenConnected();
  TakeLease("short", 3'600'000);
  TakeLease("without-end");
  TakeLease("long", 100);
  AwaitOperations(6);
  const auto operations = broker_->operations();
  for (size_t i = 3; i < 6; ++i) EXPECT_EQ(operations[i].renew().lease_id(), "long");
  FakeBroker::Response response;
  response.add_results()->mutable_renew()->set_ttl_ms(100);
  broker_->Send(response);
  broker_->Break();  // renewed by being reasserted
  ASSERT_TRUE(loop_.RunUntil([&] { return broker_->streams() == 2; }));
  const size_t before = broker_->operations().size();
  AwaitOperations(before + 1);
  const auto id = stream_->Report(ReportOf("long"), nullptr);
  stream_->Flush();
  ASSERT_TRUE(loop_.RunUntil([&] {
    const auto all = broker_->operations();
    return std::any_of(all.begin(), all.end(), [](const auto& operation) { return operation.has_report(); });
  }));
  response.Clear();
  Applied(response, id);
  broker_->Send(response);
  ASSERT_TRUE(loop_.RunUntil([&] { return stream_->held() == 2; }));
  const size_t after = broker_->operations().size();
  TakeLease("next", 100);
  AwaitOperations(after + 2);
  EXPECT_EQ(broker_->operations().back().renew().lease_id(), "next") << "the others are not due";
}

TEST_F(LeaseStreamTest, LostLeasesAreNoLongerHeld) {
  OpenConnected();
  TakeLease("a");
  TakeLease("b");
  broker_->Lose("a");
  broker_->Break();
  ASSERT_TRUE(loop_.RunUntil([&] { return broker_->streams() == 2 && stream_->connected(); }));
  EXPECT_EQ(stream_->held(), 1u);
}

TEST_F(LeaseStreamTest, CancelBeforeFlushSendsNothing) {
  OpenConnected();
  bool called = false;
  const auto cancelled = stream_->Lease(LeaseOf("a"), [&](LeaseResult) { called = true; });
  stream_->Lease(LeaseOf("b"), [](LeaseResult) {});
  stream_->Cancel(cancelled);
  stream_->Flush();
  AwaitOperations(1);
  EXPECT_EQ(broker_->operations().at(0).lease().pool(), "b");
  EXPECT_FALSE(called);
}

TEST_F(LeaseStreamTest, CancelledLeaseIsGivenBack) {
  OpenConnected();
  bool called = false;
  v1::LeaseRequest patient = LeaseOf("p");
  patient.set_max_wait_ms(60'000);
  const auto id = stream_->Lease(patient, [&](LeaseResult) { called = true; });
  stream_->Flush();
  AwaitOperations(1);
  stream_->Cancel(id);
  stream_->Flush();
  AwaitOperations(2);
  EXPECT_EQ(broker_->operations()[1].cancel().correlation_id(), id);
  FakeBroker::Response response;
  Grant(response, id, "unwanted");
  broker_->Send(response);
  AwaitOperations(3);
  const auto back = broker_->operations()[2].report();
  EXPECT_EQ(back.lease_id(), "unwanted");
  EXPECT_TRUE(back.evidence().caller_fault());
  EXPECT_FALSE(called);
  EXPECT_EQ(stream_->held(), 0u);
}

TEST_F(LeaseStreamTest, NextOfACancelledReportIsGivenBack) {
  OpenConnected();
  TakeLease("a");
  auto request = ReportOf("a");
  request.mutable_next()->set_pool("p");
  bool called = false;
  const auto id = stream_->Report(request, [&](ReportResult) { called = true; });
  stream_->Flush();
  AwaitOperations(2);
  stream_->Cancel(id);
  FakeBroker::Response response;
  Applied(response, id);
  response.mutable_results(0)->mutable_report()->mutable_next()->set_lease_id("unwanted");
  broker_->Send(response);
  AwaitOperations(3);
  EXPECT_EQ(broker_->operations()[2].report().lease_id(), "unwanted");
  EXPECT_FALSE(called);
}

TEST_F(LeaseStreamTest, NextOfAReportIsHeldInsteadOfTheReported) {
  OpenConnected();
  TakeLease("a");
  auto request = ReportOf("a");
  request.mutable_next()->set_pool("p");
  std::string next;
  const auto id = stream_->Report(request, [&](ReportResult r) { next = r->next().lease_id(); });
  stream_->Flush();
  AwaitOperations(2);
  FakeBroker::Response response;
  Applied(response, id);
  response.mutable_results(0)->mutable_report()->mutable_next()->set_lease_id("b");
  broker_->Send(response);
  ASSERT_TRUE(loop_.RunUntil([&] { return next == "b"; }));
  broker_->Break();
  ASSERT_TRUE(loop_.RunUntil([&] { return broker_->streams() == 2; }));
  const auto hello = broker_->messages().back().hello();
  ASSERT_EQ(hello.held_size(), 1);
  EXPECT_EQ(hello.held(0).lease_id(), "b");
}

TEST_F(LeaseStreamTest, GoingAwayFailsNothing) {
  OpenConnected();
  std::vector<std::string> answers;
  auto record = [&](LeaseResult lease) { answers.push_back(lease.ok() ? lease->lease_id() : "failed"); };
  const auto first = stream_->Lease(LeaseOf("p"), record);
  const auto second = stream_->Lease(LeaseOf("p"), record);
  stream_->Flush();
  AwaitOperations(2);
  FakeBroker::Response response;
  auto* refused = response.add_results();
  refused->set_correlation_id(second);
  refused->mutable_error()->set_code(static_cast<int>(absl::StatusCode::kUnavailable));
  response.set_going_away(true);
  Grant(response, first, "answered");
  broker_->Send(response);
  AwaitOperations(3);
  EXPECT_EQ(broker_->streams(), 2);
  EXPECT_TRUE(loop_.RunUntil([&] { return broker_->half_closed() == 1; })) << "the old stream ends by itself";
  EXPECT_EQ(broker_->operations()[2].correlation_id(), second);
  EXPECT_THAT(answers, ElementsAre("answered"));
  EXPECT_EQ(broker_->messages().at(2).hello().held_size(), 1);
}

TEST_F(LeaseStreamTest, StopSendsWhatIsQueued) {
  OpenConnected();
  stream_->Report(ReportOf("last"), nullptr);
  bool called = false;
  stream_->Lease(LeaseOf("p"), [&](LeaseResult) { called = true; });
  stream_->Stop(absl::Minutes(1));
  EXPECT_EQ(broker_->operations().size(), 2u);
  EXPECT_EQ(broker_->half_closed(), 1);
  stream_.reset();
  EXPECT_FALSE(called);
}

TEST_F(LeaseStreamTest, StopsAtOnceWithoutABroker) {
  Open(UnixAddress("nobody"));
  stream_->Report(ReportOf("lost"), nullptr);
  const absl::Time start = absl::Now();
  stream_->Stop(absl::Minutes(1));
  EXPECT_LT(absl::Now() - start, absl::Seconds(30));
}

TEST_F(LeaseStreamTest, EachConnectionsThreadEndsWithIt) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  OpenConnected();
  const auto before = threads();
  constexpr int kBreaks = 50;
  for (int i = 0; i < kBreaks; ++i) {
    broker_->Break();
    ASSERT_TRUE(loop_.RunUntil([&] { return !stream_->connected(); }));
    ASSERT_TRUE(loop_.RunUntil([&] { return stream_->connected(); }));
  }
  EXPECT_TRUE(loop_.RunUntil([&] { return threads() < before + kBreaks / 2; }));
}

TEST_F(LeaseStreamTest, MayBeDestroyedFromACallback) {
  OpenConnected();
  bool called = false;
  const auto id = stream_->Lease(LeaseOf("p"), [&](LeaseResult) {
    stream_.reset();
    called = true;
  });
  stream_->Lease(LeaseOf("p"), [](LeaseResult) { FAIL() << "called after the end"; });
  stream_->Flush();
  AwaitOperations(2);
  FakeBroker::Response response;
  Grant(response, id, "a");
  Grant(response, id + 1, "b");
  broker_->Send(response);
  ASSERT_TRUE(loop_.RunUntil([&] { return called; }));
}

}  // namespace
}  // namespace ccr::client
