#include "proxy/core/evidence_builder.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

// Sun, 06 Nov 1994 08:49:37 GMT
const absl::Time kAnswered = absl::FromUnixSeconds(784111777);

Evidence OfBody(std::string_view body, int status = 400) {
  return FromResponse(status, {}, body, kAnswered);
}
std::optional<absl::Duration> RetryAfter(const Headers& headers) {
  return FromResponse(429, headers, "", kAnswered).retry_after;
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
      {R"({"error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. x"}})",
       "invalid_request_error", "credit_balance_too_low"},
      {R"({"error":{"type":"invalid_request_error","message":"say: Your credit balance is too low"}})",
       "invalid_request_error", ""},
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

TEST(FromResponse, RetryAfter) {
  const struct {
    std::string value;
    std::optional<absl::Duration> wait;
  } cases[] = {
      {"3", absl::Seconds(3)},
      {" 0 ", absl::ZeroDuration()},
      {"1.5", absl::Milliseconds(1500)},
      {"-5", absl::ZeroDuration()},
      {"Sun, 06 Nov 1994 08:50:07 GMT", absl::Seconds(30)},
      {"Sunday, 06-Nov-94 08:50:07 GMT", absl::Seconds(30)},
      {"Sun Nov  6 08:50:07 1994", absl::Seconds(30)},
      {"Sun, 06 Nov 1994 08:00:00 GMT", absl::ZeroDuration()},
      {"99999999999999999999", absl::Hours(24)},
      {"Sun, 06 Nov 9894 08:00:00 GMT", absl::Hours(24)},
      {"soon", std::nullopt},
      {"inf", std::nullopt},
      {"nan", std::nullopt},
      {"1e3", std::nullopt},
      {"", std::nullopt},
      {"1.2.3", std::nullopt},
  };
  for (const auto& c : cases) EXPECT_EQ(RetryAfter({{"Retry-After", c.value}}), c.wait) << c.value;
  EXPECT_EQ(RetryAfter({}), std::nullopt);
}

TEST(BoundRetryAfter, ClientsReadWhatTheBrokerIsTold) {
  const struct {
    std::string value, bounded;
  } cases[] = {
      {"3", "3"},
      {"1.5", "1.5"},
      {"86401", "86400"},
      {"249130080000", "86400"},
      {"Sun, 06 Nov 9894 08:00:00 GMT", "86400"},
      {"-5", "0"},
      {"Sun, 06 Nov 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:50:07 GMT"},
  };
  for (const auto& c : cases) {
    Headers headers = {{"a", "nan"}, {"Retry-After", c.value}};
    BoundRetryAfter(&headers, kAnswered);
    EXPECT_EQ(headers, (Headers{{"a", "nan"}, {"Retry-After", c.bounded}}));
  }
  Headers headers = {{"retry-after", "nan"}, {"retry-after-ms", "1e9"}, {"retry-after", ""}, {"b", ""}};
  BoundRetryAfter(&headers, kAnswered);
  EXPECT_EQ(headers, (Headers{{"b", ""}}));
  headers = {{"retry-after-ms", "99999999999999999999"}};
  BoundRetryAfter(&headers, kAnswered);
  EXPECT_EQ(headers, (Headers{{"retry-after-ms", "86400000"}}));
}

TEST(FromResponse, MillisecondsWin) {
  EXPECT_EQ(RetryAfter({{"retry-after", "3"}, {"Retry-After-Ms", "250.5"}}), absl::Microseconds(250500));
  EXPECT_EQ(RetryAfter({{"retry-after-ms", "x"}, {"retry-after", "3"}}), absl::Seconds(3));
}

TEST(FromResponse, RetryInfoWhenNoHeaderSaysIt) {
  const std::string body =
      R"([{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"reason":"RATE_LIMIT_EXCEEDED"},{"retryDelay":"34.5s"}]}}])";
  EXPECT_EQ(FromResponse(429, {}, body, kAnswered).retry_after, absl::Milliseconds(34500));
  EXPECT_EQ(FromResponse(429, {{"retry-after", "2"}}, body, kAnswered).retry_after, absl::Seconds(2));
  EXPECT_EQ(OfBody(R"({"error":{"details":[{"retryDelay":"5"},{"retryDelay":"xs"},7]}})").retry_after, std::nullopt);
}

TEST(FromResponse, Headroom) {
  Evidence evidence = FromResponse(
      200, {{"X-RateLimit-Remaining-Requests", "12"}, {"x-ratelimit-remaining-tokens", "3400"}}, "", kAnswered);
  ASSERT_EQ(evidence.rate_limits.size(), 2U);
  EXPECT_EQ(evidence.rate_limits[0].remaining, 12U);
  EXPECT_EQ(evidence.rate_limits[1].unit, RateLimit::Unit::kTokens);
  EXPECT_EQ(evidence.rate_limits[1].remaining, 3400U);
  evidence = FromResponse(
      200, {{"anthropic-ratelimit-requests-remaining", "0"}, {"anthropic-ratelimit-tokens-remaining", "-1"}}, "",
      kAnswered);
  ASSERT_EQ(evidence.rate_limits.size(), 1U);
  EXPECT_EQ(evidence.rate_limits[0].remaining, 0U);
}

}  // namespace
}  // namespace ccr::proxy
