#include "broker/service/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/broker/service/fixture.h"
#include "tests/broker/service/stores.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Type = core::Transition::Type;

KeyRecord RecordOf(const std::string& pool, const std::string& fingerprint, uint64_t uses) {
  core::KeySnapshot state;
  state.uses = uses;
  return {pool, fingerprint, state};
}

core::Transition Event(Type type, uint64_t number = 0) {
  core::Transition event;
  event.type = type;
  event.input_tokens = number;
  return event;
}

std::shared_ptr<const PoolNames> Named(const std::string& name) {
  auto pool = std::make_shared<PoolNames>();
  pool->pool = name;
  return pool;
}

// Writes down what it hears as "pool:type", "+pool" and "-pool".
class Listener final : public Observer {
 public:
  void OnTransitions(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) override {
    for (const core::Transition& event : batch) {
      heard.push_back(pool->pool + ":" + std::to_string(event.input_tokens));
    }
  }
  void OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) override { heard.push_back("+" + pool->pool); }
  void OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) override { heard.push_back("-" + pool->pool); }

  std::vector<std::string> heard;
};

class JournalTest : public ::testing::Test {
 protected:
  Journal::Position Add(std::vector<Record> records, std::vector<core::Transition> events = {}) {
    Journal::Entry entry;
    entry.pool = pool_;
    entry.transitions = events;
    entry.records = std::move(records);
    return journal_.Add(std::move(entry));
  }
  uint64_t Stored(const std::string& fingerprint) {
    for (const KeyRecord& key : KeysIn(store_)) {
      if (key.fingerprint == fingerprint) return key.state.uses;
    }
    return 0;
  }

  std::function<absl::Status(absl::Span<const Record>)> on_commit_ = [](auto) { return absl::OkStatus(); };
  ScriptedStore store_{[this](absl::Span<const Record> batch) { return on_commit_(batch); }};
  Listener listener_;
  std::shared_ptr<const PoolNames> pool_ = Named("p");
  Journal journal_{&store_, {&listener_}};
};

TEST_F(JournalTest, CommitsThenAnswersThenTells) {
  std::vector<std::string> order;
  const Journal::Position position = Add({RecordOf("p", "f", 1)}, {Event(Type::kDisabled, 7)});
  on_commit_ = [&](absl::Span<const Record>) {
    EXPECT_THAT(listener_.heard, IsEmpty());
    order.emplace_back("commit");
    return absl::OkStatus();
  };
  ASSERT_TRUE(journal_.Await(position, [&] {
    EXPECT_EQ(Stored("f"), 1u);
    EXPECT_THAT(listener_.heard, IsEmpty());
    order.emplace_back("answer");
  }));
  EXPECT_TRUE(journal_.RunOnce());
  EXPECT_THAT(order, ElementsAre("commit", "answer"));
  EXPECT_THAT(listener_.heard, ElementsAre("p:7"));
  EXPECT_FALSE(journal_.Await(position, [] { FAIL(); }));
  EXPECT_FALSE(journal_.Await(Journal::kNowhere, [] { FAIL(); }));
  EXPECT_FALSE(journal_.RunOnce());
}

TEST_F(JournalTest, WithoutRecordsTheStoreIsNotAsked) {
  Add({}, {Event(Type::kLeased, 1)});
  ASSERT_TRUE(journal_.Settle().ok());
  EXPECT_THAT(store_.sizes(), IsEmpty());
  EXPECT_THAT(listener_.heard, ElementsAre("p:1"));
}

TEST_F(JournalTest, TellsInTheOrderOfEntriesOverPools) {
  const auto p = pool_;
  const auto q = Named("q");
  const std::vector<core::Transition> one = {Event(Type::kLeased, 1)};
  journal_.Add({.pool = p, .added = true, .transitions = one});
  journal_.Add({.pool = q, .added = true});
  journal_.Add({.pool = p, .transitions = one});
  journal_.Add({.pool = p, .removed = true, .transitions = one});
  journal_.Add({.pool = p, .added = true});
  journal_.Add({.pool = q, .transitions = one});
  ASSERT_TRUE(journal_.Settle().ok());
  EXPECT_THAT(listener_.heard, ElementsAre("+p", "p:1", "+q", "p:1", "p:1", "-p", "+p", "q:1"));
}

TEST_F(JournalTest, ABatchIsBounded) {
  for (size_t i = 0; i < 2 * Journal::kMaxBatch + 1; ++i) Add({RecordOf("p", std::to_string(i), 1)});
  ASSERT_TRUE(journal_.Settle().ok());
  EXPECT_THAT(store_.sizes(), ElementsAre(Journal::kMaxBatch, Journal::kMaxBatch, 1));
}

TEST_F(JournalTest, AnAnswerDoesNotWaitForTheBatchesBehindIt) {
  bool answered = false;
  ASSERT_TRUE(journal_.Await(Add({RecordOf("p", "f", 1)}), [&] { answered = true; }));
  for (size_t i = 0; i < 2 * Journal::kMaxBatch; ++i) Add({RecordOf("p", std::to_string(i), 1)});
  EXPECT_TRUE(journal_.RunOnce());
  EXPECT_TRUE(answered);
  EXPECT_TRUE(journal_.RunOnce());
}

TEST_F(JournalTest, WhatTheStoreRefusesIsKeptOncePerKeyAndAnswered) {
  on_commit_ = [](auto) { return absl::UnavailableError("disk full"); };
  int answers = 0;
  ASSERT_TRUE(journal_.Await(Add({RecordOf("p", "f", 1), RecordOf("p", "g", 1)}), [&] { ++answers; }));
  EXPECT_EQ(journal_.Settle().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(journal_.Await(Add({RecordOf("p", "f", 2)}), [&] { ++answers; }));
  EXPECT_FALSE(journal_.Settle().ok());
  EXPECT_EQ(answers, 2);
  EXPECT_EQ(journal_.stats().records, 2u);
  EXPECT_EQ(journal_.stats().failures, 2u);
  const auto records = journal_.Load();  // what is kept is newer than what the store has
  ASSERT_EQ(records->keys.size(), 2u);

  on_commit_ = [](auto) { return absl::OkStatus(); };
  Add({}, {Event(Type::kLeased)});
  EXPECT_FALSE(journal_.Settle().ok()) << "an event is no reason to try again";
  journal_.Retry();
  EXPECT_TRUE(journal_.Settle().ok());
  EXPECT_EQ(Stored("f"), 2u);
  EXPECT_EQ(Stored("g"), 1u);
  EXPECT_EQ(journal_.stats().records, 0u);
}

TEST_F(JournalTest, AStoreThatFailsIsAskedForOneBatchOnly) {
  on_commit_ = [](auto) { return absl::UnavailableError("disk full"); };
  for (size_t i = 0; i < 3 * Journal::kMaxBatch; ++i) Add({RecordOf("p", std::to_string(i), 1)});
  EXPECT_FALSE(journal_.Settle().ok());
  EXPECT_THAT(store_.sizes(), ElementsAre(Journal::kMaxBatch, Journal::kMaxBatch, Journal::kMaxBatch));
  journal_.Retry();
  EXPECT_FALSE(journal_.Settle().ok());
  EXPECT_EQ(store_.sizes().size(), 4u);
}

TEST_F(JournalTest, BeyondItsBoundItDropsEventsThatSayNothingOfAKey) {
  const std::vector<core::Transition> many(Journal::kMaxEvents, Event(Type::kLeased, 1));
  Add({}, many);
  Add({RecordOf("p", "f", 1)}, {Event(Type::kLeased, 2), Event(Type::kDisabled, 3), Event(Type::kSuccess, 4)});
  ASSERT_TRUE(journal_.Settle().ok());
  EXPECT_EQ(journal_.stats().dropped_events, 2u);
  ASSERT_EQ(listener_.heard.size(), Journal::kMaxEvents + 1);
  EXPECT_EQ(listener_.heard.back(), "p:3");
  EXPECT_EQ(Stored("f"), 1u);
  Add({}, {Event(Type::kLeased, 5)});
  ASSERT_TRUE(journal_.Settle().ok());
  EXPECT_EQ(listener_.heard.back(), "p:5");
}

TEST_F(JournalTest, StopWritesWhatIsLeft) {
  journal_.Start();
  bool answered = false;
  ASSERT_TRUE(journal_.Await(Add({RecordOf("p", "f", 1)}), [&] { answered = true; }) || Stored("f") == 1);
  Add({}, {Event(Type::kLeased, 2)});
  journal_.Stop();
  EXPECT_EQ(Stored("f"), 1u);
  EXPECT_EQ(listener_.heard.back(), "p:2");
}

TEST_F(JournalTest, AnOwnerThatWasReplacedWritesNothing) {
  Add({RecordOf("p", "f", 1)});
  ASSERT_TRUE(journal_.Settle().ok());
  ASSERT_TRUE(store_.Acquire().ok());  // another broker
  Add({RecordOf("p", "f", 2)});
  EXPECT_EQ(journal_.Settle().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Stored("f"), 1u);
}

TEST_F(JournalTest, ManyThreadsAreAnsweredOnceEachAfterTheirCommit) {
  constexpr uint64_t kWriters = 4;
  constexpr uint64_t kEach = 500;
  journal_.Start();
  std::atomic<uint64_t> answers{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kWriters; ++t) {
    threads.emplace_back([&, name = std::to_string(t), pool = Named(std::to_string(t))] {
      for (uint64_t i = 1; i <= kEach; ++i) {
        const std::vector<core::Transition> events = {Event(Type::kFailure, i)};
        Journal::Entry entry{.pool = pool, .transitions = events};
        if (i % 2 == 0) entry.records.emplace_back(RecordOf(name, "f", i));
        std::promise<void> done;
        const Journal::Position position = journal_.Add(std::move(entry));
        if (journal_.Await(position, [&] { done.set_value(); })) done.get_future().wait();
        ++answers;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(journal_.Settle().ok());
  EXPECT_EQ(answers, kWriters * kEach);
  EXPECT_EQ(listener_.heard.size(), kWriters * kEach);
  for (const KeyRecord& key : KeysIn(store_)) EXPECT_EQ(key.state.uses, kEach);
}

}  // namespace
}  // namespace ccr
