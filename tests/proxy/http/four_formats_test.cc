// Clients of OpenAI's Responses and of Gemini's API, the lists of models, and errors in each client's words.
#include <gmock/gmock.h>

#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kHello =
    R"({"id":"c1","object":"chat.completion","model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant",)"
    R"("content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3}})";
const std::string kHelloEvents =
    "data: {\"id\":\"c1\",\"model\":\"gpt-x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":"
    "\"hello\"}}]}\n\n"
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
constexpr std::string_view kGeminiBody = R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})";
constexpr std::string_view kTooLong =
    R"({"error":{"message":"This model's maximum context length is 131072 tokens. However, you requested 137839 tokens )"
    R"((129647 in the messages, 8192 in the completion).","type":"invalid_request_error"}})";

class FourFormatsTest : public ProxyFixture {
 protected:
  void StartStream(std::string events) { Start(std::string(kStreamHead) + Chunk(events) + "0\r\n\r\n"); }
  Response Responses(std::string_view members) {
    return Ask(Post("/v1/responses", R"({"model":"gpt-x","input":"hi")" + std::string(members) + "}"));
  }
  Response Generate(std::string_view target) { return Ask(Post(target, kGeminiBody)); }
};

TEST_F(FourFormatsTest, ResponsesOfAChatProvider) {
  Start(JsonAnswer(200, kHello));
  const Response plain = Responses(R"(,"instructions":"be kind")");
  EXPECT_EQ(plain.status, 200) << plain.body;
  EXPECT_THAT(plain.body, HasSubstr(R"("object":"response")"));
  EXPECT_THAT(plain.body, HasSubstr(R"("text":"hello")"));
  const std::string request = upstream_->requests().at(0);
  EXPECT_TRUE(request.starts_with("POST /v1/chat/completions ")) << request;
  EXPECT_THAT(request, HasSubstr(R"({"role":"system","content":"be kind"},{"role":"user","content":"hi"})"));
  ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
  EXPECT_EQ(broker_.reports()[0].evidence.input_tokens, 11U);
  const Response refused = Responses(R"(,"previous_response_id":"resp_1")");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("previous_response_id"));
  EXPECT_THAT(refused.body, HasSubstr("store"));
}

TEST_F(FourFormatsTest, ResponsesAsAStream) {
  StartStream(kHelloEvents);
  const Response stream = Responses(R"(,"stream":true)");
  EXPECT_TRUE(stream.Has("content-type: text/event-stream\r\n")) << stream.head;
  EXPECT_TRUE(stream.body.starts_with("event: response.created\n")) << stream.body;
  EXPECT_THAT(stream.body, HasSubstr("event: response.output_text.delta\n"));
  EXPECT_THAT(stream.body, HasSubstr("event: response.completed\n"));
}

TEST_F(FourFormatsTest, ResponsesPassWhereTheHostServesThem) {
  StartUpstream([](Peer& peer, const std::string&) {
    return peer.Send(JsonAnswer(200, R"({"id":"r","object":"response","output":[{}]})"));
  });
  table_.providers[0].rules = {{{"*"}, {.responses = true}}};
  StartProxy();
  const Response passed = Responses(R"(,  "previous_response_id":"resp_1")");
  EXPECT_EQ(passed.body, R"({"id":"r","object":"response","output":[{}]})");
  EXPECT_TRUE(upstream_->requests().at(0).starts_with("POST /v1/responses ")) << upstream_->requests().at(0);
  EXPECT_THAT(upstream_->requests().at(0), HasSubstr(R"("input":"hi",  "previous_response_id":"resp_1"})"));
}

TEST_F(FourFormatsTest, TransformersOfChatsLeaveResponsesThatPassAlone) {
  StartUpstream([](Peer& peer, const std::string&) {
    return peer.Send(JsonAnswer(200, R"({"id":"r","object":"response","output":[{}]})"));
  });
  table_.providers[0].rules = {{{"*"}, {.responses = true}}};
  table_.providers[0].transformers = {{"reasoning", "{}"}, {"groq", "{}"}};
  StartProxy();
  EXPECT_EQ(Responses(R"(, "reasoning_effort":"low")").status, 200);
  EXPECT_TRUE(upstream_->requests().at(0).ends_with(R"({"model":"gpt-x","input":"hi", "reasoning_effort":"low"})"));
}

// Texts that look like state of other providers cost a reading and change nothing.
TEST_F(FourFormatsTest, TextsThatLookLikeStatePass) {
  StartUpstream([](Peer& peer, const std::string&) {
    return peer.Send(JsonAnswer(200, R"({"choices":[{"message":{"content":"a"}}],"content":[],"output":[{}]})"));
  });
  Provider openai = table_.providers[0];
  openai.name = "openai";
  openai.format = Format::kResponses;
  openai.base_url = upstream_->Url("/v1/responses");
  table_.providers.push_back(openai);
  StartProxy();
  const std::string text = R"("__sig_atomic_t and __st_ino, ccr1_, \"signature\", \"functionCall\"" )";
  const std::pair<const char*, std::string> rows[] = {
      {"/v1/messages",
       R"({"model":"claude-s","messages":[{ "role":"user","content":)" + text +
           R"(},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"functionCall","input":)"
           R"({"n":123456789012345678901}}]}]})"},
      {"/v1/chat/completions", R"({"model":"gpt-x", "x":1.0,"messages":[{ "role":"user","content":)" + text + "}]}"},
      {"/v1/responses", R"({"model":"openai,gpt-x", "input":[{"id":"msg_1","role":"user","content":)" + text + "}]}"},
  };
  for (const auto& [path, body] : rows) {
    EXPECT_EQ(Ask(Post(path, body)).status, 200) << path;
    const std::string sent = body.substr(body.find(',', body.find("-x") == body.npos ? 0 : body.find("-x")));
    EXPECT_TRUE(upstream_->requests().back().ends_with(sent)) << upstream_->requests().back();
  }
}

TEST_F(FourFormatsTest, GeminiOfAChatProvider) {
  Start(JsonAnswer(200, kHello));
  const Response plain = Generate("/v1beta/models/gpt-x:generateContent");
  EXPECT_EQ(plain.status, 200) << plain.body;
  EXPECT_THAT(plain.body, HasSubstr(R"({"text":"hello"})"));
  EXPECT_THAT(upstream_->requests().at(0), HasSubstr(R"("model":"gpt-x")"));
  EXPECT_EQ(Generate("/v1beta/models/one%2Cgpt-y:generateContent").status, 200);
  EXPECT_THAT(upstream_->requests().at(1), HasSubstr(R"("model":"gpt-y")"));
  const Response count = Generate("/v1beta/models/gpt-x:countTokens");
  EXPECT_THAT(count.body, ::testing::MatchesRegex(R"(\{"totalTokens":[1-9][0-9]*\})"));
  EXPECT_EQ(upstream_->requests().size(), 2U) << "the proxy counts itself";
}

TEST_F(FourFormatsTest, GeminiAsAStreamOfEventsAndAsAnArray) {
  StartStream(kHelloEvents);
  const Response events = Generate("/v1beta/models/gpt-x:streamGenerateContent?alt=sse");
  EXPECT_TRUE(events.Has("content-type: text/event-stream\r\n")) << events.head;
  EXPECT_TRUE(events.body.starts_with("data: {")) << events.body;
  EXPECT_THAT(upstream_->requests().at(0), HasSubstr(R"("stream":true)"));
  const Response array = Generate("/v1beta/models/gpt-x:streamGenerateContent");
  EXPECT_TRUE(array.Has("content-type: application/json\r\n")) << array.head;
  EXPECT_TRUE(array.body.starts_with("[{") && array.body.ends_with("]")) << array.body;
}

TEST_F(FourFormatsTest, GeminiPassesToItsOwnProvider) {
  StartUpstream([](Peer& peer, const std::string& request) {
    return peer.Send(JsonAnswer(200, request.find(":stream") == request.npos ? R"({"candidates":[{"x" : 1}]})"
                                                                             : R"([{"candidates":[{"x" : 1}]}])"));
  });
  Provider google;
  google.name = "google";
  google.format = Format::kGemini;
  google.base_url = upstream_->Url("/v1beta/models/");
  google.models = {"gemini-x"};
  table_.providers.push_back(google);
  StartProxy();
  EXPECT_EQ(Generate("/v1beta/models/gemini-x:generateContent?key=mine").body, R"({"candidates":[{"x" : 1}]})");
  const std::string request = upstream_->requests().at(0);
  EXPECT_TRUE(request.starts_with("POST /v1beta/models/gemini-x:generateContent HTTP/1.1\r\n")) << request;
  EXPECT_TRUE(request.ends_with(kGeminiBody)) << request;
  EXPECT_EQ(Generate("/v1beta/models/gemini-x:streamGenerateContent").body, R"([{"candidates":[{"x" : 1}]}])");
  EXPECT_TRUE(upstream_->requests().at(1).starts_with("POST /v1beta/models/gemini-x:streamGenerateContent HTTP"));
}

TEST_F(FourFormatsTest, ModelsOfEachApi) {
  Start(GoodAnswer());
  const auto get = [this](std::string_view target) {
    return Ask("GET " + std::string(target) + " HTTP/1.1\r\nhost: localhost\r\n\r\n");
  };
  EXPECT_THAT(get("/v1/models/gpt-x").body, HasSubstr(R"("id":"gpt-x")"));
  EXPECT_THAT(get("/v1/models/claude%2Cclaude-s").body, HasSubstr(R"("id":"claude,claude-s")"));
  const Response none = get("/v1/models/nope");
  EXPECT_EQ(none.status, 404);
  EXPECT_THAT(none.body, HasSubstr("GET /v1/models"));
  EXPECT_THAT(get("/v1beta/models").body, HasSubstr(R"({"models":[{"name":"models/gpt-x",)"));
  EXPECT_THAT(get("/v1beta/models/gpt-x").body, HasSubstr(R"("name":"models/gpt-x")"));
  EXPECT_THAT(get("/v1beta/models/nope").body, HasSubstr(R"("status":"NOT_FOUND")"));
}

TEST_F(FourFormatsTest, AContextThatIsTooLongInEachClientsWords) {
  Start(Answer(400, "content-type: application/json\r\n", kTooLong));
  const Response claude = Ask(Post("/v1/messages", R"({"model":"one,gpt-x","max_tokens":8192,"messages":[)"
                                                   R"({"role":"user","content":"hi"}]})"));
  EXPECT_EQ(claude.status, 400);
  EXPECT_THAT(claude.body, HasSubstr("input length and `max_tokens` exceed context limit: 129647 + 8192 > 131072"));
  const Response chat = Chat();
  EXPECT_EQ(chat.status, 400);
  EXPECT_THAT(chat.body, HasSubstr(R"("code":"context_length_exceeded")"));
  EXPECT_THAT(chat.body, HasSubstr("131072"));
  EXPECT_THAT(Responses("").body, HasSubstr(R"("code":"context_length_exceeded")"));
  EXPECT_THAT(Generate("/v1beta/models/gpt-x:generateContent").body, HasSubstr(R"("status":"INVALID_ARGUMENT")"));
}

TEST_F(FourFormatsTest, OwnErrorsAreInTheClientsShape) {
  Start(GoodAnswer());
  const Response unknown = Generate("/v1beta/models/nope%2Cx:generateContent");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr(R"({"error":{"code":404,"message":)"));
  EXPECT_EQ(Ask(Post("/v1beta/models/gpt-x:generateContent", "{")).status, 400);
  EXPECT_THAT(Ask(Post("/v1/responses", "[]")).body, HasSubstr(R"("type":"invalid_request_error")"));
}

}  // namespace
}  // namespace ccr::proxy::testing
