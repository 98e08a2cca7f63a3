// The Router's rules and fallback lists, as a client meets them.
#include <gmock/gmock.h>

#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kBroken = Answer(500, "", R"({"error":{"message":"broken"}})");

std::string ModelOf(const std::string& request) {
  const std::string key = R"("model":")";
  const size_t begin = request.find(key) + key.size();
  return request.substr(begin, request.find('"', begin) - begin);
}

class RoutingTest : public ProxyFixture {
 protected:
  // Providers that list nothing: what is asked is the Router's business. `broken` are models that fail.
  void StartRouter(std::vector<std::string> broken = {}) {
    StartUpstream([broken](Peer& peer, const std::string& request) {
      const bool bad = std::count(broken.begin(), broken.end(), ModelOf(request)) > 0;
      return peer.Send(bad ? kBroken : GoodAnswer());
    });
    for (Provider& provider : table_.providers) {
      provider.models.clear();
      provider.max_retries = 0;
    }
    table_.default_route = "one,default";
  }
  std::vector<std::string> Models() const {
    std::vector<std::string> models;
    for (const std::string& request : upstream_->requests()) models.push_back(ModelOf(request));
    return models;
  }
  Response Complete(std::string_view members, std::string_view headers = "") {
    return Ask(Post("/v1/chat/completions", "{" + std::string(members) + R"(,"messages":[]})", headers));
  }
};

TEST_F(RoutingTest, RulesSeeTheBody) {
  StartRouter();
  table_.think = "one,think";
  table_.background = "one,background";
  StartProxy();
  Complete(R"("model":"any")");
  Complete(R"("model":"any","reasoning_effort":"high")");
  Complete(R"("model":"claude-haiku")");
  Complete(R"("model":"one,mine","reasoning_effort":"high")");
  EXPECT_THAT(Models(), ElementsAre("default", "think", "background", "mine"));
}

TEST_F(RoutingTest, OtherEndpointsKnowNoChatBodies) {
  StartRouter();
  table_.think = "one,think";
  StartProxy();
  Ask(Post("/v1/embeddings", R"({"model":"any","reasoning_effort":"high"})"));
  EXPECT_THAT(Models(), ElementsAre("default"));
}

TEST_F(RoutingTest, SubagentTagNamesTheModelAndIsCut) {
  StartRouter();
  StartProxy();
  const std::string tag = "<CCR-SUBAGENT-MODEL>one,sub</CCR-SUBAGENT-MODEL>";
  Ask(Post("/v1/chat/completions",
           R"({"model":"any","messages":[{"role":"user","content":")" + tag + R"(be kind"}]})"));
  EXPECT_THAT(upstream_->requests().at(0),
              HasSubstr(R"({"model":"sub","messages":[{"role":"user","content":"be kind"}]})"));
  Ask(Post("/v1/messages", R"({"model":"any","max_tokens":5,"system":")" + tag +
                               R"(be kind","messages":[{"role":"user","content":"hi"}]})"));
  EXPECT_EQ(ModelOf(upstream_->requests().at(1)), "sub");
  EXPECT_THAT(upstream_->requests().at(1), Not(HasSubstr("CCR-SUBAGENT")));
  EXPECT_THAT(upstream_->requests().at(1), HasSubstr("be kind"));
}

TEST_F(RoutingTest, LongContextRemembersTheSession) {
  const std::string large =
      R"({"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":70000,"completion_tokens":5}})";
  StartUpstream([large](Peer& peer, const std::string&) {
    return peer.Send(Answer(200, "content-type: application/json\r\n", large));
  });
  table_.providers[0].models.clear();
  table_.default_route = "one,default";
  table_.long_context = "one,long";
  StartProxy();
  std::string text;
  while (text.size() < 30000 * 5) text += "word ";
  const std::string body = R"({"model":"any","messages":[{"role":"user","content":")" + text + R"("}]})";
  const auto ask = [&](std::string_view session) {
    Ask(Post("/v1/chat/completions", body, "x-claude-code-session-id: " + std::string(session) + "\r\n"));
    return ModelOf(upstream_->requests().back());
  };
  EXPECT_EQ(ask("s1"), "default") << "30000 tokens and nothing known of the session";
  EXPECT_EQ(ask("s1"), "long") << "70000 tokens the last time";
  EXPECT_EQ(ask("s2"), "default") << "another session";
}

class FallbackTest : public RoutingTest {
 protected:
  void StartFallback(std::vector<std::string> broken, std::vector<std::string> list) {
    StartRouter(std::move(broken));
    table_.fallback["default"] = std::move(list);
    StartProxy();
  }
};

TEST_F(FallbackTest, NextModelWhenTheProviderFails) {
  StartFallback({"default", "second"}, {"one,default", "nobody,x", "one,second", "one,third", "one,fourth"});
  const Response response = Complete(R"("model":"any")");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, kChatAnswer);
  EXPECT_THAT(Models(), ElementsAre("default", "second", "third"));
  EXPECT_THAT(Metrics(), HasSubstr("ccr_fallbacks_total{route=\"default\"} 2\n"));
  EXPECT_TRUE(Eventually([&] { return broker_.in_flight() == 0; }));
  EXPECT_EQ(broker_.reports().size(), 3U);
}

TEST_F(FallbackTest, TheLastAnswerWhenAllFail) {
  StartFallback({"default", "second"}, {"one,second", "one,default"});
  const Response response = Complete(R"("model":"any")");
  EXPECT_EQ(response.status, 500);
  EXPECT_THAT(response.body, HasSubstr("broken"));
  EXPECT_THAT(Models(), ElementsAre("default", "second"));
}

// "one" fails every request; the fallback is of Anthropic's format.
class FormatFallbackTest : public FallbackTest {
 protected:
  void Prepare() {
    const std::string answer =
        R"({"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"from claude"}],)"
        R"("stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":5}})";
    StartUpstream([answer](Peer& peer, const std::string& request) {
      const bool anthropic = request.starts_with("POST /v1/messages ");
      return peer.Send(anthropic ? Answer(200, "content-type: application/json\r\n", answer) : kBroken);
    });
    table_.providers[0].max_retries = 0;
    table_.fallback["default"] = {"claude,claude-s"};
  }
  void ExpectClaudeAnswers() {
    const Response response = Chat();
    EXPECT_EQ(response.status, 200);
    EXPECT_THAT(response.body, HasSubstr(R"("content":"from claude")"));
  }
};

TEST_F(FormatFallbackTest, WhenTheProviderFails) {
  Prepare();
  StartProxy();
  ExpectClaudeAnswers();
  EXPECT_THAT(Models(), ElementsAre("gpt-x", "claude-s"));
}

TEST_F(FormatFallbackTest, WhenThePoolHasNoKey) {
  Prepare();
  broker_.RefusePool("one", {absl::ResourceExhaustedError("none"), absl::Seconds(9)});
  StartProxy();
  ExpectClaudeAnswers();
  EXPECT_THAT(Models(), ElementsAre("claude-s"));
}

TEST_F(FormatFallbackTest, WhenTheProviderIsAway) {
  Prepare();
  table_.providers[0].base_url = "http://127.0.0.1:1/v1/chat/completions";
  StartProxy();
  ExpectClaudeAnswers();
}

TEST_F(FallbackTest, WhenNoKeyDidBetterThanItsAnswer) {
  for (const int status : {400, 403, 404}) {
    SCOPED_TRACE(status);
    StartUpstream([status](Peer& peer, const std::string& request) {
      return peer.Send(request.find("second") == std::string::npos ? Answer(status, "", "{}") : GoodAnswer());
    });
    table_.fallback["default"] = {"one,second"};
    broker_.SetExhausted(true);
    StartProxy();
    EXPECT_EQ(Chat().body, kChatAnswer);
    EXPECT_EQ(Models().back(), "second");
    pool_.reset();
    upstream_.reset();
  }
}

TEST_F(FallbackTest, NotForTheCallersFaultNorWithoutABroker) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.Send(Answer(400, "", "{}")); });
  table_.fallback["default"] = {"one,second"};
  StartProxy();
  EXPECT_EQ(Chat().status, 400);
  EXPECT_EQ(upstream_->requests().size(), 1U);
  broker_.Refuse({absl::UnavailableError(""), std::nullopt});
  EXPECT_EQ(Chat().status, 503);
  EXPECT_EQ(broker_.lease_requests().size(), 2U);
}

TEST_F(FallbackTest, NotForProviderPathsNorEndpointsItLacks) {
  StartRouter({"any"});
  table_.fallback["default"] = {"claude,claude-s"};
  table_.default_route = "one,any";
  StartProxy();
  EXPECT_EQ(Ask(Post("/v1/embeddings", R"({"model":"any"})")).status, 500);
  EXPECT_EQ(Ask(Post("/p/one/v1/embeddings", R"({"model":"any"})")).status, 500);
  EXPECT_THAT(Models(), ElementsAre("any", "any"));
}

}  // namespace
}  // namespace ccr::proxy::testing
