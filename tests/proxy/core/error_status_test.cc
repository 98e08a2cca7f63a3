#include "proxy/core/error_status.h"

#include <gtest/gtest.h>

#include "proxy/core/evidence_builder.h"

namespace ccr::proxy {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(784111777);

TEST(StatusOfError, ANumberWinsOverTheCodeAndTheCodeOverTheType) {
  EXPECT_EQ(StatusOfError(429, "invalid_api_key", "api_error"), 429);
  EXPECT_EQ(StatusOfError(0, "invalid_api_key", "invalid_request_error"), 401);
  EXPECT_EQ(StatusOfError(0, "no_such_code", "invalid_request_error"), 400);
}

TEST(StatusOfError, OnlyErrorStatusesAreNumbers) {
  EXPECT_EQ(StatusOfError(400, "", ""), 400);
  EXPECT_EQ(StatusOfError(599, "", ""), 599);
  for (const int number : {-1, 0, 200, 399, 600, 1302}) {
    EXPECT_EQ(StatusOfError(number, "", ""), kUnknownErrorStatus) << number;
    EXPECT_EQ(StatusOfError(number, "", "overloaded_error"), 529) << number;
  }
}

TEST(StatusOfError, WhatNobodyKnowsIsTheProvidersFault) {
  EXPECT_EQ(StatusOfError(0, "", ""), 502);
  EXPECT_EQ(StatusOfError(0, "Rate_Limit_Error", "scripted_error"), 502);
}

// What providers are known to send, as it comes.
TEST(FromLateError, Table) {
  const struct {
    std::string body;
    int status;
    std::string type, code;
  } cases[] = {
      {R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})", 529, "overloaded_error", ""},
      {R"({"type":"error","error":{"type":"rate_limit_error","message":"m"}})", 429, "rate_limit_error", ""},
      {R"({"type":"error","error":{"type":"api_error","message":"m"}})", 500, "api_error", ""},
      {R"({"type":"error","error":{"type":"authentication_error","message":"m"}})", 401, "authentication_error", ""},
      {R"({"type":"error","error":{"type":"permission_error","message":"m"}})", 403, "permission_error", ""},
      {R"({"type":"error","error":{"type":"billing_error","message":"m"}})", 402, "billing_error", ""},
      {R"({"type":"error","error":{"type":"timeout_error","message":"m"}})", 504, "timeout_error", ""},
      {R"({"type":"error","error":{"type":"not_found_error","message":"m"}})", 404, "not_found_error", ""},
      {R"({"type":"error","error":{"type":"request_too_large","message":"m"}})", 413, "request_too_large", ""},
      {R"({"type":"error","error":{"type":"invalid_request_error","message":"m"}})", 400, "invalid_request_error", ""},
      {R"({"error":{"code":429,"message":"m","metadata":{"provider_name":"p"}}})", 429, "", "429"},
      {R"({"error":{"code":402,"message":"m"}})", 402, "", "402"},
      {R"({"error":{"code":"503","message":"m"}})", 503, "", "503"},
      {R"({"id":"gen-1","object":"chat.completion.chunk","choices":[],"error":{"code":"server_error","message":"m"}})",
       500, "", "server_error"},
      {R"({"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})", 429,
       "insufficient_quota", "insufficient_quota"},
      {R"({"error":{"message":"m","type":"tokens","param":null,"code":"rate_limit_exceeded"}})", 429, "tokens",
       "rate_limit_exceeded"},
      {R"({"error":{"message":"m","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})", 401,
       "invalid_request_error", "invalid_api_key"},
      {R"({"error":{"message":"m","type":"server_error","param":null,"code":null}})", 500, "server_error", ""},
      {R"({"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
       400, "invalid_request_error", "context_length_exceeded"},
      {R"({"error":{"message":"m","type":"BadRequestError","param":null,"code":400}})", 400, "BadRequestError", "400"},
      {R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"reason":"RATE_LIMIT_EXCEEDED"}]}})", 429,
       "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"},
      {R"({"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}})", 400,
       "INVALID_ARGUMENT", "API_KEY_INVALID"},
      {R"([{"error":{"code":503,"status":"UNAVAILABLE"}}])", 503, "UNAVAILABLE", "503"},
      {R"({"error":{"status":"UNAVAILABLE"}})", 503, "UNAVAILABLE", ""},
      {R"({"error":"overloaded"})", 503, "overloaded", ""},
      {R"({"error":"the key canary-key-a1 is bad"})", 502, "", ""},
      {R"({"error":{"message":"m","code":1302}})", 502, "", "1302"},
      {"no JSON", 502, "", ""},
  };
  for (const auto& c : cases) {
    const Evidence evidence = FromLateError({}, c.body, kNow);
    EXPECT_EQ(evidence.http_status, c.status) << c.body;
    EXPECT_EQ(evidence.error_type, c.type) << c.body;
    EXPECT_EQ(evidence.error_code, c.code) << c.body;
    EXPECT_FALSE(evidence.incomplete);
  }
}

TEST(FromLateError, HeadersCountAsWell) {
  const Headers headers = {{"Retry-After", "7"}, {"x-ratelimit-remaining-requests", "0"}};
  const Evidence evidence = FromLateError(headers, R"({"error":{"code":429}})", kNow);
  EXPECT_EQ(evidence.retry_after, absl::Seconds(7));
  ASSERT_EQ(evidence.rate_limits.size(), 1U);
  EXPECT_EQ(evidence.rate_limits[0].remaining, 0U);
  EXPECT_EQ(FromLateError({}, R"({"error":{"code":429,"details":[{"retryDelay":"3s"}]}})", kNow).retry_after,
            absl::Seconds(3));
}

}  // namespace
}  // namespace ccr::proxy
