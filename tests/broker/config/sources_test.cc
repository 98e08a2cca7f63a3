// Keys that are kept outside of the configuration: what it says of them, and what becomes of what they give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/config/config.h"
#include "tests/broker/config/problems.h"
#include "tests/broker/config/texts.h"

namespace ccr {
namespace {

using State = SecretAnswer::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Answers by the sources' names.
class FakeResolver final : public SecretResolver {
 public:
  void Prepare(const std::vector<SecretSource>& sources) override {
    for (const SecretSource& source : sources) prepared.push_back(source.Name());
  }
  SecretAnswer Resolve(const SecretSource& source) override {
    asked.push_back(source);
    const auto fails = failing.find(source.Name());
    if (fails != failing.end()) {
      SecretAnswer answer{fails->second, std::nullopt, "is away", {}};
      if (answer.state == State::kKept) answer.text = Secret(texts[source.Name()]);
      return answer;
    }
    return {State::kRead, Secret(texts[source.Name()]), "", {}};
  }

  std::map<std::string, std::string> texts;
  std::map<std::string, State> failing;
  std::vector<std::string> prepared;
  std::vector<SecretSource> asked;
};

class SourcesTest : public ::testing::Test {
 protected:
  ConfigResult Parse(const std::string& fields, const std::string& top = "") {
    return ParseConfig(OneProvider(kUrl + fields, top), "/etc/ccr/config.json",
                       Env({{"HOME", "/home/u"}, {"PATH", "/bin"}, {"AWS_PROFILE", "prod"}}), &resolver_);
  }
  static std::vector<std::string> Keys(const ConfigResult& result) {
    std::vector<std::string> keys;
    for (const KeyConfig& key : result.config->providers[0].keys) {
      keys.push_back(key.name + "=" + std::string(key.secret.Reveal()));
    }
    return keys;
  }

  FakeResolver resolver_;
};

constexpr const char* kVault =
    "Broker: {vault: {address: 'https://vault.test:8200/', auth: {token: {file: 'vault.token'}}}}";

TEST_F(SourcesTest, EachLineOfAFileIsAKey) {
  resolver_.texts["key file /etc/ccr/many"] = "# team\n canary-key-a1 \r\n\ncanary-key-a2\ncanary-key-a1\n";
  const ConfigResult result = Parse("api_keys: ['canary-key-b1', {file: 'many', name: 'team', rpm: 3}]");
  ASSERT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(Keys(result), ElementsAre("=canary-key-b1", "team-1=canary-key-a1", "team-2=canary-key-a2"));
  EXPECT_EQ(result.config->providers[0].keys[2].limits.rpm, 3u);
  EXPECT_THAT(Show(result.problems),
              HasSubstr("warning: provider 'p': Providers[0].api_keys[1]: key file /etc/ccr/many gives 1 key again"));
  EXPECT_THAT(Show(result.problems), Not(HasSubstr("canary")));
}

TEST_F(SourcesTest, OneKeyKeepsItsName) {
  resolver_.texts["key file /run/one"] = "canary-key-a1\n";
  EXPECT_THAT(Keys(Parse("api_keys: {file: '/run/one', name: 'team'}")), ElementsAre("team=canary-key-a1"));
}

TEST_F(SourcesTest, AKeyThatTwoSourcesGiveIsUsedOnce) {
  resolver_.texts["key file /run/one"] = "canary-key-a1";
  resolver_.texts["key file /run/two"] = "canary-key-a2\ncanary-key-a1";
  const ConfigResult result = Parse("api_keys: [{file: '/run/one'}, {file: '/run/two'}, {key: 'canary-key-a2'}]");
  ASSERT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(Keys(result), ElementsAre("=canary-key-a1", "=canary-key-a2"));
  EXPECT_THAT(Show(result.problems), HasSubstr("api_keys[1]: the same key as api_keys[0]: it is used once"));
  EXPECT_THAT(Show(result.problems), HasSubstr("api_keys[2]: the same key as api_keys[1]: it is used once"));
}

TEST_F(SourcesTest, SeveralKeysInApiKeyAreTold) {
  resolver_.texts["key file /run/two"] = "canary-key-a1\ncanary-key-a2";
  EXPECT_THAT(Show(Parse("api_key: {file: '/run/two'}").problems), HasSubstr("only the first is used: write api_keys"));
}

TEST_F(SourcesTest, ASecretMustBeOne) {
  resolver_.texts["key file /run/two"] = "canary-key-a1\ncanary-key-a2";
  EXPECT_THAT(Show(Parse("api_key: 'canary-key-b1'", "APIKEY: {file: '/run/two'}").problems),
              HasSubstr("APIKEY: key file /run/two holds several lines: it must be one"));
}

TEST_F(SourcesTest, AProgramIsRunWithWhatItsEntrySays) {
  resolver_.texts["exec op"] = "canary-key-a1\n";
  const ConfigResult result = Parse(
      "api_keys: [{key: {exec: ['bin/op', 'read', 'op://a b/c'], ttl: 60000, env: ['AWS_PROFILE', 'A=b=c']}, rpm: 2}]");
  ASSERT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(Show(result.problems), IsEmpty());
  ASSERT_EQ(result.config->sources.size(), 1u);
  const SecretSource& source = result.config->sources[0];
  EXPECT_THAT(source.argv, ElementsAre("/etc/ccr/bin/op", "read", "op://a b/c"));
  EXPECT_THAT(source.environment, ElementsAre("PATH=/bin", "HOME=/home/u", "AWS_PROFILE=prod", "A=b=c"));
  EXPECT_EQ(source.folder, "/etc/ccr/");
  EXPECT_EQ(source.ttl, absl::Minutes(1));
  EXPECT_THAT(Keys(result), ElementsAre("=canary-key-a1"));
  EXPECT_EQ(result.config->providers[0].keys[0].limits.rpm, 2u);
}

TEST_F(SourcesTest, SourcesAreAskedForTogetherAndKeptOnce) {
  resolver_.texts["exec pass"] = "canary-key-a1";
  resolver_.texts["vault kv/data/openai#key"] = "canary-key-a2";
  const ConfigResult result =
      Parse("api_keys: [{exec: ['pass', 'x']}, {vault: 'kv/data/openai#key'}, {exec: ['pass', 'x']}]", kVault);
  ASSERT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(resolver_.prepared, ElementsAre("exec pass", "vault kv/data/openai#key"));
  EXPECT_EQ(result.config->sources.size(), 2u);
  EXPECT_THAT(Keys(result), ElementsAre("=canary-key-a1", "=canary-key-a2"));
}

TEST_F(SourcesTest, AVaultIsDescribed) {
  const std::string kubernetes =
      "Broker: {vault: {address: 'http://127.0.0.1:8200/v1/', namespace: 'team', refresh: 5000, ca_file: 'ca.pem', "
      "auth: "
      "{kubernetes: {role: 'ccr'}}}}";
  const ConfigResult result = Parse("api_key: 'canary-key-a1'", kubernetes);
  ASSERT_TRUE(result.config) << Show(result.problems);
  const VaultConfig& vault = *result.config->broker.vault;
  EXPECT_EQ(vault.address, "http://127.0.0.1:8200");
  EXPECT_EQ(vault.name_space, "team");
  EXPECT_EQ(vault.refresh, absl::Seconds(5));
  EXPECT_EQ(vault.ca_file, "/etc/ccr/ca.pem");
  EXPECT_EQ(vault.login, VaultConfig::Login::kKubernetes);
  EXPECT_EQ(vault.mount, "kubernetes");
  EXPECT_EQ(vault.jwt_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
  const ConfigResult approle =
      Parse("api_key: 'canary-key-a1'",
            "Broker: {vault: {address: 'https://v.test', auth: {approle: {role_id: 'r', secret_id: {file: '~/id'}}}}}");
  ASSERT_TRUE(approle.config) << Show(approle.problems);
  EXPECT_EQ(approle.config->broker.vault->secret_id_file, "/home/u/id");
  EXPECT_THAT(
      DescribeConfig(*approle.config),
      HasSubstr("  vault:\n    address: https://v.test\n    refresh: 60000\n    auth:\n      approle:\n        mount: "
                "approle\n        role_id: r\n        secret_id:\n          file: /home/u/id\n"));
}

TEST_F(SourcesTest, WhatIsWrongIsTold) {
  const std::vector<std::pair<std::string, std::string>> entries = {
      {"{exec: []}", "api_keys[0].exec: is empty: write [PROGRAM, ARGUMENT, ...]"},
      {"{exec: 'op read x'}", "api_keys[0].exec: must be a list"},
      {"{exec: ['op'], ttl: 10}", "api_keys[0].ttl: must be"},
      {"{exec: ['op'], env: ['1X']}", "api_keys[0].env: write NAME to pass a variable on, or NAME=VALUE"},
      {"{exec: ['op'], env: ['NONE']}", "api_keys[0].env: environment variable NONE is not set"},
      {"{exec: ['op'], file: '/x'}", "api_keys[0]: several sources are given"},
      {"{key: 'canary-key-a1', file: '/x'}", "api_keys[0]: both key and a source are given"},
      {"{vault: 'kv/data/openai'}", "api_keys[0].vault: write \"PATH#FIELD\""},
      {"{vault: '/kv#key'}", "api_keys[0].vault: write \"PATH#FIELD\""},
      {"{vault: 'kv/x#key'}", "api_keys[0].vault: Broker.vault must say which server"},
      {"{weight: 1}", "api_keys[0]: the key is missing: write {key: \"...\"}, {file: PATH}, {exec: [PROGRAM, ...]}"},
  };
  for (const auto& [entry, problem] : entries) {
    EXPECT_THAT(Show(Parse("api_keys: [" + entry + "]").problems), HasSubstr(problem)) << entry;
  }
  const std::vector<std::pair<std::string, std::string>> vaults = {
      {"1", "Broker.vault: must be a map"},
      {"{auth: {token: {file: 't'}}}", "Broker.vault.address: is missing"},
      {"{address: 'vault.test', auth: {token: {file: 't'}}}", "Broker.vault.address: must be"},
      {"{address: 'http://vault.test', auth: {token: {file: 't'}}}", "Broker.vault.address: the login and the keys"},
      {"{address: 'https://v.test'}", "Broker.vault: auth is missing"},
      {"{address: 'https://v.test', auth: {}}", "Broker.vault.auth: write one of token"},
      {"{address: 'https://v.test', auth: {token: 'canary-key-t1'}}", "auth.token: write token: {file: PATH}"},
      {"{address: 'https://v.test', auth: {approle: {}}}", "auth.approle.role_id: is missing"},
      {"{address: 'https://v.test', auth: {approle: {role_id: 'r'}}}",
       "approle.secret_id: write secret_id: {file: PATH}"},
  };
  for (const auto& [vault, problem] : vaults) {
    const std::string shown = Show(Parse("api_key: 'canary-key-a1'", "Broker: {vault: " + vault + "}").problems);
    EXPECT_THAT(shown, HasSubstr(problem)) << vault;
    EXPECT_THAT(shown, Not(HasSubstr("canary")));
  }
}

TEST_F(SourcesTest, ASourceThatFailsIsTold) {
  resolver_.texts["key file /run/kept"] = "canary-key-a1";
  resolver_.failing = {{"key file /run/kept", State::kKept}, {"key file /run/later", State::kLater}};
  const ConfigResult result =
      Parse("api_keys: [{file: '/run/kept'}, {file: '/run/later', name: 'x', weight: 3}, 'canary-key-b1']");
  ASSERT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(Keys(result), ElementsAre("=canary-key-a1", "=canary-key-b1"));
  EXPECT_THAT(Show(result.problems), HasSubstr("api_keys[0]: key file /run/kept is away: what it gave last is used"));
  EXPECT_THAT(Show(result.problems), HasSubstr("api_keys[1]: key file /run/later is away: its keys are used as soon"));
  resolver_.failing = {{"key file /run/kept", State::kFailed}};
  const ConfigResult refused = Parse("api_keys: [{file: '/run/kept'}]");
  EXPECT_FALSE(refused.config);
  EXPECT_THAT(Show(refused.problems),
              HasSubstr("error: provider 'p': Providers[0].api_keys[0]: key file /run/kept is away"));
}

TEST_F(SourcesTest, WithoutAResolverProgramsAndServersAreNotAsked) {
  const ConfigResult result = ParseConfig(
      OneProvider(std::string(kUrl) + "api_keys: [{exec: ['/bin/false'], name: 'a'}, {vault: 'kv/x#y'}]", kVault),
      "/etc/ccr/config.json", Env({}));
  ASSERT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(Keys(result), ElementsAre("a=", "="));
}

TEST(SecretSourceTest, IsTheSameWhenItIsReadInTheSameWay) {
  SecretSource one;
  one.kind = SecretSource::Kind::kExec;
  one.argv = {"a", "b"};
  SecretSource other = one;
  EXPECT_EQ(one.Id(), other.Id());
  other.argv = {"ab"};
  EXPECT_NE(one.Id(), other.Id());
  other = one;
  other.ttl = absl::Seconds(1);
  EXPECT_NE(one.Id(), other.Id());
}

}  // namespace
}  // namespace ccr
