// What is of one model of a key alone.
#include "broker/core/strategies/strategy.h"
#include "broker/core/verdict/outcome.h"
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

class PoolLanesTest : public PoolTest {
 protected:
  LeaseResult AskFor(const std::string& model, std::vector<KeyIndex> excluded = {}) {
    Pool::LeaseArgs args{NewId(), kNoOwner, excluded};
    args.model = model;
    return pool_->Lease(args, now_, random_);
  }
  Grant GetFor(const std::string& model, std::vector<KeyIndex> excluded = {}) {
    const LeaseResult result = AskFor(model, std::move(excluded));
    EXPECT_TRUE(std::holds_alternative<Grant>(result)) << model;
    return std::holds_alternative<Grant>(result) ? std::get<Grant>(result) : Grant{};
  }
  Refusal RefusedFor(const std::string& model, std::vector<KeyIndex> excluded = {}) {
    const LeaseResult result = AskFor(model, std::move(excluded));
    EXPECT_TRUE(std::holds_alternative<Refusal>(result)) << model;
    return std::holds_alternative<Refusal>(result) ? std::get<Refusal>(result) : Refusal{};
  }
  std::optional<LeaseResult> WaitFor(const std::string& model, absl::Duration max_wait = absl::Seconds(30)) {
    Pool::LeaseArgs args{last_ = NewId(), kNoOwner, {}};
    args.model = model;
    return pool_->Wait(args, max_wait, now_, random_);
  }
  static Evidence OfModel(int status, std::optional<absl::Duration> retry_after = std::nullopt) {
    Evidence evidence = Status(status);
    evidence.retry_after = retry_after;
    evidence.model_only = true;
    return evidence;
  }

  LeaseId last_;
};

TEST_F(PoolLanesTest, ARefusalOfOneModelLeavesTheOthers) {
  Start(SpecOf(1));
  Tell(GetFor("big"), OfModel(429, absl::Seconds(10)));
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_TRUE(Key(0).available);
  ASSERT_EQ(Key(0).holds.size(), 1u);
  EXPECT_EQ(Key(0).holds[0].model, "big");
  EXPECT_EQ(Key(0).holds[0].until, now_ + absl::Seconds(10));
  EXPECT_EQ(Key(0).holds[0].reason, "rate_limited");
  EXPECT_EQ(RefusedFor("big").retry_at, now_ + absl::Seconds(10));
  Tell(GetFor("small"), Success());
  EXPECT_EQ(pool_->NextDue(), now_ + absl::Seconds(10));
  Pass(9'999 * kMs);
  RefusedFor("big");
  Pass(1 * kMs);
  GetFor("big");
  EXPECT_TRUE(Key(0).holds.empty());
}

// After a hold one lease at a time, and no other key is left.
TEST_F(PoolLanesTest, AKeyThatIsFullForTheModelIsNoCandidate) {
  Start(SpecOf(2));
  Tell(GetFor("big", {1}), OfModel(429, absl::Seconds(10)));
  Pass(absl::Seconds(10));
  EXPECT_EQ(GetFor("big", {1}).candidates_left, 0u);
  EXPECT_EQ(GetFor("big", {0}).candidates_left, 0u);
}

TEST_F(PoolLanesTest, AWindowOfQuotaOfAModelHoldsUntilItsEnd) {
  Start(SpecOf(1));
  Evidence evidence = OfModel(429, absl::Hours(24 * 7));
  evidence.quota_window = true;
  Tell(GetFor("big"), evidence);
  EXPECT_EQ(RefusedFor("big").retry_at, now_ + absl::Hours(24 * 7));
  EXPECT_EQ(Key(0).holds.at(0).reason, "quota_window");
  GetFor("small");
}

TEST_F(PoolLanesTest, HoldsAndPacesOfModelsSurviveARestart) {
  Start(SpecOf(1));
  for (const std::string model : {"a", "b", "a", "b"}) {
    Evidence evidence = Success();
    const double limit = model == "a" ? 60 : 600;
    evidence.rate_limits = {{RateLimit::Unit::kRequests, limit, limit - 1, absl::Seconds(60 / limit)}};
    Tell(GetFor(model), evidence);
  }
  Tell(GetFor("big"), OfModel(429, absl::Minutes(3)));
  const absl::Time back = now_ + absl::Minutes(3);
  const KeySnapshot saved = Key(0);
  ASSERT_EQ(saved.paces.size(), 3u);
  ASSERT_GT(saved.paces[1].learned.rate, 0);
  Pass(absl::Minutes(1));
  for (const bool before_it_enters : {true, false}) {
    if (before_it_enters) {
      pool_ = std::make_unique<Pool>(PoolSpec(), now_);
      Reconfiguration change(SpecOf(3));
      change.spec.keys[1].models = {"small"};
      ASSERT_TRUE(pool_->Number(&change, 100, now_));
      pool_->Restore(change.numbers[0], saved, now_);
      ASSERT_TRUE(pool_->Adopt(&change, 100, now_));
    } else {
      Start(SpecOf(1));
      pool_->Restore("fp0", saved, now_);
    }
    EXPECT_EQ(RefusedFor("big", {1, 2}).retry_at, back);
    ASSERT_EQ(Key(0).holds.size(), 1u);
    EXPECT_EQ(Key(0).holds[0].reason, "rate_limited");
    ASSERT_EQ(Key(0).paces.size(), 3u);
    for (const size_t i : {0, 1, 2}) {
      EXPECT_EQ(Key(0).paces[i].model, saved.paces[i].model);
      EXPECT_NEAR(Key(0).paces[i].learned.rate, saved.paces[i].learned.rate, 0.1 * saved.paces[i].learned.rate);
    }
    Tell(GetFor("small", {1, 2}), Success());
  }
  GoTo(back);
  GetFor("big");
}

TEST_F(PoolLanesTest, AHoldOfAClockThatWasAheadIsCut) {
  Start(SpecOf(1));
  KeySnapshot saved = Key(0);
  saved.holds = {{"limited", now_ + absl::Hours(1'000), "rate_limited"},
                 {"absent", now_ + absl::Hours(1'000), kModelAbsent},
                 {"used up", now_ + absl::Hours(100'000), kQuotaWindow},
                 {"over", now_, "rate_limited"}};
  pool_->Restore("fp0", saved, now_);
  EXPECT_EQ(RefusedFor("limited").retry_at, now_ + absl::Hours(24));
  EXPECT_EQ(RefusedFor("absent").retry_at, now_ + absl::Hours(1));
  EXPECT_EQ(RefusedFor("used up").retry_at, now_ + absl::Hours(24 * 400));
  GetFor("over");
}

TEST_F(PoolLanesTest, PicksOfEveryStrategyPassOverHeldLanes) {
  for (const std::string_view strategy : StrategyNames()) {
    Start(SpecOf(5, std::string(strategy)));
    for (int i = 0; i < 4; ++i) Tell(GetFor("big"), OfModel(429, absl::Minutes(1)));
    const Grant last = GetFor("big");
    EXPECT_EQ(last.candidates_left, 0u) << strategy;
    for (int i = 0; i < 20; ++i) {
      const Grant grant = GetFor("big");
      EXPECT_EQ(grant.key, last.key) << strategy;
      EXPECT_EQ(GetFor("small", {grant.key}).candidates_left, 3u) << strategy;
    }
    EXPECT_EQ(RefusedFor("big", {last.key}).retry_at, now_ + absl::Minutes(1)) << strategy;
  }
}

TEST_F(PoolLanesTest, AHoldOnlyGrowsAndASuccessGrantedLaterEndsIt) {
  Start(SpecOf(1));
  const Grant first = GetFor("big");
  const Grant second = GetFor("big");
  const Grant third = GetFor("big");
  Tell(first, OfModel(429, absl::Seconds(60)));
  Tell(second, OfModel(429, absl::Seconds(5)));
  EXPECT_EQ(RefusedFor("big").retry_at, now_ + absl::Seconds(60));
  Tell(third, Success());  // granted before
  EXPECT_EQ(RefusedFor("big").retry_at, now_ + absl::Seconds(60));
}

TEST_F(PoolLanesTest, ALaneComesBackStepByStep) {
  Start(SpecOf(1));
  Tell(GetFor("big"), OfModel(429));  // by the cooldown that is set
  Pass(absl::Minutes(1));
  const Grant first = GetFor("big");
  RefusedFor("big");
  GetFor("small");
  Tell(first, Success());
  GetFor("big");
  GetFor("big");
  RefusedFor("big");
}

TEST_F(PoolLanesTest, AKeyServesTheModelsItMay) {
  PoolSpec spec = SpecOf(2);
  spec.keys[0].models = {"small"};
  Start(spec);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(GetFor("big").key, 1u);
  EXPECT_EQ(RefusedFor("big", {1}).retry_at, absl::InfiniteFuture());
  EXPECT_EQ(GetFor("small", {1}).key, 0u);
  spec.keys[0].models = {};
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(GetFor("big", {1}).key, 0u);
  spec.keys[0].models = {"other"};
  pool_->Reconfigure(spec, now_);
  RefusedFor("big", {1});
  EXPECT_EQ(GetFor("other", {1}).key, 0u);
}

TEST_F(PoolLanesTest, WaitersForAHeldModelHoldUpNobody) {
  PoolSpec spec = SpecOf(1);
  spec.queue_wait = absl::Seconds(30);
  Start(spec);
  Tell(GetFor("big"), OfModel(429, absl::Seconds(10)));
  EXPECT_FALSE(WaitFor("big").has_value());
  const LeaseId first = last_;
  EXPECT_FALSE(WaitFor("big").has_value());
  EXPECT_TRUE(std::holds_alternative<Grant>(*WaitFor("small")));
  GoTo(pool_->NextDue());
  const auto answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].id, first);
}

TEST_F(PoolLanesTest, WhoWouldWaitInVainIsToldAtOnce) {
  PoolSpec spec = SpecOf(1);
  spec.queue_wait = absl::Seconds(30);
  Start(spec);
  Tell(GetFor("big"), OfModel(429, absl::Seconds(31)));
  const auto result = WaitFor("big");
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(std::get<Refusal>(*result).why, Refusal::Why::kNoneAvailable);
  EXPECT_EQ(std::get<Refusal>(*result).retry_at, now_ + absl::Seconds(31));
}

TEST_F(PoolLanesTest, AWaitThatBecomesVainEnds) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].max_concurrent = 1;
  spec.queue_wait = absl::Seconds(30);
  Start(spec);
  const Grant grant = GetFor("big");
  EXPECT_FALSE(WaitFor("big").has_value());
  Tell(grant, Status(429, absl::Minutes(5)));
  const auto answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(std::get<Refusal>(answers[0].result).retry_at, now_ + absl::Minutes(5));
}

// A 429 that says neither when the key is back nor for what: the key's other models are tried.
TEST_F(PoolLanesTest, WhetherModelsHaveLimitsOfTheirOwnIsLearned) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].cooldown = std::nullopt;
  for (const bool of_model : {true, false}) {
    Start(spec);
    Tell(GetFor("big"), Success());
    Tell(GetFor("small"), Success());
    int tried = 0;
    for (int i = 0; i < 8; ++i) {
      Tell(GetFor("big"), Status(429));
      RefusedFor("big");
      const LeaseResult other = AskFor("small");
      if (const auto* grant = std::get_if<Grant>(&other)) {
        ++tried;
        Tell(*grant, of_model ? Success() : Status(429));
      }
      EXPECT_EQ(State(0), of_model || i < 2 ? KeyState::kActive : State(0));
      Pass(absl::Minutes(2));
    }
    if (of_model) {
      EXPECT_EQ(tried, 8);
      // Sure of it: so it is where the provider says when the model is back, too.
      Tell(GetFor("big"), Status(429, absl::Seconds(20)));
      GetFor("small");
    } else {
      EXPECT_EQ(tried, 3) << "then the key rests";
      EXPECT_EQ(State(0), KeyState::kActive);
      Tell(GetFor("big"), Status(429));
      EXPECT_EQ(State(0), KeyState::kCooling);
    }
  }
}

// A provider that comes to limit each model by itself is found out, one that does not is seldom asked.
TEST_F(PoolLanesTest, ThatModelsShareALimitIsNoDecisionForEver) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].cooldown = std::nullopt;
  Start(spec);
  Tell(GetFor("big"), Success());
  Tell(GetFor("small"), Success());
  // How often the other model was tried while one rested.
  const auto tried = [this](int refusals, bool of_model) {
    int tries = 0;
    for (int i = 0; i < refusals; ++i) {
      Tell(GetFor("big"), Status(429));
      const LeaseResult other = AskFor("small");
      if (const auto* grant = std::get_if<Grant>(&other)) {
        ++tries;
        Tell(*grant, of_model ? Success() : Status(429));
      }
      Pass(absl::Minutes(2));
    }
    return tries;
  };
  EXPECT_LE(tried(10, false), 4);
  const int again = tried(200, false);
  EXPECT_GE(again, 3);
  EXPECT_LE(again, 8);
  tried(100, true);
  EXPECT_EQ(tried(20, true), 20);
}

// Nobody breaks what a provider announces to find out.
TEST_F(PoolLanesTest, AToldRestIsTheWholeKeysUntilItIsSure) {
  Start(SpecOf(1));
  Tell(GetFor("small"), Success());
  Tell(GetFor("big"), Status(429, absl::Seconds(20)));
  EXPECT_EQ(State(0), KeyState::kCooling);
  RefusedFor("small");
}

}  // namespace
}  // namespace ccr::core
