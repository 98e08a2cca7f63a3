#include "proxy/core/retry_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ccr::proxy {
namespace {

using ::testing::ElementsAre;
using Advice = RetryPlan::Advice;

const absl::Time kTried = absl::FromUnixSeconds(1'000'000);
const absl::Time kDeadline = kTried + absl::Minutes(10);

Evidence Status(int status, std::optional<absl::Duration> retry_after = std::nullopt) {
  Evidence evidence;
  evidence.http_status = status;
  evidence.retry_after = retry_after;
  return evidence;
}

Evidence Transport(TransportError error) {
  Evidence evidence;
  evidence.transport_error = error;
  return evidence;
}

Provider Retries(uint32_t max_retries, bool on = true) {
  Provider provider;
  provider.max_retries = max_retries;
  provider.retry_on_failure = on;
  return provider;
}

TEST(MayRetry, ByStatus) {
  for (const int status : {401, 402, 403, 408, 429, 500, 502, 503, 504, 529})
    EXPECT_TRUE(MayRetry(Status(status))) << status;
  for (const int status : {200, 204, 302, 304, 400, 404, 405, 409, 413, 415, 422}) {
    EXPECT_FALSE(MayRetry(Status(status))) << status;
  }
  EXPECT_TRUE(MayRetry(Transport(TransportError::kConnect)));
  EXPECT_TRUE(MayRetry(Transport(TransportError::kFirstByteTimeout)));
}

TEST(MayRetry, ACallersStatusWithAKeysCode) {
  Evidence evidence = Status(400);
  evidence.error_code = "API_KEY_INVALID";
  EXPECT_TRUE(MayRetry(evidence));
  evidence.error_code = "";
  evidence.error_type = "insufficient_quota";
  EXPECT_TRUE(MayRetry(evidence));
  evidence.error_type = "billing_not_active";
  EXPECT_TRUE(MayRetry(evidence));
  evidence.error_type = "invalid_request_error";
  evidence.error_code = "context_length_exceeded";
  EXPECT_FALSE(MayRetry(evidence));
  evidence = Status(200);
  evidence.error_type = "insufficient_quota";
  EXPECT_FALSE(MayRetry(evidence));
}

TEST(MayRetry, NotForClientsWhoLeftOrOurOwnFaults) {
  Evidence evidence = Status(500);
  evidence.client_cancelled = true;
  EXPECT_FALSE(MayRetry(evidence));
  evidence = Transport(TransportError::kConnect);
  evidence.caller_fault = true;
  EXPECT_FALSE(MayRetry(evidence));
}

TEST(RetryPlan, RetriesAreBounded) {
  RetryPlan plan(Retries(2), kDeadline);
  EXPECT_TRUE(plan.WantsNext(Status(500), kTried));
  plan.Record(Status(500), Advice::kRetry, "a", "upstream_failure");
  EXPECT_TRUE(plan.MayContinue(kTried));
  EXPECT_TRUE(plan.WantsNext(Status(500), kTried));
  plan.Record(Transport(TransportError::kRead), Advice::kRetry, "b", "upstream_failure");
  EXPECT_TRUE(plan.MayContinue(kTried));
  EXPECT_FALSE(plan.WantsNext(Status(500), kTried));
  EXPECT_TRUE(plan.WantsNext(Status(429), kTried)) << "rotations are no retries";
  plan.Record(Status(500), Advice::kRetry, "c", "upstream_failure");
  EXPECT_FALSE(plan.MayContinue(kTried));
  EXPECT_EQ(plan.attempts(), 3U);
}

TEST(RetryPlan, RotationsAreNotCountedAsRetries) {
  RetryPlan plan(Retries(1), kDeadline);
  for (const char* key : {"a", "b", "c", "d"}) {
    plan.Record(Status(401), Advice::kRotate, key, "auth");
    EXPECT_TRUE(plan.MayContinue(kTried));
  }
  plan.Record(Status(500), Advice::kRetry, "e", "upstream_failure");
  EXPECT_TRUE(plan.MayContinue(kTried));
  EXPECT_EQ(plan.rotations(), 4U);
  EXPECT_EQ(plan.retries(), 1U);
  EXPECT_THAT(plan.exclude(), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(plan.key_faults(), ElementsAre("a", "b", "c", "d"));
}

TEST(RetryPlan, RateLimitedKeysMayComeBack) {
  RetryPlan plan(Retries(1), kDeadline);
  plan.Record(Status(429), Advice::kRotate, "a", "rate_limited");
  plan.Record(Status(429), Advice::kRotate, "b", "quota");
  EXPECT_THAT(plan.exclude(), ElementsAre("a", "b"));
  EXPECT_THAT(plan.key_faults(), ElementsAre("b"));
}

TEST(RetryPlan, AttemptsHaveAHardCap) {
  RetryPlan plan(Retries(1000), kDeadline);
  size_t attempts = 0;
  do {
    EXPECT_EQ(plan.WantsNext(Status(429), kTried), attempts < 63) << attempts;
    plan.Record(Status(429), Advice::kRotate, "key" + std::to_string(attempts++), "rate_limited");
  } while (plan.MayContinue(kTried));
  EXPECT_EQ(attempts, 64U);
}

TEST(RetryPlan, RefusalsAreFiveAtMost) {
  RetryPlan plan(Retries(9), kDeadline);
  for (const char* key : {"a", "b", "c", "d"}) {
    EXPECT_TRUE(plan.WantsNext(Status(key[0] == 'b' ? 403 : 401), kTried));
    plan.Record(Status(401), Advice::kRotate, key, key[0] == 'b' ? "permission" : "auth");
    EXPECT_TRUE(plan.MayContinue(kTried));
  }
  plan.Record(Status(429), Advice::kRotate, "x", "rate_limited");
  EXPECT_TRUE(plan.MayContinue(kTried));
  EXPECT_TRUE(plan.WantsNext(Status(500), kTried));
  EXPECT_FALSE(plan.WantsNext(Status(401), kTried));
  EXPECT_FALSE(plan.WantsNext(Status(403), kTried));
  plan.Record(Status(401), Advice::kRotate, "e", "auth");
  EXPECT_FALSE(plan.MayContinue(kTried));
}

TEST(RetryPlan, TheDeadlineEndsIt) {
  RetryPlan plan(Retries(3), kDeadline);
  EXPECT_TRUE(plan.WantsNext(Status(500), kDeadline - absl::Milliseconds(1)));
  EXPECT_FALSE(plan.WantsNext(Status(500), kDeadline));
  plan.Record(Status(500), Advice::kRetry, "a", "upstream_failure");
  EXPECT_TRUE(plan.MayContinue(kDeadline - absl::Milliseconds(1)));
  EXPECT_FALSE(plan.MayContinue(kDeadline));
}

TEST(RetryPlan, SwitchedOffThereIsOneAttempt) {
  RetryPlan plan(Retries(3, false), kDeadline);
  EXPECT_FALSE(plan.WantsNext(Status(429), kTried));
  plan.Record(Status(429), Advice::kRotate, "a", "rate_limited");
  EXPECT_FALSE(plan.MayContinue(kTried));
}

TEST(RetryPlan, RelayEndsIt) {
  RetryPlan plan(Retries(3), kDeadline);
  EXPECT_FALSE(plan.WantsNext(Status(200), kTried));
  EXPECT_FALSE(plan.WantsNext(Status(422), kTried));
  plan.Record(Status(422), Advice::kRelay, "a", "caller_fault");
  EXPECT_FALSE(plan.MayContinue(kTried));
  EXPECT_EQ(plan.Backoff(kTried, 0), std::nullopt);
}

TEST(RetryPlan, CountsForTheBroker) {
  RetryPlan plan(Retries(3), kDeadline);
  plan.Record(Status(403), Advice::kRotate, "a", "permission");
  plan.Record(Status(403), Advice::kRotate, "b", "auth");
  plan.Record(Status(529), Advice::kRetry, "c", "overloaded");
  EXPECT_EQ(plan.refusals(), 2U);
  EXPECT_EQ(plan.overloads(), 1U);
}

TEST(Backoff, GrowsToItsCap) {
  RetryPlan plan(Retries(20), kDeadline);
  for (const int64_t full : {200, 400, 800, 1600, 3200, 5000, 5000, 5000}) {
    plan.Record(Status(500), Advice::kRetry, "a", "upstream_failure");
    EXPECT_EQ(plan.Backoff(kTried, 0.0), absl::Milliseconds(full) / 2);
    EXPECT_EQ(plan.Backoff(kTried, 0.5), absl::Milliseconds(full) * 0.75);
  }
}

TEST(Backoff, HeedsRetryAfter) {
  const auto backoff = [](absl::Duration retry_after) {
    RetryPlan plan(Retries(3), kDeadline);
    plan.Record(Status(503, retry_after), Advice::kRetry, "a", "overloaded");
    return plan.Backoff(kTried, 0);
  };
  EXPECT_EQ(backoff(absl::ZeroDuration()), absl::Milliseconds(100));
  EXPECT_EQ(backoff(absl::Seconds(2)), absl::Seconds(2));
  EXPECT_EQ(backoff(absl::Seconds(5)), absl::Seconds(5));
  EXPECT_EQ(backoff(absl::Milliseconds(5001)), std::nullopt);
}

TEST(Backoff, NeverPastTheDeadline) {
  RetryPlan plan(Retries(3), kDeadline);
  plan.Record(Status(500), Advice::kRetry, "a", "upstream_failure");
  EXPECT_EQ(plan.Backoff(kDeadline - absl::Milliseconds(101), 0), absl::Milliseconds(100));
  EXPECT_EQ(plan.Backoff(kDeadline - absl::Milliseconds(100), 0), std::nullopt);
}

TEST(Backoff, NotAfterAKeysFault) {
  RetryPlan plan(Retries(3), kDeadline);
  plan.Record(Status(500), Advice::kRetry, "a", "upstream_failure");
  plan.Record(Status(429), Advice::kRotate, "b", "rate_limited");
  EXPECT_EQ(plan.Backoff(kTried, 0), std::nullopt);
}

TEST(Final, RelayedAttemptWins) {
  RetryPlan plan(Retries(3), kDeadline);
  plan.Record(Status(500), Advice::kRetry, "a", "upstream_failure");
  plan.Record(Status(400), Advice::kRelay, "b", "caller_fault");
  EXPECT_EQ(plan.Final().attempt, 1U);
  EXPECT_FALSE(plan.Final().rate_limited);
}

TEST(Final, FirstProviderFaultWithAStatus) {
  RetryPlan plan(Retries(9), kDeadline);
  plan.Record(Status(429, absl::Seconds(3)), Advice::kRotate, "a", "rate_limited");
  EXPECT_TRUE(plan.Final().rate_limited);
  plan.Record(Transport(TransportError::kConnect), Advice::kRetry, "b", "upstream_failure");
  EXPECT_EQ(plan.Final().attempt, 1U);
  EXPECT_FALSE(plan.Final().rate_limited);
  plan.Record(Transport(TransportError::kRead), Advice::kRetry, "c", "upstream_failure");
  EXPECT_EQ(plan.Final().attempt, 1U);
  plan.Record(Status(502), Advice::kRetry, "d", "upstream_failure");
  EXPECT_EQ(plan.Final().attempt, 3U);
  plan.Record(Status(500), Advice::kRetry, "e", "upstream_failure");
  plan.Record(Status(401), Advice::kRotate, "f", "auth");
  EXPECT_EQ(plan.Final().attempt, 3U);
  EXPECT_FALSE(plan.Final().rate_limited);
}

TEST(Final, AllKeysRateLimited) {
  RetryPlan plan(Retries(3), kDeadline);
  plan.Record(Status(429), Advice::kRotate, "a", "rate_limited");
  EXPECT_TRUE(plan.Final().rate_limited);
  EXPECT_EQ(plan.Final().retry_after, std::nullopt);
  plan.Record(Status(429, absl::Seconds(9)), Advice::kRotate, "b", "rate_limited");
  plan.Record(Status(429, absl::Seconds(4)), Advice::kRotate, "c", "rate_limited");
  plan.Record(Status(401), Advice::kRotate, "d", "auth");
  EXPECT_TRUE(plan.Final().rate_limited);
  EXPECT_EQ(plan.Final().retry_after, absl::Seconds(4));
}

TEST(Final, AllKeysRefused) {
  RetryPlan plan(Retries(3), kDeadline);
  plan.Record(Status(401), Advice::kRotate, "a", "auth");
  plan.Record(Status(402), Advice::kRotate, "b", "quota");
  EXPECT_EQ(plan.Final().attempt, 1U);
  EXPECT_FALSE(plan.Final().rate_limited);
}

}  // namespace
}  // namespace ccr::proxy
