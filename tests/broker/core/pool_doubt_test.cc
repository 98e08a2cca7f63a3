// Answers that may be the request's fault or the key's: another key tells.
#include <string>
#include <utility>
#include <vector>

#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

Evidence Error(int status, std::string message, std::string type = "invalid_request_error", std::string code = "") {
  Evidence evidence = Status(status);
  evidence.message = std::move(message);
  evidence.error_type = std::move(type);
  evidence.error_code = std::move(code);
  return evidence;
}

class PoolDoubtTest : public PoolTest {
 protected:
  struct Request {
    std::string model = "m";
    std::vector<KeyIndex> tried = {};
    LeaseId last = {};
  };

  std::optional<Decision> Try(Request* request, const Evidence& evidence) {
    const LeaseResult result =
        pool_->Lease({NewId(), kNoOwner, request->tried, kNoSession, request->last, request->model}, now_, random_);
    if (!std::holds_alternative<Grant>(result)) return std::nullopt;
    const Grant grant = std::get<Grant>(result);
    request->tried.push_back(grant.key);
    request->last = grant.id;
    return Tell(grant, evidence);
  }
  // Asks as long as the broker says so; how many keys were asked.
  size_t AskAll(const Evidence& evidence) {
    Request request;
    while (true) {
      const std::optional<Decision> decision = Try(&request, evidence);
      if (!decision || decision->advice == Advice::kRelay) return request.tried.size();
    }
  }
  void ServeAll(uint32_t keys) {
    for (KeyIndex key = 0; key < keys; ++key) Tell(GetKey(key, keys), Success());
  }
  bool Unharmed() {
    for (const KeySnapshot& key : pool_->Snapshot(now_).keys) {
      if (key.state != KeyState::kActive || key.consecutive_failures > 0) return false;
    }
    return true;
  }
};

const std::vector<Evidence> Doubtful() {
  return {Error(400, "bad"), Error(403, "no"), Error(404, "none"), Error(404, "none", "", "model_not_found"),
          Error(429, "This feature needs another plan", "odd")};
}

TEST_F(PoolDoubtTest, WhatTwoKeysSayThatWorkOtherwiseIsTheRequests) {
  for (const Evidence& evidence : Doubtful()) {
    Start(SpecOf(5));
    ServeAll(5);
    Request request;
    EXPECT_EQ(Try(&request, evidence)->advice, Advice::kRotate) << evidence.http_status;
    const Decision decision = *Try(&request, evidence);
    EXPECT_EQ(decision.advice, Advice::kRelay) << evidence.http_status;
    EXPECT_TRUE(decision.exhausted) << evidence.http_status;
    EXPECT_EQ(decision.http_status, evidence.http_status);
    EXPECT_TRUE(Unharmed()) << evidence.http_status;
  }
}

TEST_F(PoolDoubtTest, AnotherAnswerIsNoProof) {
  Start(SpecOf(5));
  ServeAll(5);
  Request request;
  Try(&request, Error(400, "bad"));
  EXPECT_EQ(Try(&request, Error(400, "bad", "other"))->advice, Advice::kRotate);
  EXPECT_EQ(Try(&request, Error(400, "bad", "other"))->advice, Advice::kRelay);
}

TEST_F(PoolDoubtTest, TheKeyThatAnotherOneStoodInForIsAtFaultInItsClass) {
  const std::vector<std::pair<Evidence, std::string>> rows = {
      {Error(400, "bad"), "http_400"},
      {Error(403, "no"), "http_403"},
      {Error(400, "Account x has been suspended"), "auth"},
      {Error(403, "see your spending limit"), "spending_limit_reached"},
      {Error(429, "This feature needs another plan", "odd"), "rate_limited"},
      {Error(400, "Organization has been restricted", "x", "organization_restricted"), "auth"},
  };
  for (const auto& [evidence, reason] : rows) {
    Start(SpecOf(3));
    Request request;
    EXPECT_EQ(Try(&request, evidence)->advice, Advice::kRotate) << reason;
    Try(&request, Success());
    EXPECT_EQ(Key(0).reason, reason);
    EXPECT_EQ(State(1), KeyState::kActive);
  }
}

// What a client sends, and has the provider quote, speaks against no key.
TEST_F(PoolDoubtTest, AClientsWordsHarmNoKey) {
  Start(SpecOf(3));
  for (int i = 0; i < 20; ++i) {
    ServeAll(3);
    AskAll(Error(400, "bad role: 'your credit balance is too low', has been suspended"));
    EXPECT_TRUE(Unharmed());
    Pass(absl::Seconds(1));
  }
}

// Two dead keys of one account say the same; it costs a third one's asking, and they are out.
TEST_F(PoolDoubtTest, KeysThatDieTogetherAreFound) {
  Start(SpecOf(3));
  ServeAll(3);
  const Evidence dead = Error(400, "Account x has been suspended");
  int errors = 0;
  for (int i = 0; i < 6; ++i) {
    Request request;
    while (true) {
      const auto result =
          pool_->Lease({NewId(), kNoOwner, request.tried, kNoSession, request.last, "m"}, now_, random_);
      ASSERT_TRUE(std::holds_alternative<Grant>(result));
      const Grant grant = std::get<Grant>(result);
      request.tried.push_back(grant.key);
      request.last = grant.id;
      const bool good = grant.key == 2;
      const Decision decision = Tell(grant, good ? Success() : dead);
      errors += !good && decision.advice == Advice::kRelay;
      if (good || decision.advice == Advice::kRelay) break;
    }
  }
  EXPECT_LE(errors, 1);
  EXPECT_EQ(Key(0).reason, "auth");
  EXPECT_EQ(Key(1).reason, "auth");
}

// Where nobody is known to work, all are asked, five at most, and not each time.
TEST_F(PoolDoubtTest, WhatNobodyDoesBetterIsBounded) {
  Start(SpecOf(20));
  EXPECT_EQ(AskAll(Error(400, "bad")), 5u);
  size_t asked = 0;
  for (int i = 0; i < 100; ++i) {
    asked += AskAll(Error(400, "bad"));
    Pass(absl::Milliseconds(100));
  }
  EXPECT_LE(asked, 220u);
  EXPECT_TRUE(Unharmed());
}

// Its other models go on.
TEST_F(PoolDoubtTest, AModelThatOneKeyMayNotUseIsHeldForThatKey) {
  for (const Evidence& evidence :
       {Error(404, "none", "", "model_not_found"), Error(403, "", "", "model_not_found"), Error(404, "none")}) {
    Start(SpecOf(2));
    Request request;
    Try(&request, evidence);
    Try(&request, Success());
    EXPECT_TRUE(Unharmed());
    for (int i = 0; i < 4; ++i) {
      Request same, other;
      other.model = "other";
      Try(&same, Success());
      EXPECT_EQ(same.tried[0], 1u);
      Try(&other, Success());
    }
    EXPECT_GT(Key(0).uses, 1u);
    Pass(absl::Hours(1));
    Request again;
    Try(&again, Success());
    Try(&again, Success());
    EXPECT_EQ(again.tried.size(), 2u);
  }
}

TEST_F(PoolDoubtTest, ABadRequestDoesNotWaitForAKey) {
  Start(SpecOf(2));
  Tell(GetKey(1, 2), Status(429, absl::Minutes(1)));
  Request request;
  const Decision decision = *Try(&request, Error(400, "bad"));
  EXPECT_EQ(decision.advice, Advice::kRelay);
  EXPECT_TRUE(decision.exhausted);
}

TEST_F(PoolDoubtTest, ARequestTooLargeForOneKeyMayFitAnother) {
  Start(SpecOf(3));
  ServeAll(3);
  const Evidence large = Error(429, "Request too large for m on tokens per min (TPM)", "tokens", "rate_limit_exceeded");
  Request request;
  EXPECT_EQ(Try(&request, large)->advice, Advice::kRotate);
  EXPECT_EQ(Try(&request, large)->advice, Advice::kRotate);
  Try(&request, Success());
  EXPECT_TRUE(Unharmed());
}

// The account of another key may have booked it.
TEST_F(PoolDoubtTest, WhatIsNotBookedIsAskedOfTwoKeys) {
  const Evidence extra = Error(429, "Extra usage is required for long context requests.", "rate_limit_error");
  Start(SpecOf(5));
  EXPECT_EQ(AskAll(extra), 2u);
  Request request;
  EXPECT_EQ(Try(&request, extra)->advice, Advice::kRotate);
  Try(&request, Success());
  EXPECT_TRUE(Unharmed());
}

// The keys may be used up before they have proved anything: then another model may serve it as well.
TEST_F(PoolDoubtTest, WhatIsTriedWithAnotherKeyMayBeServedByAnotherModel) {
  for (const Evidence& evidence : Doubtful()) {
    Start(SpecOf(3));
    Request request;
    for (int key = 0; key < 2; ++key) {
      const Decision decision = *Try(&request, evidence);
      EXPECT_EQ(decision.advice, Advice::kRotate) << evidence.http_status;
      EXPECT_TRUE(decision.exhausted) << evidence.http_status;
    }
  }
}

TEST_F(PoolDoubtTest, WhatIsCertainlyTheRequestsIsRelayedAtOnce) {
  for (const Evidence& evidence :
       {Error(400, "", "", "context_length_exceeded"), Error(400, "", "", "content_policy_violation"), Error(413, ""),
        Error(422, ""), Error(405, ""), Error(409, ""), Error(415, "")}) {
    Start(SpecOf(3));
    Request request;
    const Decision decision = *Try(&request, evidence);
    EXPECT_EQ(decision.advice, Advice::kRelay) << evidence.http_status;
    EXPECT_FALSE(decision.exhausted);
    EXPECT_TRUE(Unharmed());
  }
}

TEST_F(PoolDoubtTest, A429OfAllKeysIsOne) {
  Start(SpecOf(2));
  Request request;
  const Evidence odd = Error(429, "This feature needs another plan", "odd");
  Try(&request, odd);
  Try(&request, odd);
  EXPECT_FALSE(Try(&request, odd).has_value());
  EXPECT_EQ(Key(0).reason, "rate_limited");
  EXPECT_EQ(Key(1).reason, "rate_limited");
}

}  // namespace
}  // namespace ccr::core
