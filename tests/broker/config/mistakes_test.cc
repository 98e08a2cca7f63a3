// One row per mistake: where it is reported, and what the message says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "broker/config/config.h"
#include "tests/broker/config/problems.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ConfigResult Parse(const std::string& text, const std::string& path = "/cfg/config.json") {
  return ParseConfig(text, path, [](const std::string& name) -> std::optional<std::string> {
    if (name == "SET") return "canary-key-env";
    return std::nullopt;
  });
}

// A good provider, `more` on line 2.
std::string Provider(const std::string& more) {
  return "{Providers: [{name: 'p', api_base_url: 'https://p.test/v1/chat/completions', models: ['m'], api_key: "
         "'canary-key-a1',\n" +
         more + "}]}";
}

// The same with `keys` on line 2 instead of its api_key.
std::string Keys(const std::string& keys) {
  return "{Providers: [{name: 'p', api_base_url: 'https://p.test/v1/chat/completions', models: ['m'],\n" + keys + "}]}";
}

// A good file, `more` on line 2.
std::string Top(const std::string& more) {
  return "{Providers: [{name: 'p', api_base_url: 'https://p.test/v1/chat/completions', models: ['m'], api_key: "
         "'canary-key-a1'}],\n" +
         more + "}";
}

// A provider of four lines, the field on line `line` replaced by `with`.
std::string Replaced(int line, const std::string& with) {
  std::vector<std::string> lines = {"name: 'p',", "api_base_url: 'https://p.test/v1/chat/completions',",
                                    "models: ['m'],", "api_key: 'canary-key-a1'"};
  lines[line - 1] = with;
  return "{Providers: [{" + lines[0] + "\n" + lines[1] + "\n" + lines[2] + "\n" + lines[3] + "}]}";
}

struct MistakeRow {
  std::string text;
  ConfigProblem::Severity severity;
  int line;
  std::string provider, field, message;
};

void PrintTo(const MistakeRow& row, std::ostream* out) {
  *out << row.field << ": " << row.message;
}

class Mistake : public ::testing::TestWithParam<MistakeRow> {};

// Exactly the one problem of the row, and no configuration after an error.
TEST_P(Mistake, IsNamedWithItsPlace) {
  const MistakeRow& row = GetParam();
  const ConfigResult result = Parse(row.text);
  ASSERT_EQ(result.problems.size(), 1u) << row.text << "\n" << Show(result.problems);
  const ConfigProblem& problem = result.problems[0];
  EXPECT_EQ(problem.severity, row.severity);
  EXPECT_EQ(problem.file, "/cfg/config.json");
  EXPECT_EQ(problem.line, row.line);
  EXPECT_EQ(problem.provider, row.provider);
  EXPECT_EQ(problem.field, row.field);
  EXPECT_THAT(problem.message, HasSubstr(row.message));
  EXPECT_EQ(result.config.has_value(), row.severity == kWarning);
  EXPECT_THAT(Show(result.problems), Not(HasSubstr("canary")));
}

INSTANTIATE_TEST_SUITE_P(
    File, Mistake,
    ::testing::Values(MistakeRow{"", kError, 0, "", "", "is empty"}, MistakeRow{" \n", kError, 0, "", "", "is empty"},
                      MistakeRow{"null", kError, 0, "", "", "is empty"},
                      MistakeRow{"\n[1]", kError, 2, "", "", "must hold a map {...}, not a list"},
                      MistakeRow{"{\na:}", kError, 2, "", "", "column 3: expected a value"},
                      MistakeRow{"{}\n\xFF", kError, 2, "", "", "not UTF-8"},
                      MistakeRow{"{a:'\xED\xA0\x80'}", kError, 1, "", "", "not UTF-8"},
                      MistakeRow{"{}", kError, 1, "", "Providers", "list at least one provider"},
                      MistakeRow{"{Providers: []}", kError, 1, "", "Providers", "list at least one provider"},
                      MistakeRow{"{Providers: null}", kError, 1, "", "Providers", "list at least one provider"},
                      MistakeRow{"{Providers: {}}", kError, 1, "", "Providers", "must be a list [...], not a map"},
                      MistakeRow{Top("Providers: [],").replace(1, 9, "providers"), kError, 2, "", "Providers",
                                 "both Providers and providers are given"}));

INSTANTIATE_TEST_SUITE_P(
    Required, Mistake,
    ::testing::Values(
        MistakeRow{Replaced(1, ""), kError, 1, "", "Providers[0].name", "name is missing"},
        MistakeRow{Replaced(1, "name: '',"), kError, 1, "", "Providers[0].name", "name is missing"},
        MistakeRow{Replaced(1, "name: 'a,b',"), kError, 1, "a,b", "Providers[0].name", "without commas"},
        MistakeRow{Replaced(1, "name: ['p'],"), kError, 1, "", "Providers[0].name", "must be text, not a list"},
        MistakeRow{Replaced(2, ""), kError, 1, "p", "Providers[0].api_base_url", "URL is missing"},
        MistakeRow{Replaced(2, "api_base_url: 'p.test/v1',"), kError, 2, "p", "Providers[0].api_base_url",
                   "begins with http:// or https://"},
        MistakeRow{Replaced(2, "api_base_url: 'ftp://p.test/v1',"), kError, 2, "p", "Providers[0].api_base_url",
                   "begins with http:// or https://"},
        MistakeRow{Replaced(2, "api_base_url: 'https://',"), kError, 2, "p", "Providers[0].api_base_url",
                   "must name a host"},
        MistakeRow{Replaced(2, "api_base_url: 'https:///v1',"), kError, 2, "p", "Providers[0].api_base_url",
                   "must name a host"},
        MistakeRow{Replaced(2, "api_base_url: 'http://p.test:65536/v1',"), kError, 2, "p", "Providers[0].api_base_url",
                   "port from 1 to 65535"},
        MistakeRow{Replaced(2, "api_base_url: 'http://p.test:0/v1',"), kError, 2, "p", "Providers[0].api_base_url",
                   "port from 1 to 65535"},
        MistakeRow{Replaced(2, "api_base_url: 'https://u:canary@p.test/v1',"), kError, 2, "p",
                   "Providers[0].api_base_url", "put the key into api_key"},
        MistakeRow{Replaced(2, "api_base_url: 'https://p.test/v1 ',"), kError, 2, "p", "Providers[0].api_base_url",
                   "without spaces"},
        MistakeRow{Replaced(2, "api_base_url: 'https://p.test/v1#x',"), kError, 2, "p", "Providers[0].api_base_url",
                   "fragment"},
        MistakeRow{Replaced(3, ""), kError, 1, "p", "Providers[0].models", "list at least one model"},
        MistakeRow{Replaced(3, "models: [],"), kError, 3, "p", "Providers[0].models", "list at least one model"},
        MistakeRow{Replaced(3, "models: 'm',"), kError, 3, "p", "Providers[0].models",
                   "must be a list [...], not text"},
        MistakeRow{Replaced(3, "models: [4],"), kError, 3, "p", "Providers[0].models[0]",
                   "must be text, not a number: put it in quotes"},
        MistakeRow{Replaced(3, "models: ['m', ''],"), kError, 3, "p", "Providers[0].models",
                   "name of a model is empty"},
        MistakeRow{Replaced(3, "models: ['m', 'm'],"), kWarning, 3, "p", "Providers[0].models", "m is listed twice"},
        MistakeRow{Replaced(4, ""), kError, 1, "p", "Providers[0].api_keys", "the key is missing"},
        MistakeRow{Replaced(4, "api_key: null"), kError, 1, "p", "Providers[0].api_keys", "the key is missing"},
        MistakeRow{Replaced(4, "api_key: ''"), kError, 4, "p", "Providers[0].api_key", "the key is empty"},
        MistakeRow{"{Providers: [\n'x']}", kError, 2, "", "Providers[0]", "must be a map {...}, not text"}));

INSTANTIATE_TEST_SUITE_P(
    Keys, Mistake,
    ::testing::Values(
        MistakeRow{Keys("api_keys: []"), kError, 2, "p", "Providers[0].api_keys", "is empty"},
        MistakeRow{Keys("api_keys: 'canary'"), kError, 2, "p", "Providers[0].api_keys",
                   "must be a list [...]: for one key write api_key"},
        MistakeRow{Keys("api_key: ['canary']"), kError, 2, "p", "Providers[0].api_key", "for a list write api_keys"},
        MistakeRow{Keys("api_keys: ['a1',\n'']"), kError, 3, "p", "Providers[0].api_keys[1]", "the key is empty"},
        MistakeRow{Keys("api_keys: ['canary key']"), kError, 2, "p", "Providers[0].api_keys[0]", "holds a space"},
        MistakeRow{Keys("api_keys: ['canary\\n']"), kError, 2, "p", "Providers[0].api_keys[0]", "a control character"},
        MistakeRow{Keys("api_keys: ['canary\xC3\xA4']"), kError, 2, "p", "Providers[0].api_keys[0]", "beyond ASCII"},
        MistakeRow{Keys("api_key: '" + std::string(8193, 'k') + "'"), kError, 2, "p", "Providers[0].api_key",
                   "longer than 8192"},
        MistakeRow{Keys("api_keys: [123]"), kError, 2, "p", "Providers[0].api_keys[0]",
                   "not a number: put it in quotes"},
        MistakeRow{Keys("api_keys: ['canary', 'b',\n{key: 'canary'}]"), kError, 3, "p", "Providers[0].api_keys[2]",
                   "the same key as api_keys[0]"},
        MistakeRow{Keys("api_keys: ['$UNSET_KEY']"), kError, 2, "p", "Providers[0].api_keys[0]",
                   "variable UNSET_KEY is not set"},
        MistakeRow{Keys("api_keys: [{key: 'x${UNSET_KEY}'}]"), kError, 2, "p", "Providers[0].api_keys[0].key",
                   "variable UNSET_KEY is not set"},
        MistakeRow{Keys("api_key: '$UNSET_KEY'"), kError, 2, "p", "Providers[0].api_key",
                   "variable UNSET_KEY is not set"},
        MistakeRow{Keys("api_keys: [{weight: 1}]"), kError, 2, "p", "Providers[0].api_keys[0]", "the key is missing"},
        MistakeRow{Keys("api_keys: [{key: 'canary', file: 'f'}]"), kError, 2, "p", "Providers[0].api_keys[0]",
                   "both key and a source"},
        MistakeRow{Keys("api_keys: [{file: 'nowhere'}]"), kError, 2, "p", "Providers[0].api_keys[0]",
                   "key file /cfg/nowhere does not exist"},
        MistakeRow{Keys("api_keys: [{key: {file: '/nowhere'}}]"), kError, 2, "p", "Providers[0].api_keys[0].key",
                   "/nowhere does not exist"},
        MistakeRow{Keys("api_key: {file: '/'}"), kError, 2, "p", "Providers[0].api_key", "is a folder"},
        MistakeRow{Keys("api_keys: [{key: 'canary', weight: -1}]"), kError, 2, "p", "Providers[0].api_keys[0].weight",
                   "a number from 0 to"},
        MistakeRow{Keys("api_keys: [{key: 'canary', weight: NaN}]"), kError, 2, "p", "Providers[0].api_keys[0].weight",
                   "a number from 0 to"},
        MistakeRow{Keys("api_keys: [{key: 'canary', weight: Infinity}]"), kError, 2, "p",
                   "Providers[0].api_keys[0].weight", "a number from 0 to"},
        MistakeRow{Keys("api_keys: [{key: 'canary', weight: 'nan'}]"), kError, 2, "p",
                   "Providers[0].api_keys[0].weight", "a number from 0 to"},
        MistakeRow{Keys("api_keys: [{key: 'canary', maxFailures: 0}]"), kError, 2, "p",
                   "Providers[0].api_keys[0].maxFailures", "from 1 to"},
        MistakeRow{Keys("api_keys: [{key: 'canary', maxFailures: 1, max_failures: 2}]"), kError, 2, "p",
                   "Providers[0].api_keys[0].max_failures", "both"},
        MistakeRow{Keys("api_keys: [{key: 'canary', cooldownTime: 604800001}]"), kError, 2, "p",
                   "Providers[0].api_keys[0].cooldownTime", "to 604800000"},
        MistakeRow{Keys("api_keys: [{key: 'canary', rpm: 1.5}]"), kError, 2, "p", "Providers[0].api_keys[0].rpm",
                   "whole number"},
        MistakeRow{Keys("api_keys: [{key: 'canary', maxConcurrent: '5x'}]"), kError, 2, "p",
                   "Providers[0].api_keys[0].maxConcurrent", "whole number"},
        MistakeRow{Keys("api_keys: [{key: 'canary', name: ''}]"), kError, 2, "p", "Providers[0].api_keys[0].name",
                   "1 to 64 letters"},
        MistakeRow{Keys("api_keys: [{key: 'canary', name: 'a b'}]"), kError, 2, "p", "Providers[0].api_keys[0].name",
                   "1 to 64 letters"},
        MistakeRow{Keys("api_keys: [{key: 'canary', name: '" + std::string(65, 'n') + "'}]"), kError, 2, "p",
                   "Providers[0].api_keys[0].name", "1 to 64"},
        MistakeRow{Keys("api_keys: [{key: 'canary', name: 'canary'}]"), kError, 2, "p", "Providers[0].api_keys[0].name",
                   "holds the key itself"},
        MistakeRow{Keys("api_keys: [{key: 'canary', name: 'my-canary-1'}]"), kError, 2, "p",
                   "Providers[0].api_keys[0].name", "holds the key itself"},
        MistakeRow{Keys("api_keys: [{key: 'canary', name: 'n'}, {key: 'b2', name: 'n'}]"), kError, 2, "p",
                   "Providers[0].api_keys[1]", "the same name as api_keys[0]"},
        MistakeRow{Keys("api_keys: [{key: 'canary', 'canary-key-b2': 1}]"), kWarning, 2, "p",
                   "Providers[0].api_keys[0]", "holds an unknown field"},
        MistakeRow{Keys("api_keys: [{key: 'canary', wieght: 1}]"), kWarning, 2, "p", "Providers[0].api_keys[0].wieght",
                   "did you mean weight?"}));

INSTANTIATE_TEST_SUITE_P(
    ProviderFields, Mistake,
    ::testing::Values(
        MistakeRow{Provider("rotation_strategy: 'round_robbin'"), kError, 2, "p", "Providers[0].rotation_strategy",
                   "did you mean round_robin?"},
        MistakeRow{Provider("rotation_strategy: 'best'"), kError, 2, "p", "Providers[0].rotation_strategy",
                   "round_robin, random, weighted, least_used, least_in_flight, lowest_latency, fill_first"},
        MistakeRow{Provider("rotation_strategy: 3"), kError, 2, "p", "Providers[0].rotation_strategy", "must be text"},
        MistakeRow{Provider("max_retries: 0"), kError, 2, "p", "Providers[0].max_retries", "whole number from 1"},
        MistakeRow{Provider("max_retries: -1"), kError, 2, "p", "Providers[0].max_retries", "whole number from 1"},
        MistakeRow{Provider("max_retries: 1.5"), kError, 2, "p", "Providers[0].max_retries", "whole number from 1"},
        MistakeRow{Provider("max_retries: 'three'"), kError, 2, "p", "Providers[0].max_retries", "whole number from 1"},
        MistakeRow{Provider("max_retries: '$UNSET_NUMBER'"), kError, 2, "p", "Providers[0].max_retries",
                   "variable UNSET_NUMBER is not set"},
        MistakeRow{Provider("enable_rotation: 'yes'"), kError, 2, "p", "Providers[0].enable_rotation",
                   "must be true or false"},
        MistakeRow{Provider("retry_on_failure: 1"), kError, 2, "p", "Providers[0].retry_on_failure",
                   "must be true or false"},
        MistakeRow{Provider("cooldown_time: -1"), kError, 2, "p", "Providers[0].cooldown_time", "from 0 to"},
        MistakeRow{Provider("timeouts: {connect: 0}"), kError, 2, "p", "Providers[0].timeouts.connect", "from 1 to"},
        MistakeRow{Provider("timeouts: {idel: 5}"), kWarning, 2, "p", "Providers[0].timeouts.idel",
                   "did you mean idle?"},
        MistakeRow{Provider("timeouts: 5"), kError, 2, "p", "Providers[0].timeouts",
                   "must be a map {...}, not a number"},
        MistakeRow{Provider("probe: 'often'"), kError, 2, "p", "Providers[0].probe", "true or false"},
        MistakeRow{Provider("probe: {interval: 0}"), kError, 2, "p", "Providers[0].probe.interval", "1"},
        MistakeRow{Provider("probe: {url: 'https://other.test/v1/models'}"), kError, 2, "p", "Providers[0].probe.url",
                   "own provider"},
        MistakeRow{Provider("probe: {url: 'ftp://x'}"), kError, 2, "p", "Providers[0].probe.url", "http"},
        MistakeRow{Provider("errors: {code: 'x', as: 'quota'}"), kError, 2, "p", "Providers[0].errors", "list"},
        MistakeRow{Provider("errors: ['x']"), kError, 2, "p", "Providers[0].errors[0]", "must be a map"},
        MistakeRow{Provider("errors: [{code: 'x',\nas: 'quotas'}]"), kError, 3, "p", "Providers[0].errors[0].as",
                   "did you mean quota?"},
        MistakeRow{Provider("errors: [{code: 'x'}]"), kError, 2, "p", "Providers[0].errors[0]", "lacks `as`"},
        MistakeRow{Provider("errors: [{code: '', as: 'auth'}]"), kError, 2, "p", "Providers[0].errors[0].code",
                   "is empty"},
        MistakeRow{Provider("errors: [{status: 400, match: '', as: 'auth'}]"), kError, 2, "p",
                   "Providers[0].errors[0].match", "is empty"},
        MistakeRow{Provider("errors: [{as: 'quota'}]"), kError, 2, "p", "Providers[0].errors[0]", "every error"},
        MistakeRow{Provider("errors: [{status: 200, as: 'quota'}]"), kError, 2, "p", "Providers[0].errors[0].status",
                   "from 400 to 599"},
        MistakeRow{Provider("errors: [{mach: 'x', code: 'y', as: 'auth'}]"), kError, 2, "p",
                   "Providers[0].errors[0].mach", "did you mean match?"},
        MistakeRow{Provider("queue: {max_wait: '1s'}"), kError, 2, "p", "Providers[0].queue.max_wait", "whole number"},
        MistakeRow{Provider("auth: {header: 'a b'}"), kError, 2, "p", "Providers[0].auth.header",
                   "name of an HTTP header"},
        MistakeRow{Provider("auth: {prefix: 'a\\n'}"), kError, 2, "p", "Providers[0].auth.prefix", "printable"},
        MistakeRow{Provider("transformer: {use: ['depseek']}"), kWarning, 2, "p", "Providers[0].transformer.use[0]",
                   "unknown transformer 'depseek', ignored: did you mean deepseek?"},
        MistakeRow{Provider("transformer: {use: [['mystery', {a: 1}]]}"), kWarning, 2, "p",
                   "Providers[0].transformer.use[0]", "unknown transformer 'mystery', ignored; known are deepseek"},
        MistakeRow{Provider("transformer: {use: ['sk-a1b2']}"), kWarning, 2, "p", "Providers[0].transformer.use[0]",
                   "unknown transformer, ignored"},
        MistakeRow{Provider("transformer: {m: {use: ['mystery']}}"), kWarning, 2, "p",
                   "Providers[0].transformer.m.use[0]", "unknown transformer"},
        MistakeRow{Provider("transformer: ['openrouter']"), kError, 2, "p", "Providers[0].transformer",
                   "must be a map"},
        MistakeRow{Provider("enable_rotaton: true"), kWarning, 2, "p", "Providers[0].enable_rotaton",
                   "did you mean enable_rotation?"},
        MistakeRow{Provider("unheard_of: true"), kWarning, 2, "p", "Providers[0].unheard_of", "unknown field, ignored"},
        MistakeRow{Provider("rpm: 1,\nrpm: 2"), kWarning, 3, "p", "Providers[0].rpm", "given on line 2 already"}));

INSTANTIATE_TEST_SUITE_P(
    TopLevel, Mistake,
    ::testing::Values(
        MistakeRow{Top("PORT: 65536"), kError, 2, "", "PORT", "from 0 to 65535"},
        MistakeRow{Top("PORT: -1"), kError, 2, "", "PORT", "from 0 to 65535"},
        MistakeRow{Top("PORT: true"), kError, 2, "", "PORT", "from 0 to 65535"},
        MistakeRow{Top("prot: 1"), kWarning, 2, "", "prot", "did you mean PORT?"},
        MistakeRow{Top("Port: 1"), kWarning, 2, "", "Port", "did you mean PORT?"},
        MistakeRow{Top("HOST: '0.0.0.0'"), kWarning, 2, "", "HOST", "set APIKEY"},
        MistakeRow{Top("HOST: '0.0.0.0', APIKEY: ''"), kWarning, 2, "", "HOST", "set APIKEY"},
        MistakeRow{Top("HOST: '127.0.0.1:80'"), kError, 2, "", "HOST", "goes into PORT"},
        MistakeRow{Top("HOST: 'http://localhost'"), kError, 2, "", "HOST", "must be a host name"},
        MistakeRow{Top("APIKEY: '$UNSET_KEY'"), kError, 2, "", "APIKEY", "variable UNSET_KEY is not set"},
        MistakeRow{Top("APIKEY: 'canary key'"), kError, 2, "", "APIKEY", "holds a space"},
        MistakeRow{Top("APIKEY: true"), kError, 2, "", "APIKEY", "must be text"},
        MistakeRow{Top("APIKEY: {file: '/nowhere'}"), kError, 2, "", "APIKEY", "key file /nowhere does not exist"},
        MistakeRow{Top("LOG: 'maybe'"), kError, 2, "", "LOG", "must be true or false"},
        MistakeRow{Top("LOG_LEVEL: 'verbose'"), kError, 2, "", "LOG_LEVEL", "use one of debug, info, warn, error, off"},
        MistakeRow{Top("LOG_FORMAT: 'jsn'"), kError, 2, "", "LOG_FORMAT", "did you mean json?"},
        MistakeRow{Top("API_TIMEOUT_MS: 0"), kError, 2, "", "API_TIMEOUT_MS", "from 1 to 604800000"},
        MistakeRow{Top("PROXY_URL: 'proxy:8080'"), kError, 2, "", "PROXY_URL", "begins with http://"},
        MistakeRow{Top("CLAUDE_PATH: '$UNSET_DIR/claude'"), kWarning, 2, "", "CLAUDE_PATH",
                   "variable UNSET_DIR is not set"},
        MistakeRow{Top("transformers: [{path: 'x.js'}]"), kWarning, 2, "", "transformers",
                   "is JavaScript for Claude Code Router"},
        MistakeRow{Top("CUSTOM_ROUTER_PATH: 'x.js'"), kWarning, 2, "", "CUSTOM_ROUTER_PATH", "is ignored"},
        MistakeRow{Top("plugins: [1]"), kWarning, 2, "", "plugins", "is ignored"},
        MistakeRow{Top("presets: {a: 1}"), kWarning, 2, "", "presets", "is ignored"},
        MistakeRow{Top("Router: {default: 'm'}"), kError, 2, "", "Router.default", "must be \"provider,model\""},
        MistakeRow{Top("Router: {default: 'p,'}"), kError, 2, "", "Router.default", "must be \"provider,model\""},
        MistakeRow{Top("Router: {think: 'deepseek,m'}"), kError, 2, "", "Router.think",
                   "there is no provider deepseek"},
        MistakeRow{Top("Router: {think: 'pp,m'}"), kError, 2, "", "Router.think", "did you mean p?"},
        MistakeRow{Top("Router: {image: 'p,m2'}"), kWarning, 2, "", "Router.image",
                   "provider p does not list model m2"},
        MistakeRow{Top("Router: {longContextThreshold: -1}"), kError, 2, "", "Router.longContextThreshold", "from 0"},
        MistakeRow{Top("Router: {longcontext: 'p,m'}"), kWarning, 2, "", "Router.longcontext",
                   "did you mean longContext?"},
        MistakeRow{Top("fallback: {default: ['p,m',\n'q,m']}"), kError, 3, "", "fallback.default[1]",
                   "there is no provider q"},
        MistakeRow{Top("fallback: {default: 'p,m'}"), kError, 2, "", "fallback.default", "must be a list"},
        MistakeRow{Top("fallback: {thnk: []}"), kWarning, 2, "", "fallback.thnk", "did you mean think?"},
        MistakeRow{Top("Broker: {listen: 'x'}"), kError, 2, "", "Broker.listen", "the port is missing"},
        MistakeRow{Top("Broker: {listen: '0.0.0.0:1'}"), kWarning, 2, "", "Broker.listen",
                   "whoever reaches this address"},
        MistakeRow{Top("Broker: {listen: 'unix:'}"), kError, 2, "", "Broker.listen", "the port is no number"},
        MistakeRow{Top("Broker: {listen: ['unix:/x',\n'y']}"), kError, 2, "", "Broker.listen", "the port is missing"},
        MistakeRow{Top("Broker: {listen: []}"), kError, 2, "", "Broker.listen", "is empty"},
        MistakeRow{Top("Broker: {identities: [{token: '0123456789abcdef'}]}"), kError, 2, "", "Broker.identities[0]",
                   "the role is missing"},
        MistakeRow{Top("Broker: {identities: [{token: '0123456789abcdef', role: 'leese'}]}"), kError, 2, "",
                   "Broker.identities[0].role", "did you mean lease?"},
        MistakeRow{Top("Broker: {identities: [{role: 'lease'}]}"), kError, 2, "", "Broker.identities[0]",
                   "exactly one of token, uid and certificate"},
        MistakeRow{Top("Broker: {identities: [{role: 'lease', uid: 7, certificate: 'x'}]}"), kError, 2, "",
                   "Broker.identities[0]", "exactly one of token, uid and certificate"},
        MistakeRow{Top("Broker: {identities: [{role: 'lease', uid: -1}]}"), kError, 2, "", "Broker.identities[0].uid",
                   "from 0"},
        MistakeRow{Top("Broker: {identities: [{role: 'lease',\ntoken: 'short'}]}"), kError, 3, "",
                   "Broker.identities[0].token", "shorter than 16"},
        MistakeRow{Top("Broker: {identities: [{role: 'lease', token: '$NO_SUCH_TOKEN'}]}"), kError, 2, "",
                   "Broker.identities[0].token", "NO_SUCH_TOKEN is not set"},
        MistakeRow{Top("Broker: {identities: [{role: 'lease', uid: 7, pools: ['pp']}]}"), kError, 2, "",
                   "Broker.identities[0].pools", "there is no provider 'pp': did you mean p?"},
        MistakeRow{Top("Broker: {identities: [{role: 'observe', uid: 7, pools: ['p']}]}"), kError, 2, "",
                   "Broker.identities[0].pools", "only the role lease"},
        MistakeRow{Top("Broker: {identities: [{role: 'lease', uid: 7},\n{role: 'admin', uid: 7}]}"), kError, 3, "",
                   "Broker.identities[1]", "the same as identities[0]"},
        MistakeRow{
            Top("Broker: {identities: [{role: 'lease', uid: 7, name: 'a'},\n{role: 'admin', uid: 8, name: 'a'}]}"),
            kError, 3, "", "Broker.identities[1]", "two identities have this name"},
        MistakeRow{Top("Broker: {identities: ['x']}"), kError, 2, "", "Broker.identities[0]", "must be a map"},
        MistakeRow{Top("Broker: {identities: [{role: 'lease', uid: 7, tokn: 'x'}]}"), kWarning, 2, "",
                   "Broker.identities[0].tokn", "did you mean token?"},
        MistakeRow{Top("Broker: {tls: {cert: '/nowhere/c', key: '/dev/null'}}"), kWarning, 2, "", "Broker.tls.cert",
                   "/nowhere/c cannot be read"},
        MistakeRow{Top("Proxy: {broker_tls: {ca: '/nowhere/ca'}}"), kWarning, 2, "", "Proxy.broker_tls.ca",
                   "/nowhere/ca cannot be read"},
        MistakeRow{Top("Proxy: {broker: '127.0.0.1:1'}"), kWarning, 2, "", "Proxy.broker", "has no effect"},
        MistakeRow{Top("LOG_LEVEL: 'debgu'"), kError, 2, "", "LOG_LEVEL", "did you mean debug?"},
        MistakeRow{Top("Proxy: {broker_token: 'x'}"), kError, 2, "", "Proxy.broker_token", "must be {file: PATH}"},
        MistakeRow{Top("Broker: {metrics_listen: 'unix:/x'}"), kError, 2, "", "Broker.metrics_listen", "port"},
        MistakeRow{Top("Broker: {tls: {cert: '/dev/null'}}"), kError, 2, "", "Broker.tls",
                   "cert and key come together"},
        MistakeRow{Top("Broker: {tls: {client_ca: '/dev/null'}}"), kError, 2, "", "Broker.tls",
                   "a server needs its certificate"},
        MistakeRow{Top("Broker: {lease_ttl: 0}"), kError, 2, "", "Broker.lease_ttl", "from 1"},
        MistakeRow{Top("Proxy: {listen: '0.0.0.0:3456'}"), kError, 2, "", "Proxy.listen", "set APIKEY"},
        MistakeRow{Top("Proxy: {max_buffered_bytes: 1000}"), kError, 2, "", "Proxy.max_buffered_bytes", "from 65536"},
        MistakeRow{Top("Proxy: {max_head_bytes: 1023}"), kError, 2, "", "Proxy.max_head_bytes", "from 1024"},
        MistakeRow{Top("Proxy: {workers: 257}"), kError, 2, "", "Proxy.workers", "to 256"},
        MistakeRow{Top("Proxy: {allowed_hosts: [1]}"), kError, 2, "", "Proxy.allowed_hosts[0]", "must be text"}));

INSTANTIATE_TEST_SUITE_P(
    LooksRight, Mistake,
    ::testing::Values(
        MistakeRow{Replaced(2, "api_base_url: 'http://p.test/v1/chat/completions',"), kWarning, 2, "p",
                   "Providers[0].api_base_url", "write https"},
        MistakeRow{Replaced(2, "api_base_url: 'http://10.0.0.7:80/v1/messages',"), kWarning, 2, "p",
                   "Providers[0].api_base_url", "write https"},
        MistakeRow{Provider("api_keys: ['canary-key-b2']"), kWarning, 1, "p", "Providers[0].api_key",
                   "is ignored beside api_keys"},
        MistakeRow{Keys("api_keys: ['canary-key-a1',\n{key: 'canary-key-b2', weight: 3}]"), kWarning, 3, "p",
                   "Providers[0].api_keys[1].weight", "has no effect under round_robin"},
        MistakeRow{Keys("api_keys: [{key: 'canary-key-a1', weight: 0}, {key: 'canary-key-b2', weight: 0}]"), kWarning,
                   2, "p", "Providers[0].api_keys", "every weight is 0"},
        MistakeRow{Replaced(4, "api_key: 'canary-key-a1,canary-key-b2'"), kWarning, 4, "p", "Providers[0].api_key",
                   "holds a comma"},
        MistakeRow{Replaced(4, "api_key: '$my_key'"), kWarning, 4, "p", "Providers[0].api_key", "write ${NAME}"},
        MistakeRow{Replaced(4, "api_key: '${my-key}'"), kWarning, 4, "p", "Providers[0].api_key", "write ${NAME}"},
        MistakeRow{Replaced(4, "api_key: '${my_key}'"), kError, 4, "p", "Providers[0].api_key",
                   "variable my_key is not set"}));

TEST(ConfigMistakes, HttpToThisMachineAndItsContainersIsFine) {
  for (const char* host : {"127.0.0.1:1", "localhost:1", "[::1]:1", "ollama:11434"}) {
    const std::string url = std::string("api_base_url: 'http://") + host + "/v1/chat/completions',";
    EXPECT_THAT(Parse(Replaced(2, url)).problems, IsEmpty()) << host;
  }
}

// What nothing needs does not keep the rest from working.
TEST(ConfigMistakes, AProviderWithoutAKeyIsLeftOutWhenNothingRoutesToIt) {
  const std::string good =
      "{name: 'p', api_base_url: 'https://p.test/v1/chat/completions', models: ['m'], api_key: 'canary-key-a1'},\n";
  for (const std::string keys : {"api_key: '$UNSET'", "api_key: ''", "api_keys: ['$UNSET', {key: ''}]"}) {
    const std::string lacking =
        "{name: 'Q', api_base_url: 'https://q.test/v1/chat/completions', models: ['m'], " + keys + "}";
    const std::string both = "{Providers: [" + good + lacking + "],\n";
    const ConfigResult unused = Parse(both + "Router: {default: 'p,m'}}");
    ASSERT_TRUE(unused.config) << Show(unused.problems);
    EXPECT_EQ(unused.config->providers.size(), 1U);
    EXPECT_THAT(Show(unused.problems), HasSubstr("config.json:2: warning: provider 'Q': Providers[1]: is left out"));
    EXPECT_FALSE(Parse(both + "Router: {default: 'p,m', think: 'q,m'}}").config);
    EXPECT_FALSE(Parse(both + "fallback: {default: ['q,m']}}").config);
    EXPECT_FALSE(Parse("{Providers: [" + lacking + "]}").config);
  }
}

TEST(ConfigMistakes, AllAreReportedInOneGoInTheOrderOfTheFile) {
  const ConfigResult result = Parse(R"({
    PORT: 70000,
    Providers: [
      {name: 'a', api_base_url: 'x', models: [], api_keys: [
        'canary-key-a1',
        'canary-key-a1',
        {key: 'canary-key-a2', weight: -1}]},
      {name: 'A', api_base_url: 'https://a.test/chat', models: ['m'], max_retries: 0}],
    Router: {default: 'a,m', think: 'b,m'}})");
  EXPECT_FALSE(result.config);
  std::vector<std::string> places;
  for (const ConfigProblem& p : result.problems)
    places.push_back(std::to_string(p.line) + " " + p.provider + " " + p.field);
  EXPECT_THAT(places, ElementsAre("2  PORT", "4 a Providers[0].api_base_url", "4 a Providers[0].models",
                                  "6 a Providers[0].api_keys[1]", "7 a Providers[0].api_keys[2].weight",
                                  "8 A Providers[1].api_keys", "8 A Providers[1].max_retries", "8 A Providers[1].name",
                                  "9  Router.think"));
  EXPECT_THAT(Show(result.problems), HasSubstr("/cfg/config.json:6: error: provider 'a': Providers[0].api_keys[1]: "
                                               "the same key as api_keys[0]: remove one\n"));
  EXPECT_THAT(Show(result.problems), HasSubstr("the same name as Providers[0]"));
  EXPECT_THAT(Show(result.problems), Not(HasSubstr("canary")));
}

TEST(ConfigMistakes, YamlHasTheSamePlaces) {
  const ConfigResult result = Parse(
      "PORT: 70000\nProviders:\n- name: a\n  api_base_url: https://a.test/chat\n  models: [m]\n"
      "  api_keys:\n  - canary-key-a1\n  - key: canary-key-a2\n    weight: -1\n  - 17\n",
      "/cfg/config.yaml");
  std::vector<std::string> places;
  for (const ConfigProblem& p : result.problems)
    places.push_back(std::to_string(p.line) + " " + p.provider + " " + p.field);
  EXPECT_THAT(places, ElementsAre("1  PORT", "9 a Providers[0].api_keys[1].weight", "10 a Providers[0].api_keys[2]"));
  EXPECT_THAT(Show(Parse("a: [", "c.yml").problems), HasSubstr("c.yml:1: error: column"));
}

TEST(ConfigMistakes, LimitsAreExact) {
  const auto keys = [](int n) {
    std::string list;
    for (int i = 0; i < n; ++i) list += "'k" + std::to_string(i) + "',";
    return Parse(Keys("api_keys: [" + list + "]"));
  };
  EXPECT_THAT(keys(100'000).problems, IsEmpty());
  EXPECT_THAT(Show(keys(100'001).problems), HasSubstr("holds more than 100000 keys"));
  const auto providers = [](int n) {
    std::string list;
    for (int i = 0; i < n; ++i) {
      list += "{name: 'p" + std::to_string(i) +
              "', api_base_url: 'https://p.test/v1/chat/completions', models: ['m'], api_key: 'k'},";
    }
    return Parse("{Providers: [" + list + "]}");
  };
  EXPECT_THAT(providers(1000).problems, IsEmpty());
  EXPECT_THAT(Show(providers(1001).problems), HasSubstr("holds more than 1000 providers"));
}

TEST(ConfigMistakes, AnUnsetVariableExplainsABadUrl) {
  EXPECT_EQ(
      Show(Parse(Top("PROXY_URL: '$UNSET_URL'")).problems),
      "/cfg/config.json:2: warning: PROXY_URL: environment variable UNSET_URL is not set: the text stays as it is\n"
      "/cfg/config.json:2: error: PROXY_URL: must be a full URL that begins with http:// or https:// or socks5:// or "
      "socks5h://\n");
}

// Where a key may stray to, no message repeats it.
TEST(ConfigMistakes, NeverShowKeys) {
  for (const std::string text :
       {"{Providers: [{'canary-key-a1': 1}]}", "{'canary-key-a1': 1}", "{APIKEY: ['canary-key-a1']}", "'canary-key-a1'",
        "{Providers: ['canary-key-a1']}", "{a: 'canary-key-a1' b}", "{a: canary-key-a1}", "{a: 'canary-key-a1\n",
        "{Providers: [{name: 'p', api_base_url: 'canary-key-a1', models: 'canary-key-a1', api_keys: 'canary-key-a1'}]}",
        "{Providers: [{name: 'p', api_base_url: 'https://canary-key-a1@p.test', models: ['m'], max_retries: "
        "'canary-key-a1', "
        "enable_rotation: 'canary-key-a1', rotation_strategy: 'canary-key-a1', timeouts: 'canary-key-a1', "
        "api_keys: ['$SET', '$SET', 'canary-key-a1 ', {key: ['canary-key-a1']}, {kee: 'canary-key-a1'}]}]}"}) {
    for (const std::string path : {"/cfg/config.json", "/cfg/config.yaml"}) {
      const ConfigResult result = Parse(text, path);
      EXPECT_FALSE(result.problems.empty()) << text;
      EXPECT_THAT(Show(result.problems), Not(HasSubstr("canary"))) << text;
    }
  }
}

}  // namespace
}  // namespace ccr
