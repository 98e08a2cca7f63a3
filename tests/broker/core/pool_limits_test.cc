// Declared limits of tokens and of days, defaults of rests, and pacing.
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

class PoolLimitsTest : public PoolTest {
 protected:
  LeaseResult AskFor(uint64_t tokens) {
    Pool::LeaseArgs args{NewId(), kNoOwner, {}};
    args.estimated_tokens = tokens;
    return pool_->Lease(args, now_, random_);
  }
  LeaseResult AskForModel(const std::string& model) {
    Pool::LeaseArgs args{NewId(), kNoOwner, {}};
    args.model = model;
    return pool_->Lease(args, now_, random_);
  }
  Grant GetFor(uint64_t tokens) {
    const LeaseResult result = AskFor(tokens);
    EXPECT_TRUE(std::holds_alternative<Grant>(result)) << tokens;
    return std::holds_alternative<Grant>(result) ? std::get<Grant>(result) : Grant{};
  }
  absl::Time RetryAt(uint64_t tokens) {
    const LeaseResult result = AskFor(tokens);
    EXPECT_TRUE(std::holds_alternative<Refusal>(result)) << tokens;
    return std::holds_alternative<Refusal>(result) ? std::get<Refusal>(result).retry_at : absl::Time();
  }
  static Evidence Used(uint64_t input, uint64_t output) {
    Evidence evidence = Success();
    evidence.input_tokens = input;
    evidence.output_tokens = output;
    return evidence;
  }
  static Evidence With(Evidence evidence, uint64_t limit, uint64_t remaining, absl::Duration reset) {
    evidence.rate_limits.push_back({RateLimit::Unit::kRequests, limit, remaining, reset});
    return evidence;
  }
};

TEST_F(PoolLimitsTest, TokensAreCountedAsEstimatedAndSettledAsUsed) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].limits.tpm = 1'000;
  Start(spec);
  const Grant first = GetFor(600);
  EXPECT_EQ(Key(0).used.tpm, 600u);
  EXPECT_EQ(RetryAt(500), now_ + absl::Seconds(61));
  Tell(first, Used(200, 100));
  EXPECT_EQ(Key(0).used.tpm, 300u);
  const Grant second = GetFor(700);
  Tell(second, Used(700, 300));
  EXPECT_EQ(Key(0).used.tpm, 1'300u);  // the excess counts from now on
  EXPECT_EQ(RetryAt(1), now_ + absl::Seconds(61));
}

TEST_F(PoolLimitsTest, WhatIsRefusedCostsNoTokens) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].limits.tpm = 1'000;
  Start(spec);
  Tell(GetFor(900), Status(400));
  EXPECT_EQ(Key(0).used.tpm, 0u);
  const Grant cancelled = GetFor(900);
  Tell(cancelled, Cancelled());
  EXPECT_EQ(Key(0).used.tpm, 900u);
}

TEST_F(PoolLimitsTest, ARequestBeyondTheLimitGoesWhileNothingIsUsed) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].limits.tpm = 1'000;
  Start(spec);
  GetFor(1);
  EXPECT_EQ(RetryAt(5'000), now_ + absl::Seconds(61));
  Pass(absl::Seconds(61));
  GetFor(5'000);
}

TEST_F(PoolLimitsTest, KeysWithoutRoomForTheRequestArePassedOver) {
  PoolSpec spec = SpecOf(3);
  for (KeySpec& key : spec.keys) key.limits.tpm = 1'000;
  Start(spec);
  GetFor(900);
  GetFor(900);
  EXPECT_EQ(GetFor(500).key, 2u);
  EXPECT_EQ(GetFor(500).key, 2u);
  GetFor(50);
  EXPECT_EQ(RetryAt(200), now_ + absl::Seconds(61));
}

TEST_F(PoolLimitsTest, AKeyThatRestsIsBackWhenItHasRoomAsWell) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].limits.tpm = 1'000;
  Start(spec);
  GetFor(900);
  Tell(GetFor(50), Status(429, absl::Seconds(10)));
  EXPECT_EQ(RetryAt(50), now_ + absl::Seconds(10));
  EXPECT_EQ(RetryAt(500), now_ + absl::Seconds(61));
}

TEST_F(PoolLimitsTest, ASmallRequestDoesNotOvertakeALargeOneThatWaits) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].limits.tpm = 1'000;
  spec.queue_wait = absl::Minutes(5);
  Start(spec);
  GetFor(900);
  Pool::LeaseArgs args{NewId(), kNoOwner, {}};
  args.estimated_tokens = 500;
  EXPECT_FALSE(pool_->Wait(args, absl::Minutes(5), now_, random_).has_value());
  RetryAt(50);
  pool_->CancelWait(args.id, now_);
  GetFor(50);
}

TEST_F(PoolLimitsTest, ADayIsBoundedForKeysAndPools) {
  PoolSpec spec = SpecOf(2);
  spec.keys[0].limits.rpd = 2;
  spec.keys[1].limits.tpd = 100;
  spec.limits.rpd = 4;
  Start(spec);
  GetFor(60);
  GetFor(60);
  GetFor(60);
  GetFor(40);
  EXPECT_GT(RetryAt(1), now_ + absl::Hours(23) + absl::Minutes(59));
  EXPECT_LE(RetryAt(1), now_ + absl::Hours(24) + absl::Minutes(15));
}

TEST_F(PoolLimitsTest, WaitersGoWhenThereIsRoomForTheirTokens) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].limits.tpm = 1'000;
  spec.queue_wait = absl::Minutes(5);
  Start(spec);
  GetFor(900);
  Pool::LeaseArgs args{NewId(), kNoOwner, {}};
  args.estimated_tokens = 500;
  EXPECT_FALSE(pool_->Wait(args, absl::Minutes(5), now_, random_).has_value());
  EXPECT_EQ(pool_->NextDue(), now_ + absl::Seconds(61));
  GoTo(pool_->NextDue());
  EXPECT_EQ(Poll().size(), 1u);
}

TEST_F(PoolLimitsTest, AKeyWaitsWhereItsAnswersSayThatNothingIsLeft) {
  Start(SpecOf(1));
  Tell(Get(), With(Success(), 60, 59, absl::Seconds(1)));
  Tell(Get(), With(Success(), 60, 0, absl::Seconds(60)));
  const absl::Time back = Refused().retry_at;
  EXPECT_GT(back, now_ + absl::Milliseconds(500));
  EXPECT_LE(back, now_ + absl::Seconds(60));
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_GT(Key(0).learned.rate, 0);
  EXPECT_FALSE(Key(0).available);
  EXPECT_EQ(Key(0).rate_allows_at, back);
  GoTo(back);
  Get();
}

TEST_F(PoolLimitsTest, LimitsOfTwoModelsAreTwo) {
  Start(SpecOf(1));
  auto lease = [this](const std::string& model) { return AskForModel(model); };
  Tell(std::get<Grant>(lease("big")), With(Success(), 60, 59, absl::Seconds(1)));
  Tell(std::get<Grant>(lease("small")), With(Success(), 600, 599, absl::Milliseconds(100)));
  Tell(std::get<Grant>(lease("big")), With(Success(), 60, 0, absl::Seconds(60)));
  EXPECT_TRUE(std::holds_alternative<Refusal>(lease("big")));
  EXPECT_TRUE(std::holds_alternative<Grant>(lease("small")));
}

// What was found out of a key's limits may change, and is no matter of which model was asked for first.
TEST_F(PoolLimitsTest, WhetherModelsShareAKeysLimitsFollowsWhatAnswersTell) {
  Start(SpecOf(1));
  uint64_t left = 2'000, left_of[] = {500, 1'500};
  const auto serve = [&](int calls, bool shared) {
    for (int i = 0; i < calls; ++i, Pass(absl::Seconds(1))) {
      const int model = i % 5 == 0 ? 0 : 1;
      const LeaseResult result = AskForModel(model == 0 ? "big" : "small");
      if (!std::holds_alternative<Grant>(result)) continue;
      --left;
      --left_of[model];
      Tell(std::get<Grant>(result), With(Success(), 3'000, shared ? left : left_of[model], absl::Hours(10)));
    }
  };
  // When big has nothing left.
  const auto small_goes_on = [&] {
    Tell(std::get<Grant>(AskForModel("big")), With(Success(), 3'000, 0, absl::Hours(10)));
    EXPECT_FALSE(std::holds_alternative<Grant>(AskForModel("big")));
    return std::holds_alternative<Grant>(AskForModel("small"));
  };
  serve(20, true);
  serve(60, false);
  EXPECT_TRUE(small_goes_on());
}

TEST_F(PoolLimitsTest, WhereModelsShareAKeysLimitsAllOfThemWait) {
  Start(SpecOf(1));
  uint64_t left = 2'000;
  for (int i = 0; i < 60; ++i, Pass(absl::Seconds(1))) {
    const LeaseResult result = AskForModel(i % 5 == 0 ? "big" : "small");
    --left;
    Tell(std::get<Grant>(result), With(Success(), 3'000, left, absl::Hours(10)));
  }
  Tell(std::get<Grant>(AskForModel("big")), With(Success(), 3'000, 0, absl::Hours(10)));
  EXPECT_FALSE(std::holds_alternative<Grant>(AskForModel("small")));
}

TEST_F(PoolLimitsTest, TheFirstAnswerThatTellsALimitLeavesWhatItSays) {
  for (const bool streamed : {false, true}) {
    Start(SpecOf(1));
    const Grant grant = Get();
    const Evidence evidence = With(Success(), 60, 1, absl::Seconds(59));
    if (streamed) pool_->Progress(grant.id, {200, absl::Milliseconds(1), evidence.rate_limits}, now_, random_);
    Tell(grant, evidence);
    Get();
    Refused();
  }
}

TEST_F(PoolLimitsTest, GrantsOfAModelCountBeforeTheirAnswers) {
  Start(SpecOf(1));
  auto lease = [this](const std::string& model) { return AskForModel(model); };
  Tell(std::get<Grant>(lease("small")), With(Success(), 600, 599, absl::Milliseconds(100)));
  Tell(std::get<Grant>(lease("big")), With(Success(), 60, 2, absl::Seconds(58)));
  EXPECT_TRUE(std::holds_alternative<Grant>(lease("big")));
  EXPECT_TRUE(std::holds_alternative<Grant>(lease("big")));
  EXPECT_TRUE(std::holds_alternative<Refusal>(lease("big")));
  EXPECT_TRUE(std::holds_alternative<Grant>(lease("small")));
}

TEST_F(PoolLimitsTest, AKeyServesRequestsForWhoseTokensItsAnswersLeaveRoom) {
  Start(SpecOf(1));
  Evidence evidence = Success();
  evidence.rate_limits.push_back({RateLimit::Unit::kTokens, 60'000, 1'000, absl::Seconds(59)});
  Tell(Get(), evidence);
  EXPECT_GT(RetryAt(5'000), now_ + absl::Seconds(2));
  GetFor(500);
}

TEST_F(PoolLimitsTest, AKeyOfWhichItIsToldThatItIsBackAtOnceIsTriedByOneRequest) {
  Start(SpecOf(1));
  const Grant refused = Get();
  Tell(refused, Status(429, absl::ZeroDuration()));
  const Grant first = Get();
  Refused();
  Tell(first, Success());
  Pass(absl::Seconds(1));
  Get();
}

TEST_F(PoolLimitsTest, AKeyThatServesTwoAtOnceIsSeldomAskedForAThird) {
  for (const bool of_model : {false, true}) {
    PoolSpec spec = SpecOf(1);
    spec.keys[0].cooldown = std::nullopt;
    Start(spec);
    Evidence refusal = Status(429);
    refusal.model_only = of_model;
    std::vector<Grant> held;
    int refused = 0, served = 0;
    for (int step = 0; step < 3'000; ++step) {
      Pass(absl::Milliseconds(100));
      if (step % 10 == 0 && !held.empty()) {
        Tell(held.front(), Success());
        held.erase(held.begin());
      }
      const LeaseResult result = AskForModel("big");
      if (!std::holds_alternative<Grant>(result)) continue;
      const Grant grant = std::get<Grant>(result);
      if (held.size() == 2) {
        Tell(grant, refusal);
        ++refused;
        continue;
      }
      Begin(grant);
      held.push_back(grant);
      ++served;
    }
    EXPECT_GE(served, 290) << of_model;
    EXPECT_LE(refused, 10) << of_model;
  }
}

TEST_F(PoolLimitsTest, LimitsOfThreeModelsAreThree) {
  Start(SpecOf(1));
  for (const char* const model : {"big", "small", "third"}) {
    Tell(std::get<Grant>(AskForModel(model)), With(Success(), 60, 59, absl::Seconds(1)));
  }
  Tell(std::get<Grant>(AskForModel("third")), With(Success(), 60, 0, absl::Seconds(60)));
  EXPECT_TRUE(std::holds_alternative<Refusal>(AskForModel("third")));
  EXPECT_TRUE(std::holds_alternative<Grant>(AskForModel("big")));
  EXPECT_TRUE(std::holds_alternative<Grant>(AskForModel("small")));
}

TEST_F(PoolLimitsTest, ARefusalThatTellsLimitsTeachesOfItsModelAlone) {
  Start(SpecOf(1));
  for (const char* const model : {"big", "small"}) {
    Tell(std::get<Grant>(AskForModel(model)), With(Success(), 60, 59, absl::Seconds(1)));
  }
  Tell(std::get<Grant>(AskForModel("big")), With(Status(429), 60, 0, absl::Seconds(60)));
  GoTo(Key(0).available_at);
  Tell(std::get<Grant>(AskForModel("small")), With(Success(), 60, 58, absl::Seconds(2)));
  EXPECT_TRUE(std::holds_alternative<Grant>(AskForModel("small")));
}

TEST_F(PoolLimitsTest, WhoMayNotWaitTriesAKeyThatLacksRoomByAnEstimate) {
  for (const absl::Duration wait : {absl::ZeroDuration(), absl::Seconds(30)}) {
    PoolSpec spec = SpecOf(2);
    for (KeySpec& key : spec.keys) key.cooldown = std::nullopt;
    spec.queue_wait = wait;
    Start(std::move(spec));
    Tell(Get(), Status(429));
    Tell(Get(), Status(429));
    EXPECT_TRUE(std::holds_alternative<Refusal>(Ask()));  // both rest
    Pass(absl::Seconds(2));
    Tell(Get(), Success());
    Tell(Get(), Success());
    EXPECT_EQ(std::holds_alternative<Grant>(Ask()), wait == absl::ZeroDuration());
    EXPECT_EQ(std::holds_alternative<Grant>(Ask()), wait == absl::ZeroDuration());
    EXPECT_TRUE(std::holds_alternative<Refusal>(Ask()));  // one at a time
  }
}

TEST_F(PoolLimitsTest, WhoWouldWaitInVainTriesAKeyThatLacksRoomByAnEstimate) {
  PoolSpec spec = SpecOf(1);
  spec.queue_wait = absl::Seconds(30);
  Start(std::move(spec));
  Tell(Get(), Status(429, absl::Seconds(60)));
  GoTo(Key(0).available_at);
  Tell(Get(), Success());
  ASSERT_GT(RetryAt(0), now_ + absl::Seconds(5));  // it has answered once in a minute
  Pool::LeaseArgs args{NewId(), kNoOwner, {}};
  const std::optional<LeaseResult> tried = pool_->Wait(args, absl::Seconds(5), now_, random_);
  ASSERT_TRUE(tried.has_value());
  EXPECT_TRUE(std::holds_alternative<Grant>(*tried));
  args.id = NewId();
  const std::optional<LeaseResult> next = pool_->Wait(args, absl::Seconds(5), now_, random_);
  ASSERT_TRUE(next.has_value());
  EXPECT_TRUE(std::holds_alternative<Refusal>(*next)) << "one at a time";
}

TEST_F(PoolLimitsTest, AWaiterWhoWouldGoOnInVainTriesAKeyThatLacksRoomByAnEstimate) {
  PoolSpec spec = SpecOf(1);
  spec.queue_wait = absl::Minutes(5);
  Start(std::move(spec));
  Tell(Get(), Status(429, absl::Seconds(60)));
  GoTo(Key(0).available_at);
  Tell(Get(), Success());
  const absl::Duration left = RetryAt(0) - now_;
  ASSERT_GT(left, absl::Seconds(5));
  Pool::LeaseArgs args{NewId(), kNoOwner, {}};
  ASSERT_FALSE(pool_->Wait(args, left + absl::Seconds(1), now_, random_).has_value());
  args.id = NewId();
  ASSERT_FALSE(pool_->Wait(args, left + absl::Seconds(2), now_, random_).has_value());
  Pass(left);
  std::vector<Pool::Answer> answers;
  pool_->Poll(now_, random_, &answers);
  ASSERT_EQ(answers.size(), 2u) << "there is room for the first, not for the second in its time";
  EXPECT_TRUE(std::holds_alternative<Grant>(answers[0].result));
  EXPECT_EQ(answers[1].id, args.id);
  EXPECT_TRUE(std::holds_alternative<Grant>(answers[1].result));
}

TEST_F(PoolLimitsTest, TheFirstRefusalCountsTheCallsOfTheLastMinute) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].cooldown = std::nullopt;
  Start(std::move(spec));
  for (int i = 0; i < 30; ++i) {
    Tell(Get(), Success());
    Pass(absl::Seconds(1));
  }
  Tell(Get(), Status(429));
  EXPECT_NEAR(Key(0).learned.rate, 0.5, 0.05);
}

TEST_F(PoolLimitsTest, ModelsThatShareALimitAreHeldBackTogether) {
  Start(SpecOf(1));
  for (uint64_t used = 1; used <= 60; ++used) {
    Pass(absl::Milliseconds(1));
    const LeaseResult lease = AskForModel(used % 6 < 3 ? "big" : "small");
    Tell(std::get<Grant>(lease), With(Success(), 60, 60 - used, absl::Seconds(used)));
  }
  EXPECT_TRUE(std::holds_alternative<Refusal>(AskForModel("big")));
  EXPECT_TRUE(std::holds_alternative<Refusal>(AskForModel("small")));
}

TEST_F(PoolLimitsTest, WhatWasLearnedSurvivesARestart) {
  Start(SpecOf(1));
  Tell(Get(), With(Success(), 60, 59, absl::Seconds(1)));
  Tell(Get(), With(Success(), 60, 58, absl::Seconds(2)));
  const KeySnapshot saved = Key(0);
  ASSERT_GT(saved.learned.rate, 0);
  Start(SpecOf(1));
  pool_->Restore("fp0", saved, now_);
  EXPECT_NEAR(Key(0).learned.rate, saved.learned.rate, 0.1 * saved.learned.rate);
}

}  // namespace
}  // namespace ccr::core
