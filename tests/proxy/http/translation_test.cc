// Clients in front of a provider that speaks the other chat format.
#include <gmock/gmock.h>

#include "broker/base/log.h"
#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kAnthropicBody =
    R"({"model":"one,gpt-x","max_tokens":9,"system":"be kind","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kAnthropicStream =
    R"({"model":"one,gpt-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kOpenAiBody =
    R"({"model":"claude-s","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hi"}]})";
constexpr std::string_view kOpenAiStream =
    R"({"model":"claude-s","stream":true,"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kOpenAiAnswer =
    R"({"id":"c1","object":"chat.completion","created":1,"model":"gpt-x","choices":[{"index":0,"message":)"
    R"({"role":"assistant","content":"hello"},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":7,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}})";
constexpr std::string_view kAnthropicAnswer =
    R"({"id":"m1","type":"message","role":"assistant","model":"claude-s","content":[{"type":"text","text":"hello"}],)"
    R"("stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":5}})";

const std::string kOpenAiEvents[] = {
    "data: {\"id\":\"c1\",\"model\":\"gpt-x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":"
    "\"\"}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\xC3\xA9llo\"}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3}}\n\n",
    "data: [DONE]\n\n"};
const std::string kAnthropicEvents[] = {
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"type\":\"message\",\"role\":"
    "\"assistant\",\"model\":\"claude-s\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":11,"
    "\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
    "\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
    "\"text_delta\",\"text\":\"h\xC3\xA9llo\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
    "\"stop_sequence\":null},\"usage\":{\"output_tokens\":3}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"};

template <size_t N>
std::string Joined(const std::string (&events)[N]) {
  std::string all;
  for (const std::string& event : events) all += event;
  return all;
}

class TranslationTest : public ProxyFixture {
 protected:
  // A provider that streams these bytes, cut anywhere.
  void StartStream(std::string bytes, size_t piece = 7) {
    StartUpstream([bytes = std::move(bytes), piece](Peer& peer, const std::string&) {
      peer.Send(kStreamHead);
      for (size_t at = 0; at < bytes.size(); at += piece) peer.Send(Chunk(bytes.substr(at, piece)));
      return peer.Send("0\r\n\r\n");
    });
    StartProxy();
  }
  Response Messages(std::string_view body, std::string_view headers = "") {
    return Ask(Post("/v1/messages?beta=true", body, headers));
  }
  Response Completions(std::string_view body, std::string_view headers = "") {
    return Ask(Post("/v1/chat/completions", body, headers));
  }
  Evidence OnlyEvidence() {
    EXPECT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
    return broker_.reports().at(0).evidence;
  }
};

TEST_F(TranslationTest, AnthropicClientOfAnOpenAiProvider) {
  Start(JsonAnswer(200, kOpenAiAnswer, "x-request-id: r1\r\n"));
  const Response response =
      Messages(kAnthropicBody,
               "content-type: application/json\r\nanthropic-version: 2023-06-01\r\nanthropic-beta: b\r\n"
               "x-custom: kept\r\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.complete);
  EXPECT_TRUE(response.Has("content-type: application/json\r\n")) << response.head;
  EXPECT_TRUE(response.Has("x-request-id: r1\r\n"));
  EXPECT_THAT(response.body, HasSubstr(R"("type":"message")"));
  EXPECT_THAT(response.body, HasSubstr(R"({"type":"text","text":"hello"})"));
  EXPECT_THAT(response.body, HasSubstr(R"("stop_reason":"end_turn")"));
  const std::string request = upstream_->requests().at(0);
  EXPECT_TRUE(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n")) << "without the query: " << request;
  EXPECT_THAT(request, HasSubstr("uthorization: Bearer canary-key-a1\r\n"));
  EXPECT_THAT(request, HasSubstr("content-type: application/json\r\n"));
  EXPECT_EQ(request.find("content-type"), request.rfind("content-type"));
  EXPECT_THAT(request, HasSubstr("x-custom: kept\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("anthropic")));
  EXPECT_THAT(request, HasSubstr(R"("model":"gpt-x")"));
  EXPECT_THAT(request, HasSubstr(R"({"role":"system","content":"be kind"})"));
  const Evidence evidence = OnlyEvidence();
  EXPECT_EQ(evidence.input_tokens, 7U);
  EXPECT_EQ(evidence.output_tokens, 5U);
  EXPECT_FALSE(evidence.incomplete);
}

TEST_F(TranslationTest, OpenAiClientOfAnAnthropicProvider) {
  Start(JsonAnswer(200, kAnthropicAnswer));
  const Response response = Completions(kOpenAiBody, "openai-organization: org\r\nauthorization: Bearer mine\r\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr(R"("object":"chat.completion")"));
  EXPECT_THAT(response.body, HasSubstr(R"("content":"hello")"));
  EXPECT_THAT(response.body, Not(HasSubstr(R"("created":0)")));
  const std::string request = upstream_->requests().at(0);
  EXPECT_TRUE(request.starts_with("POST /v1/messages HTTP/1.1\r\n")) << request;
  EXPECT_THAT(request, HasSubstr("anthropic-version: 2023-06-01\r\n"));
  EXPECT_THAT(request, HasSubstr("x-api-key: canary-key-a1\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("openai-")));
  EXPECT_THAT(request, HasSubstr(R"("max_tokens":)"));
  EXPECT_THAT(request, HasSubstr("be kind"));
}

TEST_F(TranslationTest, WhatIsTooMuchToTranslateIsRefused) {
  Start(JsonAnswer(200, kOpenAiAnswer));
  std::string many = "[0";
  for (int i = 0; i < 200'000; ++i) many += ",0";
  many += "]}";
  const auto with = [&many](std::string_view body) {
    return std::string(body.substr(0, body.size() - 1)) + R"(,"u":)" + many;
  };
  const Response anthropic = Messages(with(kAnthropicBody));
  EXPECT_EQ(anthropic.status, 413);
  EXPECT_THAT(anthropic.body, HasSubstr(R"("type":"request_too_large")"));
  EXPECT_THAT(anthropic.body, HasSubstr("more than 200000 JSON values"));
  const Response openai = Completions(with(kOpenAiBody));
  EXPECT_EQ(openai.status, 413);
  EXPECT_THAT(openai.body, HasSubstr("more than 200000 JSON values"));
  EXPECT_TRUE(upstream_->requests().empty());
  const Response passed = Completions(with(kAnthropicBody));
  EXPECT_EQ(passed.status, 200) << "what passes may hold what it will";
}

TEST_F(TranslationTest, StreamToAnAnthropicClient) {
  StartStream(Joined(kOpenAiEvents));
  const Response response = Messages(kAnthropicStream);
  EXPECT_TRUE(response.complete);
  EXPECT_TRUE(response.Has("content-type: text/event-stream\r\n")) << response.head;
  EXPECT_TRUE(response.body.starts_with("event: message_start\n")) << response.body;
  EXPECT_THAT(response.body, HasSubstr("\"text\":\"h\xC3\xA9llo\""));
  EXPECT_THAT(response.body, HasSubstr("event: message_stop\n"));
  EXPECT_THAT(response.body, Not(HasSubstr("[DONE]")));
  EXPECT_EQ(upstream_->CountWith(R"("include_usage":true)"), 1U);
  const Evidence evidence = OnlyEvidence();
  EXPECT_EQ(evidence.input_tokens, 11U);
  EXPECT_FALSE(evidence.incomplete);
}

TEST_F(TranslationTest, StreamToAnOpenAiClient) {
  StartStream(Joined(kAnthropicEvents), 5);
  const Response response = Completions(kOpenAiStream);
  EXPECT_TRUE(response.complete);
  EXPECT_THAT(response.body, HasSubstr("\"content\":\"h\xC3\xA9llo\""));
  EXPECT_THAT(response.body, Not(HasSubstr("event:")));
  EXPECT_TRUE(response.body.ends_with("data: [DONE]\n\n")) << response.body;
  EXPECT_FALSE(OnlyEvidence().incomplete);
}

TEST_F(TranslationTest, WhatIsDroppedIsInTheDebugLog) {
  InitLog(LogFormat::kText, LogLevel::kDebug);
  ::testing::internal::CaptureStderr();
  const std::string audio = R"(data: {"choices":[{"index":0,"delta":{"audio":{"data":"x"}}}]})";
  StartStream(kOpenAiEvents[0] + audio + "\n\n" + kOpenAiEvents[2] + kOpenAiEvents[3]);
  std::string body(kAnthropicStream);
  body.insert(1, R"("top_k":4,)");
  const Response response = Messages(body);
  EXPECT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
  const std::string log = ::testing::internal::GetCapturedStderr();
  InitLog(LogFormat::kText, LogLevel::kInfo);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(log, ::testing::ContainsRegex("translated_request[^\n]*top_k: dropped"));
  EXPECT_THAT(log, ::testing::ContainsRegex("translated_answer[^\n]*audio: dropped"));
}

TEST_F(TranslationTest, FirstEventArrivesWhileTheStreamIsOpen) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.Send(std::string(kStreamHead) + Chunk(kOpenAiEvents[0] + kOpenAiEvents[1]));
    peer.WaitFor(release_);
    return peer.Send(Chunk(kOpenAiEvents[2] + kOpenAiEvents[3]) + "0\r\n\r\n");
  });
  StartProxy();
  TestClient client(port());
  client.Send(Post("/v1/messages", kAnthropicStream));
  EXPECT_TRUE(client.ReceiveUntil("h\xC3\xA9llo"));
  release_ = true;
  EXPECT_TRUE(client.Read().complete);
}

TEST_F(TranslationTest, CutStreamEndsWithTheClientsErrorEvent) {
  StartUpstream([](Peer& peer, const std::string&) {
    return peer.Send(std::string(kStreamHead) + Chunk(kOpenAiEvents[0] + kOpenAiEvents[1])), false;
  });
  StartProxy();
  const Response response = Messages(kAnthropicStream);
  EXPECT_TRUE(response.complete) << "the chunked body ends properly";
  EXPECT_THAT(response.body, HasSubstr("event: error\n"));
  EXPECT_THAT(response.body, Not(HasSubstr("message_stop")));
  EXPECT_TRUE(OnlyEvidence().incomplete);
  EXPECT_EQ(upstream_->requests().size(), 1U);
}

TEST_F(TranslationTest, ErrorInTheStreamEndsItAtOnce) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.Send(std::string(kStreamHead) + Chunk(kOpenAiEvents[0]) +
              Chunk("data: {\"error\":{\"message\":\"engine on fire\",\"code\":502}}\n\n"));
    cancelled_ = peer.WaitClosed();
    return false;
  });
  StartProxy();
  const Response response = Messages(kAnthropicStream);
  EXPECT_TRUE(response.complete) << "although the provider's stream is still open";
  EXPECT_THAT(response.body, HasSubstr("event: error\n"));
  EXPECT_THAT(response.body, HasSubstr("engine on fire"));
  EXPECT_TRUE(OnlyEvidence().incomplete);
  EXPECT_TRUE(Eventually([&] { return cancelled_.load(); }));
  EXPECT_EQ(broker_.in_flight(), 0U);
}

TEST_F(TranslationTest, ErrorsHaveTheClientsShapeAndTheProvidersWords) {
  Start(JsonAnswer(400, R"({"error":{"message":"prompt is odd","type":"invalid_request_error"}})",
                   "x-request-id: r1\r\n"));
  const Response anthropic = Messages(kAnthropicBody);
  EXPECT_EQ(anthropic.status, 400);
  EXPECT_TRUE(anthropic.body.starts_with(R"({"type":"error","error":{"type":"invalid_request_error")"))
      << anthropic.body;
  EXPECT_THAT(anthropic.body, HasSubstr("prompt is odd"));
  EXPECT_TRUE(anthropic.Has("x-request-id: r1\r\n"));
  const Response openai = Completions(kOpenAiBody);
  EXPECT_EQ(openai.status, 400);
  EXPECT_TRUE(openai.body.starts_with(R"({"error":{)")) << openai.body;
  EXPECT_THAT(openai.body, HasSubstr("prompt is odd"));
}

TEST_F(TranslationTest, ErrorsAreClassifiedByTheProvidersOwnBody) {
  Start(JsonAnswer(429, R"({"error":{"message":"pay","code":"insufficient_quota"}})"));
  Messages(kAnthropicBody);
  ASSERT_FALSE(broker_.reports().empty());
  EXPECT_EQ(broker_.reports()[0].evidence.error_code, "insufficient_quota");
}

TEST_F(TranslationTest, RateLimitKeepsItsStatusAndHasATrueRetryAfter) {
  Start(JsonAnswer(429, R"({"error":{"message":"slow down"}})", "retry-after: 30\r\n"));
  const Response response = Messages(kAnthropicBody);
  EXPECT_EQ(response.status, 429);
  EXPECT_TRUE(response.Has("retry-after: 30\r\n")) << response.head;
  EXPECT_THAT(response.body, HasSubstr(R"("type":"rate_limit_error")"));
  EXPECT_THAT(response.body, HasSubstr("slow down"));
}

TEST_F(TranslationTest, LargeErrorsAreCutAndStillTranslated) {
  Start(Answer(400, "content-type: text/html\r\n", std::string(200 * 1024, 'e')));
  const Response response = Messages(kAnthropicBody);
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(response.complete);
  EXPECT_TRUE(response.body.starts_with(R"({"type":"error")")) << response.body.substr(0, 100);
}

TEST_F(TranslationTest, AnswersBeyondWhatIsHeldOtherwiseAreTranslated) {
  std::string answer(kOpenAiAnswer);
  answer.replace(answer.find("hello"), 5, std::string(2 << 20, 'h'));
  Start(JsonAnswer(200, answer));
  const Response response = Messages(kAnthropicBody);
  EXPECT_EQ(response.status, 200);
  EXPECT_GT(response.body.size(), 2U << 20);
  EXPECT_THAT(response.body.substr(0, 200), HasSubstr(R"("type":"message")"));
}

TEST_F(TranslationTest, AnswerTooLargeToTranslateIs502AndNobodysFault) {
  StartUpstream([](Peer& peer, const std::string&) {
    peer.Send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000000\r\n\r\n");
    const std::string block(1 << 20, ' ');
    while (peer.Send(block)) continue;
    return false;
  });
  StartProxy();
  const Response response = Messages(kAnthropicBody);
  EXPECT_EQ(response.status, 502);
  EXPECT_THAT(response.body, HasSubstr("too large to be translated"));
  EXPECT_TRUE(OnlyEvidence().caller_fault);
}

TEST_F(TranslationTest, AnswerThatIsNoneIs502) {
  Start(JsonAnswer(200, R"({"id":"c1","choices":[],"note":"no capacity"})"));
  const Response response = Messages(kAnthropicBody);
  EXPECT_EQ(response.status, 502);
  EXPECT_TRUE(response.body.starts_with(R"({"type":"error")")) << response.body;
  EXPECT_EQ(upstream_->requests().size(), 4U) << "a failure like any other of the provider";
}

TEST_F(TranslationTest, AnswerThatIsNotUnderstoodIs502) {
  Start(JsonAnswer(200, R"({"id":"c1","note":"no capacity"})"));
  const Response response = Messages(kAnthropicBody);
  EXPECT_EQ(response.status, 502);
  EXPECT_THAT(response.body, HasSubstr("no choices"));
  EXPECT_EQ(upstream_->requests().size(), 4U) << "a failure like any other of the provider";
}

TEST_F(TranslationTest, AnotherKeyIsTriedForAnAnswerThatIsNotUnderstood) {
  for (const std::string_view bad :
       {R"({"id":"c1","note":"no capacity"})", R"({"id":"c1","choices":[{"index":0}]})", "ok"}) {
    sent_ = 0;
    StartUpstream([this, bad](Peer& peer, const std::string&) {
      return peer.Send(JsonAnswer(200, sent_++ == 0 ? bad : kOpenAiAnswer));
    });
    StartProxy();
    EXPECT_EQ(Messages(kAnthropicBody).status, 200) << bad;
    EXPECT_EQ(upstream_->requests().size(), 2U) << bad;
    pool_.reset();
    upstream_.reset();
  }
}

TEST_F(TranslationTest, CutPlainAnswerIsTriedAgain) {
  StartUpstream([](Peer& peer, const std::string& request) {
    if (request.find("canary-key-a1") == std::string::npos) return peer.Send(JsonAnswer(200, kOpenAiAnswer));
    return peer.Send("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + std::string(90000, 'h')), false;
  });
  StartProxy();
  EXPECT_EQ(Messages(kAnthropicBody).status, 200);
  EXPECT_EQ(upstream_->requests().size(), 2U);
}

TEST_F(TranslationTest, BodiesThatAreNoRequestAre400) {
  Start(JsonAnswer(200, kOpenAiAnswer));
  const Response response = Messages(R"({"model":"one,gpt-x","messages":7})");
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(response.body.starts_with(R"({"type":"error")")) << response.body;
  EXPECT_TRUE(upstream_->requests().empty());
}

TEST_F(TranslationTest, CountTokensIsEstimatedForAnOpenAiProvider) {
  Start(JsonAnswer(200, R"({"input_tokens":12345})"));
  const std::string words = R"({"model":"one,gpt-x","messages":[{"role":"user","content":"one two three four"}]})";
  const Response response = Ask(Post("/v1/messages/count_tokens", words));
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, ::testing::MatchesRegex(R"(\{"input_tokens": ?[1-9][0-9]?\})"));
  EXPECT_TRUE(upstream_->requests().empty());
  EXPECT_TRUE(broker_.lease_requests().empty());
  EXPECT_EQ(Ask(Post("/v1/messages/count_tokens", R"({"model":"claude-s"})")).body, R"({"input_tokens":12345})");
}

TEST_F(TranslationTest, EndpointsThatAnthropicLacksAre501) {
  Start(JsonAnswer(200, kBareAnswer));
  const Response response = Ask(Post("/v1/embeddings", R"({"model":"claude-s"})"));
  EXPECT_EQ(response.status, 501);
  EXPECT_TRUE(response.body.starts_with(R"({"error":{)")) << response.body;
  EXPECT_THAT(response.body, HasSubstr("'claude'"));
  EXPECT_EQ(Ask(Post("/v1/embeddings", R"({"model":"gpt-x"})")).status, 200);
  EXPECT_EQ(upstream_->requests().size(), 1U);
}

class PingTest : public TranslationTest {
 protected:
  // Sends `begin`, is silent until the client saw what it waits for, and sends `rest`.
  void StartSilent(std::string begin, std::string rest) {
    StartUpstream([this, begin = std::move(begin), rest = std::move(rest)](Peer& peer, const std::string&) {
      peer.Send(std::string(kStreamHead) + Chunk(begin));
      peer.WaitFor(release_);
      return peer.Send(Chunk(rest) + "0\r\n\r\n");
    });
    shared_.ping_interval = absl::Milliseconds(100);
    StartProxy();
  }
  // Whether such a ping comes before the provider goes on.
  bool IsPinged(std::string_view path, std::string_view body, std::string_view ping = kPing) {
    TestClient client(port());
    client.Send(Post(path, body));
    const bool pinged = client.ReceiveUntil(ping.substr(ping.find_first_not_of("\r\n")));
    release_ = true;
    body_ = client.Read().body;
    return pinged && body_.find(ping) != std::string::npos;
  }
  // Whether nothing comes behind `begin` for several times the interval, until the provider goes on.
  bool IsSilentBehind(std::string_view begin, std::string_view path, std::string_view body) {
    TestClient client(port());
    client.Send(Post(path, body));
    const bool silent =
        client.ReceiveUntil(std::string(begin) + "\r\n") && client.IsSilent(std::chrono::milliseconds(600));
    release_ = true;
    body_ = client.Read().body;
    return silent;
  }

  static constexpr std::string_view kPing = "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n";
  static constexpr std::string_view kComment = "\n\n: ping\n\n";
  std::string body_;
};

TEST_F(PingTest, WhileATranslatedStreamIsSilent) {
  // Half an event of the provider's has come: between two of the client's all the same.
  const std::string half = kOpenAiEvents[1].substr(0, 20);
  StartSilent(kOpenAiEvents[0] + half, kOpenAiEvents[1].substr(20) + kOpenAiEvents[2] + kOpenAiEvents[3]);
  EXPECT_TRUE(IsPinged("/v1/messages", kAnthropicStream)) << body_;
  EXPECT_THAT(body_, HasSubstr("event: message_stop\n"));
}

TEST_F(PingTest, WhileTheProviderSaysNothingThatTheClientSees) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.Send(std::string(kStreamHead) + Chunk(kOpenAiEvents[0]));
    while (!release_ && !peer.stopping()) {
      peer.Send(Chunk(": PROCESSING\n\n"));
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return peer.Send(Chunk(kOpenAiEvents[2] + kOpenAiEvents[3]) + "0\r\n\r\n");
  });
  shared_.ping_interval = absl::Milliseconds(100);
  StartProxy();
  EXPECT_TRUE(IsPinged("/v1/messages", kAnthropicStream)) << body_;
}

TEST_F(PingTest, WhileAnAnthropicStreamIsSilentBetweenEvents) {
  const std::string all = Joined(kAnthropicEvents);
  StartSilent(kAnthropicEvents[0], all.substr(kAnthropicEvents[0].size()));
  EXPECT_TRUE(IsPinged("/v1/messages", R"({"model":"claude-s","stream":true})")) << body_;
}

TEST_F(PingTest, NotInsideAnEvent) {
  const std::string all = Joined(kAnthropicEvents);
  const size_t half = kAnthropicEvents[0].size() + 30;
  StartSilent(all.substr(0, half), all.substr(half));
  EXPECT_TRUE(IsSilentBehind(all.substr(0, half), "/v1/messages", R"({"model":"claude-s","stream":true})"));
  EXPECT_EQ(body_, all);
}

TEST_F(PingTest, NotBehindTheEnd) {
  StartSilent(Joined(kAnthropicEvents), ": bye\n\n");
  EXPECT_TRUE(IsSilentBehind(Joined(kAnthropicEvents), "/v1/messages", R"({"model":"claude-s","stream":true})"));
  EXPECT_EQ(body_, Joined(kAnthropicEvents) + ": bye\n\n");
}

TEST_F(PingTest, OpenAiClientsGetComments) {
  const std::string rest = kOpenAiEvents[2] + kOpenAiEvents[3];
  StartSilent(kOpenAiEvents[0], rest);
  EXPECT_TRUE(IsPinged("/v1/chat/completions", kChatStream, kComment)) << body_;
  const std::string comment(kComment.substr(2));
  for (size_t at; (at = body_.find(comment)) != std::string::npos;) body_.erase(at, comment.size());
  EXPECT_EQ(body_, kOpenAiEvents[0] + rest);
}

TEST_F(PingTest, OpenAiClientsGetCommentsInATranslatedStream) {
  StartSilent(kAnthropicEvents[0] + "event: content", Joined(kAnthropicEvents).substr(kAnthropicEvents[0].size() + 14));
  EXPECT_TRUE(IsPinged("/v1/chat/completions", kOpenAiStream, kComment)) << body_;
  EXPECT_THAT(body_, HasSubstr("h\xC3\xA9llo"));
  EXPECT_TRUE(body_.ends_with("data: [DONE]\n\n"));
}

TEST_F(PingTest, OpenAiClientsGetNoneInsideAnEvent) {
  const std::string begin = kOpenAiEvents[1] + kOpenAiEvents[1].substr(0, 30);
  StartSilent(begin, kOpenAiEvents[1].substr(30) + kOpenAiEvents[3]);
  EXPECT_TRUE(IsSilentBehind(begin, "/v1/chat/completions", kChatStream));
  EXPECT_EQ(body_, kOpenAiEvents[1] + kOpenAiEvents[1] + kOpenAiEvents[3]);
}

TEST_F(PingTest, BetweenEventsThatEndWithCrLf) {
  StartSilent("data: {\"choices\":[]}\r\n\r\n", "data: [DONE]\r\n\r\n");
  EXPECT_TRUE(IsPinged("/v1/chat/completions", kChatStream, "\r\n\r\n: ping\n\n")) << body_;
}

TEST_F(PingTest, NotInStreamsOfUnknownFormats) {
  StartSilent(kOpenAiEvents[0], kOpenAiEvents[3]);
  EXPECT_TRUE(IsSilentBehind(kOpenAiEvents[0], "/p/one/v1/chat/completions", kChatBody));
  EXPECT_EQ(body_, kOpenAiEvents[0] + kOpenAiEvents[3]);
}

}  // namespace
}  // namespace ccr::proxy::testing
