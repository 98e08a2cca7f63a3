// Transformers on their way through the proxy.
#include <gmock/gmock.h>

#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kCachedBody =
    R"({"model":"one,gpt-x","max_tokens":9000,"system":[{"type":"text","text":"be kind","cache_control":{"type":"ephemeral"}}],)"
    R"("messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kToolBody =
    R"({"model":"one,gpt-x","max_tokens":9,"stream":STREAM,"messages":[{"role":"user","content":"hi"}],)"
    R"("tools":[{"name":"f","input_schema":{"type":"object"}}]})";

std::string OpenAiAnswer(std::string_view message, std::string_view finish) {
  return R"({"id":"c1","object":"chat.completion","created":1,"model":"gpt-x","choices":[{"index":0,"message":)" +
         std::string(message) + R"(,"finish_reason":")" + std::string(finish) +
         R"("}],"usage":{"prompt_tokens":7,"completion_tokens":5}})";
}

std::string Event(std::string_view delta, std::string_view finish) {
  return R"(data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":)" +
         std::string(delta) + R"(,"finish_reason":)" + std::string(finish) + "}]}\n\n";
}

std::string CallOf(std::string_view name, std::string_view arguments) {
  return R"({"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":")" +
         std::string(name) + R"(","arguments":")" + std::string(arguments) + R"("}}]})";
}

class TransformerTest : public ProxyFixture {
 protected:
  // Provider 0 speaks OpenAI's format, 1 Anthropic's.
  void StartWith(std::string answer, size_t provider, std::vector<TransformerUse> transformers) {
    StartUpstream([answer = std::move(answer)](Peer& peer, const std::string&) { return peer.Send(answer); });
    table_.providers[provider].transformers = std::move(transformers);
    StartProxy();
  }
  // A stream of OpenAI's, cut anywhere.
  void StartStream(std::string bytes, std::vector<TransformerUse> transformers) {
    StartUpstream([bytes = std::move(bytes)](Peer& peer, const std::string&) {
      peer.Send(kStreamHead);
      for (size_t at = 0; at < bytes.size(); at += 11) peer.Send(Chunk(bytes.substr(at, 11)));
      return peer.Send("0\r\n\r\n");
    });
    table_.providers[0].transformers = std::move(transformers);
    StartProxy();
  }
  Response Messages(std::string_view body) { return Ask(Post("/v1/messages", body)); }
  Response Tools(bool stream) {
    std::string body(kToolBody);
    return Messages(body.replace(body.find("STREAM"), 6, stream ? "true" : "false"));
  }
  Response Complete(std::string_view body) { return Ask(Post("/v1/chat/completions", body)); }
  std::string Sent() const { return upstream_->requests().at(0); }
};

TEST_F(TransformerTest, EditsBehindTheTranslation) {
  StartWith(JsonAnswer(200, OpenAiAnswer(R"({"content":"a"})", "stop")), 0,
            {{"maxtoken", R"({"max_tokens":8192})"}, {"customparams", R"({"service_tier":"flex"})"}});
  EXPECT_EQ(Messages(kCachedBody).status, 200);
  EXPECT_THAT(Sent(), HasSubstr(R"("max_tokens":8192)"));
  EXPECT_THAT(Sent(), HasSubstr(R"("service_tier":"flex")"));
  EXPECT_THAT(Sent(), Not(HasSubstr("cache_control")));
}

TEST_F(TransformerTest, CacheMarksReachTheClaudeModelsOfOpenRouterOnly) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.Send(GoodAnswer()); });
  table_.providers[0].transformers = {{"openrouter", R"({"provider":{"only":["a"]}})"}};
  table_.providers[0].rules = {{{"*claude*"}, {.cache_control = true}}};
  StartProxy();
  std::string body(kCachedBody);
  Messages(body.replace(body.find("gpt-x"), 5, "anthropic/claude-x"));
  Messages(kCachedBody);
  EXPECT_THAT(upstream_->requests().at(0), HasSubstr(R"("cache_control":{"type":"ephemeral"})"));
  EXPECT_THAT(upstream_->requests().at(0), HasSubstr(R"("provider":{"only":["a"]})"));
  EXPECT_THAT(upstream_->requests().at(1), Not(HasSubstr("cache_control")));
}

TEST_F(TransformerTest, EditsBodiesOfOneFormatToo) {
  StartWith(GoodAnswer(), 0, {{"maxtoken", R"({"max_tokens":5})"}});
  const Response response = Complete(R"({"model":"one,gpt-x", "max_tokens": 9, "messages":[]})");
  EXPECT_THAT(Sent(), EndsWith(R"({"model":"gpt-x","max_tokens":5,"messages":[]})"));
  EXPECT_EQ(response.body, kChatAnswer) << "answers pass byte for byte";
}

TEST_F(TransformerTest, EditsAnthropicBodies) {
  StartWith(JsonAnswer(200, R"({ "content" :[] })"), 1,
            {{"cleancache", "{}"}, {"tooluse", "{}"}, {"sampling", R"({"temperature":0.5})"}});
  const Response response = Messages(
      R"({"model":"claude-s","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{}}]}],"tools":[{}]})");
  EXPECT_THAT(Sent(), EndsWith(R"({"model":"claude-s","max_tokens":9,"messages":[{"role":"user","content":[)"
                               R"({"type":"text","text":"a"}]}],"tools":[{}],"temperature":0.5})"));
  EXPECT_EQ(response.body, R"({ "content" :[] })");
}

TEST_F(TransformerTest, BytesPassWhereNothingEditsThem) {
  StartWith(GoodAnswer(), 0, {{"enhancetool", "{}"}, {"mystery", "{}"}});
  Complete(R"({ "model":"gpt-x",  "x" : 1.50 })");
  EXPECT_THAT(Sent(), EndsWith(R"({ "model":"gpt-x",  "x" : 1.50 })"));
}

TEST_F(TransformerTest, OtherEndpointsAreLeftAlone) {
  StartWith(JsonAnswer(200, kBareAnswer), 0, {{"maxtoken", R"({"max_tokens":5})"}, {"enhancetool", "{}"}});
  for (const char* path : {"/v1/embeddings", "/p/one/chat/completions"}) {
    const Response response = Ask(Post(path, R"({"model":"gpt-x", "max_tokens":9})"));
    EXPECT_EQ(response.body, kBareAnswer) << path;
    EXPECT_THAT(upstream_->requests().back(), EndsWith(R"({"model":"gpt-x", "max_tokens":9})")) << path;
  }
}

TEST_F(TransformerTest, ModelsHaveTheirOwn) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.Send(GoodAnswer()); });
  table_.providers[0].transformers = {{"maxtoken", R"({"max_tokens":50})"}};
  table_.providers[0].model_transformers = {{"gpt-x", {{"maxcompletiontokens", "{}"}}}};
  StartProxy();
  Complete(R"({"model":"one,gpt-x","max_tokens":60})");
  Complete(R"({"model":"one,gpt-y","max_tokens":60})");
  EXPECT_THAT(upstream_->requests().at(0), EndsWith(R"({"model":"gpt-x","max_completion_tokens":50})"));
  EXPECT_THAT(upstream_->requests().at(1), EndsWith(R"({"model":"gpt-y","max_tokens":50})"));
}

TEST_F(TransformerTest, FallbacksUseTheirOwn) {
  StartUpstream([](Peer& peer, const std::string& request) {
    const bool broken = request.find(R"("model":"gpt-x")") != std::string::npos;
    return peer.Send(broken ? Answer(500, "", "broken") : GoodAnswer());
  });
  table_.providers[0].max_retries = 0;
  table_.providers[0].transformers = {{"maxtoken", R"({"max_tokens":5})"}};
  Provider two = table_.providers[0];
  two.name = "two";
  two.models = {"other"};
  two.transformers = {{"maxcompletiontokens", "{}"}};
  table_.providers.push_back(two);
  table_.fallback["default"] = {"two,other"};
  StartProxy();
  EXPECT_EQ(Complete(R"({"model":"gpt-x","max_tokens":9})").status, 200);
  EXPECT_THAT(upstream_->requests().front(), EndsWith(R"({"model":"gpt-x","max_tokens":5})"));
  EXPECT_THAT(upstream_->requests().back(), EndsWith(R"({"model":"other","max_completion_tokens":9})"));
}

TEST_F(TransformerTest, ExitToolIsTextForAnthropicClients) {
  StartWith(JsonAnswer(200, OpenAiAnswer(CallOf("ExitTool", R"({\"response\":\"bye\"})"), "tool_calls")), 0,
            {{"tooluse", "{}"}});
  const Response response = Tools(false);
  EXPECT_THAT(response.body, HasSubstr(R"({"type":"text","text":"bye"})"));
  EXPECT_THAT(response.body, HasSubstr(R"("stop_reason":"end_turn")"));
  EXPECT_THAT(Sent(), HasSubstr(R"("tool_choice":"required")"));
}

TEST_F(TransformerTest, ExitToolStreamsAsText) {
  StartStream(Event(CallOf("ExitTool", R"({\"response\":\"b)"), "null") +
                  Event(R"({"tool_calls":[{"index":0,"function":{"arguments":"ye\"}"}}]})", "null") +
                  Event("{}", R"("tool_calls")") + "data: [DONE]\n\n",
              {{"tooluse", "{}"}});
  const Response response = Tools(true);
  EXPECT_THAT(response.body, HasSubstr(R"({"type":"text_delta","text":"b"})"));
  EXPECT_THAT(response.body, HasSubstr(R"({"type":"text_delta","text":"ye"})"));
  EXPECT_THAT(response.body, HasSubstr(R"("stop_reason":"end_turn")"));
  EXPECT_THAT(response.body, Not(HasSubstr("ExitTool")));
}

TEST_F(TransformerTest, RepairsForOpenAiClients) {
  StartStream(Event(CallOf("f", "{a:"), "null") + Event("{}", R"("tool_calls")") + "data: [DONE]\n\n",
              {{"enhancetool", "{}"}});
  const Response response = Complete(R"({"model":"gpt-x","stream":true,"messages":[]})");
  EXPECT_THAT(response.body, HasSubstr(R"("arguments":"{\"a\":null}")"));
  EXPECT_THAT(response.body, EndsWith("data: [DONE]\n\n"));
  EXPECT_TRUE(response.complete);
}

TEST_F(TransformerTest, ErrorsPassUnmodified) {
  StartWith(Answer(400, "content-type: text/plain\r\n", "no, because"), 0, {{"enhancetool", "{}"}, {"deepseek", "{}"}});
  const Response response = Complete(R"({"model":"gpt-x"})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "no, because");
  EXPECT_TRUE(response.Has("content-type: text/plain\r\n"));
}

TEST_F(TransformerTest, LongToolNamesComeBack) {
  const std::string name = "mcp__" + std::string(80, 'x');
  StartUpstream([](Peer& peer, const std::string& request) {
    const std::string marker = R"("name":")";
    const size_t begin = request.find(marker) + marker.size();
    const std::string sent = request.substr(begin, request.find('"', begin) - begin);
    return peer.Send(JsonAnswer(200, OpenAiAnswer(CallOf(sent, "{}"), "tool_calls")));
  });
  StartProxy();
  std::string body(kToolBody);
  body.replace(body.find("STREAM"), 6, "false");
  const Response response = Messages(body.replace(body.find(R"("f")"), 3, "\"" + name + "\""));
  EXPECT_THAT(Sent(), Not(HasSubstr(name)));
  EXPECT_THAT(response.body, HasSubstr(R"("name":")" + name + "\""));
}

}  // namespace
}  // namespace ccr::proxy::testing
