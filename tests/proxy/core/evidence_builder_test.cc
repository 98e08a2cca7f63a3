#include "proxy/core/evidence/evidence_builder.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

// Sun, 06 Nov 1994 08:49:37 GMT
const absl::Time kAnswered = absl::FromUnixSeconds(784111777);

Evidence OfBody(std::string_view body, int status = 400) {
  return FromResponse(status, {}, body, kAnswered);
}

TEST(FromResponse, ErrorTypesAndCodes) {
  const struct {
    std::string body, type, code;
  } cases[] = {
      {R"({"type":"error","error":{"type":"rate_limit_error","message":"x y"}})", "rate_limit_error", ""},
      {R"({"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})",
       "insufficient_quota", "insufficient_quota"},
      {R"({"error":{"message":"m","code":429,"metadata":{"raw":"x"}}})", "", "429"},
      {R"({"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"@type":"x","reason":"API_KEY_INVALID"}]}})",
       "INVALID_ARGUMENT", "API_KEY_INVALID"},
      {R"([{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}])", "RESOURCE_EXHAUSTED", "429"},
      {R"({"error":"overloaded"})", "overloaded", ""},
      {R"({"error":"the key canary-key-a1 is bad"})", "", ""},
      {R"({"code":"invalid_api_key","message":"m"})", "", "invalid_api_key"},
      {R"({"type":"bad","status":401})", "bad", ""},
      {R"({"error":{"type":"has spaces","code":"canary key"}})", "", ""},
      {R"({"error":{"type":")" + std::string(128, 'a') + R"(","code":")" + std::string(129, 'b') + R"("}})",
       std::string(128, 'a'), ""},
      {R"({"error":{"type":["x"],"code":{"a":1},"details":"x"}})", "", ""},
      {R"({"error":null})", "", ""},
      {"[]", "", ""},
      {"[1]", "", ""},
      {"\"text\"", "", ""},
      {"<html>", "", ""},
      {R"({"error":{"type":"cut)", "", ""},
      {"", "", ""},
  };
  for (const auto& c : cases) {
    const Evidence evidence = OfBody(c.body);
    EXPECT_EQ(evidence.http_status, 400);
    EXPECT_EQ(evidence.error_type, c.type) << c.body;
    EXPECT_EQ(evidence.error_code, c.code) << c.body;
  }
}

TEST(FromResponse, BodiesOfSuccessesAreNotRead) {
  EXPECT_EQ(OfBody(R"({"error":{"type":"x"}})", 200).error_type, "");
  EXPECT_EQ(OfBody(R"({"error":{"type":"x"}})", 299).error_type, "");
  EXPECT_EQ(OfBody(R"({"error":{"type":"x"}})", 300).error_type, "x");
}

TEST(BoundRetryAfter, OnlyWhatIsAWaitAndADayAtMost) {
  const struct {
    std::string value, bounded;
  } cases[] = {
      {"3", "3"},
      {"1.5", "1.5"},
      {"86401", "86400"},
      {"249130080000", "86400"},
      {"Sun, 06 Nov 9894 08:00:00 GMT", "86400"},
      {"1e9", ""},
      {"-5", ""},
      {"nan", ""},
      {"Sun, 06 Nov 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:50:07 GMT"},
  };
  for (const auto& c : cases) {
    Headers headers = {{"a", "nan"}, {"Retry-After", c.value}};
    BoundRetryAfter(&headers, kAnswered);
    Headers expected = {{"a", "nan"}};
    if (!c.bounded.empty()) expected.emplace_back("Retry-After", c.bounded);
    EXPECT_EQ(headers, expected) << c.value;
  }
  Headers headers = {{"retry-after", "nan"}, {"retry-after-ms", "1e9"}, {"retry-after", ""}, {"b", ""}};
  BoundRetryAfter(&headers, kAnswered);
  EXPECT_EQ(headers, (Headers{{"b", ""}}));
  headers = {{"retry-after-ms", "99999999999999999999"}};
  BoundRetryAfter(&headers, kAnswered);
  EXPECT_EQ(headers, (Headers{{"retry-after-ms", "86400000"}}));
}

TEST(FromErrorInAnswer, AsOfAnErrorWithAStatusOfItsOwn) {
  const Headers headers = {{"Retry-After", "7"}, {"x-ratelimit-remaining-requests", "0"}, {"request-id", "r-1"}};
  const Evidence evidence = FromErrorInAnswer(
      200, headers, R"({"error":{"code":429,"message":"no gpt-x now, try again in 9s"}})", kAnswered, "gpt-x");
  EXPECT_EQ(evidence.http_status, 200);
  EXPECT_TRUE(evidence.error_in_answer);
  EXPECT_FALSE(evidence.incomplete);
  EXPECT_EQ(evidence.error_code, "429");
  EXPECT_EQ(evidence.retry_after, absl::Seconds(9));
  EXPECT_TRUE(evidence.model_only);
  EXPECT_EQ(evidence.provider_request_id, "r-1");
  ASSERT_EQ(evidence.rate_limits.size(), 1U);
  EXPECT_EQ(evidence.rate_limits[0].remaining, 0U);
  EXPECT_FALSE(FromResponse(429, headers, "{}", kAnswered).error_in_answer);
}

// Tue, 01 Dec 2026 06:00:00 GMT: two hours before midnight in California.
const absl::Time kEvening = absl::FromUnixSeconds(1796104800);
constexpr char kSoon[] = R"({"error":{"type":"x","message":"Please try again in 20s"}})";

TEST(FromResponse, WhenTheKeyIsBack) {
  const struct {
    const char* what;
    int status;
    Headers headers;
    std::string body;
    std::optional<absl::Duration> wait;
    bool window = false;
    bool of_model = false;
  } cases[] = {
      {"a header", 429, {{"retry-after", "3"}}, "", absl::Seconds(3)},
      {"words", 429, {}, kSoon, absl::Seconds(20)},
      {"the later of both", 429, {{"retry-after", "3"}}, kSoon, absl::Seconds(20)},
      {"the later of both", 429, {{"retry-after", "30"}}, kSoon, absl::Seconds(30)},
      {"words of a time-out mean something else", 504, {}, kSoon, std::nullopt},
      {"words of an answer are not read", 200, {}, kSoon, std::nullopt},
      {"RetryInfo",
       429,
       {},
       R"([{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"reason":"RATE_LIMIT_EXCEEDED"},{"retryDelay":"34.5s"}]}}])",
       absl::Milliseconds(34500)},
      {"RetryInfo as an object",
       429,
       {},
       R"({"error":{"details":[{"retryDelay":{"seconds":34,"nanos":500000000}}]}})",
       absl::Milliseconds(34'500)},
      {"of texts", 429, {}, R"({"error":{"details":[{"retryDelay":{"seconds":"7"}}]}})", absl::Seconds(7)},
      {"of nanoseconds",
       429,
       {},
       R"({"error":{"details":[{"retryDelay":{"nanos":250000000}}]}})",
       absl::Milliseconds(250)},
      {"longer than can be",
       429,
       {},
       R"({"error":{"details":[{"retryDelay":{"seconds":18446744073709551615}}]}})",
       absl::Hours(400 * 24)},
      {"of nothing",
       429,
       {},
       R"({"error":{"details":[{"retryDelay":{}},{"retryDelay":{"seconds":-1}}]}})",
       std::nullopt},
      {"no RetryInfo", 429, {}, R"({"error":{"details":[{"retryDelay":"5"},{"retryDelay":"xs"},7]}})", std::nullopt},
      {"a quota of a day",
       429,
       {},
       R"({"error":{"code":429,"details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject-FreeTier"}]},
           {"retryDelay":"34.07s"}]}})",
       absl::Hours(2),
       true},
      {"a quota of a day and a model",
       429,
       {},
       R"({"error":{"code":429,"details":[{"retryDelay":"34.07s"},
           {"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}})",
       absl::Hours(2),
       true,
       true},
      {"a quota of a minute",
       429,
       {},
       R"({"error":{"details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProject"}]},{"retryDelay":"9s"}]}})",
       absl::Seconds(9)},
      {"a plan's window",
       429,
       {},
       R"({"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","resets_in_seconds":18000}})",
       absl::Hours(5),
       true},
      {"a plan's window as a moment",
       429,
       {},
       R"({"error":{"type":"usage_limit_reached","resets_at":1796709600}})",
       absl::Hours(168),
       true},
      {"a member", 429, {}, R"({"message":"slow down","retry_after_ms":1500})", absl::Milliseconds(1500)},
      {"OpenRouter",
       429,
       {},
       R"({"error":{"code":429,"message":"Rate limit exceeded","metadata":{"headers":{"X-RateLimit-Limit":"20",
           "X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1796104860000"}}}})",
       absl::Minutes(1)},
      {"OpenRouter with numbers",
       429,
       {},
       R"({"error":{"metadata":{"headers":{"X-RateLimit-Remaining":0,"X-RateLimit-Reset":1796104860000}}}})",
       absl::Minutes(1)},
      {"access at a date",
       400,
       {},
       R"({"type":"error","error":{"type":"invalid_request_error","message":
           "You have reached your specified API usage limits. You will regain access on 2027-01-01 at 00:00 UTC."}})",
       absl::Hours(31 * 24 - 6),
       true},
      {"a subscription's window",
       429,
       {{"anthropic-ratelimit-unified-status", "rejected"}, {"anthropic-ratelimit-unified-reset", "1796536800"}},
       "",
       absl::Hours(120),
       true},
      {"a subscription's window of a model",
       429,
       {{"anthropic-ratelimit-unified-status", "rejected"},
        {"anthropic-ratelimit-unified-7d_opus-status", "rejected"},
        {"anthropic-ratelimit-unified-7d_opus-reset", "1796536800"},
        {"retry-after", "10"}},
       "",
       absl::Hours(120),
       true,
       true},
      {"the limit that is used up",
       429,
       {{"x-ratelimit-remaining-requests", "0"},
        {"x-ratelimit-reset-requests", "850ms"},
        {"x-ratelimit-remaining-tokens", "5"},
        {"x-ratelimit-reset-tokens", "1h2m"}},
       "",
       absl::Milliseconds(850)},
      {"means when it is full again where something better is said",
       429,
       {{"anthropic-ratelimit-requests-remaining", "0"},
        {"anthropic-ratelimit-requests-reset", "2026-12-01T06:10:00Z"},
        {"retry-after", "10"}},
       "",
       absl::Seconds(10)},
      {"and with other answers",
       200,
       {{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "850ms"}},
       "",
       std::nullopt},
      {"of other failures",
       503,
       {{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "850ms"}},
       "",
       std::nullopt},
      {"nothing", 429, {{"retry-after", "nan"}}, R"({"error":{"message":"Slow down, limit 5 per 1m"}})", std::nullopt},
  };
  for (const auto& c : cases) {
    const Evidence evidence = FromResponse(c.status, c.headers, c.body, kEvening);
    EXPECT_EQ(evidence.retry_after, c.wait) << c.what;
    EXPECT_EQ(evidence.quota_window, c.window) << c.what;
    EXPECT_EQ(evidence.model_only, c.of_model) << c.what;
  }
}

TEST(FromResponse, OfTheModelAlone) {
  const struct {
    int status;
    std::string message;
    bool of_model;
  } cases[] = {
      {429, "Rate limit reached for gpt-4o in organization org-1 on tokens per min", true},
      {429, "Rate limit reached for gpt-4o.", true},
      {429, "Rate limit reached for `gpt-4o`", true},
      {429, "Rate limit reached for gpt-4o-mini", false},
      {429, "Rate limit reached for gpt-4o.1", false},
      {429, "Rate limit reached for azure/gpt-4o", false},
      {429, "Rate limit reached", false},
      {404, "The model gpt-4o does not exist or you do not have access to it", true},
      {503, "The model is overloaded. Please try again later.", true},
      {401, "no gpt-4o with this key", false},
      {400, "gpt-4o has no such parameter", false},
  };
  for (const auto& c : cases) {
    const std::string body = R"({"error":{"message":")" + c.message + R"("}})";
    EXPECT_EQ(FromResponse(c.status, {}, body, kEvening, "gpt-4o").model_only, c.of_model) << c.message;
  }
  EXPECT_TRUE(FromResponse(404, {}, R"({"error":{"code":"model_not_found"}})", kEvening).model_only);
}

TEST(FromResponse, ShortNamesOfModels) {
  const struct {
    std::string model, message;
    bool of_model;
  } cases[] = {
      {"o1", "Rate limit reached for o1 in organization org-1", true},
      {"o3", "Rate limit reached for `o3`.", true},
      {"o1", "Rate limit reached for o1-mini in organization org-1", false},
      {"o1", "Rate limit reached for gpt-o1", false},
      {"o1", "Rate limit reached for o10", false},
      {"o1", "Rate limit reached for o1.5", false},
      {"o1", "Rate limit reached for o3", false},
      {"a", "You have sent a request too many", false},
      {"4", "Limit 4 reached, try again in 4 s", false},
      {"", "Rate limit reached", false},
  };
  for (const auto& c : cases) {
    const std::string body = R"({"error":{"message":")" + c.message + R"("}})";
    EXPECT_EQ(FromResponse(429, {}, body, kEvening, c.model).model_only, c.of_model) << c.model << ": " << c.message;
  }
}

TEST(FromResponse, Sentences) {
  const struct {
    std::string body, type, code, message;
  } cases[] = {
      {R"({"code":"Some resource has been exhausted","error":"Your team has used all credits"})", "",
       "Some resource has been exhausted", "Your team has used all credits"},
      {R"({"code":"personal-team-blocked:spending-limit","error":"You have run out of credits."})", "",
       "personal-team-blocked:spending-limit", "You have run out of credits."},
      {R"({"code":"Bad key canary1","error":"x y"})", "", "", "x y"},
      {R"({"code":30001,"message":"Sorry, your account balance is insufficient","data":null})", "", "30001",
       "Sorry, your account balance is insufficient"},
      {R"({"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}})", "base_resp", "1008",
       "insufficient balance"},
      {R"({"code":1000,"msg":"Authentication Failed","success":false})", "envelope", "1000", "Authentication Failed"},
      {R"({"success":false,"errors":[{"code":10000,"message":"Authentication error"}]})", "", "10000",
       "Authentication error"},
      {R"({"error":{"code":403,"message":"Flagged","metadata":{"reasons":["x"]}}})", "moderation", "403", "Flagged"},
      {R"({"detail":"Not authenticated"})", "", "", "Not authenticated"},
  };
  for (const auto& c : cases) {
    const Evidence evidence = OfBody(c.body);
    EXPECT_EQ(evidence.error_type, c.type) << c.body;
    EXPECT_EQ(evidence.error_code, c.code) << c.body;
    EXPECT_EQ(evidence.message, c.message) << c.body;
  }
}

}  // namespace
}  // namespace ccr::proxy
