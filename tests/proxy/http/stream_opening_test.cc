// Providers that answer 200 with an event stream and fail with its first event.
#include <gmock/gmock.h>

#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kOpenAiWholeStream =
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";
constexpr std::string_view kAnthropicWholeStream =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"role\":\"assistant\"}}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
    "\"text\":\"hello\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
constexpr std::string_view kComments = ": OPENROUTER PROCESSING\n\n";
constexpr std::string_view kPings = "event: ping\ndata: {\"type\": \"ping\"}\n\n";

std::string OpenAiError(std::string_view error) {
  return "data: {\"error\":" + std::string(error) + "}\n\n";
}
std::string AnthropicError(std::string_view type) {
  return "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"" + std::string(type) +
         "\",\"message\":\"their words\"}}\n\n";
}

class StreamOpeningTest : public ProxyFixture {
 protected:
  // Key a1 gets `first`, each part as a write of its own, the others the good stream of the format they are asked in.
  void StartWithBadKey(std::vector<std::string> first) {
    StartUpstream([first = std::move(first)](Peer& peer, const std::string& request) {
      peer.Send(kStreamHead);
      const bool anthropic = request.starts_with("POST /v1/messages");
      if (request.find("canary-key-a1") != std::string::npos) {
        for (const std::string& part : first) peer.Send(Chunk(part));
      } else {
        peer.Send(Chunk(anthropic ? kAnthropicWholeStream : kOpenAiWholeStream));
      }
      return peer.Send("0\r\n\r\n");
    });
    StartProxy();
  }
  // Every key gets it.
  void StartBad(std::string stream) {
    StartUpstream([stream = std::move(stream)](Peer& peer, const std::string&) {
      return peer.Send(std::string(kStreamHead) + Chunk(stream) + "0\r\n\r\n");
    });
    StartProxy();
  }
  Response Completions(std::string_view model) { return Ask(Post("/v1/chat/completions", Body(model))); }
  Response Messages(std::string_view model) { return Ask(Post("/v1/messages", Body(model))); }

  void ExpectOtherKeyAnswers(const Response& response, int status) {
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_TRUE(response.complete);
    EXPECT_TRUE(response.Has("content-type: text/event-stream\r\n")) << response.head;
    EXPECT_THAT(response.body, HasSubstr("hello"));
    EXPECT_THAT(response.body, Not(HasSubstr("\"error\"")));
    EXPECT_EQ(upstream_->requests().size(), 2U);
    ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 2; }));
    const auto reports = broker_.reports();
    EXPECT_EQ(reports[0].key, "canary-key-a1");
    EXPECT_EQ(reports[0].evidence.http_status, 200);
    EXPECT_TRUE(reports[0].evidence.error_in_answer);
    EXPECT_EQ(reports[0].status, status);
    EXPECT_FALSE(reports[0].evidence.incomplete);
    EXPECT_TRUE(reports[0].asked_for_next);
    EXPECT_EQ(reports[1].evidence.http_status, 200);
    EXPECT_FALSE(reports[1].evidence.incomplete);
  }

  static std::string Body(std::string_view model) {
    return R"({"model":")" + std::string(model) +
           R"(","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]})";
  }
};

TEST_F(StreamOpeningTest, OpenAiToOpenAi) {
  StartWithBadKey({OpenAiError(R"({"code":429,"message":"slow down"})")});
  const Response response = Completions("gpt-x");
  ExpectOtherKeyAnswers(response, 429);
  EXPECT_EQ(response.body, kOpenAiWholeStream);
  EXPECT_EQ(broker_.reports()[0].evidence.error_code, "429");
}

TEST_F(StreamOpeningTest, AnthropicToAnthropic) {
  StartWithBadKey({AnthropicError("overloaded_error")});
  const Response response = Messages("claude-s");
  ExpectOtherKeyAnswers(response, 529);
  EXPECT_EQ(response.body, kAnthropicWholeStream);
  EXPECT_EQ(broker_.reports()[0].evidence.error_type, "overloaded_error");
}

TEST_F(StreamOpeningTest, OpenAiProviderOfAnAnthropicClient) {
  StartWithBadKey({OpenAiError(R"({"code":"invalid_api_key","type":"invalid_request_error","message":"no"})")});
  ExpectOtherKeyAnswers(Messages("one,gpt-x"), 401);
}

TEST_F(StreamOpeningTest, AnthropicProviderOfAnOpenAiClient) {
  StartWithBadKey({AnthropicError("rate_limit_error")});
  ExpectOtherKeyAnswers(Completions("claude-s"), 429);
}

TEST_F(StreamOpeningTest, AnyPathOfAProvider) {
  StartWithBadKey({OpenAiError(R"({"code":500})")});
  ExpectOtherKeyAnswers(Ask(Post("/p/one/v1/anything", "{}")), 500);
}

TEST_F(StreamOpeningTest, CommentsAndPingsBeforeItAreNoAnswer) {
  const std::string error = OpenAiError(R"({"code":503})");
  StartWithBadKey(
      {std::string(kComments), std::string(kComments) + std::string(kPings), error.substr(0, 9), error.substr(9)});
  const Response response = Completions("gpt-x");
  ExpectOtherKeyAnswers(response, 503);
  EXPECT_EQ(response.body, kOpenAiWholeStream);
}

TEST_F(StreamOpeningTest, CommentsAndPingsBeforeAnAnswerAreRelayed) {
  const std::string lead = std::string(kComments) + std::string(kPings);
  StartWithBadKey({std::string(kComments), std::string(kPings), std::string(kOpenAiWholeStream)});
  EXPECT_EQ(Completions("gpt-x").body, lead + std::string(kOpenAiWholeStream));
  ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
  EXPECT_FALSE(broker_.reports()[0].evidence.incomplete);
}

TEST_F(StreamOpeningTest, WithoutItsBlankLineAtAnOrderlyEnd) {
  StartWithBadKey({R"(data: {"error":{"code":502}})"});
  ExpectOtherKeyAnswers(Completions("gpt-x"), 502);
}

TEST_F(StreamOpeningTest, AJsonDocumentInPlaceOfEvents) {
  StartWithBadKey({"{\n  \"error\": {\n", "    \"code\": 429, \"status\": \"RESOURCE_EXHAUSTED\"\n  }\n}\n"});
  ExpectOtherKeyAnswers(Completions("gpt-x"), 429);
}

TEST_F(StreamOpeningTest, APlainAnswerThatIsAnError) {
  StartUpstream([](Peer& peer, const std::string& request) {
    const bool bad = request.find("canary-key-a1") != std::string::npos;
    return peer.Send(Answer(200, "content-type: application/json\r\n",
                            bad ? R"({"error":{"code":429,"message":"slow down"}})" : kChatAnswer));
  });
  StartProxy();
  const Response response = Chat();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, kChatAnswer);
  ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 2; }));
  EXPECT_EQ(broker_.reports()[0].status, 429);
}

TEST_F(StreamOpeningTest, ATranslatedPlainAnswerThatIsAnError) {
  Start(Answer(200, "content-type: application/json\r\n", R"({"error":{"code":402,"message":"no credit"}})"));
  const Response response = Messages("one,gpt-x");
  EXPECT_EQ(response.status, 503) << "the quota of every key is used up";
  EXPECT_EQ(upstream_->requests().size(), 3U) << "each key once";
}

TEST_F(StreamOpeningTest, OtherPathsMayAnswerWithAnErrorMember) {
  const std::string body = R"({"error":"none that we know of"})";
  Start(Answer(200, "content-type: application/json\r\n", body));
  EXPECT_EQ(Ask(Get("/p/one/v1/batches/b1")).body, body);
  EXPECT_EQ(upstream_->requests().size(), 1U);
}

TEST_F(StreamOpeningTest, TheCallersFaultIsAnAnswer) {
  StartBad(AnthropicError("invalid_request_error"));
  const Response response = Messages("claude-s");
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(response.Has("content-type: application/json\r\n")) << response.head;
  EXPECT_EQ(response.body, R"({"type":"error","error":{"type":"invalid_request_error","message":"their words"}})");
  EXPECT_EQ(upstream_->requests().size(), 1U);
  ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
  EXPECT_EQ(broker_.reports()[0].status, 400);
}

TEST_F(StreamOpeningTest, WhenNoKeyIsLeftTheErrorIsTheAnswerWithItsStatus) {
  StartBad(AnthropicError("rate_limit_error"));
  Response response = Messages("claude-s");
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.body, R"({"type":"error","error":{"type":"rate_limit_error","message":"their words"}})");
  EXPECT_TRUE(response.Has("retry-after: 3\r\n")) << response.head;
  EXPECT_EQ(upstream_->requests().size(), 3U) << "each key once";
}

TEST_F(StreamOpeningTest, TheLastErrorIsInTheClientsFormat) {
  StartBad(AnthropicError("api_error"));
  table_.providers[1].max_retries = 1;
  broker_.SetTable(table_);
  const Response response = Completions("claude-s");
  EXPECT_EQ(response.status, 500);
  EXPECT_TRUE(response.Has("content-type: application/json\r\n")) << response.head;
  EXPECT_THAT(response.body, StartsWith(R"({"error":{)"));
  EXPECT_THAT(response.body, HasSubstr("their words"));
  EXPECT_EQ(upstream_->requests().size(), 2U);
}

TEST_F(StreamOpeningTest, AnErrorBehindTheFirstEventIsRelayed) {
  const std::string start(kAnthropicWholeStream.substr(0, kAnthropicWholeStream.find("\n\n") + 2));
  StartBad(start + AnthropicError("overloaded_error"));
  const Response response = Messages("claude-s");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, start + AnthropicError("overloaded_error"));
  EXPECT_EQ(upstream_->requests().size(), 1U);
  ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
  EXPECT_TRUE(broker_.reports()[0].evidence.incomplete);
}

TEST_F(StreamOpeningTest, WhatIsHeldIsBounded) {
  std::string lead;
  while (lead.size() <= Attempt::kMaxHeldBody) lead += kComments;
  StartWithBadKey({lead, OpenAiError(R"({"code":429})")});
  const Response response = Completions("gpt-x");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, lead + OpenAiError(R"({"code":429})"));
  EXPECT_EQ(upstream_->requests().size(), 1U);
}

// Holds the stream behind `begin` until the head has come through, which takes kHeadHold.
class HeldHeadTest : public StreamOpeningTest {
 protected:
  std::string BodyAfterTheHold(std::string_view path, std::string_view model, const std::string& begin,
                               const std::string& rest) {
    StartUpstream([this, begin, rest](Peer& peer, const std::string&) {
      peer.Send(std::string(kStreamHead) + Chunk(begin));
      peer.WaitFor(release_);
      return peer.Send(Chunk(rest) + "0\r\n\r\n");
    });
    StartProxy();
    TestClient client(port());
    client.Send(Post(path, Body(model)));
    EXPECT_TRUE(Eventually([&] { return upstream_->requests().size() == 1; }));
    clock_.Skip(Attempt::kHeadHold / 2);
    EXPECT_FALSE(client.IsReadable(std::chrono::milliseconds(500))) << "the head is held";
    clock_.Skip(Attempt::kHeadHold);
    EXPECT_TRUE(client.ReceiveUntil("\r\n\r\n"));
    release_ = true;
    return client.Read().body;
  }
};

TEST_F(HeldHeadTest, PingsAreNotHeldForever) {
  const std::string error = AnthropicError("overloaded_error");
  EXPECT_EQ(BodyAfterTheHold("/v1/messages", "claude-s", std::string(kPings), error), std::string(kPings) + error);
}

TEST_F(HeldHeadTest, TheBeginningOfATranslatedEventIsNotLost) {
  const size_t half = kOpenAiWholeStream.size() / 3;
  const std::string body =
      BodyAfterTheHold("/v1/messages", "one,gpt-x", std::string(kOpenAiWholeStream.substr(0, half)),
                       std::string(kOpenAiWholeStream.substr(half)));
  EXPECT_THAT(body, HasSubstr("hello"));
  EXPECT_THAT(body, HasSubstr("event: message_stop\n"));
}

}  // namespace
}  // namespace ccr::proxy::testing
