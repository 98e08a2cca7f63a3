// Waiting for a key.
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

class PoolQueueTest : public PoolTest {
 protected:
  // One key that takes `max_concurrent` leases at once, and a queue.
  void StartQueue(uint32_t max_concurrent, uint32_t size = 1000, absl::Duration cooldown = absl::Minutes(1)) {
    PoolSpec spec = SpecOf(1);
    spec.keys[0].max_concurrent = max_concurrent;
    spec.queue_wait = absl::Seconds(30);
    spec.queue_size = size;
    spec.keys[0].cooldown = cooldown;
    Start(spec);
  }
  std::optional<LeaseResult> Wait(absl::Duration max_wait = absl::Hours(1), OwnerId owner = kNoOwner,
                                  std::vector<KeyIndex> excluded = {}) {
    last_ = NewId();
    return pool_->Wait({last_, owner, excluded}, max_wait, now_, random_);
  }
  static Grant GrantIn(const Pool::Answer& answer) { return std::get<Grant>(answer.result); }
  static Refusal::Why WhyIn(const LeaseResult& result) { return std::get<Refusal>(result).why; }

  LeaseId last_;
};

TEST_F(PoolQueueTest, NobodyWaitsWhereAKeyIsReadyOrTheQueueIsOff) {
  StartQueue(1);
  EXPECT_TRUE(std::holds_alternative<Grant>(*Wait()));
  Start(SpecOf(1));
  Tell(Get(), Status(429, absl::Seconds(10)));
  EXPECT_EQ(WhyIn(*Wait()), Refusal::Why::kNoneAvailable);
}

TEST_F(PoolQueueTest, NobodyWaitsForWhatNeverComes) {
  StartQueue(1);
  const Grant grant = Get();
  EXPECT_TRUE(Wait(absl::Hours(1), kNoOwner, {0}).has_value());
  Tell(grant, Cancelled());
  Disable(0, 1);
  EXPECT_EQ(WhyIn(*Wait()), Refusal::Why::kAllDisabled);
}

TEST_F(PoolQueueTest, FirstComeFirstServedAndNewcomersStandBehind) {
  StartQueue(1);
  const Grant grant = Get();
  EXPECT_FALSE(Wait().has_value());
  const LeaseId first = last_;
  Pass(absl::Seconds(1));
  EXPECT_FALSE(Wait().has_value());
  Tell(grant, Success());
  EXPECT_GT(Refused().retry_at, now_);
  const auto answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].id, first);
  EXPECT_EQ(GrantIn(answers[0]).id, first);
  EXPECT_EQ(pool_->Snapshot(now_).waiting, 1u);
  absl::Duration wait;
  for (const Transition& t : Transitions()) {
    if (t.type == Transition::Type::kLeased) wait = t.wait;
  }
  EXPECT_EQ(wait, absl::Seconds(1));
}

TEST_F(PoolQueueTest, AWaitEndsAtItsDeadline) {
  StartQueue(1);
  Get();
  EXPECT_FALSE(Wait(absl::Seconds(10)).has_value());
  const LeaseId first = last_;
  EXPECT_FALSE(Wait(absl::Hours(1)).has_value());  // capped by the spec
  const absl::Time start = now_;
  EXPECT_EQ(pool_->NextDue(), start + absl::Seconds(10));
  GoTo(start + absl::Milliseconds(9'999));
  EXPECT_TRUE(Poll().empty());
  GoTo(start + absl::Milliseconds(10'000));
  const auto answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].id, first);
  EXPECT_EQ(WhyIn(answers[0].result), Refusal::Why::kWaitedTooLong);
  EXPECT_EQ(pool_->NextDue(), start + absl::Seconds(30));
  GoTo(start + absl::Seconds(30));
  EXPECT_EQ(Poll().size(), 1u);
}

// One, and twice as many with each success.
TEST_F(PoolQueueTest, ACrowdIsLetGoAtThePaceAtWhichItSucceeds) {
  StartQueue(0, 1000, absl::Seconds(10));
  Tell(Get(), Status(429));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(Wait().has_value());
  Pass(absl::Seconds(10));
  std::vector<Pool::Answer> running = Poll();
  std::vector<size_t> waves;
  while (!running.empty()) {
    waves.push_back(running.size());
    for (const Pool::Answer& answer : running) Tell(GrantIn(answer), Success());
    running = Poll();
  }
  EXPECT_EQ(waves, (std::vector<size_t>{1, 2, 8, 9}));
}

TEST_F(PoolQueueTest, ACrowdThatFailsIsNotLetGoAtOnce) {
  StartQueue(0, 1000, absl::Seconds(2));
  Tell(Get(), Status(429));
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(Wait().has_value());
  for (const size_t wave : {1, 1}) {
    GoTo(pool_->NextDue());
    const auto answers = Poll();
    ASSERT_EQ(answers.size(), wave);
    for (const Pool::Answer& answer : answers) Tell(GrantIn(answer), Status(429));
    EXPECT_TRUE(Poll().empty());
  }
}

TEST_F(PoolQueueTest, TheQueueIsBoundedAndLeftByCancelAndByOwnersEnd) {
  StartQueue(1, 3);
  Get();
  EXPECT_FALSE(Wait(absl::Hours(1), 5).has_value());
  EXPECT_FALSE(Wait(absl::Hours(1), 6).has_value());
  const LeaseId cancelled = last_;
  EXPECT_FALSE(Wait(absl::Hours(1), 5).has_value());
  EXPECT_EQ(WhyIn(*Wait()), Refusal::Why::kQueueFull);
  EXPECT_TRUE(pool_->CancelWait(cancelled, now_));
  EXPECT_FALSE(pool_->CancelWait(cancelled, now_));
  pool_->Orphan(5, now_ + absl::Seconds(5), now_);
  EXPECT_EQ(pool_->Snapshot(now_).waiting, 0u);
}

TEST_F(PoolQueueTest, WaitersPassAnOpenCircuitOneByOne) {
  StartQueue(0);
  for (int i = 0; i < 3; ++i) Tell(Get(), Status(500));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Wait().has_value());
  GoTo(pool_->NextDue());
  const auto answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(GrantIn(answers[0]).trial);
  EXPECT_TRUE(Poll().empty());
  Tell(GrantIn(answers[0]), Success());
  EXPECT_EQ(Poll().size(), 2u);
}

TEST_F(PoolQueueTest, WaitersSeeThePoolsRpmSlide) {
  PoolSpec spec = SpecOf(2);
  spec.limits.rpm = 1;
  spec.queue_wait = absl::Minutes(5);
  Start(spec);
  Get();
  EXPECT_FALSE(Wait().has_value());
  EXPECT_EQ(pool_->NextDue(), now_ + absl::Seconds(61));
  GoTo(pool_->NextDue());
  EXPECT_EQ(Poll().size(), 1u);
}

// What a waiter excludes is its own affair.
TEST_F(PoolQueueTest, AWaiterWithExclusionsHoldsUpNobody) {
  PoolSpec spec = SpecOf(2);
  spec.queue_wait = absl::Seconds(30);
  for (KeySpec& key : spec.keys) key.max_concurrent = 1;
  Start(spec);
  const Grant first = Get();
  const Grant second = Get();
  EXPECT_FALSE(Wait(absl::Hours(1), kNoOwner, {first.key}).has_value());
  const LeaseId choosy = last_;
  EXPECT_FALSE(Wait().has_value());
  const LeaseId plain = last_;
  Tell(first, Success());
  auto answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].id, plain);
  Tell(GrantIn(answers[0]), Success());
  const Grant newcomer = Get();  // the one in the queue can make nothing of that key
  EXPECT_EQ(newcomer.key, first.key);
  Tell(second, Success());
  answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].id, choosy);
  EXPECT_EQ(GrantIn(answers[0]).key, second.key);
}

TEST_F(PoolQueueTest, AWaiterWithExclusionsKeepsItsPlace) {
  PoolSpec spec = SpecOf(2);
  spec.queue_wait = absl::Seconds(30);
  for (KeySpec& key : spec.keys) key.max_concurrent = 1;
  Start(spec);
  const Grant first = Get();
  const Grant second = Get();
  EXPECT_FALSE(Wait(absl::Hours(1), kNoOwner, {first.key}).has_value());
  const LeaseId choosy = last_;
  EXPECT_FALSE(Wait().has_value());
  Tell(second, Success());
  const auto answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].id, choosy);
}

// Each step looks at so many; those behind them get their turn in the next ones.
TEST_F(PoolQueueTest, NoneOfAThousandWithExclusionsIsStarved) {
  PoolSpec spec = SpecOf(2);
  spec.queue_wait = absl::Seconds(30);
  for (KeySpec& key : spec.keys) key.max_concurrent = 1;
  Start(spec);
  Grant wanted = Get();
  const Grant other = Get();
  for (int i = 0; i < 900; ++i) EXPECT_FALSE(Wait(absl::Hours(1), kNoOwner, {wanted.key}).has_value());
  EXPECT_FALSE(Wait(absl::Hours(1), kNoOwner, {other.key}).has_value());
  const LeaseId last = last_;
  Tell(wanted, Success());
  std::vector<Pool::Answer> answers;
  for (int i = 0; i < 20 && answers.empty(); ++i) answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].id, last);
}

}  // namespace
}  // namespace ccr::core
