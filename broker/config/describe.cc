#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "broker/base/absl_text.h"
#include "broker/config/config.h"
#include "broker/config/endpoint.h"
#include "broker/config/rules_reader.h"
#include "broker/config/transformer.h"
#include "broker/config/url.h"

namespace ccr {
namespace {

constexpr std::string_view kHidden = "\"(hidden)\"";

// Whether YAML reads the text back as this text without quotes, inside [] and {} too.
bool IsPlain(std::string_view text) {
  static constexpr std::string_view kPunctuation = "_./:-?=&+~";
  if (text.empty() || text.back() == ':' || !(absl::ascii_isalpha(text[0]) || text[0] == '/')) return false;
  for (const std::string_view word : {"true", "false", "null", "yes", "no", "on", "off"}) {
    if (absl::AsciiStrToLower(ToAbsl(text)) == ToAbsl(word)) return false;
  }
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && kPunctuation.find(c) == std::string_view::npos) return false;
  }
  return true;
}

std::string Quote(std::string_view text) {
  if (IsPlain(text)) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", std::string(1, c));
    } else if (absl::ascii_iscntrl(c)) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string QuoteList(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) absl::StrAppend(&out, out.empty() ? "" : ", ", Quote(text));
  return absl::StrCat("[", out, "]");
}

// The shortest text that reads back as this number.
std::string Shortest(double number) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), number);
  return std::string(buffer, error == std::errc() ? end : buffer);
}

// Writes "name: value" lines at one indent.
class Block {
 public:
  Block(std::string* out, int indent) : out_(out), indent_(indent, ' ') {}

  Block Open(std::string_view name) {
    Raw(name, "");
    return Block(out_, static_cast<int>(indent_.size()) + 2);
  }
  void Text(std::string_view name, std::string_view value) { Raw(name, Quote(value)); }
  void Flag(std::string_view name, bool value) { Raw(name, value ? "true" : "false"); }
  void Number(std::string_view name, uint64_t value) { Raw(name, std::to_string(value)); }
  void Millis(std::string_view name, absl::Duration value) {
    Raw(name, std::to_string(absl::ToInt64Milliseconds(value)));
  }
  void Raw(std::string_view name, std::string_view value) {
    absl::StrAppend(out_, indent_, ToAbsl(name), ":", value.empty() ? "" : " ", ToAbsl(value), "\n");
  }
  void Note(std::string_view text) { absl::StrAppend(out_, indent_, "# ", ToAbsl(text), "\n"); }
  void Item(std::string_view text) { absl::StrAppend(out_, indent_, "- ", ToAbsl(text), "\n"); }

 private:
  std::string* const out_;
  const std::string indent_;
};

// The limits beside rpm that are set.
std::string Others(const LimitsConfig& limits) {
  std::string text;
  if (limits.tpm > 0) absl::StrAppend(&text, ", tpm: ", limits.tpm);
  if (limits.rpd > 0) absl::StrAppend(&text, ", rpd: ", limits.rpd);
  if (limits.tpd > 0) absl::StrAppend(&text, ", tpd: ", limits.tpd);
  return text;
}

std::string DescribeKey(const KeyConfig& key) {
  const std::string name = key.name.empty() ? "" : absl::StrCat("name: ", Quote(key.name), ", ");
  return absl::StrCat("{", name, "key: ", ToAbsl(kHidden), key.enabled ? "" : ", enabled: false",
                      ", weight: ", Shortest(key.weight), ", maxFailures: ", key.max_failures,
                      key.cooldown ? absl::StrCat(", cooldownTime: ", absl::ToInt64Milliseconds(*key.cooldown)) : "",
                      ", max_concurrent: ", key.max_concurrent, ", rpm: ", key.limits.rpm, Others(key.limits),
                      key.models.empty() ? "" : absl::StrCat(", models: ", QuoteList(key.models)), "}");
}

std::string DescribeErrorRule(const ErrorRuleConfig& rule) {
  std::string out = "{";
  if (rule.status != 0) absl::StrAppend(&out, "status: ", rule.status, ", ");
  if (!rule.code.empty()) absl::StrAppend(&out, "code: ", Quote(rule.code), ", ");
  if (!rule.match.empty()) absl::StrAppend(&out, "match: ", Quote(rule.match), ", ");
  return absl::StrCat(out, "as: ", Quote(rule.as), "}");
}

std::string DescribeErrorRules(const std::vector<ErrorRuleConfig>& rules) {
  std::string out;
  for (const ErrorRuleConfig& rule : rules) absl::StrAppend(&out, out.empty() ? "" : ", ", DescribeErrorRule(rule));
  return absl::StrCat("[", out, "]");
}

void DescribeProvider(const ProviderConfig& provider, Block list, Block fields) {
  list.Item(absl::StrCat("name: ", Quote(provider.name)));
  fields.Note(absl::StrCat(ToAbsl(FormatName(provider.format)), ", ", DescribeEndpoint(provider)));
  fields.Text("api_base_url", HideUrlSecrets(provider.base_url));
  const std::string transformers = DescribeTransformers(provider);
  if (!transformers.empty()) fields.Raw("transformer", transformers);
  fields.Raw("models", QuoteList(provider.models));
  fields.Raw("rules", DescribeRulesOf(provider));
  fields.Flag("enable_rotation", provider.enable_rotation);
  fields.Text("rotation_strategy", provider.strategy);
  fields.Flag("session_affinity", provider.session_affinity);
  fields.Flag("retry_on_failure", provider.retry_on_failure);
  fields.Number("max_retries", provider.max_retries);
  fields.Number("max_concurrent", provider.max_concurrent);
  fields.Number("rpm", provider.limits.rpm);
  if (provider.limits.tpm > 0) fields.Number("tpm", provider.limits.tpm);
  if (provider.limits.rpd > 0) fields.Number("rpd", provider.limits.rpd);
  if (provider.limits.tpd > 0) fields.Number("tpd", provider.limits.tpd);
  Block timeouts = fields.Open("timeouts");
  timeouts.Millis("connect", provider.timeouts.connect);
  timeouts.Millis("first_byte", provider.timeouts.first_byte);
  timeouts.Millis("idle", provider.timeouts.idle);
  Block queue = fields.Open("queue");
  queue.Millis("max_wait", provider.queue.max_wait);
  queue.Number("max_size", provider.queue.max_size);
  if (!provider.errors.empty()) fields.Raw("errors", DescribeErrorRules(provider.errors));
  if (provider.probe.enabled) {
    Block probe = fields.Open("probe");
    probe.Text("url", HideUrlSecrets(provider.probe.url));
    probe.Millis("interval", provider.probe.interval);
  } else {
    fields.Flag("probe", false);
  }
  if (!provider.ca_file.empty()) fields.Text("ca_file", provider.ca_file);
  Block auth = fields.Open("auth");
  auth.Text("header", provider.auth_header);
  auth.Text("prefix", provider.auth_prefix);
  Block keys = fields.Open("api_keys");
  for (const KeyConfig& key : provider.keys) keys.Item(DescribeKey(key));
}

void DescribeRoutes(const Config& config, Block top) {
  Block router = top.Open("Router");
  router.Text("default", config.router.default_route);
  router.Text("background", config.router.background);
  router.Text("think", config.router.think);
  router.Text("longContext", config.router.long_context);
  router.Text("webSearch", config.router.web_search);
  router.Text("image", config.router.image);
  router.Number("longContextThreshold", config.router.long_context_threshold);
  if (config.fallback.empty()) return top.Raw("fallback", "{}");
  Block fallback = top.Open("fallback");
  for (const auto& [name, routes] : config.fallback) fallback.Raw(name, QuoteList(routes));
}

void DescribeTls(const TlsFiles& files, const char* name, const char* ca, Block section) {
  if (!files.used()) return;
  Block tls = section.Open(name);
  if (!files.cert.empty()) tls.Text("cert", files.cert);
  if (!files.key.empty()) tls.Text("key", files.key);
  if (!files.ca.empty()) tls.Text(ca, files.ca);
}

std::string DescribeIdentity(const IdentityConfig& identity) {
  std::string known_by = absl::StrCat("token: ", ToAbsl(kHidden));
  if (identity.uid) known_by = absl::StrCat("uid: ", *identity.uid);
  if (!identity.certificate.empty()) known_by = absl::StrCat("certificate: ", Quote(identity.certificate));
  return absl::StrCat("{name: ", Quote(identity.name), ", role: ", ToAbsl(RoleName(identity.role)), ", ",
                      identity.pools.empty() ? "" : absl::StrCat("pools: ", QuoteList(identity.pools), ", "), known_by,
                      "}");
}

// The arguments of programs are not shown: some are secrets.
std::string DescribeMasterKeys(const MasterKeys& keys) {
  std::vector<std::string> sources;
  for (const MasterKeySource& source : keys.sources()) {
    using Kind = MasterKeySource::Kind;
    std::string text = absl::StrCat("{file: ", Quote(source.path), "}");
    if (source.kind == Kind::kCredential) text = absl::StrCat("{credential: ", Quote(source.path), "}");
    if (source.kind == Kind::kExec) {
      text = absl::StrCat("{exec: [", Quote(source.argv[0]), source.argv.size() > 1 ? ", " : "",
                          source.argv.size() > 1 ? ToAbsl(kHidden) : "", "]}");
    }
    sources.push_back(std::move(text));
  }
  return absl::StrCat("[", absl::StrJoin(sources, ", "), "]");
}

void DescribeVault(const VaultConfig& config, Block vault) {
  vault.Text("address", config.address);
  if (!config.name_space.empty()) vault.Text("namespace", config.name_space);
  if (!config.ca_file.empty()) vault.Text("ca_file", config.ca_file);
  vault.Millis("refresh", config.refresh);
  Block auth = vault.Open("auth");
  if (config.login == VaultConfig::Login::kToken) return auth.Open("token").Text("file", config.token_file);
  const bool approle = config.login == VaultConfig::Login::kAppRole;
  Block method = auth.Open(approle ? "approle" : "kubernetes");
  method.Text("mount", config.mount);
  method.Text(approle ? "role_id" : "role", approle ? config.role_id : config.role);
  method.Open(approle ? "secret_id" : "jwt").Text("file", approle ? config.secret_id_file : config.jwt_file);
}

void DescribeBroker(const BrokerConfig& config, Block broker) {
  const std::vector<std::string> listen =
      config.listen.empty() ? std::vector<std::string>{kDefaultBrokerListen} : config.listen;
  if (listen.size() == 1) {
    broker.Text("listen", listen[0]);
  } else {
    broker.Raw("listen", QuoteList(listen));
  }
  broker.Text("metrics_listen", config.metrics_listen);
  broker.Text("state_dir", config.state_dir);
  broker.Millis("stream_grace", config.stream_grace);
  if (config.lease_ttl) broker.Millis("lease_ttl", *config.lease_ttl);
  DescribeTls(config.tls, "tls", "client_ca", broker);
  if (config.master_keys != nullptr && !config.master_keys->sources().empty()) {
    broker.Raw("master_key", DescribeMasterKeys(*config.master_keys));
  }
  if (config.vault != nullptr) DescribeVault(*config.vault, broker.Open("vault"));
  if (config.identities.empty()) return;
  Block identities = broker.Open("identities");
  for (const IdentityConfig& identity : config.identities) identities.Item(DescribeIdentity(identity));
}

void DescribeProxy(const ProxyConfig& config, Block proxy) {
  DescribeTls(config.broker_tls, "broker_tls", "ca", proxy);
  if (!config.broker_token_file.empty()) proxy.Open("broker_token").Text("file", config.broker_token_file);
  proxy.Text("listen", config.listen);
  proxy.Text("metrics_listen", config.metrics_listen);
  proxy.Number("workers", config.workers);
  proxy.Millis("drain_timeout", config.drain_timeout);
  proxy.Number("max_head_bytes", config.max_head_bytes);
  proxy.Number("max_body_bytes", config.max_body_bytes);
  proxy.Number("max_buffered_bytes", config.max_buffered_bytes);
  proxy.Millis("header_timeout", config.header_timeout);
  proxy.Millis("idle_timeout", config.idle_timeout);
  proxy.Number("max_connections", config.max_connections);
  proxy.Raw("allowed_hosts", QuoteList(config.allowed_hosts));
}

}  // namespace

std::string DescribeConfig(const Config& config) {
  std::string out;
  Block top(&out, 0);
  top.Text("HOST", config.host);
  top.Number("PORT", config.port);
  top.Raw("APIKEY", config.client_token.empty() ? "null" : kHidden);
  top.Flag("LOG", config.log);
  top.Text("LOG_LEVEL", config.log_level);
  top.Text("LOG_FORMAT", config.log_format);
  top.Millis("API_TIMEOUT_MS", config.api_timeout);
  top.Text("PROXY_URL", HideUrlSecrets(config.proxy_url));
  if (!config.ca_file.empty()) top.Text("ca_file", config.ca_file);
  top.Flag("NON_INTERACTIVE_MODE", config.non_interactive);
  top.Text("CLAUDE_PATH", config.claude_path);
  Block providers = top.Open("Providers");
  for (const ProviderConfig& provider : config.providers) DescribeProvider(provider, providers, Block(&out, 4));
  DescribeRoutes(config, top);
  DescribeBroker(config.broker, top.Open("Broker"));
  DescribeProxy(config.proxy, top.Open("Proxy"));
  return out;
}

}  // namespace ccr
