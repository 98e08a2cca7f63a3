// Providers that answer 200 and say nothing, or that they failed.
#include <gmock/gmock.h>

#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kTypeJson = "content-type: application/json\r\n";
constexpr std::string_view kGoodStream =
    "data: {\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}\n\n"
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n"
    "data: [DONE]\n\n";

class NoAnswerTest : public ProxyFixture {
 protected:
  // Key a1 gets `bad`, the others `good`.
  void StartWithBadKey(std::string bad, std::string good) {
    StartUpstream([bad = std::move(bad), good = std::move(good)](Peer& peer, const std::string& request) {
      return peer.Send(request.find("canary-key-a1") != std::string::npos ? bad : good);
    });
    StartProxy();
  }
  void ExpectOtherKeyAnswers(const Response& response, std::string_view body) {
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_THAT(response.body, HasSubstr(body));
    EXPECT_EQ(upstream_->requests().size(), 2U);
    ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 2; }));
    EXPECT_TRUE(broker_.reports()[0].asked_for_next);
    EXPECT_EQ(broker_.reports()[1].evidence.http_status, 200);
  }
  static std::string Stream(std::string_view events) {
    return std::string(kStreamHead) + (events.empty() ? "" : Chunk(events)) + "0\r\n\r\n";
  }
};

constexpr std::string_view kPlainMessagesBody =
    R"({"model":"one,gpt-x","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})";
struct Nothing {
  std::string_view body;
  bool of_streams = true;  // whether a stream may not begin so either
};
constexpr Nothing kNothing[] = {
    {""},
    {R"({"id":"1","choices":null})", false},
    {R"({"id":"1","choices":[]})", false},
    {R"({"choices":null,"base_resp":{"status_code":1000,"status_msg":"unknown error"}})"},
    {R"({"code":500,"msg":"busy","success":false})"},
    {R"({"id":"gen-1","error":{"code":502,"message":"no"},"choices":[]})"},
    {"<html><body>Bad gateway</body></html>"},
};

class PlainNoAnswerTest : public NoAnswerTest, public ::testing::WithParamInterface<Nothing> {
 protected:
  static std::string Bad() { return Answer(200, kTypeJson, GetParam().body); }
};

TEST_P(PlainNoAnswerTest, AnotherKeyAnswers) {
  StartWithBadKey(Bad(), GoodAnswer());
  ExpectOtherKeyAnswers(Chat(), "\"hi\"");
}
TEST_P(PlainNoAnswerTest, AnotherKeyAnswersInAnotherFormat) {
  StartWithBadKey(Bad(), GoodAnswer());
  ExpectOtherKeyAnswers(Ask(Post("/v1/messages", kPlainMessagesBody)), "\"hi\"");
}
TEST_P(PlainNoAnswerTest, AnotherKeyAnswersWithAStream) {
  StartWithBadKey(Bad(), Stream(kGoodStream));
  ExpectOtherKeyAnswers(Ask(Post("/v1/chat/completions", kChatStream)), kGoodStream);
}
TEST_P(PlainNoAnswerTest, InPlaceOfEvents) {
  if (!GetParam().of_streams) return;
  StartWithBadKey(Stream(GetParam().body), Stream(kGoodStream));
  ExpectOtherKeyAnswers(Ask(Post("/v1/chat/completions", kChatStream)), kGoodStream);
}
TEST_P(PlainNoAnswerTest, TheClientGetsAnErrorWhenNoKeyIsLeft) {
  Start(Bad());
  const Response response = Chat();
  EXPECT_GE(response.status, 500);
  EXPECT_TRUE(response.Has("content-type: application/json\r\n")) << response.head;
  EXPECT_THAT(response.body, ::testing::StartsWith("{"));
}
INSTANTIATE_TEST_SUITE_P(All, PlainNoAnswerTest, ::testing::ValuesIn(kNothing));

TEST_F(NoAnswerTest, APageOfUnknownOrOfGreatLength) {
  const std::string html = "<!DOCTYPE html><html>" + std::string(200'000, 'x');
  StartWithBadKey("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n" + Chunk("<html>") +
                      Chunk("</html>") + "0\r\n\r\n",
                  GoodAnswer());
  ExpectOtherKeyAnswers(Chat(), "\"hi\"");
  pool_.reset();
  upstream_.reset();
  StartWithBadKey(Answer(200, "content-type: text/html\r\n", html), GoodAnswer());
  EXPECT_THAT(Chat().body, HasSubstr("\"hi\""));
}

TEST_F(NoAnswerTest, AStreamWithoutEvents) {
  for (const std::string events : {"", ": comment\n\n", "event: ping\ndata: {}\n\n", "data: [DONE]\n\n"}) {
    bool first = true;
    StartUpstream([&first, events](Peer& peer, const std::string&) {
      return peer.Send(Stream(std::exchange(first, false) ? events : kGoodStream));
    });
    StartProxy();
    EXPECT_EQ(Ask(Post("/v1/chat/completions", kChatStream)).body, kGoodStream);
    EXPECT_EQ(upstream_->requests().size(), 2U) << events;
    pool_.reset();
    upstream_.reset();
  }
}

TEST_F(NoAnswerTest, OtherEndpointsPromiseNoChoices) {
  const std::string body = R"({"object":"list","choices":[],"data":[]})";
  Start(Answer(200, kTypeJson, body));
  EXPECT_EQ(Ask(Post("/v1/embeddings", R"({"model":"gpt-x","input":"hi"})")).body, body);
  EXPECT_EQ(Ask(Post("/p/one/v1/anything", "{}")).body, body);
  EXPECT_EQ(upstream_->requests().size(), 2U);
}

TEST_F(NoAnswerTest, OtherPathsMayAnswerWithNothing) {
  Start(Answer(200, "", ""));
  EXPECT_EQ(Ask(Post("/p/one/v1/batches/b1/cancel", "")).status, 200);
  EXPECT_EQ(upstream_->requests().size(), 1U);
}

}  // namespace
}  // namespace ccr::proxy::testing
