// The configuration: Claude Code Router's config.json (JSON5), or the same schema as YAML.
//
// LoadConfig() reads, interpolates, validates and reports every problem of the file in one go. What it returns is
// complete: every default is filled in, every key resolved. Limits: a file of 16 MiB, 1,000 providers, 100,000 keys
// each.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "broker/base/secret.h"
#include "broker/base/tls_files.h"
#include "broker/config/identity.h"
#include "broker/config/master_keys.h"
#include "broker/config/rules.h"
#include "broker/config/secret_source.h"
#include "broker/config/vault_config.h"

namespace ccr {

// One thing that is wrong with a file, or odd. Never contains a key.
struct ConfigProblem {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  std::string file;
  int line = 0;          // 1-based; 0 = the file as a whole
  std::string provider;  // empty outside Providers, and for one without a name
  std::string field;     // path, for example "Providers[1].api_keys[0].weight"
  std::string message;   // what is wrong and what to do

  // "FILE:LINE: error: provider 'NAME': FIELD: MESSAGE"
  std::string ToString() const;
};

struct LimitsConfig {  // "rpm", "tpm", "rpd", "tpd": requests and tokens in any 60 s, in any 24 h; 0 = no limit
  uint64_t rpm = 0, tpm = 0, rpd = 0, tpd = 0;
};

struct KeyConfig {
  std::string name;  // "name" of the entry; without one empty until NameKeys (key_names.h)
  Secret secret;
  double weight = 1;                       // >= 0; 0 = only when nothing else is left
  uint32_t max_failures = 3;               // "maxFailures", consecutive; >= 1
  std::optional<absl::Duration> cooldown;  // "cooldownTime", ms; unset: 1 s, doubling up to 1 min
  uint32_t max_concurrent = 0;             // leases in flight; 0 = no limit
  LimitsConfig limits;
  std::vector<std::string> models;  // that it may serve; empty: all of its provider
  bool enabled = true;              // false: it is not used
};

// kOpenAi is Chat Completions.
enum class ProviderFormat { kOpenAi, kAnthropic, kGemini, kResponses };

struct TimeoutsConfig {  // "timeouts: {connect, first_byte, idle}", ms, of one attempt
  absl::Duration connect = absl::Seconds(10);
  absl::Duration first_byte = absl::Seconds(120);
  absl::Duration idle = absl::Seconds(300);
};

struct QueueConfig {  // "queue: {max_wait (ms), max_size}": requests wait when no key is available
  absl::Duration max_wait = absl::Seconds(30);  // 0 = do not wait
  uint32_t max_size = 1000;
};

struct ProbeConfig {  // "probe: {url, interval (ms)}" or "probe: false"
  bool enabled = true;
  std::string url;  // at the host of api_base_url; default: the models endpoint by format, none for other endpoints
  absl::Duration interval = absl::Seconds(10);  // until the first probe; doubles up to 24 h
};

// One entry of "errors": what an error of the provider means. At least one of the first three is set.
struct ErrorRuleConfig {
  int status = 0;     // 400 to 599; 0 = any
  std::string code;   // the error's code or type, exactly
  std::string match;  // part of the message, without case
  std::string as;     // "quota", "auth", "rate_limited", "overloaded", "upstream" or "request"
};

// One entry of "transformer": a change that the proxy makes to what it sends to a provider and what comes back.
struct TransformerConfig {
  std::string name;     // one of those we know, without those that only name a format
  std::string options;  // a JSON object, checked; "{}" when there are none
};

struct ProviderConfig {
  std::string name;
  std::string base_url;  // "api_base_url": http or https, the full endpoint URL
  ProviderFormat format = ProviderFormat::kOpenAi;
  std::vector<std::string> models;
  std::vector<KeyConfig> keys;  // "api_keys", or the one "api_key"; at least one, no duplicates
  bool enable_rotation = true;  // false: only the first key is used; the default with api_key
  std::string strategy = "round_robin";
  bool session_affinity = true;  // a client's session prefers the key that served it last
  bool retry_on_failure = true;
  uint32_t max_retries = 3;
  uint32_t max_concurrent = 0;  // of the provider in all; 0 = no limit
  LimitsConfig limits;
  TimeoutsConfig timeouts;
  QueueConfig queue;
  std::vector<ErrorRuleConfig> errors;  // the first that matches counts, before all that is known of providers
  ProbeConfig probe;                    // of keys that a 401 disabled; enabled is false where there is no URL
  std::string proxy_url;    // the forward proxy that leads there, of PROXY_URL or the environment; empty = none
  std::string ca_file;      // "ca_file": who is trusted to sign its certificate, instead of Config.ca_file's
  std::string authorities;  // what ca_file holds
  // "auth: {header, prefix}"; default by format: "authorization" "Bearer ", "x-api-key" "" or "x-goog-api-key" ""
  std::string auth_header;
  std::string auth_prefix;
  std::vector<ModelRulesConfig> rules;          // in order: those of the table, then "rules" and "drop"
  std::vector<TransformerConfig> transformers;  // "transformer.use", in order
  std::map<std::string, std::vector<TransformerConfig>> model_transformers;  // by model; applied after the provider's
};

struct RouterConfig {  // each "provider,model" or empty
  std::string default_route, background, think, long_context, web_search, image;
  uint64_t long_context_threshold = 60000;
};

inline constexpr char kDefaultBrokerListen[] = "127.0.0.1:50061";

struct BrokerConfig {  // "Broker:"
  // One address or several. Empty: not said; ccr-broker takes kDefaultBrokerListen, `ccr start` ServiceSocket().
  std::vector<std::string> listen;
  std::string metrics_listen = "127.0.0.1:9461";
  std::string state_dir;                           // default: state/ beside the file
  absl::Duration stream_grace = absl::Seconds(5);  // "stream_grace" (ms): leases outlive their stream
  std::optional<absl::Duration> lease_ttl;         // "lease_ttl" (ms), default API_TIMEOUT_MS
  TlsFiles tls;                                    // "tls: {cert, key, client_ca}"
  std::vector<IdentityConfig> identities;          // who else may come, and for what
  std::shared_ptr<const MasterKeys> master_keys;   // "master_key": what keys are sealed with
  std::shared_ptr<const VaultConfig> vault;        // "vault"; null = none
};

// "unix:STATE_DIR/broker.sock"
std::string ServiceSocket(const BrokerConfig& config);

// The addresses at which everybody who reaches them can take keys: TCP that asks for neither token nor certificate.
std::vector<std::string> OpenListeners(const BrokerConfig& config);

// What to tell of `open` addresses, loudly; empty when there are none.
std::string OpenListenersWarning(const std::vector<std::string>& open);

struct ProxyConfig {  // "Proxy:", times in ms
  std::string broker = kDefaultBrokerListen;
  TlsFiles broker_tls;            // "broker_tls: {ca, cert, key}": how the proxy and ccr reach the broker
  std::string broker_token_file;  // "broker_token: {file}": what they show it
  std::string listen;             // default HOST:PORT
  std::string metrics_listen = "127.0.0.1:9462";
  uint32_t workers = 0;  // 0 = one per core
  absl::Duration drain_timeout = absl::Seconds(30);
  uint64_t max_head_bytes = 64 * 1024;
  uint64_t max_body_bytes = 50 * 1024 * 1024;
  uint64_t max_buffered_bytes = 128 * 1024 * 1024;
  absl::Duration header_timeout = absl::Seconds(30);
  absl::Duration idle_timeout = absl::Seconds(120);
  uint32_t max_connections = 10000;
  std::vector<std::string> allowed_hosts;
};

struct Config {
  std::string path;
  std::string host = "127.0.0.1";  // forced to loopback while client_token is empty
  uint16_t port = 3456;
  Secret client_token;              // APIKEY
  bool log = true;                  // false for "LOG_LEVEL": "silent" too
  std::string log_level = "info";   // "LOG_LEVEL": a word of ParseLogLevel
  std::string log_format = "text";  // "LOG_FORMAT": text or json
  absl::Duration api_timeout = absl::Milliseconds(600000);
  std::string proxy_url;    // PROXY_URL
  std::string ca_file;      // "ca_file": PEM of those who are trusted to sign providers' certificates, instead of the
                            // system's
  std::string authorities;  // what ca_file holds
  bool non_interactive = false;
  std::string claude_path;
  std::vector<ProviderConfig> providers;
  RouterConfig router;
  std::map<std::string, std::vector<std::string>> fallback;
  BrokerConfig broker;
  ProxyConfig proxy;
  std::vector<SecretSource> sources;  // that it names, each once
};

struct ConfigResult {
  std::optional<Config> config;         // absent when any problem is an error
  Secret text;                          // of the file, as LoadConfig read it
  std::vector<ConfigProblem> problems;  // by line, those of the file as a whole first
};

// What "strategy" may be.
const std::vector<std::string_view>& StrategyWords();

// Value of an environment variable, or nothing.
using EnvLookup = std::function<std::optional<std::string>(const std::string& name)>;
EnvLookup ProcessEnv();

// Where the state is, when not where the file says: there the master key is that it does not name.
struct MasterKeyPlace {
  std::string state_dir = {};          // wins over Broker.state_dir
  std::string default_state_dir = {};  // absolute; instead of state/ beside the file
};

// Reads `path`: YAML when it ends in .yaml or .yml, JSON5 otherwise. Keys that are kept elsewhere come from `resolver`;
// without one key files are read, and keys of other sources are there without their characters. Sealed keys are opened, and the master keys that
// the file names are checked, for who says where the state is; else they are there without their characters, and no
// master key is read.
ConfigResult LoadConfig(const std::string& path, const EnvLookup& env, SecretResolver* resolver = nullptr,
                        const std::optional<MasterKeyPlace>& open_sealed = std::nullopt);

// The same from text; `path` names it in problems and anchors relative paths.
ConfigResult ParseConfig(std::string_view text, const std::string& path, const EnvLookup& env,
                         SecretResolver* resolver = nullptr,
                         const std::optional<MasterKeyPlace>& open_sealed = std::nullopt);

// What it takes to seal a key for a configuration.
struct SealingConfig {
  std::shared_ptr<const MasterKeys> master_keys;  // null after an error
  std::vector<std::string> providers;             // their names
  std::vector<ConfigProblem> problems;
};

// Of `path`, whatever is wrong with its other parts: a provider's first key is missing until it is sealed.
SealingConfig LoadSealingConfig(const std::string& path, const EnvLookup& env, const MasterKeyPlace& place);

// The configuration as it takes effect, as YAML, each key as "(hidden)".
std::string DescribeConfig(const Config& config);

// `path` seen from the folder of `config_path`; "~/" is `home`.
std::string ResolvePath(std::string_view path, std::string_view config_path, std::string_view home);

// .claude-code-router/config.json in $HOME, or in the home the system knows of; empty when there is neither.
std::string DefaultConfigPath();

}  // namespace ccr
