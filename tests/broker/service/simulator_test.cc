// Replays: what other rules would have made of the same requests.
#include "broker/service/simulation/simulator.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "broker/core/strategies/strategy.h"
#include "broker/service/simulation/facts.h"
#include "broker/service/simulation/recorder.h"
#include "broker/service/simulation/replay.h"
#include "tests/broker/service/histories.h"

namespace ccr::simulation {
namespace {

Rules RulesOf(const core::PoolSpec& spec) {
  Rules rules;
  rules.spec = spec;
  rules.recorded_wait = spec.queue_wait;
  for (size_t i = 0; i < spec.keys.size(); ++i) rules.past.push_back(static_cast<core::KeyIndex>(i));
  return rules;
}

Counts Replayed(const History& history, const core::PoolSpec& spec) {
  return Replay(history, FactsOf(history, spec.keys, {}), RulesOf(spec), Never);
}

std::vector<uint64_t> Attempts(const Counts& run) {
  std::vector<uint64_t> attempts;
  for (const KeyCount& key : run.keys) attempts.push_back(key.attempts);
  return attempts;
}

TEST(ReplayTest, SharesAreTheStrategysOwn) {
  const History history = Steady(60, absl::Seconds(2), 3);
  EXPECT_EQ(Attempts(Replayed(history, SpecOf("round_robin", 3))), (std::vector<uint64_t>{20, 20, 20}));
  EXPECT_EQ(Attempts(Replayed(history, SpecOf("fill_first", 3))), (std::vector<uint64_t>{60, 0, 0}));
  core::PoolSpec weighted = SpecOf("weighted", 3);
  weighted.keys[0].weight = 4;
  EXPECT_EQ(Attempts(Replayed(history, weighted)), (std::vector<uint64_t>{40, 10, 10}));
}

TEST(ReplayTest, EveryStrategyServesAllWhenNothingIsWrong) {
  const History history = Steady(100, absl::Milliseconds(300), 4);
  for (const std::string_view strategy : core::StrategyNames()) {
    const Counts run = Replayed(history, SpecOf(std::string(strategy), 4));
    EXPECT_EQ(run.served, 100u) << strategy;
    EXPECT_EQ(run.attempts, 100u) << strategy;
    EXPECT_EQ(run.wait_p99, absl::ZeroDuration()) << strategy;
  }
}

// The record is not of this core, which learns the limit from the first refusal on.
TEST(ReplayTest, WhatTheLimitRefusesIsServedByAnotherKey) {
  const Counts run = Replayed(Limited(), SpecOf("fill_first", 2));
  EXPECT_EQ(run.served, 20u);
  EXPECT_GE(run.wasted, 1u);
  EXPECT_LE(run.wasted, 5u);
  EXPECT_EQ(run.attempts, run.served + run.wasted);
  EXPECT_GT(run.keys[0].served, run.keys[1].served);
}

TEST(ReplayTest, ALimitThatTheOtherStrategyKeepsWastesNothing) {
  const Counts run = Replayed(Limited(), SpecOf("round_robin", 2));
  EXPECT_EQ(run.served, 20u);
  EXPECT_EQ(run.wasted, 0u);
}

TEST(ReplayTest, DeclaredLimitsMakeWait) {
  core::PoolSpec spec = SpecOf("fill_first", 2);
  spec.keys[0].limits.rpm = spec.keys[1].limits.rpm = 1;
  spec.queue_wait = absl::Minutes(2);
  History history = Steady(4, absl::Seconds(15), 1);
  for (PastRequest& request : history.requests) request.max_wait = spec.queue_wait;
  const Counts run = Replayed(history, spec);
  EXPECT_EQ(run.served, 4u);
  EXPECT_EQ(run.wasted, 0u);
  EXPECT_GE(run.wait_p99, absl::Seconds(25));  // the third: until the first key's minute is over
  spec.queue_wait = absl::ZeroDuration();      // nobody waits then, whatever they asked for
  Rules rules = RulesOf(spec);
  rules.recorded_wait = absl::Minutes(2);
  const Counts refused = Replay(history, FactsOf(history, SpecOf("fill_first", 2).keys, {}), rules, Never);
  EXPECT_EQ(refused.served, 2u);
  EXPECT_EQ(refused.errors, 2u);
}

TEST(ReplayTest, ADeadKeyIsDeadUnderAnyStrategy) {
  std::vector<PastRequest> requests;
  for (int i = 0; i < 20; ++i) {
    const absl::Duration at = absl::Seconds(5) * i;
    const absl::Duration later = at + absl::Milliseconds(60);
    const Attempt served = AttemptOf(1, later, absl::Seconds(1), Outcome::kSuccess);
    if (i == 4) {
      requests.push_back(RequestOf(at, {AttemptOf(0, at, absl::Milliseconds(60), Outcome::kAuth), served}));
    } else {
      requests.push_back(RequestOf(at, {AttemptOf(i < 4 ? 0 : 1, at, absl::Seconds(1), Outcome::kSuccess)}));
    }
  }
  const History history = HistoryOf(std::move(requests));
  const Counts run = Replayed(history, SpecOf("fill_first", 2));
  EXPECT_EQ(run.served, 20u);
  EXPECT_EQ(run.wasted, 1u);
  EXPECT_EQ(Attempts(run), (std::vector<uint64_t>{5, 16}));
  const Counts other = Replayed(history, SpecOf("round_robin", 2));
  EXPECT_EQ(other.served, 20u);
  EXPECT_EQ(other.wasted, 1u);
}

TEST(ReplayTest, ARequestsOwnFaultIsItsOwnEverywhere) {
  std::vector<PastRequest> requests;
  requests.push_back(RequestOf(absl::ZeroDuration(),
                               {AttemptOf(0, absl::ZeroDuration(), absl::Milliseconds(40), Outcome::kCallerFault)}));
  requests.back().attempts[0].http_status = 413;
  requests.push_back(
      RequestOf(absl::Seconds(1), {AttemptOf(1, absl::Seconds(1), absl::Seconds(1), Outcome::kSuccess)}));
  const Counts run = Replayed(HistoryOf(std::move(requests)), SpecOf("fill_first", 2));
  EXPECT_EQ(run.own_faults, 1u);
  EXPECT_EQ(run.served, 1u);
  EXPECT_EQ(run.wasted, 0u);
}

TEST(ReplayTest, AnAnswerThatIsCutIsNotTriedAgain) {
  std::vector<PastRequest> requests;
  for (int i = 0; i < 200; ++i) {
    const absl::Duration at = absl::Seconds(3) * i;
    const Outcome outcome = i % 4 == 0 ? Outcome::kUpstreamFailure : Outcome::kSuccess;
    requests.push_back(RequestOf(at, {AttemptOf(0, at, absl::Seconds(1), outcome)}));
    requests.back().attempts[0].http_status = 200;
  }
  const History history = HistoryOf(std::move(requests));
  const PoolFacts facts = FactsOf(history, SpecOf("fill_first", 2).keys, {});
  EXPECT_EQ(facts.keys[0].cut, 0.25);
  EXPECT_EQ(facts.keys[0].flaky, 0);
  core::PoolSpec patient = SpecOf("fill_first", 1);
  patient.keys[0].max_failures = 1000;
  const Counts run = Replayed(history, patient);
  EXPECT_EQ(run.requests, 200u);
  EXPECT_EQ(run.errors, run.wasted);
  EXPECT_NEAR(static_cast<double>(run.errors), 50, 20);
}

TEST(ReplayTest, AClientThatLeftLeavesAgain) {
  std::vector<PastRequest> requests;
  requests.push_back(
      RequestOf(absl::ZeroDuration(), {AttemptOf(0, absl::ZeroDuration(), absl::Seconds(7), Outcome::kNeutral)}));
  const Counts run = Replayed(HistoryOf(std::move(requests)), SpecOf("fill_first", 1));
  EXPECT_EQ(run.left, 1u);
  EXPECT_EQ(run.attempts, 1u);
  EXPECT_EQ(run.wasted, 0u);
}

TEST(ReplayTest, AnOutageHitsWhateverKeyIsAsked) {
  std::vector<PastRequest> requests;
  for (int i = 0; i < 10; ++i) {
    const absl::Duration at = absl::Seconds(1) * i;
    const bool out = i >= 3 && i < 6;
    requests.push_back(RequestOf(at, {AttemptOf(static_cast<core::KeyIndex>(i % 2), at, absl::Milliseconds(900),
                                                out ? Outcome::kOverloaded : Outcome::kSuccess)}));
  }
  const History history = HistoryOf(std::move(requests));
  for (const char* strategy : {"round_robin", "fill_first"}) {
    const Counts run = Replayed(history, SpecOf(strategy, 2));
    EXPECT_GT(run.wasted, 0u) << strategy;
    EXPECT_EQ(run.requests, 10u) << strategy;
    EXPECT_EQ(run.served + run.errors, 10u) << strategy;
  }
}

TEST(ReplayTest, TheSameArgumentsMakeTheSameRun) {
  std::vector<PastRequest> requests;
  for (int i = 0; i < 200; ++i) {
    const absl::Duration at = absl::Milliseconds(700) * i;
    const Outcome outcome = i % 9 == 4 ? Outcome::kUpstreamFailure : Outcome::kSuccess;
    requests.push_back(RequestOf(at, {AttemptOf(static_cast<core::KeyIndex>(i % 3), at, absl::Seconds(1), outcome)}));
  }
  const History history = HistoryOf(std::move(requests));
  const PoolFacts facts = FactsOf(history, SpecOf("random", 3).keys, {});
  EXPECT_NEAR(facts.keys[0].flaky + facts.keys[1].flaky + facts.keys[2].flaky, 3.0 / 9, 0.05);
  const Counts one = Replayed(history, SpecOf("random", 3)), two = Replayed(history, SpecOf("random", 3));
  EXPECT_EQ(Attempts(one), Attempts(two));
  EXPECT_EQ(one.wasted, two.wasted);
  EXPECT_GT(one.wasted, 0u);
  EXPECT_LE(one.wasted, 200u / 9 + 12);
}

TEST(ReplayTest, AFlakyKeyIsNotFlakyForTheSameRequestsAlone) {
  std::vector<PastRequest> requests;
  for (int i = 0; i < 200; ++i) {
    const absl::Duration at = absl::Seconds(20) * i;
    const Outcome outcome = i % 4 == 0 ? Outcome::kUpstreamFailure : Outcome::kSuccess;
    requests.push_back(RequestOf(at, {AttemptOf(0, at, absl::Milliseconds(200), outcome)}));
  }
  const Counts run = Replayed(HistoryOf(std::move(requests)), SpecOf("fill_first", 1));
  EXPECT_GT(run.wasted, 30u);
  EXPECT_GT(run.served, 190u);  // by the same key, later
}

TEST(ReplayTest, ItEndsWhenToldTo) {
  const History history = Steady(5000, absl::Milliseconds(10), 2);
  const Counts run = Replay(history, FactsOf(history, SpecOf("random", 2).keys, {}), RulesOf(SpecOf("random", 2)),
                            [] { return true; });
  EXPECT_LT(run.requests, 5000u);
}

// Of the record that a Recorder makes.
PoolPast PastOf(size_t requests) {
  RecordBudget budget(Recorder::kBytes);
  Recorder recorder(&budget);
  for (uint64_t i = 1; i <= requests; ++i) {
    core::Pool::LeaseArgs args;
    args.id = {1, 1, 1, i};
    const absl::Time at = kBegin + absl::Seconds(i);
    recorder.OnAsked(args, absl::Seconds(30), core::Grant{args.id, 0}, at);
    core::Decision decision;
    decision.outcome = Outcome::kSuccess;
    decision.key = 0;
    recorder.OnEnded({args.id, {}}, decision, at + absl::Milliseconds(200));
  }
  PoolPast past;
  past.record = recorder.Copy(kBegin + absl::Hours(1));
  past.spec = SpecOf("fill_first", 2);
  past.keys = past.spec.keys;
  past.past = {0, 1};
  return past;
}

TEST(SimulateTest, WithoutARecordThereIsNothing) {
  EXPECT_FALSE(Simulate(PastOf(0), "random", nullptr, Never).has_value());
}

TEST(SimulateTest, AStrategyGoesOverThatOfAProposal) {
  const PoolPast past = PastOf(10);
  EXPECT_FALSE(Simulate(past, "", nullptr, Never)->proposed.has_value());
  EXPECT_EQ(Simulate(past, "random", nullptr, Never)->proposed->strategy, "random");
  const Proposal proposal{SpecOf("least_used", 2), {}};
  EXPECT_EQ(Simulate(past, "", &proposal, Never)->proposed->strategy, "least_used");
  EXPECT_EQ(Simulate(past, "random", &proposal, Never)->proposed->strategy, "random");
}

TEST(SimulateTest, KeysOfAProposalAreFoundByNameOrPlaceElseNew) {
  const PoolPast past = PastOf(12);
  Proposal proposal{SpecOf("round_robin", 3), {}};
  proposal.spec.keys[0].name = "b";
  proposal.spec.keys[1].name = "";
  proposal.spec.keys[2].name = "added";
  const auto simulation = Simulate(past, "", &proposal, Never);
  ASSERT_TRUE(simulation.has_value());
  EXPECT_EQ(simulation->proposed->keys, (std::vector<std::string>{"b", "new-1", "added"}));
  EXPECT_EQ(Attempts(simulation->proposed->run), (std::vector<uint64_t>{4, 4, 4}));
  EXPECT_EQ(simulation->configured.keys, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Attempts(simulation->configured.run), (std::vector<uint64_t>{12, 0}));
}

// Entries that need not make sense together.
Record AnyRecord(std::mt19937* random) {
  const auto below = [random](uint32_t limit) {
    return std::uniform_int_distribution<uint32_t>(0, limit - 1)(*random);
  };
  auto chunk = std::make_shared<Chunk>();
  absl::Time now = kBegin;
  for (int i = 0; i < 600; ++i) {
    now += absl::Milliseconds(below(3) == 0 ? 0 : below(4000));
    Entry& entry = chunk->emplace_back();
    entry.unix_ns = absl::ToUnixNanos(now);
    entry.lease = 1 + below(60);
    entry.key = below(5) == 0 ? core::kNoKey : below(4);
    switch (below(6)) {
      case 0:
      case 1:
        entry.what = Asked{below(4) == 0 ? 1 + below(60) : 0, below(3),     below(40'000), below(2000),
                           static_cast<uint16_t>(below(3)),   below(4) == 0};
        break;
      case 2:
        entry.what = Answered{};
        break;
      case 3:
        entry.what = Left{};
        break;
      case 4:
        entry.what = Probed{static_cast<uint16_t>(below(600))};
        break;
      default: {
        Ended ended;
        entry.key = below(4);
        ended.first_byte_us = below(3'000'000);
        ended.total_us = below(2) * below(9'000'000);
        ended.retry_after_ms = below(2) == 0 ? kUntold : below(200'000);
        ended.tokens = below(5000);
        ended.limit = below(2) * below(50);
        ended.remaining = below(60);
        ended.reset_ms = below(70'000);
        ended.http_status = static_cast<uint16_t>(below(600));
        ended.outcome = static_cast<Outcome>(below(9));
        ended.own_fault = below(9) == 0;
        entry.what = ended;
      }
    }
  }
  Record record;
  record.models = {"", "a", "b"};
  record.chunks = {chunk};
  return record;
}

// Whatever is recorded and proposed: every request ends, once, and every attempt is a key's.
TEST(SimulateTest, AnyRecordCanBeReplayed) {
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    PoolPast past;
    past.record = AnyRecord(&random);
    past.spec = SpecOf("round_robin", 3);
    past.keys = SpecOf("round_robin", 4).keys;  // the last one has left
    past.past = {0, 1, 2};
    Proposal proposal{SpecOf(std::string(core::StrategyNames()[seed % core::StrategyNames().size()]), 1 + seed % 5),
                      {}};
    proposal.spec.queue_wait = absl::Seconds(seed % 40);
    proposal.spec.queue_size = seed % 7;
    proposal.spec.max_concurrent = seed % 3;
    proposal.spec.session_affinity = seed % 2 == 0;
    proposal.spec.limits.rpm = seed % 4 * 10;
    proposal.spec.keys[0].limits = {seed % 5, seed % 3 * 1000, seed % 6 * 30, 0};
    proposal.spec.keys[0].weight = seed % 3;
    proposal.spec.keys[0].max_concurrent = seed % 2;
    if (seed % 4 == 0) proposal.spec.keys[0].models = {"a"};
    const auto simulation = Simulate(past, "", &proposal, Never);
    ASSERT_TRUE(simulation.has_value());
    for (const Counts& run : {simulation->recorded.run, simulation->configured.run, simulation->proposed->run}) {
      EXPECT_EQ(run.requests, simulation->recorded.run.requests);
      EXPECT_EQ(run.requests, run.served + run.errors + run.own_faults + run.left);
      uint64_t attempts = 0;
      for (const KeyCount& key : run.keys) attempts += key.attempts;
      EXPECT_EQ(attempts, run.attempts);
      EXPECT_LE(run.wasted, run.attempts);
    }
  }
}

}  // namespace
}  // namespace ccr::simulation
