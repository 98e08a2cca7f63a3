#include "broker/config/forward_proxy.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/broker/config/texts.h"

namespace ccr {
namespace {

constexpr const char* kProvider = "https://api.corp.test/v1/messages";

TEST(ForwardProxyTest, PROXY_URLGoesBeforeTheEnvironment) {
  const EnvLookup env = Env({{"HTTPS_PROXY", "http://of-env.test:1"}});
  EXPECT_EQ(ForwardProxyOf(kProvider, "http://mine.test:8", env), "http://mine.test:8");
  EXPECT_EQ(ForwardProxyOf(kProvider, "", env), "http://of-env.test:1");
  EXPECT_EQ(ForwardProxyOf(kProvider, "", Env({})), "");
}

TEST(ForwardProxyTest, TheEnvironmentsIsChosenByScheme) {
  const EnvLookup env = Env({{"HTTPS_PROXY", "upper.test:1"},
                             {"https_proxy", "http://lower.test:1"},
                             {"HTTP_PROXY", "plain.test:3128"},
                             {"ALL_PROXY", "socks5://all.test:1"}});
  EXPECT_EQ(ForwardProxyOf("https://a.test/", "", env), "http://lower.test:1");
  EXPECT_EQ(ForwardProxyOf("http://a.test/", "", env), "http://plain.test:3128");
  EXPECT_EQ(ForwardProxyOf("http://a.test/", "", Env({{"ALL_PROXY", "socks5://all.test:1"}})), "socks5://all.test:1");
}

TEST(ForwardProxyTest, LoopbackIsDirect) {
  for (const char* host : {"localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.8.9.1", "[::1]"}) {
    EXPECT_EQ(ForwardProxyOf("http://" + std::string(host) + ":11434/v1", "http://mine.test:8", Env({})), "") << host;
  }
}

TEST(ForwardProxyTest, NoProxyIsHonoured) {
  const auto direct = [](const std::string& url, const std::string& list) {
    return ForwardProxyOf(url, "http://mine.test:8", Env({{"NO_PROXY", list}})).empty();
  };
  for (const char* list : {"*", "corp.test", ".corp.test", "*.corp.test", "API.corp.test", "x, corp.test",
                           "x corp.test", "api.corp.test:443"}) {
    EXPECT_TRUE(direct(kProvider, list)) << list;
  }
  for (const char* list : {"", "xapi.corp.test", "pi.corp.test", "corp", "api.corp.test:80", "10.0.0.0/8", ".", ","}) {
    EXPECT_FALSE(direct(kProvider, list)) << list;
  }
  EXPECT_TRUE(direct("http://10.1.2.3/", "10.0.0.0/8"));
  EXPECT_TRUE(direct("http://10.1.2.3:8080/", "10.1.2.3"));
  EXPECT_TRUE(direct("http://10.1.2.3:8080/", "10.1.2.3:8080"));
  EXPECT_TRUE(direct("http://[fd00::1]/", "fd00::/8"));
  EXPECT_TRUE(direct("http://[fd00::1]/", "[fd00::1]"));
  EXPECT_FALSE(direct("http://11.1.2.3/", "10.0.0.0/8"));
  EXPECT_FALSE(direct("http://110.1.2.3/", "10.1.2.3"));
  EXPECT_FALSE(direct("http://10.1.2.3/", "10.0.0.0/33"));
  EXPECT_FALSE(direct("http://10.1.2.3/", "2.3"));
}

TEST(ForwardProxyTest, AProviderHasTheOneThatLeadsThere) {
  const std::string text = R"({Providers: [
    {name: 'a', api_base_url: 'https://a.test/v1/messages', api_key: 'canary-key-a1', models: ['m']},
    {name: 'b', api_base_url: 'http://127.0.0.1:1/v1/messages', api_key: 'canary-key-b1', models: ['m']}]})";
  const ConfigResult good = ParseConfig(text, "/cfg/config.json", Env({{"ALL_PROXY", "proxy.test:1"}}));
  ASSERT_TRUE(good.config);
  EXPECT_EQ(good.config->providers[0].proxy_url, "http://proxy.test:1");
  EXPECT_EQ(good.config->providers[1].proxy_url, "");
  const ConfigResult bad =
      ParseConfig(text, "/cfg/config.json", Env({{"HTTPS_PROXY", "ftp://user:canary@proxy.test"}}));
  EXPECT_FALSE(bad.config);
  ASSERT_EQ(bad.problems.size(), 1u);
  EXPECT_NE(bad.problems[0].message.find("HTTPS_PROXY"), std::string::npos);
  EXPECT_EQ(bad.problems[0].message.find("canary"), std::string::npos);
}

}  // namespace
}  // namespace ccr
