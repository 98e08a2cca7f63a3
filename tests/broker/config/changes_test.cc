#include "broker/config/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/log.h"
#include "tests/broker/config/problems.h"
#include "tests/broker/config/texts.h"

namespace ccr {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

ConfigOutline Outline(const std::string& fields, const std::string& top = "") {
  const ConfigResult result = ParseConfig(OneProvider(kUrl + fields, top), "/cfg/config.json", Env({}));
  EXPECT_TRUE(result.config) << Show(result.problems);
  return ConfigOutline(*result.config);
}

std::vector<std::string> Changes(const std::string& before, const std::string& after) {
  return Outline(before).ChangesTo(Outline(after));
}

TEST(ConfigChanges, NothingChangesNothing) {
  EXPECT_THAT(Changes("api_keys: ['canary-a', 'canary-b']", "api_keys: ['canary-a', 'canary-b']"), IsEmpty());
  EXPECT_THAT(ConfigOutline().ChangesTo(Outline("api_key: 'canary-a'")), IsEmpty());
  EXPECT_THAT(ConfigOutline().NeedRestart(Outline("api_key: 'canary-a'")), IsEmpty());
}

TEST(ConfigChanges, KeysAreNamedAndNeverShown) {
  const std::string two = "api_keys: [{key: 'canary-a', name: 'a'}, {key: 'canary-b', name: 'b'}]";
  EXPECT_THAT(Changes(two, "api_keys: [{key: 'canary-a', name: 'a'}]"), ElementsAre("provider 'p': key 'b' removed"));
  EXPECT_THAT(Changes("api_keys: [{key: 'canary-a', name: 'a'}]", two), ElementsAre("provider 'p': key 'b' added"));
  EXPECT_THAT(Changes(two, "api_keys: [{key: 'canary-a', name: 'a', rpm: 5}, {key: 'canary-c', name: 'b'}]"),
              ElementsAre("provider 'p': key 'b' replaced", "provider 'p': key 'a' changed"));
}

TEST(ConfigChanges, FieldsTellBothValues) {
  EXPECT_THAT(Changes("api_key: 'canary-a'", "api_key: 'canary-a', max_retries: 7, timeouts: {idle: 5}"),
              ElementsAre("provider 'p': max_retries: 3 -> 7", "provider 'p': timeouts.idle: 300000 -> 5"));
  EXPECT_THAT(Outline("api_key: 'a'", "Router: {think: 'p,m'}").ChangesTo(Outline("api_key: 'a'")),
              ElementsAre(R"(Router.think: "p,m" -> "")"));
}

TEST(ConfigChanges, HiddenValuesAreToldWithoutThem) {
  const auto changes =
      Outline("api_key: 'a'", "APIKEY: 'canary-1'").ChangesTo(Outline("api_key: 'a'", "APIKEY: 'canary-2'"));
  EXPECT_THAT(changes, ElementsAre("APIKEY changed"));
  const auto identities = [](const std::string& fields) {
    return Outline("api_key: 'a'", "Broker: {identities: [{role: 'lease', " + fields + "}]}");
  };
  const ConfigOutline before = identities("token: '0123456789abcdef'");
  EXPECT_THAT(before.ChangesTo(identities("token: '0123456789abcdeg'")),
              ElementsAre("Broker.identities (token) changed"));
  EXPECT_THAT(before.NeedRestart(identities("token: '0123456789abcdeg'")), IsEmpty());
  EXPECT_THAT(before.NeedRestart(identities("uid: 7")), ElementsAre("Broker.identities"));
}

TEST(ConfigChanges, WhatOnlyAStartTakesUp) {
  EXPECT_THAT(Outline("api_key: 'a'")
                  .NeedRestart(Outline(
                      "api_key: 'a'",
                      "PORT: 1, LOG_LEVEL: 'debug', Broker: {listen: 'unix:/x'}, Proxy: {max_body_bytes: 5000}")),
              ElementsAre("Broker.listen", "LOG_LEVEL", "PORT", "Proxy.listen"));
}

TEST(ConfigChanges, ProvidersComeAndGo) {
  const auto config = [](const std::string& name) {
    return ConfigOutline(*ParseConfig("{Providers: [{name: '" + name + "', " + kUrl + "models: ['m'], api_key: 'a'}]}",
                                      "/cfg/config.json", Env({}))
                              .config);
  };
  EXPECT_THAT(config("one").ChangesTo(config("two")),
              ElementsAre("provider 'one' removed", "provider 'two' added, 1 key"));
}

TEST(ConfigChanges, LinesAreBounded) {
  std::string before, after;
  for (int i = 0; i < 300; ++i) {
    before += "{name: 'a" + std::to_string(i) + "', " + kUrl + "models: ['m'], api_key: 'a'},";
    after += "{name: 'b" + std::to_string(i) + "', " + kUrl + "models: ['m'], api_key: 'a'},";
  }
  const auto outline = [](const std::string& providers) {
    return ConfigOutline(*ParseConfig("{Providers: [" + providers + "]}", "/cfg/config.json", Env({})).config);
  };
  const std::vector<std::string> changes = outline(before).ChangesTo(outline(after));
  EXPECT_THAT(changes, SizeIs(100));
  EXPECT_EQ(changes.back(), "and 501 more");
}

TEST(LogLevels, OneSetOfWords) {
  EXPECT_EQ(ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("trace"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("fatal"), LogLevel::kError);
  EXPECT_EQ(ParseLogLevel("silent"), LogLevel::kOff);
  EXPECT_EQ(ParseLogLevel("off"), LogLevel::kOff);
  EXPECT_EQ(ParseLogLevel("verbose"), std::nullopt);
  EXPECT_EQ(LogLevelProblem("warn"), "");
  EXPECT_THAT(LogLevelProblem("debgu"), HasSubstr("did you mean debug?"));
}

}  // namespace
}  // namespace ccr
