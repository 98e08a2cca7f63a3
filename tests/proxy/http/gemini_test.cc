// Clients of both formats in front of a provider that speaks Gemini's.
#include <gmock/gmock.h>

#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kMessagesBody =
    R"({"model":"google,gemini-x","max_tokens":9,"system":"be kind","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kMessagesStream =
    R"({"model":"google,gemini-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kCompletionsBody = R"({"model":"gemini-x","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kCompletionsStream =
    R"({"model":"gemini-x","stream":true,"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kAnswer =
    R"({"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"},"finishReason":"STOP"}],)"
    R"("usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"thoughtsTokenCount":2}})";
const std::string kEvents =
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"h\xC3\xA9llo\"}]}}],\"usageMetadata\": "
    "{\"promptTokenCount\": 11}}\r\n\r\n";
const std::string kLastEvent =
    "data: {\"candidates\": [{\"finishReason\": \"STOP\"}],\"usageMetadata\": {\"promptTokenCount\": "
    "11,\"candidatesTokenCount\": 3}}\r\n\r\n";

class GeminiTest : public ProxyFixture {
 protected:
  void StartGemini(FakeUpstream::Script script) {
    StartUpstream(std::move(script));
    Provider google;
    google.name = "google";
    google.format = Format::kGemini;
    google.base_url = upstream_->Url("/v1beta/models/");
    google.models = {"gemini-x", "tuned/x"};
    table_.providers.push_back(google);
    StartProxy();
  }
  void StartAnswer(std::string answer) {
    StartGemini([answer = std::move(answer)](Peer& peer, const std::string&) { return peer.Send(answer); });
  }
  void StartStream(std::string bytes) {
    StartGemini([bytes = std::move(bytes)](Peer& peer, const std::string&) {
      peer.Send(kStreamHead);
      for (size_t at = 0; at < bytes.size(); at += 7) peer.Send(Chunk(bytes.substr(at, 7)));
      return peer.Send("0\r\n\r\n");
    });
  }
  Response Messages(std::string_view body, std::string_view headers = "") {
    return Ask(Post("/v1/messages?beta=true", body, headers));
  }
  Response Completions(std::string_view body) { return Ask(Post("/v1/chat/completions", body)); }
  Evidence OnlyEvidence() {
    EXPECT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
    return broker_.reports().at(0).evidence;
  }
};

TEST_F(GeminiTest, PlainForAnAnthropicClient) {
  StartAnswer(JsonAnswer(200, kAnswer));
  const Response response = Messages(kMessagesBody, "anthropic-version: 2023-06-01\r\nx-goog-api-key: mine\r\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr(R"({"type":"text","text":"hello"})"));
  EXPECT_THAT(response.body, HasSubstr(R"("output_tokens":5)"));
  const std::string request = upstream_->requests().at(0);
  EXPECT_TRUE(request.starts_with("POST /v1beta/models/gemini-x:generateContent HTTP/1.1\r\n")) << request;
  EXPECT_THAT(request, HasSubstr(R"("systemInstruction":{"parts":[{"text":"be kind"}]})"));
  EXPECT_THAT(request, Not(HasSubstr("anthropic")));
  EXPECT_THAT(request, HasSubstr("x-goog-api-key: canary-key-a1\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("mine")));
  const Evidence evidence = OnlyEvidence();
  EXPECT_EQ(evidence.input_tokens, 7U);
  EXPECT_EQ(evidence.output_tokens, 5U);
  EXPECT_FALSE(evidence.incomplete);
}

TEST_F(GeminiTest, PlainForAnOpenAiClient) {
  StartAnswer(JsonAnswer(200, kAnswer));
  const Response response = Completions(kCompletionsBody);
  EXPECT_THAT(response.body, HasSubstr(R"("content":"hello")"));
  EXPECT_THAT(response.body, Not(HasSubstr(R"("created":0)")));
  EXPECT_THAT(upstream_->requests().at(0), Not(HasSubstr("anthropic-version")));
}

TEST_F(GeminiTest, StreamForBothClients) {
  StartStream(kEvents + kLastEvent);
  const Response anthropic = Messages(kMessagesStream);
  EXPECT_TRUE(anthropic.complete);
  EXPECT_THAT(anthropic.body, HasSubstr("\"text\":\"h\xC3\xA9llo\""));
  EXPECT_THAT(anthropic.body, HasSubstr("event: message_stop\n"));
  EXPECT_TRUE(upstream_->requests().at(0).starts_with(
      "POST /v1beta/models/gemini-x:streamGenerateContent?alt=sse HTTP/1.1\r\n"));
  const Evidence evidence = OnlyEvidence();
  EXPECT_EQ(evidence.input_tokens, 11U);
  EXPECT_EQ(evidence.output_tokens, 3U);
  EXPECT_FALSE(evidence.incomplete);
  EXPECT_TRUE(Completions(kCompletionsStream).body.ends_with("data: [DONE]\n\n"));
}

TEST_F(GeminiTest, AStreamWithoutItsEndIsIncomplete) {
  StartStream(kEvents);
  EXPECT_THAT(Messages(kMessagesStream).body, HasSubstr("event: error\n"));
  EXPECT_TRUE(OnlyEvidence().incomplete);
}

TEST_F(GeminiTest, ABlockedPromptIsNobodysFailure) {
  StartStream("data: {\"promptFeedback\": {\"blockReason\": \"SAFETY\"}}\r\n\r\n");
  EXPECT_THAT(Messages(kMessagesStream).body, HasSubstr(R"("stop_reason":"refusal")"));
  EXPECT_FALSE(OnlyEvidence().incomplete);
}

TEST_F(GeminiTest, AnInvalidKeyIsTheKeysFaultAndTheModelIsEscaped) {
  StartGemini([](Peer& peer, const std::string& request) {
    if (request.find("canary-key-a1") == std::string::npos) return peer.Send(JsonAnswer(200, kAnswer));
    return peer.Send(JsonAnswer(400,
                                R"({"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT",)"
                                R"("details":[{"reason":"API_KEY_INVALID"}]}})"));
  });
  const Response response = Completions(R"({"model":"tuned/x","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(response.status, 200) << response.body;
  ASSERT_FALSE(broker_.reports().empty());
  EXPECT_EQ(broker_.reports()[0].evidence.error_code, "API_KEY_INVALID");
  EXPECT_TRUE(upstream_->requests().at(0).starts_with("POST /v1beta/models/tuned%2Fx:generateContent "));
}

TEST_F(GeminiTest, EndpointsThatGeminiLacksAre501) {
  StartAnswer(JsonAnswer(200, "{}"));
  const Response response = Ask(Post("/v1/embeddings", R"({"model":"gemini-x"})"));
  EXPECT_EQ(response.status, 501);
  EXPECT_THAT(response.body, HasSubstr("Gemini's format"));
  EXPECT_TRUE(upstream_->requests().empty());
}

TEST_F(GeminiTest, AnyPathBehindThePrefix) {
  StartAnswer(JsonAnswer(200, kAnswer));
  EXPECT_EQ(Ask(Post("/p/google/v1beta/models/m:countTokens?key=mine&a=b", "{}")).body, kAnswer);
  EXPECT_TRUE(upstream_->requests().at(0).starts_with("POST /v1beta/models/m:countTokens?a=b HTTP/1.1\r\n"));
  EXPECT_EQ(OnlyEvidence().input_tokens, 7U);
}

TEST_F(GeminiTest, TheClientTokenMayComeAsGooglesSdksSendIt) {
  table_.client_token_sha256 = Sha256("canary-token");
  StartAnswer(JsonAnswer(200, kAnswer));
  EXPECT_EQ(Messages(kMessagesBody).status, 401);
  EXPECT_EQ(Messages(kMessagesBody, "x-goog-api-key: canary-token\r\n").status, 200);
  EXPECT_THAT(upstream_->requests().at(0), Not(HasSubstr("canary-token")));
}

TEST_F(GeminiTest, LongToolNamesComeBack) {
  const std::string name = "mcp__" + std::string(80, 'x');
  StartGemini([](Peer& peer, const std::string& request) {
    const std::string marker = R"("functionDeclarations":[{"name":")";
    const size_t begin = request.find(marker) + marker.size();
    const std::string sent = request.substr(begin, request.find('"', begin) - begin);
    return peer.Send(JsonAnswer(200, R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":")" + sent +
                                         R"(","args":{}}}]},"finishReason":"STOP"}]})"));
  });
  std::string body(kMessagesBody);
  body.insert(1, R"("tools":[{"name":")" + name + R"(","input_schema":{"type":"object"}}],)");
  const Response response = Messages(body);
  EXPECT_THAT(upstream_->requests().at(0), Not(HasSubstr(name)));
  EXPECT_THAT(response.body, HasSubstr(R"("name":")" + name + "\""));
}

}  // namespace
}  // namespace ccr::proxy::testing
