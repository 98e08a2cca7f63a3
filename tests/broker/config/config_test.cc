// What a good text comes to: defaults, both syntaxes, variables.
#include "broker/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/broker/config/problems.h"
#include "tests/broker/config/texts.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

// The configuration of a text with warnings at most.
Config Usable(const std::string& text, const std::string& path = "/cfg/config.json") {
  ConfigResult result = ParseConfig(text, path, Env({}));
  EXPECT_TRUE(result.config) << Show(result.problems);
  return result.config ? std::move(*result.config) : Config();
}

// The configuration of a text without any problem.
Config Good(const std::string& text, const std::string& path = "/cfg/config.json",
            std::map<std::string, std::string> env = {}) {
  ConfigResult result = ParseConfig(text, path, Env(std::move(env)));
  EXPECT_THAT(Show(result.problems), IsEmpty()) << text;
  return result.config ? std::move(*result.config) : Config();
}

ProviderConfig GoodProvider(const std::string& fields, std::map<std::string, std::string> env = {}) {
  Config config = Good(OneProvider(kUrl + fields), "/cfg/config.json", std::move(env));
  return config.providers.empty() ? ProviderConfig() : std::move(config.providers[0]);
}

constexpr const char* kRealisticJson5 = R"(// my router
{
  "LOG": true, "LOG_LEVEL": "debug",
  "APIKEY": "$CLIENT_TOKEN",
  "HOST": "0.0.0.0",
  "API_TIMEOUT_MS": "600000",
  "PROXY_URL": "http://user:canary-pass@proxy.test:8080",
  StatusLine: {enabled: true}, transformers: [], CUSTOM_ROUTER_PATH: "",
  NON_INTERACTIVE_MODE: false,
  "Providers": [
    {
      "name": "deepseek",
      "api_base_url": "https://api.deepseek.test/chat/completions",
      "api_keys": [
        "canary-key-a1",
        {"key": "canary-key-a2", "weight": 2, "maxFailures": 5, "cooldownTime": 30000},
        {key: '${DEEPSEEK_KEY}', name: 'spare', weight: 0, max_concurrent: 0x10, rpm: +60},
      ],
      "rotation_strategy": "weighted",
      "models": ["deepseek-chat", "deepseek-reasoner"],
      "transformer": {"use": ["deepseek"], "deepseek-chat": {"use": ["tooluse", ["maxtoken", {"max_tokens": 65536}]]}},
      max_concurrent: 100, rpm: 1000, maxRetries_: null,
    },
    {
      name: 'claude', api_base_url: 'https://api.anthropic.test/v1/messages', api_key: 'canary-key-b1', models: ['claude-x'],
      timeouts: {connect: 5000}, queue: {max_wait: 2000, max_size: 10}, max_retries: 5, retry_on_failure: false, session_affinity: false,
    },
  ],
  "Router": {default: "deepseek,deepseek-chat", think: "DeepSeek, deepseek-reasoner", longContextThreshold: 50000, background: ""},
  fallback: {default: ["claude,claude-x"]},
  Broker: {state_dir: "var", stream_grace: 1000},
  Proxy: {workers: 2, allowed_hosts: ["router.test"]},
})";

constexpr const char* kRealisticYaml = R"(# my router
LOG: true
LOG_LEVEL: debug
APIKEY: $CLIENT_TOKEN
HOST: 0.0.0.0
API_TIMEOUT_MS: 600000
PROXY_URL: http://user:canary-pass@proxy.test:8080
NON_INTERACTIVE_MODE: false
Providers:
  - name: deepseek
    api_base_url: https://api.deepseek.test/chat/completions
    api_keys:
      - canary-key-a1
      - {key: canary-key-a2, weight: 2, max_failures: 5, cooldown_time: 30000}
      - key: ${DEEPSEEK_KEY}
        name: spare
        weight: 0
        maxConcurrent: 16
        rpm: 60
    rotation_strategy: weighted
    models: [deepseek-chat, deepseek-reasoner]
    transformer: {use: [deepseek], deepseek-chat: {use: [tooluse, [maxtoken, {max_tokens: 65536}]]}}
    max_concurrent: 100
    rpm: 1000
    maxRetries_:
  - name: claude
    api_base_url: https://api.anthropic.test/v1/messages
    api_key: "canary-key-b1"
    models: [claude-x]
    timeouts: {connect: 5000}
    queue: {max_wait: 2000, max_size: 10}
    max_retries: 5
    retry_on_failure: false
    session_affinity: false
Router:
  default: deepseek,deepseek-chat
  think: DeepSeek, deepseek-reasoner
  longContextThreshold: 50000
fallback: {default: ["claude,claude-x"]}
Broker: {state_dir: var, stream_grace: 1000}
Proxy: {workers: 2, allowed_hosts: [router.test]}
)";

// What `ccr-broker --check` shows of both.
constexpr const char* kRealisticDescription = R"yaml(HOST: "0.0.0.0"
PORT: 3456
APIKEY: "(hidden)"
LOG: true
LOG_LEVEL: debug
LOG_FORMAT: text
API_TIMEOUT_MS: 600000
PROXY_URL: "http://(hidden)@proxy.test:8080"
NON_INTERACTIVE_MODE: false
CLAUDE_PATH: ""
Providers:
  - name: deepseek
    # Chat Completions, POST https://api.deepseek.test/chat/completions
    api_base_url: https://api.deepseek.test/chat/completions
    transformer: {use: [deepseek], "deepseek-chat": {use: [tooluse, [maxtoken, {"max_tokens": 65536}]]}}
    models: [deepseek-chat, deepseek-reasoner]
    rules: {"system": "first", "developer": false, "user_after_tool": true, "alternate": false, "call_ids": "default", "reasoning": "turn", "reasoning_with_calls": false, "forced": "keep", "thinking": "default", "efforts": [], "sampling": true, "cache_control": false, "schema_combinators": true, "schema_items": true, "schema_refs": true, "responses": false, "think_tags": true, "max_tokens": "max_tokens", "max_output": 0, "drop": [], "models": {"deepseek-reasoner": {"reasoning": "none", "forced": "auto"}}}
    enable_rotation: true
    rotation_strategy: weighted
    session_affinity: true
    retry_on_failure: true
    max_retries: 3
    max_concurrent: 100
    rpm: 1000
    timeouts:
      connect: 10000
      first_byte: 120000
      idle: 300000
    queue:
      max_wait: 30000
      max_size: 1000
    probe:
      url: https://api.deepseek.test/models
      interval: 10000
    auth:
      header: authorization
      prefix: "Bearer "
    api_keys:
      - {key: "(hidden)", weight: 1, maxFailures: 3, max_concurrent: 0, rpm: 0}
      - {key: "(hidden)", weight: 2, maxFailures: 5, cooldownTime: 30000, max_concurrent: 0, rpm: 0}
      - {name: spare, key: "(hidden)", weight: 0, maxFailures: 3, max_concurrent: 16, rpm: 60}
  - name: claude
    # Anthropic Messages, POST https://api.anthropic.test/v1/messages
    api_base_url: https://api.anthropic.test/v1/messages
    transformer: {use: [Anthropic]}
    models: [claude-x]
    rules: {"system": "anywhere", "developer": false, "user_after_tool": true, "alternate": false, "call_ids": "default", "reasoning": "none", "reasoning_with_calls": false, "forced": "keep", "thinking": "default", "efforts": [], "sampling": true, "cache_control": false, "schema_combinators": false, "schema_items": true, "schema_refs": true, "responses": false, "think_tags": false, "max_tokens": "default", "max_output": 0, "drop": [], "models": {"claude-x": {"thinking": "adaptive", "efforts": ["low", "medium", "high", "xhigh", "max"], "sampling": false}}}
    enable_rotation: false
    rotation_strategy: round_robin
    session_affinity: false
    retry_on_failure: false
    max_retries: 5
    max_concurrent: 0
    rpm: 0
    timeouts:
      connect: 5000
      first_byte: 120000
      idle: 300000
    queue:
      max_wait: 2000
      max_size: 10
    probe:
      url: https://api.anthropic.test/v1/models
      interval: 10000
    auth:
      header: x-api-key
      prefix: ""
    api_keys:
      - {key: "(hidden)", weight: 1, maxFailures: 3, max_concurrent: 0, rpm: 0}
Router:
  default: "deepseek,deepseek-chat"
  background: ""
  think: "deepseek,deepseek-reasoner"
  longContext: ""
  webSearch: ""
  image: ""
  longContextThreshold: 50000
fallback:
  default: ["claude,claude-x"]
Broker:
  listen: "127.0.0.1:50061"
  metrics_listen: "127.0.0.1:9461"
  state_dir: /cfg/var
  stream_grace: 1000
  lease_ttl: 600000
Proxy:
  listen: "0.0.0.0:3456"
  metrics_listen: "127.0.0.1:9462"
  workers: 2
  drain_timeout: 30000
  max_head_bytes: 65536
  max_body_bytes: 52428800
  max_buffered_bytes: 134217728
  header_timeout: 30000
  idle_timeout: 120000
  max_connections: 10000
  allowed_hosts: [router.test]
)yaml";

TEST(Config, TheSameFileInBothSyntaxesIsTheSameConfiguration) {
  const std::map<std::string, std::string> env = {{"CLIENT_TOKEN", "canary-token"}, {"DEEPSEEK_KEY", "canary-key-a3"}};
  for (const auto& [text, path] :
       std::vector<std::pair<std::string, std::string>>{{kRealisticJson5, "/cfg/config.json"},
                                                        {kRealisticYaml, "/cfg/config.yaml"},
                                                        {kRealisticYaml, "/cfg/config.yml"}}) {
    const ConfigResult result = ParseConfig(text, path, Env(env));
    ASSERT_TRUE(result.config) << Show(result.problems);
    EXPECT_EQ(DescribeConfig(*result.config), kRealisticDescription) << path;
    EXPECT_EQ(result.problems.size(), 1u) << Show(result.problems);  // maxRetries_
    EXPECT_EQ(result.config->client_token.Reveal(), "canary-token");
    EXPECT_EQ(result.config->providers[0].keys[2].secret.Reveal(), "canary-key-a3");
    EXPECT_EQ(result.config->path, path);
    EXPECT_THAT(DescribeConfig(*result.config) + Show(result.problems), Not(HasSubstr("canary")));
  }
}

TEST(Config, ADescriptionReadsBackAsTheSameConfiguration) {
  const std::string text = OneProvider(
      "api_base_url: 'http://[::1]:8080/v1/messages?beta=true', rotation_strategy: 'weighted', "
      "errors: [{status: 403, match: 'No \"F: 1\"', as: 'quota'}, {code: 'busy', as: 'overloaded'}], "
      "api_keys: [{key: 'canary-key-a1', weight: 0.1}], auth: {header: 'X-Key', prefix: '\"k\\\\: '}",
      "LOG: false, CLAUDE_PATH: '/opt/my claude', HOST: '::1', PORT: 0, Broker: {state_dir: '/s', tls: {cert: 'b.crt', "
      "key: '/k/b.key', client_ca: 'ca.crt'}}, "
      "Proxy: {broker_tls: {ca: 'ca.crt'}}, LOG_FORMAT: 'json'");
  const std::string description = DescribeConfig(Usable(text));
  EXPECT_EQ(DescribeConfig(Usable(description, "/cfg/config.yaml")), description);
  EXPECT_THAT(description, HasSubstr("weight: 0.1,"));
  EXPECT_THAT(description, HasSubstr("{code: busy, as: overloaded}]"));
  EXPECT_THAT(description, HasSubstr("listen: \"[::1]:0\""));
  EXPECT_THAT(description, HasSubstr("cert: /cfg/b.crt\n    key: /k/b.key\n    client_ca: /cfg/ca.crt"));
  EXPECT_THAT(description, HasSubstr("broker_tls:\n    ca: /cfg/ca.crt"));
}

TEST(Config, ASmallFileGetsEveryDefault) {
  const Config config = Good(OneProvider(std::string(kUrl) + "api_key: 'canary-key-a1'"));
  EXPECT_EQ(config.host, "127.0.0.1");
  EXPECT_EQ(config.port, 3456);
  EXPECT_TRUE(config.client_token.empty());
  EXPECT_TRUE(config.log);
  EXPECT_EQ(config.api_timeout, absl::Milliseconds(600000));
  EXPECT_EQ(config.broker.state_dir, "/cfg/state");
  EXPECT_EQ(config.broker.lease_ttl, absl::Minutes(10));
  EXPECT_EQ(config.proxy.listen, "127.0.0.1:3456");
  EXPECT_THAT(config.fallback, IsEmpty());
  ASSERT_EQ(config.providers.size(), 1u);
  EXPECT_FALSE(config.providers[0].enable_rotation);
  ASSERT_EQ(config.providers[0].keys.size(), 1u);
  EXPECT_EQ(config.providers[0].keys[0].name, "");
}

TEST(Config, KeysInheritFromTheirProvider) {
  const ProviderConfig p = GoodProvider(
      "api_key: '', api_keys: ['a1', {key: 'a2', maxFailures: 9, cooldown_time: '0'}], max_failures: 4, cooldownTime: "
      "1500");
  ASSERT_EQ(p.keys.size(), 2u);  // api_keys wins over api_key
  EXPECT_TRUE(p.enable_rotation);
  EXPECT_EQ(p.keys[0].max_failures, 4u);
  EXPECT_EQ(p.keys[0].cooldown, absl::Milliseconds(1500));
  EXPECT_EQ(p.keys[1].max_failures, 9u);
  EXPECT_EQ(p.keys[1].cooldown, absl::ZeroDuration());
}

TEST(Config, LimitsAreOfKeysAndOfTheProvider) {
  const ProviderConfig p = GoodProvider(
      "api_keys: [{key: 'a', rpm: 1, tpm: 2, rpd: 3, tpd: 1000000000000, models: ['m', 'n']}, 'b'], tpm: 5, rpd: 6, "
      "tpd: 7");
  EXPECT_EQ(p.keys[0].limits.rpm, 1u);
  EXPECT_EQ(p.keys[0].limits.tpm, 2u);
  EXPECT_EQ(p.keys[0].limits.rpd, 3u);
  EXPECT_EQ(p.keys[0].limits.tpd, 1'000'000'000'000u);
  EXPECT_THAT(p.keys[0].models, ElementsAre("m", "n"));
  EXPECT_EQ(p.keys[1].limits.tpm, 0u);
  EXPECT_THAT(p.keys[1].models, IsEmpty());
  EXPECT_EQ(p.limits.tpm, 5u);
  EXPECT_EQ(p.limits.rpd, 6u);
  EXPECT_EQ(p.limits.tpd, 7u);
}

TEST(Config, RequestsWaitAndNoCooldownIsSetUnlessTheUserSaysSo) {
  EXPECT_EQ(GoodProvider("api_key: 'a'").queue.max_wait, absl::Seconds(30));
  EXPECT_EQ(GoodProvider("api_key: 'a', queue: {max_wait: 0}").queue.max_wait, absl::ZeroDuration());
  EXPECT_EQ(GoodProvider("api_key: 'a'").keys[0].cooldown, std::nullopt);
  EXPECT_EQ(GoodProvider("api_key: 'a', cooldownTime: 0").keys[0].cooldown, absl::ZeroDuration());
}

TEST(Config, BoundsOfNumbersAreIncluded) {
  EXPECT_EQ(GoodProvider("api_key: 'a', max_retries: 1").max_retries, 1u);
  EXPECT_EQ(GoodProvider("api_key: 'a', max_retries: '100'").max_retries, 100u);
  EXPECT_EQ(GoodProvider("api_key: 'a', timeouts: {idle: 604800000}").timeouts.idle, absl::Hours(24 * 7));
  EXPECT_EQ(GoodProvider("api_keys: [{key: 'a'}, {key: 'b', weight: 0}]").keys[1].weight, 0);
  EXPECT_EQ(Good(OneProvider(std::string(kUrl) + "api_key: 'a'", "PORT: '65535'")).port, 65535);
}

TEST(Config, TheFormatDecidesHowAKeyIsSent) {
  const struct {
    std::string fields;
    ProviderFormat format;
    std::string header, prefix;
  } rows[] = {
      {"api_base_url: 'https://p.test/v1/chat/completions', api_key: 'a'", ProviderFormat::kOpenAi, "authorization",
       "Bearer "},
      {"api_base_url: 'https://p.test/v1/messages', api_key: 'a'", ProviderFormat::kAnthropic, "x-api-key", ""},
      {"api_base_url: 'https://p.test/x/v1/messages/?beta=true', api_key: 'a'", ProviderFormat::kAnthropic, "x-api-key",
       ""},
      {"api_base_url: 'https://p.test/v1/responses', api_key: 'a'", ProviderFormat::kResponses, "authorization",
       "Bearer "},
      {"api_base_url: 'https://p.test/openai/responses/?api-version=1', api_key: 'a'", ProviderFormat::kResponses,
       "authorization", "Bearer "},
      {"api_base_url: 'https://p.test/x', transformer: {use: ['openai-responses']}, api_key: 'a'",
       ProviderFormat::kResponses, "authorization", "Bearer "},
      {"api_base_url: 'https://p.test/v1/responses', transformer: {use: ['OpenAI']}, api_key: 'a'",
       ProviderFormat::kOpenAi, "authorization", "Bearer "},
      {"api_base_url: 'https://p.test/x?y=/v1/messages', api_key: 'a'", ProviderFormat::kOpenAi, "authorization",
       "Bearer "},
      {"api_base_url: 'https://p.test/x', transformer: {use: ['Anthropic']}, api_key: 'a'", ProviderFormat::kAnthropic,
       "x-api-key", ""},
      {"api_base_url: 'https://p.test/v1beta/models/', transformer: {use: ['gemini']}, api_key: 'a'",
       ProviderFormat::kGemini, "x-goog-api-key", ""},
      {"api_base_url: 'https://p.test/v1beta/models', api_key: 'a'", ProviderFormat::kGemini, "x-goog-api-key", ""},
      {"api_base_url: 'https://p.test/x', transformer: {use: ['gemini']}, api_key: 'a', auth: {header: "
       "'authorization'}",
       ProviderFormat::kGemini, "authorization", "Bearer "},
      {"api_base_url: 'https://GenerativeLanguage.googleapis.com/v1beta/models/', api_key: 'a'",
       ProviderFormat::kGemini, "x-goog-api-key", ""},
      {"api_base_url: 'https://generativelanguage.googleapis.com/v1beta/openai/chat/completions', api_key: 'a'",
       ProviderFormat::kOpenAi, "authorization", "Bearer "},
      {"api_base_url: 'https://p.test/generativelanguage.googleapis.com/', api_key: 'a'", ProviderFormat::kOpenAi,
       "authorization", "Bearer "},
      {"api_base_url: 'https://p.test/v1/messages', api_key: 'sk-ant-oat-canary'", ProviderFormat::kAnthropic,
       "authorization", "Bearer "},
      {"api_base_url: 'https://p.test/x', api_key: 'a', auth: {header: 'Api-Key'}", ProviderFormat::kOpenAi, "api-key",
       ""},
      {"api_base_url: 'https://p.test/x', api_key: 'a', auth: {prefix: 'Token '}", ProviderFormat::kOpenAi,
       "authorization", "Token "},
  };
  for (const auto& row : rows) {
    const Config config = Good(OneProvider(row.fields));
    ASSERT_EQ(config.providers.size(), 1u);
    EXPECT_EQ(config.providers[0].format, row.format) << row.fields;
    EXPECT_EQ(config.providers[0].auth_header, row.header) << row.fields;
    EXPECT_EQ(config.providers[0].auth_prefix, row.prefix) << row.fields;
  }
}

TEST(Config, RulesForErrorsKeepTheirOrder) {
  const ProviderConfig provider = GoodProvider(
      "api_key: 'canary-key-a1', errors: [{status: 403, match: 'No \"Funds\"', as: 'quota'}, {code: 'busy', as: "
      "'overloaded'}],");
  ASSERT_EQ(provider.errors.size(), 2u);
  EXPECT_EQ(provider.errors[0].status, 403);
  EXPECT_EQ(provider.errors[0].match, "No \"Funds\"");
  EXPECT_EQ(provider.errors[0].as, "quota");
  EXPECT_EQ(provider.errors[1].code, "busy");
  EXPECT_EQ(provider.errors[1].status, 0);
}

TEST(Config, ProbesAskForTheModelsUnlessToldOtherwise) {
  const struct {
    std::string fields;
    bool enabled;
    std::string url;
  } rows[] = {
      {"api_base_url: 'https://p.test/v1/chat/completions'", true, "https://p.test/v1/models"},
      {"api_base_url: 'https://p.test/v1/chat/completions/?a=b'", true, "https://p.test/v1/models"},
      {"api_base_url: 'https://p.test:8/x/v1/messages'", true, "https://p.test:8/x/v1/models"},
      {"api_base_url: 'https://p.test/v1/responses'", true, "https://p.test/v1/models"},
      {"api_base_url: 'https://p.test/v1/chat/completions', probe: true", true, "https://p.test/v1/models"},
      {"api_base_url: 'https://p.test/x'", false, ""},
      {"api_base_url: 'https://p.test/v1beta/models/', transformer: {use: ['gemini']}", true,
       "https://p.test/v1beta/models"},
      {"api_base_url: 'https://p.test/x', probe: {interval: 1}", false, ""},
      {"api_base_url: 'https://p.test/x', probe: {url: 'https://P.test/key'}", true, "https://P.test/key"},
  };
  for (const auto& row : rows) {
    const ProbeConfig probe = Good(OneProvider(row.fields + ", api_key: 'a'")).providers[0].probe;
    EXPECT_EQ(probe.enabled, row.enabled) << row.fields;
    EXPECT_EQ(probe.url, row.url) << row.fields;
  }
  EXPECT_FALSE(GoodProvider("api_key: 'a', probe: false").probe.enabled);
  EXPECT_EQ(GoodProvider("api_key: 'a'").probe.interval, absl::Seconds(10));
  EXPECT_EQ(GoodProvider("api_key: 'a', probe: {interval: 250}").probe.interval, absl::Milliseconds(250));
}

TEST(Config, MixedKindsOfAnthropicKeysWarn) {
  const ConfigResult result = ParseConfig(
      OneProvider("api_base_url: 'https://p.test/v1/messages', api_keys: ['canary-key-a1', 'sk-ant-oat-canary']"),
      "c.json", Env({}));
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->providers[0].auth_header, "x-api-key");
  EXPECT_THAT(Show(result.problems), HasSubstr("make a provider of each kind"));
}

TEST(Config, VariablesAreReplacedInsideTexts) {
  const struct {
    std::string text, expected;
  } rows[] = {{"$A", "x"},      {"${A}", "x"},   {"1${A}2$A.3", "1x2x.3"}, {"$A$B_2", "x$A"},
              {"$", "$"},       {"-$$A", "-$x"}, {"-$a", "-$a"},           {"${a}", "y"},
              {"-${A", "-${A"}, {"$1", "$1"},    {"${}1", "${}1"},         {"$EMPTY-", "-"},
              {"A$", "A$"}};
  for (const auto& row : rows) {
    const ProviderConfig p =
        GoodProvider("api_key: '" + row.text + "'", {{"A", "x"}, {"a", "y"}, {"B_2", "$A"}, {"EMPTY", ""}});
    ASSERT_EQ(p.keys.size(), 1u) << row.text;
    EXPECT_EQ(p.keys[0].secret.Reveal(), row.expected) << row.text;
  }
}

TEST(Config, ATokenOpensTheHost) {
  const std::string provider = std::string(kUrl) + "api_key: 'a'";
  EXPECT_EQ(Good(OneProvider(provider, "HOST: '0.0.0.0', APIKEY: 'canary-token'")).proxy.listen, "0.0.0.0:3456");
  EXPECT_EQ(Good(OneProvider(provider, "HOST: '127.0.0.5', APIKEY: false")).host, "127.0.0.5");
  EXPECT_EQ(Good(OneProvider(provider, "HOST: '', APIKEY: null")).host, "127.0.0.1");
  EXPECT_EQ(Good(OneProvider(provider, "APIKEY: 't', Proxy: {listen: '[::]:80'}")).proxy.listen, "[::]:80");
  const ConfigResult forced = ParseConfig(OneProvider(provider, "HOST: '0.0.0.0', APIKEY: ''"), "c.json", Env({}));
  ASSERT_TRUE(forced.config);
  EXPECT_EQ(forced.config->host, "127.0.0.1");
  EXPECT_EQ(forced.config->proxy.listen, "127.0.0.1:3456");
}

TEST(Config, RoutesTakeTheProvidersSpelling) {
  const Config config =
      Good(OneProvider(std::string(kUrl) + "api_key: 'a'",
                       "Router: {default: ' P , m ', image: ''}, fallback: {think: ['P,m'], webSearch: []}"));
  EXPECT_EQ(config.router.default_route, "p,m");
  EXPECT_EQ(config.router.image, "");
  EXPECT_THAT(config.fallback, ElementsAre(Pair("think", ElementsAre("p,m"))));
}

TEST(Config, SilentMeansNoLog) {
  EXPECT_FALSE(Good(OneProvider(std::string(kUrl) + "api_key: 'a'", "LOG_LEVEL: 'silent'")).log);
}

TEST(Config, SecretsOfUrlsAreHidden) {
  const Config config =
      Good(OneProvider("api_base_url: 'https://p.test/x?api_key=canary&v=2&Token=canary', api_key: 'a'"));
  EXPECT_THAT(DescribeConfig(config), HasSubstr("https://p.test/x?api_key=(hidden)&v=2&Token=(hidden)"));
  EXPECT_THAT(DescribeConfig(config), Not(HasSubstr("canary")));
}

TEST(ConfigTest, IdentitiesAndListeners) {
  const Config config = Good(
      OneProvider(
          std::string(kUrl) + "api_key: 'canary-key-1'",
          "Broker: {listen: ['unix:/run/x.sock', '127.0.0.1:0'], identities: [{name: 'proxies', role: 'lease', pools: "
          "['P'], token: '$T'}, {role: 'observe', uid: 1001}, {role: 'admin', certificate: 'ops.internal'}]}, "
          "Proxy: "
          "{broker_token: {file: 'token'}}"),
      "/cfg/config.json", {{"T", "canary-token-0123456789"}});
  EXPECT_THAT(config.broker.listen, ElementsAre("unix:/run/x.sock", "127.0.0.1:0"));
  ASSERT_EQ(config.broker.identities.size(), 3u);
  EXPECT_EQ(config.broker.identities[0].token_sha256, Sha256("canary-token-0123456789"));
  EXPECT_EQ(config.broker.identities[1].uid, 1001u);
  EXPECT_EQ(config.broker.identities[1].name, "identity-2");
  EXPECT_EQ(config.broker.identities[2].certificate, "ops.internal");
  EXPECT_EQ(config.proxy.broker_token_file, "/cfg/token");
  EXPECT_THAT(OpenListeners(config.broker), IsEmpty());
  const std::string text = DescribeConfig(config);
  EXPECT_THAT(text, HasSubstr("{name: proxies, role: lease, pools: [P], token: \"(hidden)\"}"));
  EXPECT_THAT(text, HasSubstr("{name: identity-2, role: observe, uid: 1001}"));
  EXPECT_THAT(text, Not(HasSubstr("canary")));
}

TEST(ConfigTest, OpenListenersAreToldLoudly) {
  BrokerConfig broker;
  broker.state_dir = "/home/me/.claude-code-router/state";
  EXPECT_EQ(ServiceSocket(broker), "unix:/home/me/.claude-code-router/state/broker.sock");
  broker.listen = {ServiceSocket(broker), "127.0.0.1:50061"};
  EXPECT_THAT(OpenListeners(broker), ElementsAre("127.0.0.1:50061"));
  EXPECT_THAT(OpenListenersWarning(OpenListeners(broker)), HasSubstr("ANYBODY WHO REACHES 127.0.0.1:50061"));
  broker.tls.ca = "ca.crt";
  EXPECT_EQ(OpenListenersWarning(OpenListeners(broker)), "");
}

}  // namespace
}  // namespace ccr
