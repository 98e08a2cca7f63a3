#include "proxy/http/request_id.h"

#include <algorithm>

#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

std::string HeaderOf(const Response& response, std::string_view name) {
  const std::string begin = "\r\n" + std::string(name) + ": ";
  const size_t at = response.head.find(begin);
  if (at == std::string::npos) return "";
  const size_t value = at + begin.size();
  return response.head.substr(value, response.head.find("\r\n", value) - value);
}

TEST(RequestIdTest, OnlyWhatIsPrintableAndBoundedAndNoCredentialIsTakenFromAClient) {
  EXPECT_EQ(RequestIdFor("trace-7:a/b"), "trace-7:a/b");
  EXPECT_EQ(RequestIdFor(std::string(128, 'x')).size(), 128U);
  for (const std::string& bad : {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a\x1b[2J"),
                                 std::string("\xC3\xA9"), std::string("sk-abcdefgh1234")}) {
    const std::string id = RequestIdFor(bad);
    EXPECT_EQ(id.size(), 20U) << bad;
    EXPECT_NE(id, RequestIdFor(bad));
  }
}

TEST(RequestIdTest, TextBecomesAHeaderOfOneLine) {
  EXPECT_EQ(HeaderText("key 1\r\nx: y\xC3\xA9"), "key 1??x: y??");
}

class RequestNameTest : public ProxyFixture {};

TEST_F(RequestNameTest, AnAnswerNamesItsRequestProviderKeyAndAttempts) {
  Start(GoodAnswer());
  const Response response = Ask(Post("/v1/chat/completions", kChatBody, "X-Request-Id: mine-1\r\n"));
  EXPECT_EQ(HeaderOf(response, "x-ccr-request-id"), "mine-1");
  EXPECT_EQ(HeaderOf(response, "x-request-id"), "mine-1");
  EXPECT_EQ(HeaderOf(response, "x-ccr-provider"), "one");
  EXPECT_EQ(HeaderOf(response, "x-ccr-key"), "canary-key-a1");  // the fake broker's name of it
  EXPECT_EQ(HeaderOf(response, "x-ccr-attempts"), "1");
}

TEST_F(RequestNameTest, TheProvidersOwnIdsAreRelayedAndItsWordsOfUsAreNot) {
  Start(JsonAnswer(200, kChatAnswer, "x-request-id: theirs\r\nrequest-id: too\r\nx-ccr-key: forged\r\n"));
  const Response response = Ask(Get("/p/one/v1/models", "x-request-id: mine-1\r\n"));
  EXPECT_EQ(HeaderOf(response, "x-request-id"), "theirs");
  EXPECT_EQ(HeaderOf(response, "request-id"), "too");
  EXPECT_EQ(HeaderOf(response, "x-ccr-request-id"), "mine-1");
  EXPECT_EQ(HeaderOf(response, "x-ccr-provider"), "one");
  EXPECT_FALSE(response.Has("forged"));
}

TEST_F(RequestNameTest, ARotationIsCountedAndTheKeyThatServedIsNamed) {
  StartUpstream([](Peer& peer, const std::string& request) {
    const bool first = request.find("canary-key-a1") != std::string::npos;
    return peer.Send(first ? JsonAnswer(429, "{}") : GoodAnswer());
  });
  StartProxy();
  const Response response = Chat();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(HeaderOf(response, "x-ccr-attempts"), "2");
  EXPECT_EQ(HeaderOf(response, "x-ccr-key"), "canary-key-b2");
}

TEST_F(RequestNameTest, EveryErrorOfOursNamesItsRequest) {
  Start(GoodAnswer());
  for (const std::string& request :
       {Get("/nowhere"), Get("/health", "origin: https://evil.example\r\n"), Post("/v1/messages", "no json"),
        std::string("nonsense\r\n\r\n"), Get("/p/nobody/x")}) {
    const Response response = Ask(request);
    const std::string id = HeaderOf(response, "x-ccr-request-id");
    EXPECT_GE(response.status, 400) << request;
    EXPECT_EQ(id.size(), 20U) << request;
    EXPECT_NE(response.body.find("(request " + id + ")"), std::string::npos) << response.body;
  }
  broker_.Refuse({absl::ResourceExhaustedError("none"), std::nullopt});
  const Response response = Chat();
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(HeaderOf(response, "x-ccr-attempts"), "0");
  EXPECT_EQ(HeaderOf(response, "x-ccr-key"), "");
  EXPECT_NE(response.body.find("(request "), std::string::npos);
}

TEST_F(RequestNameTest, RequestsOfOneConnectionHaveNamesOfTheirOwn) {
  Start(GoodAnswer());
  TestClient client(port());
  const Response first = client.Ask(Post("/v1/chat/completions", kChatBody, "x-request-id: mine-1\r\n"));
  const Response second = client.Ask(Post("/v1/chat/completions", kChatBody));
  EXPECT_EQ(HeaderOf(first, "x-ccr-request-id"), "mine-1");
  EXPECT_EQ(HeaderOf(second, "x-ccr-request-id").size(), 20U);
}

}  // namespace
}  // namespace ccr::proxy::testing
