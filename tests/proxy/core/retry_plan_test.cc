#include "proxy/core/retry_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ccr::proxy {
namespace {

using ::testing::ElementsAre;
using Why = NextStep::Why;

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
  provider.queue_wait = absl::ZeroDuration();
  return provider;
}

Provider Queues(absl::Duration wait) {
  Provider provider = Retries(3);
  provider.queue_wait = wait;
  return provider;
}

TEST(MayRetry, ByStatus) {
  for (const int status : {401, 402, 403, 408, 429, 500, 502, 503, 504, 529})
    EXPECT_TRUE(MayRetry(Status(status))) << status;
  for (const int status : {400, 404, 405, 409, 413, 415, 422}) EXPECT_TRUE(MayRetry(Status(status))) << status;
  for (const int status : {200, 204, 302, 304}) EXPECT_FALSE(MayRetry(Status(status))) << status;
  Evidence evidence = Status(200);
  evidence.error_in_answer = true;
  EXPECT_TRUE(MayRetry(evidence));
  EXPECT_TRUE(MayRetry(Transport(TransportError::kConnect)));
  EXPECT_TRUE(MayRetry(Transport(TransportError::kFirstByteTimeout)));
}

TEST(MayRetry, NotForClientsWhoLeftOrOurOwnFaults) {
  Evidence evidence = Status(500);
  evidence.client_cancelled = true;
  EXPECT_FALSE(MayRetry(evidence));
  evidence = Transport(TransportError::kConnect);
  evidence.caller_fault = true;
  EXPECT_FALSE(MayRetry(evidence));
}

// One attempt that failed: what it came to, what the broker said, and what must follow.
struct Failed {
  int status = 0;
  Advice advice = Advice::kRelay;
  const char* outcome = "";
  Why next = Why::kLeased;
  bool leased = true;  // the broker has another key at once
  std::optional<absl::Duration> retry_after = std::nullopt;
};

Failed Refused(Why next = Why::kLeased) {
  return {401, Advice::kRotate, "auth", next};
}
Failed Limited(Why next = Why::kLeased) {
  return {429, Advice::kRotate, "rate_limited", next};
}
Failed Broken(Why next = Why::kLeased) {
  return {500, Advice::kRetry, "upstream_failure", next};
}
Failed Unreached(Why next = Why::kLeased) {
  return {0, Advice::kRetry, "upstream_failure", next};
}

// With the keys "a", "b", ... in turn.
NextStep Fail(RetryPlan& plan, const Failed& failed, absl::Time now = kTried, double random = 0) {
  const std::string key(1, static_cast<char>('a' + plan.attempts() % 26));
  return plan.Decide(
      {Status(failed.status, failed.retry_after), failed.status, failed.advice, key, failed.outcome, failed.leased},
      now, random);
}

NextStep::Do DoOf(Why why) {
  if (why == Why::kLeased) return NextStep::Do::kTry;
  const bool acquire = why == Why::kBackoff || why == Why::kQueue || why == Why::kReturnUnknown;
  return acquire ? NextStep::Do::kAcquire : NextStep::Do::kAnswer;
}

TEST(RetryPlan, WhatFollowsAnAttempt) {
  struct Row {
    const char* name;
    Provider provider;
    std::vector<Failed> attempts;
  };
  const Failed later = {500, Advice::kRetry, "upstream_failure", Why::kBackoff, false};
  const Row rows[] = {
      {"max_retries bounds a provider's faults", Retries(2), {Broken(), Unreached(), Broken(Why::kRetriesUsed)}},
      {"none at all", Retries(0), {Broken(Why::kRetriesUsed)}},
      {"rotations are no retries",
       Retries(1),
       {Refused(), Refused(), Refused(), Limited(), Broken(), Broken(Why::kRetriesUsed)}},
      {"five refusals are enough, in between others",
       Retries(9),
       {Refused(), Refused(), Limited(), Refused(), Refused(), Broken(), Refused(Why::kRefusalsUsed)}},
      {"permission counts as one",
       Retries(9),
       {Refused(), Refused(), Refused(), Refused(), {403, Advice::kRotate, "permission", Why::kRefusalsUsed}}},
      {"the broker may say that it was the request",
       Retries(3),
       {Refused(), {422, Advice::kRelay, "caller_fault", Why::kAdvised}}},
      {"switched off there is one attempt", Retries(3, false), {Limited(Why::kOff)}},
      {"no other key: the same ones after a while", Retries(3), {later, later, later, Broken(Why::kRetriesUsed)}},
      {"a key's fault is not waited for",
       Retries(3),
       {later, {429, Advice::kRotate, "rate_limited", Why::kNoKey, false}}},
      {"nobody says when a key is back: the refusal of a lease does",
       Retries(3),
       {Limited(), {429, Advice::kRotate, "rate_limited", Why::kReturnUnknown, false}}},
      {"one of them says so",
       Retries(3),
       {{429, Advice::kRotate, "rate_limited", Why::kLeased, true, absl::Seconds(9)},
        {429, Advice::kRotate, "rate_limited", Why::kNoKey, false}}},
      {"but for those who may queue",
       Queues(absl::Seconds(1)),
       {{429, Advice::kRotate, "rate_limited", Why::kQueue, false}, Broken()}},
      {"a long Retry-After is not slept through",
       Retries(3),
       {{503, Advice::kRetry, "overloaded", Why::kNoKey, false, absl::Milliseconds(5001)}}},
  };
  for (const Row& row : rows) {
    RetryPlan plan(row.provider, kTried, kDeadline);
    for (const Failed& failed : row.attempts) {
      const NextStep step = Fail(plan, failed);
      EXPECT_EQ(ToString(step.why), ToString(failed.next)) << row.name << ", attempt " << plan.attempts();
      EXPECT_EQ(step.what, DoOf(failed.next)) << row.name << ", attempt " << plan.attempts();
    }
  }
}

TEST(RetryPlan, WantsNextWhereAnAttemptMayFollow) {
  const std::vector<Failed> four = {Refused(), Refused(), {403, Advice::kRotate, "permission"}, Refused()};
  struct Row {
    Provider provider;
    std::vector<Failed> before;
    Evidence evidence;
    bool wants;
    absl::Time now = kTried;
  };
  const Row rows[] = {
      {Retries(2), {}, Status(500), true},
      {Retries(2), {Broken(), Unreached()}, Status(500), false},
      {Retries(2), {Broken(), Unreached()}, Status(429), true},  // rotations are no retries
      {Retries(2), {}, Status(422), true},                       // the broker says whose fault it was
      {Retries(2), {}, Status(200), false},
      {Retries(2, false), {}, Status(429), false},
      {Retries(2), {}, Status(500), true, kDeadline - absl::Milliseconds(1)},
      {Retries(2), {}, Status(500), false, kDeadline},
      {Retries(2), four, Status(401), false},
      {Retries(2), four, Status(403), false},
      {Retries(2), four, Status(429), true},
  };
  for (const Row& row : rows) {
    RetryPlan plan(row.provider, kTried, kDeadline);
    for (const Failed& failed : row.before) Fail(plan, failed);
    EXPECT_EQ(plan.WantsNext(row.evidence, row.now), row.wants) << &row - rows;
  }
}

TEST(RetryPlan, AttemptsHaveAHardCap) {
  RetryPlan plan(Retries(1000), kTried, kDeadline);
  for (size_t attempt = 0; attempt < 64; ++attempt) {
    EXPECT_EQ(plan.WantsNext(Status(429), kTried), attempt < 63) << attempt;
    EXPECT_EQ(Fail(plan, Limited()).why, attempt < 63 ? Why::kLeased : Why::kAttemptsUsed) << attempt;
  }
}

TEST(RetryPlan, NoAttemptAtTheDeadline) {
  for (const bool leased : {false, true}) {
    RetryPlan plan(Retries(3), kTried, kDeadline);
    EXPECT_EQ(Fail(plan, {500, Advice::kRetry, "", {}, leased}, kDeadline).why, Why::kDeadline);
  }
}

TEST(RetryPlan, TellsKeysAndCounts) {
  RetryPlan plan(Retries(3), kTried, kDeadline);
  Fail(plan, Limited());
  Fail(plan, {429, Advice::kRotate, "quota"});
  Fail(plan, Refused());
  Fail(plan, {403, Advice::kRotate, "permission"});
  Fail(plan, {529, Advice::kRetry, "overloaded"});
  EXPECT_THAT(plan.exclude(), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(plan.key_faults(), ElementsAre("b", "c", "d")) << "a rate-limited key may come back";
  EXPECT_EQ(plan.refusals(), 2U);
  EXPECT_EQ(plan.overloads(), 1U);
  EXPECT_EQ(plan.attempts(), 5U);
}

TEST(RetryPlan, WaitsForAKeyEndTogether) {
  RetryPlan plan(Queues(absl::Seconds(10)), kTried, kDeadline);
  EXPECT_EQ(plan.MaxWait(kTried), absl::Seconds(10));
  EXPECT_EQ(plan.MaxWait(kTried + absl::Seconds(7)), absl::Seconds(3));
  EXPECT_EQ(plan.MaxWait(kTried + absl::Seconds(11)), absl::ZeroDuration());
  const Failed no_key = {429, Advice::kRotate, "rate_limited", {}, false, absl::Minutes(1)};
  EXPECT_EQ(Fail(plan, no_key, kTried + absl::Milliseconds(9999)).why, Why::kQueue);
  EXPECT_EQ(Fail(plan, no_key, kTried + absl::Seconds(10)).why, Why::kNoKey);
  EXPECT_EQ(RetryPlan(Queues(absl::Hours(1)), kTried, kDeadline).MaxWait(kTried), kDeadline - kTried);
}

TEST(RetryPlan, TimeOfAttemptsIsNoWaiting) {
  RetryPlan plan(Queues(absl::Seconds(10)), kTried, kDeadline);
  Evidence slow = Status(429, absl::Seconds(1));
  slow.total = absl::Seconds(12);
  const absl::Time now = kTried + absl::Seconds(13);
  EXPECT_EQ(plan.Decide({slow, 429, Advice::kRotate, "a", "rate_limited", false}, now, 0).why, Why::kQueue);
  EXPECT_EQ(plan.MaxWait(now), absl::Seconds(9));
  slow.total = absl::Hours(1);
  plan.Decide({slow, 429, Advice::kRotate, "a", "rate_limited", false}, now, 0);
  EXPECT_EQ(plan.MaxWait(now), kDeadline - now);
}

TEST(Backoff, GrowsToItsCap) {
  for (const double random : {0.0, 0.5}) {
    RetryPlan plan(Retries(20), kTried, kDeadline);
    for (const int64_t full : {200, 400, 800, 1600, 3200, 5000, 5000, 5000}) {
      const NextStep step = Fail(plan, {500, Advice::kRetry, "", {}, false}, kTried, random);
      EXPECT_EQ(step.at, kTried + absl::Milliseconds(full) * (0.5 + random / 2));
    }
  }
}

TEST(Backoff, HeedsRetryAfterAndTheDeadline) {
  struct Row {
    std::optional<absl::Duration> retry_after;
    absl::Duration left;  // until the deadline
    std::optional<absl::Duration> wait;
  };
  const Row rows[] = {
      {absl::ZeroDuration(), absl::Minutes(1), absl::Milliseconds(100)},
      {absl::Seconds(2), absl::Minutes(1), absl::Seconds(2)},
      {absl::Seconds(5), absl::Minutes(1), absl::Seconds(5)},
      {absl::Milliseconds(5001), absl::Minutes(1), std::nullopt},
      {std::nullopt, absl::Milliseconds(101), absl::Milliseconds(100)},
      {std::nullopt, absl::Milliseconds(100), std::nullopt},
  };
  for (const Row& row : rows) {
    RetryPlan plan(Retries(3), kTried, kDeadline);
    const absl::Time now = kDeadline - row.left;
    const NextStep step = Fail(plan, {503, Advice::kRetry, "overloaded", {}, false, row.retry_after}, now);
    EXPECT_EQ(step.why, row.wait ? Why::kBackoff : Why::kNoKey) << &row - rows;
    if (row.wait) EXPECT_EQ(step.at, now + *row.wait) << &row - rows;
  }
}

TEST(End, WhatTheClientGets) {
  using Kind = Ending::Kind;
  const auto limited = [](int64_t seconds) {
    Failed failed = Limited();
    failed.retry_after = absl::Seconds(seconds);
    return failed;
  };
  struct Row {
    const char* name;
    std::vector<Failed> attempts;
    size_t kept;  // index of the attempt whose answer it is
    Ending::Kind kind;
    bool others_may_serve;
    std::optional<absl::Duration> retry_after = std::nullopt;
    std::optional<absl::Duration> no_lease = std::nullopt;  // a lease was refused until then
  };
  const Failed bad = {400, Advice::kRelay, "caller_fault"};
  const Failed quota = {402, Advice::kRotate, "quota"};
  const Row rows[] = {
      {"what was advised to be relayed", {Broken(), bad}, 1, Kind::kRelay, false},
      {"and is no longer limited", {Limited(), bad}, 1, Kind::kRelay, false},
      {"a provider's fault goes before a limit", {limited(3), Broken()}, 1, Kind::kRelay, true},
      {"the first", {Broken(), {502, Advice::kRetry, ""}, Refused()}, 0, Kind::kRelay, true},
      {"the first with a status", {Limited(), Unreached(), Unreached(), Broken(), Refused()}, 3, Kind::kRelay, true},
      {"or without", {Unreached(), Refused()}, 0, Kind::kNoAnswer, true},
      {"limits: the last, with the earliest return",
       {limited(9), limited(4)},
       1,
       Kind::kRateLimited,
       true,
       absl::Seconds(4)},
      {"also of a lease refused", {limited(9)}, 0, Kind::kRateLimited, true, absl::Seconds(2), absl::Seconds(2)},
      {"a limit that is not the last", {limited(4), Refused()}, 1, Kind::kNoKey, true, absl::Seconds(4)},
      {"nobody knows when", {Limited(), Refused()}, 1, Kind::kNoKey, true},
      {"a 429 of the request itself",
       {{429, Advice::kRotate, "caller_fault"}, {429, Advice::kRotate, "caller_fault"}},
       1,
       Kind::kRateLimited,
       true},
      {"a quota's 429", {{429, Advice::kRotate, "quota"}}, 0, Kind::kNoKey, true},
      {"refused", {quota, Refused()}, 1, Kind::kKeysRefused, true},
      {"quota gone", {Refused(), quota}, 1, Kind::kQuotaGone, true, absl::Seconds(7), absl::Seconds(7)},
      {"a 401 that is the request's, as its provider's rules say",
       {{401, Advice::kRelay, "caller_fault"}},
       0,
       Kind::kRelay,
       false},
      {"a 402 likewise", {{402, Advice::kRelay, "caller_fault"}}, 0, Kind::kRelay, false},
      {"a refusal that is the request's", {{403, Advice::kRelay, "permission"}}, 0, Kind::kRelay, false},
  };
  for (const Row& row : rows) {
    RetryPlan plan(Retries(9), kTried, kDeadline);
    std::optional<size_t> kept;
    for (size_t i = 0; i < row.attempts.size(); ++i)
      if (Fail(plan, row.attempts[i]).keep) kept = i;
    if (row.no_lease) plan.OnNoLease(row.no_lease);
    const Ending end = plan.End();
    EXPECT_EQ(kept, row.kept) << row.name;
    EXPECT_EQ(end.kind, row.kind) << row.name;
    EXPECT_EQ(end.others_may_serve, row.others_may_serve) << row.name;
    EXPECT_EQ(end.retry_after, row.retry_after) << row.name;
  }
}

TEST(End, ARefusalOfAPathThatTheCallerChoseIsRelayed) {
  RetryPlan plan(Retries(9), kTried, kDeadline);
  Evidence evidence = Status(401);
  evidence.foreign_path = true;
  plan.Decide({evidence, 401, Advice::kRotate, "a", "auth"}, kTried, 0);
  EXPECT_EQ(plan.End().kind, Ending::Kind::kRelay);
  EXPECT_FALSE(plan.End().others_may_serve);
}

}  // namespace
}  // namespace ccr::proxy
