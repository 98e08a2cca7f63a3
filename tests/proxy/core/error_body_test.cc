#include "proxy/core/error_body.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace ccr::proxy {
namespace {

namespace json = boost::json;

TEST(ErrorBody, AnthropicTypes) {
  const std::pair<int, const char*> cases[] = {
      {400, "invalid_request_error"},
      {401, "authentication_error"},
      {403, "permission_error"},
      {404, "not_found_error"},
      {405, "invalid_request_error"},
      {413, "request_too_large"},
      {429, "rate_limit_error"},
      {500, "api_error"},
      {501, "api_error"},
      {502, "api_error"},
      {503, "api_error"},
      {504, "timeout_error"},
      {529, "overloaded_error"},
  };
  for (const auto& [status, type] : cases) {
    EXPECT_EQ(json::parse(ErrorBody(Format::kAnthropic, status, "no")),
              json::value({{"type", "error"}, {"error", {{"type", type}, {"message", "no"}}}}))
        << status;
  }
}

TEST(ErrorBody, Gemini) {
  EXPECT_EQ(ErrorBody(Format::kGemini, 429, "m"),
            R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}})");
  EXPECT_EQ(ErrorBody(Format::kGemini, 413, "m"),
            R"({"error":{"code":413,"message":"m","status":"INVALID_ARGUMENT"}})");
  EXPECT_EQ(ErrorBody(Format::kGemini, 502, "m"), R"({"error":{"code":502,"message":"m","status":"INTERNAL"}})");
}

TEST(ErrorBody, OpenAi) {
  EXPECT_EQ(
      ErrorBody(Format::kChat, 401, "a \"b\"\n"),
      R"({"error":{"message":"a \"b\"\n","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})");
  EXPECT_EQ(ErrorBody(Format::kChat, 400, "m"),
            R"({"error":{"message":"m","type":"invalid_request_error","param":null,"code":null}})");
  EXPECT_EQ(ErrorBody(Format::kChat, 429, "m"),
            R"({"error":{"message":"m","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}})");
  EXPECT_EQ(ErrorBody(Format::kChat, 502, "m"),
            R"({"error":{"message":"m","type":"server_error","param":null,"code":null}})");
}

TEST(SseErrorEvent, OneEvent) {
  EXPECT_EQ(SseErrorEvent(Format::kAnthropic, "cut\n"),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"cut\\n\"}}\n\n");
  EXPECT_EQ(SseErrorEvent(Format::kChat, "cut"),
            "data: {\"error\":{\"message\":\"cut\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n");
}

}  // namespace
}  // namespace ccr::proxy
