// What a pool's recorder keeps, and what the record says of requests.
#include "broker/service/simulation/recorder.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "broker/service/simulation/history.h"

namespace ccr::simulation {
namespace {

using core::Outcome;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

class RecorderTest : public ::testing::Test {
 protected:
  core::LeaseId NewId() { return {1, 1, 5, ++ids_}; }

  core::LeaseId Lease(core::KeyIndex key, const core::LeaseId& before = {}) {
    core::Pool::LeaseArgs args;
    args.id = NewId();
    args.retry_of = before;
    args.model = "m";
    args.session = 77;
    args.estimated_tokens = 9;
    recorder_.OnAsked(args, absl::Seconds(30), core::Grant{args.id, key}, now_);
    return args.id;
  }

  core::LeaseId Ask(std::optional<core::LeaseResult> result = std::nullopt) {
    core::Pool::LeaseArgs args;
    args.id = NewId();
    recorder_.OnAsked(args, absl::Seconds(30), result, now_);
    return args.id;
  }

  void End(const core::LeaseId& id, core::KeyIndex key, Outcome outcome, core::Evidence evidence = {}) {
    core::Decision decision;
    decision.outcome = outcome;
    decision.key = key;
    decision.http_status = evidence.http_status;
    if (evidence.total == absl::ZeroDuration()) evidence.total = absl::Seconds(1);
    recorder_.OnEnded({id, evidence}, decision, now_);
  }

  History Past() { return Read(recorder_.Copy(now_), 1000); }

  RecordBudget budget_{Recorder::kBytes};
  Recorder recorder_{&budget_};
  absl::Time now_ = kStart;
  uint64_t ids_ = 0;
};

TEST_F(RecorderTest, ARequestIsReadWithAllItsAttempts) {
  const core::LeaseId first = Lease(3);
  now_ += absl::Milliseconds(60);
  core::Evidence refusal;
  refusal.http_status = 429;
  refusal.retry_after = absl::Seconds(20);
  End(first, 3, Outcome::kRateLimited, refusal);
  const core::LeaseId second = Lease(4, first);
  now_ += absl::Seconds(2);
  core::Evidence answer;
  answer.http_status = 200;
  answer.first_byte = absl::Milliseconds(300);
  answer.output_tokens = 120;
  End(second, 4, Outcome::kSuccess, answer);

  const History history = Past();
  ASSERT_EQ(history.requests.size(), 1u);
  const PastRequest& request = history.requests[0];
  EXPECT_EQ(request.arrival, kStart);
  EXPECT_EQ(request.session, 77u);
  EXPECT_EQ(history.models[request.model], "m");
  EXPECT_EQ(request.estimated_tokens, 9u);
  EXPECT_EQ(request.max_wait, absl::Seconds(30));
  EXPECT_EQ(request.ending, Ending::kServed);
  ASSERT_EQ(request.attempts.size(), 2u);
  EXPECT_EQ(request.attempts[0].key, 3u);
  EXPECT_EQ(request.attempts[0].retry_after, absl::Seconds(20));
  EXPECT_EQ(request.attempts[1].granted, kStart + absl::Milliseconds(60));
  EXPECT_EQ(request.attempts[1].ended, now_);
  EXPECT_EQ(request.attempts[1].first_byte, absl::Milliseconds(300));
  EXPECT_EQ(request.attempts[1].tokens, 120u);

  const Counts run = Recorded(history);
  EXPECT_EQ(run.requests, 1u);
  EXPECT_EQ(run.attempts, 2u);
  EXPECT_EQ(run.wasted, 1u);
  EXPECT_EQ(run.keys[4].served, 1u);
}

TEST_F(RecorderTest, WaitsAreMeasuredAndMayEndInVain) {
  const core::LeaseId lucky = Ask();
  const core::LeaseId refused = Ask();
  const core::LeaseId gone = Ask();
  now_ += absl::Seconds(3);
  recorder_.OnAnswered(lucky, core::Grant{lucky, 0}, now_);
  recorder_.OnAnswered(refused, core::Refusal(), now_);
  recorder_.OnLeft(gone, now_);
  End(lucky, 0, Outcome::kSuccess);
  Ask(core::Refusal());

  const History history = Past();
  ASSERT_EQ(history.requests.size(), 4u);
  EXPECT_EQ(history.requests[0].waited, absl::Seconds(3));
  EXPECT_EQ(history.requests[0].ending, Ending::kServed);
  EXPECT_EQ(history.requests[1].waited, absl::Seconds(3));
  EXPECT_EQ(history.requests[1].ending, Ending::kError);
  EXPECT_EQ(history.requests[2].left, absl::Seconds(3));
  EXPECT_EQ(history.requests[2].ending, Ending::kLeft);
  EXPECT_EQ(history.requests[3].ending, Ending::kError);
}

TEST_F(RecorderTest, WhatIsNotOverIsLeftOutAndAnUnusedLeaseIsNoCall) {
  Lease(0);
  Ask();
  const core::LeaseId first = Lease(1);
  End(first, 1, Outcome::kUpstreamFailure);
  core::Evidence unused;
  unused.caller_fault = true;
  const core::LeaseId second = Lease(2, first);
  core::Decision decision;
  decision.key = 2;
  recorder_.OnEnded({second, unused}, decision, now_);

  const History history = Past();
  ASSERT_EQ(history.requests.size(), 1u);
  EXPECT_EQ(history.requests[0].attempts.size(), 1u);
  EXPECT_EQ(history.requests[0].ending, Ending::kError);
}

TEST_F(RecorderTest, LateAndRepeatedReportsAreNoEnd) {
  const core::LeaseId id = Lease(0);
  core::Decision late;
  late.disposition = core::Disposition::kLate;
  recorder_.OnEnded({id, {}}, late, now_);
  EXPECT_TRUE(Past().requests.empty());
}

TEST_F(RecorderTest, MemoryIsBoundedAndTheOldestGoesFirst) {
  const size_t share = 4 * Recorder::kChunk * sizeof(Entry);
  RecordBudget budget(2 * share);
  budget.Share(2);
  Recorder recorder(&budget);
  for (uint64_t i = 0; i < 20 * Recorder::kChunk; ++i) {
    core::Pool::LeaseArgs args;
    args.id = {1, 1, 5, i + 1};
    recorder.OnAsked(args, absl::ZeroDuration(), std::nullopt, now_ + absl::Milliseconds(i));
  }
  const Record record = recorder.Copy(now_ + absl::Minutes(1));
  size_t entries = 0;
  for (const auto& chunk : record.chunks) entries += chunk->size();
  EXPECT_LE(entries, 4 * Recorder::kChunk);
  EXPECT_GT(entries, 2 * Recorder::kChunk);
  EXPECT_TRUE(record.truncated);
  EXPECT_EQ(record.chunks.back()->back().lease, 20 * Recorder::kChunk);
}

TEST_F(RecorderTest, WhatIsTooOldIsForgotten) {
  for (size_t i = 0; i < Recorder::kChunk; ++i) Ask(core::Refusal());
  now_ += Recorder::kAge + absl::Milliseconds(1);
  Ask(core::Refusal());
  const History history = Past();
  EXPECT_EQ(history.requests.size(), 1u);
}

TEST_F(RecorderTest, ModelsBeyondTheMostAreUnknown) {
  for (size_t i = 0; i < Recorder::kMaxModels + 5; ++i) {
    core::Pool::LeaseArgs args;
    const std::string model = "model-" + std::to_string(i);
    args.id = NewId();
    args.model = model;
    recorder_.OnAsked(args, absl::ZeroDuration(), core::Refusal(), now_);
  }
  const Record record = recorder_.Copy(now_);
  EXPECT_EQ(record.models.size(), Recorder::kMaxModels);
  const History history = Read(record, 10'000);
  EXPECT_EQ(history.models[history.requests[7].model], "model-7");
  EXPECT_EQ(history.models[history.requests.back().model], "");
}

TEST_F(RecorderTest, ItCanBeOff) {
  RecordBudget none(0);
  Recorder recorder(&none);
  core::Pool::LeaseArgs args;
  args.id = NewId();
  recorder.OnAsked(args, absl::ZeroDuration(), core::Refusal(), now_);
  EXPECT_TRUE(recorder.Copy(now_).chunks.empty());
}

}  // namespace
}  // namespace ccr::simulation
