#include "proxy/core/evidence/usage_scanner.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace ccr::proxy {
namespace {

using Body = UsageScanner::Body;
using Result = std::tuple<uint64_t, uint64_t, bool, bool>;  // input, output, ended, error

Result ResultOf(const UsageScanner& scanner) {
  return {scanner.input_tokens(), scanner.output_tokens(), scanner.ended(), scanner.error()};
}

struct Case {
  Body body;
  std::string text;
  Result result;
  UsageScanner::Names names = UsageScanner::Names::kSnakeCase;
};

Result Scan(const Case& c) {
  UsageScanner scanner(c.body, c.names);
  scanner.Feed(c.text);
  return ResultOf(scanner);
}

const std::string kChat =
    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"hi \\\"output_tokens\\\":9\"},\"finish_reason\":null}],"
    "\"usage\":null}\n\n"
    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34,\"total_tokens\":46,"
    "\"prompt_tokens_details\":{\"cached_tokens\":5}}}\n\n";

const std::string kMessages =
    "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,"
    "\"cache_read_input_tokens\":7,\"output_tokens\":1}}}\r\n\r\n"
    "event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n"
    "event: content_block_delta\r\ndata: "
    "{\"type\":\"content_block_delta\",\"delta\":{\"text\":\"message_stop\"}}\r\n\r\n"
    "event: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"
    "{\"output_tokens\": 150 }}\r\n\r\n";

const std::string kGemini =
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"\\\"promptTokenCount\\\": 9\"}]}}],"
    "\"usageMetadata\": {\"promptTokenCount\": 3,\"totalTokenCount\": 3,\"promptTokensDetails\": "
    "[{\"modality\": \"TEXT\",\"tokenCount\": 3}]}}\r\n\r\n"
    "data: {\"candidates\": [{\"content\": {},\"finishReason\": \"STOP\",\"index\": 0}],\"usageMetadata\": "
    "{\"promptTokenCount\": 8,\"candidatesTokenCount\": 20,\"thoughtsTokenCount\": 7,\"totalTokenCount\": 35,"
    "\"cachedContentTokenCount\": 2}}\r\n\r\n";

std::vector<Case> Cases() {
  constexpr auto kGeminiNames = UsageScanner::Names::kGemini;
  return {
      {Body::kEventStream, kGemini, {8, 27, true, false}, kGeminiNames},
      {Body::kEventStream, kGemini.substr(0, kGemini.find("finishReason")), {3, 0, false, false}, kGeminiNames},
      {Body::kEventStream, kGemini, {0, 0, false, false}},
      {Body::kEventStream, kChat, {0, 0, false, false}, kGeminiNames},
      {Body::kEventStream,
       "data: {\"promptFeedback\": {\"blockReason\": \"SAFETY\"}}\r\n\r\n",
       {0, 0, true, false},
       kGeminiNames},
      {Body::kEventStream, "data: {\"error\": {\"code\": 503}}\r\n\r\n", {0, 0, false, true}, kGeminiNames},
      {Body::kJson,
       R"({"candidates":[],"usageMetadata":{"promptTokenCount":4,"thoughtsTokenCount":5}})",
       {4, 5, false, false},
       kGeminiNames},
      {Body::kJson,
       R"({"id":"x","usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}})",
       {5, 6, false, false}},
      {Body::kJson, "{\"usage\":{\"input_tokens\" :\n 7 ,\"output_tokens\":8}}", {7, 8, false, false}},
      {Body::kJson,
       R"({"usage":{"max_output_tokens":9,"cache_creation_input_tokens":3,"input_tokens":"4"}})",
       {0, 0, false, false}},
      {Body::kJson,
       R"({"text":"say \"input_tokens\":5","input_tokens":null,"a":"input_tokens"})",
       {0, 0, false, false}},
      {Body::kJson, R"({"a":["input_tokens",6],"input_tokens":1,"input_tokens":2})", {2, 0, false, false}},
      {Body::kJson, R"({"input_tokens":99999999999999999999999})", {1'000'000'000'000, 0, false, false}},
      {Body::kJson, R"({"output_tokens":3)", {0, 0, false, false}},
      {Body::kJson, R"({"error":{"message":"m"}})", {0, 0, false, true}},
      {Body::kJson, " \n {\n \"error\" : \"m\"}", {0, 0, false, true}},
      {Body::kJson, R"({"error":null,"usage":{"input_tokens":1}})", {1, 0, false, false}},
      {Body::kJson, R"({"id":1,"error":{"a":1}})", {0, 0, false, false}},
      {Body::kEventStream, kChat, {12, 34, true, false}},
      {Body::kEventStream, kChat + "data: [DONE]\n\n", {12, 34, true, false}},
      {Body::kEventStream, "data: [DONE]", {0, 0, true, false}},
      {Body::kEventStream, "data:[DONE]\r\n", {0, 0, true, false}},
      {Body::kEventStream, "data: x[DONE]\n\n: data: [DONE]\n", {0, 0, false, false}},
      {Body::kEventStream, "data: {\"finish_reason\":\"\"}\n\n", {0, 0, false, false}},
      {Body::kEventStream, "data: {\"finish_reason\" : null}\n\n", {0, 0, false, false}},
      {Body::kEventStream, "data: {\"finish_reason\" : \"tool_calls\"}\n\n", {0, 0, true, false}},
      {Body::kEventStream, "data: {\"finish_reason\":\"error\"}\n\n", {0, 0, false, true}},
      {Body::kEventStream, "data: {\"finish_reason\":\"error_x_long\"}\n\n", {0, 0, true, false}},
      {Body::kEventStream, kMessages, {25, 150, false, false}},
      {Body::kEventStream,
       kMessages + "event: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n",
       {25, 150, true, false}},
      {Body::kEventStream, "data: {\"type\": \"message_stop\"}\n", {0, 0, true, false}},
      {Body::kEventStream, "data: {\"type\": \"message_stop", {0, 0, false, false}},
      {Body::kEventStream, "event: message_stop", {0, 0, true, false}},
      {Body::kEventStream, "event: message_stopper\n", {0, 0, false, false}},
      {Body::kEventStream,
       kMessages + "event: error\ndata: {\"type\":\"error\",\"error\":{}}\n\n",
       {25, 150, false, true}},
      {Body::kEventStream, "data: {\"type\":\"error\",\"error\":{}}\n\n", {0, 0, false, true}},
      {Body::kEventStream, "data: {\"error\":{\"type\":\"message_stop\"}}\n\n", {0, 0, false, true}},
      {Body::kEventStream, "data: {\"error\":null,\"x\":1}\n\n", {0, 0, false, false}},
      {Body::kEventStream,
       "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"error\":null,\"usage\":"
       "{\"input_tokens\":3,\"input_tokens_details\":{},\"output_tokens\":4}}}\n\n",
       {3, 4, true, false}},
      {Body::kEventStream,
       "data: {\"type\":\"response.incomplete\",\"sequence_number\":123456}\n\n",
       {0, 0, true, false}},
      {Body::kEventStream, "event: response.failed\n\n", {0, 0, false, true}},
      {Body::kEventStream, "", {0, 0, false, false}},
  };
}

TEST(UsageScanner, Bodies) {
  for (const Case& c : Cases()) EXPECT_EQ(Scan(c), c.result) << c.text;
}

TEST(UsageScanner, EveryCutInTwo) {
  for (const Case& c : Cases()) {
    for (size_t cut = 0; cut <= c.text.size(); ++cut) {
      UsageScanner scanner(c.body, c.names);
      scanner.Feed(std::string_view(c.text).substr(0, cut));
      scanner.Feed(std::string_view(c.text).substr(cut));
      ASSERT_EQ(ResultOf(scanner), c.result) << c.text << " cut at " << cut;
    }
  }
}

TEST(UsageScanner, AnyCuts) {
  std::mt19937_64 random(7);
  for (const Case& c : Cases()) {
    for (int round = 0; round < 200; ++round) {
      UsageScanner scanner(c.body, c.names);
      const size_t longest = 1 + round % 40;
      for (size_t at = 0; at < c.text.size();) {
        const size_t size = 1 + random() % longest;
        scanner.Feed(std::string_view(c.text).substr(at, size));
        at += size;
      }
      ASSERT_EQ(ResultOf(scanner), c.result) << c.text << " in pieces of up to " << longest;
    }
  }
}

TEST(UsageScanner, TotalInputCountsWhatACacheGave) {
  const std::string anthropic =
      R"({"usage":{"input_tokens":4,"cache_creation_input_tokens":200,"cache_read_input_tokens":60000,)"
      R"("cache_creation":{"ephemeral_5m_input_tokens":200},"output_tokens":9}})";
  for (size_t cut = 0; cut <= anthropic.size(); ++cut) {
    UsageScanner scanner(Body::kJson);
    scanner.Feed(std::string_view(anthropic).substr(0, cut));
    scanner.Feed(std::string_view(anthropic).substr(cut));
    EXPECT_EQ(scanner.total_input_tokens(), 60204U) << cut;
    EXPECT_EQ(scanner.input_tokens(), 4U) << cut;
    EXPECT_EQ(scanner.output_tokens(), 9U) << cut;
  }
  UsageScanner openai(Body::kEventStream);
  openai.Feed(kChat);
  EXPECT_EQ(openai.total_input_tokens(), 12U);
}

TEST(UsageScanner, Incomplete) {
  const auto incomplete = [](Body body, std::string_view text) {
    UsageScanner scanner(body);
    scanner.Feed(text);
    return scanner.incomplete();
  };
  EXPECT_FALSE(incomplete(Body::kJson, "{}"));
  EXPECT_TRUE(incomplete(Body::kJson, R"({"error":{"a":1}})"));
  EXPECT_TRUE(incomplete(Body::kJson, R"({"choices":[{"finish_reason":"error"}]})"));
  EXPECT_TRUE(incomplete(Body::kEventStream, kMessages));
  EXPECT_FALSE(incomplete(Body::kEventStream, kMessages + "event: message_stop\n\n"));
  EXPECT_TRUE(incomplete(Body::kEventStream, kMessages + "event: error\n\nevent: message_stop\n\n"));
}

}  // namespace
}  // namespace ccr::proxy
