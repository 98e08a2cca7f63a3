#include "broker/config/config.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unordered_set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "broker/base/absl_text.h"
#include "broker/base/address.h"
#include "broker/base/file_content.h"
#include "broker/base/private_path.h"
#include "broker/config/forward_proxy.h"
#include "broker/config/identities.h"
#include "broker/config/keys.h"
#include "broker/config/limits.h"
#include "broker/config/map_reader.h"
#include "broker/config/parse.h"
#include "broker/config/provider.h"
#include "broker/config/router.h"
#include "broker/config/sealed_keys.h"
#include "broker/config/source_reader.h"
#include "broker/config/url.h"

namespace ccr {
namespace {

constexpr size_t kMaxFileBytes = 16 << 20;
constexpr mode_t kOthersMode = 077;
constexpr size_t kUserEntryBytes = 16384;

// By the system's list of users; empty when they have none.
std::string HomeOfUser() {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(kUserEntryBytes);
  getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found);
  return found == nullptr || found->pw_dir == nullptr ? "" : found->pw_dir;
}

bool IsNothing(const Node* node) {
  return node == nullptr || (node->kind == Node::Kind::kBool && !node->boolean) ||
         (node->kind == Node::Kind::kString && node->text.empty()) ||
         (node->kind == Node::Kind::kList && node->items.empty()) ||
         (node->kind == Node::Kind::kMap && node->entries.empty());
}

std::string ProxyUrlProblem(std::string_view url) {
  return UrlProblem(url, {"http", "https", "socks5", "socks5h"}, true);
}

void ReadProxyUrl(MapReader* top, std::string* out) {
  top->Text("PROXY_URL", out);
  const std::string problem = out->empty() ? "" : ProxyUrlProblem(*out);
  if (!problem.empty()) top->Problems().Error(top->At("PROXY_URL"), problem);
}

// Of the environment's proxies, which no field names.
void CheckProxies(const Config& config, ProblemList* problems) {
  for (const ProviderConfig& provider : config.providers) {
    if (provider.proxy_url.empty() || provider.proxy_url == config.proxy_url) continue;
    const std::string problem = ProxyUrlProblem(provider.proxy_url);
    if (!problem.empty())
      return problems->Error(
          {}, absl::StrCat("the proxy of the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) ", problem));
  }
}

// The address itself is shown by ParseHostPort; "unix:PATH" passes where the section allows it.
std::optional<HostPort> CheckAddress(const std::string& text, const Place& place, bool allow_unix,
                                     ProblemList* problems) {
  if (allow_unix && !UnixPath(text).empty()) return std::nullopt;
  const absl::StatusOr<HostPort> parsed = ParseHostPort(text);
  if (parsed.ok()) return *parsed;
  problems->Error(place, std::string(parsed.status().message()));
  return std::nullopt;
}

std::optional<HostPort> ReadAddress(MapReader* fields, FieldName name, bool allow_unix, std::string* out) {
  fields->Text(name, out);
  return CheckAddress(*out, fields->At(name), allow_unix, &fields->Problems());
}

// A name or an IP address; with a colon only as IPv6.
bool IsHost(const std::string& text) {
  in6_addr v6{};
  if (text.find(':') != std::string::npos) return inet_pton(AF_INET6, text.c_str(), &v6) == 1;
  return text.find_first_of(" /@") == std::string::npos;
}

// Where it listens and who may come in. Without a token only this machine may.
void ReadFrontDoor(MapReader* top, const KeyFiles& files, Config* out) {
  top->Whole("PORT", kPortRange, &out->port);
  std::string host;
  top->Text("HOST", &host);
  if (!host.empty()) out->host = host;
  const bool is_host = IsHost(out->host);
  if (!is_host) {
    top->Problems().Error(top->At("HOST"), "must be a host name or an IP address; the port goes into PORT");
  }
  const Node* token = top->Find("APIKEY");
  if (!IsNothing(token)) {
    std::optional<Secret> secret = ReadSecret(*token, top->At("APIKEY"), files, &top->Problems());
    if (secret) out->client_token = std::move(*secret);
  } else if (is_host && !IsLoopback(out->host)) {
    out->host = "127.0.0.1";
    top->Problems().Warn(top->At("HOST"),
                         "127.0.0.1 is used, because APIKEY is not set: set APIKEY to listen elsewhere");
  }
}

// Relative paths are from the configuration's folder. What the files hold is checked when they are used.
void ReadTls(MapReader* section, const char* name, const char* ca, const KeyFiles& files, TlsFiles* out) {
  std::optional<MapReader> tls = section->Map(name);
  if (!tls) return;
  tls->Text("cert", &out->cert);
  tls->Text("key", &out->key);
  tls->Text(ca, &out->ca);
  if (out->cert.empty() != out->key.empty()) {
    tls->Problems().Error(tls->Here(), "cert and key come together: name both files");
  }
  for (const auto& [field, path] :
       {std::pair<const char*, std::string*>{"cert", &out->cert}, {"key", &out->key}, {ca, &out->ca}}) {
    if (path->empty()) continue;
    *path = ResolvePath(*path, files.config_path, files.home);
    if (access(path->c_str(), R_OK) != 0) {
      tls->Problems().Warn(tls->At(field), absl::StrCat(*path, " cannot be read: ", std::strerror(errno)));
    }
  }
  tls->Done();
}

// One address, or a list of them.
void ReadBrokerListen(MapReader* broker, BrokerConfig* out) {
  const Node* node = broker->Find("listen");
  if (node == nullptr) return;
  const Place place = broker->At("listen");
  if (node->kind == Node::Kind::kList) {
    broker->TextList("listen", &out->listen);
    if (node->items.empty()) broker->Problems().Error(place, "is empty: name an address, or leave it out");
  } else if (std::string one; broker->Text("listen", &one)) {
    out->listen.push_back(std::move(one));
  }
  bool foreign = false;
  for (const std::string& address : out->listen) {
    const std::optional<HostPort> parsed = CheckAddress(address, place, true, &broker->Problems());
    foreign |= parsed && !IsLoopback(parsed->host);
  }
  if (foreign && out->tls.ca.empty() && out->identities.empty()) {
    broker->Problems().Warn(place,
                            "whoever reaches this address can take keys: use unix:PATH, a network of your own, "
                            "identities with tokens, or tls with client_ca");
  }
}

void ReadBroker(MapReader* top, const KeyFiles& files, const std::vector<ProviderConfig>& providers,
                BrokerConfig* out) {
  std::string state_dir = "state";
  if (std::optional<MapReader> broker = top->Map("Broker")) {
    ReadTls(&*broker, "tls", "client_ca", files, &out->tls);
    if (out->tls.used() && out->tls.cert.empty()) {
      top->Problems().Error(broker->At("tls"), "a server needs its certificate: name cert and key");
    }
    out->identities = ReadIdentities(&*broker, files, providers);
    ReadBrokerListen(&*broker, out);
    ReadAddress(&*broker, "metrics_listen", false, &out->metrics_listen);
    broker->Text("state_dir", &state_dir);
    broker->Ignore({"master_key", "vault"});  // ReadMasterKeys, ReadVault
    broker->Millis("stream_grace", kMillisOrNone, &out->stream_grace);
    absl::Duration lease_ttl = *out->lease_ttl;
    broker->Millis("lease_ttl", kMillis, &lease_ttl);
    out->lease_ttl = lease_ttl;
    broker->Done();
  }
  out->state_dir = ResolvePath(state_dir, files.config_path, files.home);
  out->vault = files.vault;
}

void ReadBrokerToken(MapReader* proxy, const KeyFiles& files, std::string* out) {
  const Node* node = proxy->Find("broker_token");
  if (node == nullptr) return;
  if (node->kind != Node::Kind::kMap) {
    return proxy->Problems().Error(proxy->At("broker_token"),
                                   "must be {file: PATH}: the proxy reads the token from the file by itself");
  }
  MapReader fields(*node, proxy->At("broker_token"), &proxy->Problems());
  fields.Text("file", out);
  if (out->empty()) fields.Problems().Error(fields.Here(), "must be {file: PATH}");
  if (!out->empty()) *out = ResolvePath(*out, files.config_path, files.home);
  fields.Done();
}

void ReadProxy(MapReader* top, const KeyFiles& files, ProxyConfig* out) {
  std::optional<MapReader> proxy = top->Map("Proxy");
  if (!proxy) return;
  ReadAddress(&*proxy, "broker", true, &out->broker);
  if (proxy->Find("broker") != nullptr) {
    proxy->Problems().Warn(proxy->At("broker"),
                           "has no effect: ccr start connects the proxy with its own broker, another "
                           "proxy takes --broker; remove it");
  }
  ReadTls(&*proxy, "broker_tls", "ca", files, &out->broker_tls);
  ReadBrokerToken(&*proxy, files, &out->broker_token_file);
  const std::optional<HostPort> listen = ReadAddress(&*proxy, "listen", false, &out->listen);
  if (listen && !IsLoopback(listen->host) && IsNothing(top->Find("APIKEY"))) {
    top->Problems().Error(proxy->At("listen"), "others could use your keys: set APIKEY, or listen on 127.0.0.1");
  }
  ReadAddress(&*proxy, "metrics_listen", false, &out->metrics_listen);
  proxy->Whole("workers", kWorkerRange, &out->workers);
  proxy->Millis("drain_timeout", kMillisOrNone, &out->drain_timeout);
  proxy->Whole("max_head_bytes", kHeadBytes, &out->max_head_bytes);
  proxy->Whole("max_body_bytes", kBodyBytes, &out->max_body_bytes);
  proxy->Whole("max_buffered_bytes", kBufferBytes, &out->max_buffered_bytes);
  proxy->Millis("header_timeout", kMillis, &out->header_timeout);
  proxy->Millis("idle_timeout", kMillis, &out->idle_timeout);
  proxy->Whole("max_connections", kAtLeastOne, &out->max_connections);
  proxy->TextList("allowed_hosts", &out->allowed_hosts);
  proxy->Done();
}

// "silent" is Claude Code Router's other way to say LOG: false.
void ReadLogging(MapReader* top, Config* out) {
  top->Flag("LOG", &out->log);
  top->OneOf("LOG_LEVEL", {"debug", "info", "warn", "error", "off", "trace", "fatal", "silent"}, &out->log_level);
  top->OneOf("LOG_FORMAT", {"text", "json"}, &out->log_format);
  if (out->log_level != "silent") return;
  out->log = false;
  out->log_level = "fatal";
}

// What Claude Code Router has besides: its JavaScript, and settings that other programs read.
void ReadForeign(MapReader* top) {
  for (const char* name : {"transformers", "CUSTOM_ROUTER_PATH", "plugins", "presets"}) {
    if (IsNothing(top->Find(name))) continue;
    top->Problems().Warn(top->At(name),
                         "is JavaScript for Claude Code Router and is ignored here: it is safe to remove it");
  }
  top->Ignore({"StatusLine", "REWRITE_SYSTEM_PROMPT", "forceUseImageAgent", "ANTHROPIC_SMALL_FAST_MODEL", "$schema"});
}

void ReadTop(MapReader* top, KeyFiles files, Config* out) {
  files.vault = ReadVault(top, files);
  ReadFrontDoor(top, files, out);
  ReadLogging(top, out);
  top->Millis("API_TIMEOUT_MS", kMillis, &out->api_timeout);
  ReadProxyUrl(top, &out->proxy_url);
  ReadAuthorities(top, files, &out->ca_file, &out->authorities);
  top->Flag("NON_INTERACTIVE_MODE", &out->non_interactive);
  top->Text("CLAUDE_PATH", &out->claude_path);
  out->providers = ReadProviders(top, files);
  ReadRoutes(top, out);
  out->broker.lease_ttl = out->api_timeout;
  ReadBroker(top, files, out->providers, &out->broker);
  out->proxy.listen = HostPort{out->host, out->port}.ToString();
  ReadProxy(top, files, &out->proxy);
  ReadForeign(top);
  top->Done();
}

// Keeps what was asked for, each source once; asks `other`, or nobody.
class Recorder final : public SecretResolver {
 public:
  explicit Recorder(SecretResolver* other) : other_(other) {}

  SecretAnswer Resolve(const SecretSource& source) override {
    if (known_.insert(source.Id()).second) sources_.push_back(source);
    return other_ != nullptr ? other_->Resolve(source) : SecretAnswer();
  }
  std::vector<SecretSource> Take() { return std::move(sources_); }

 private:
  SecretResolver* const other_;
  std::unordered_set<std::string> known_;
  std::vector<SecretSource> sources_;
};

// Whether any map of the tree has a field that names a source.
bool MayNameSources(const Node& node) {
  const auto names = [](const Node::Entry& entry) {
    return entry.name == "file" || entry.name == "exec" || entry.name == "vault" || MayNameSources(entry.value);
  };
  return std::any_of(node.items.begin(), node.items.end(), MayNameSources) ||
         std::any_of(node.entries.begin(), node.entries.end(), names);
}

// All that a reading of the tree will ask for.
std::vector<SecretSource> SourcesIn(const Node& root, KeyFiles files) {
  if (!MayNameSources(root)) return {};
  ProblemList unread("");
  Recorder recorder(nullptr);
  files.resolver = &recorder;
  MapReader top(root, {}, &unread);
  Config unused;
  unused.path = files.config_path;
  ReadTop(&top, std::move(files), &unused);
  return recorder.Take();
}

// Any text of a configuration may be a key.
void Wipe(Node* node) {
  explicit_bzero(node->text.data(), node->text.capacity());
  for (Node& item : node->items) Wipe(&item);
  for (Node::Entry& entry : node->entries) Wipe(&entry.value);
}

// Nothing after an error was recorded.
std::optional<FileContent> ReadConfigFile(const std::string& path, ProblemList* problems) {
  absl::StatusOr<FileContent> content = ReadFileContent(path, kMaxFileBytes);
  if (content.ok()) return *std::move(content);
  const char* hint =
      absl::IsNotFound(content.status())
          ? ": write it with ccr init, or by hand with your Providers (name, api_base_url, api_key, models), "
            "or name another file with --config"
          : "";
  problems->Error({}, absl::StrCat("the configuration file ", content.status().message(), hint));
  return std::nullopt;
}

void TakeProviderNames(MapReader* top, std::vector<std::string>* names) {
  const Node* list = top->Find(FieldName("Providers", "providers"));
  if (list == nullptr) return;
  for (const Node& provider : list->items) {
    for (const Node::Entry& entry : provider.entries) {
      if (entry.name == "name") names->push_back(entry.value.text);
    }
  }
}

}  // namespace

std::string ServiceSocket(const BrokerConfig& config) {
  return "unix:" + (std::filesystem::path(AbsolutePath(config.state_dir)) / "broker.sock").string();
}

std::vector<std::string> OpenListeners(const BrokerConfig& config) {
  std::vector<std::string> open;
  if (!config.tls.ca.empty() || !config.identities.empty()) return open;
  for (const std::string& address : config.listen) {
    if (UnixPath(address).empty()) open.push_back(address);
  }
  return open;
}

std::string OpenListenersWarning(const std::vector<std::string>& open) {
  if (open.empty()) return "";
  return absl::StrCat("WARNING: ANYBODY WHO REACHES ", absl::AsciiStrToUpper(absl::StrJoin(open, ", ")),
                      " CAN TAKE YOUR KEYS, EVERY USER OF THIS MACHINE AND ITS CONTAINERS TOO. "
                      "USE A UNIX SOCKET, Broker.identities WITH A TOKEN, OR Broker.tls WITH client_ca.");
}

std::string ConfigProblem::ToString() const {
  std::string text = file;
  if (line > 0) absl::StrAppend(&text, ":", line);
  absl::StrAppend(&text, severity == Severity::kError ? ": error: " : ": warning: ");
  if (!provider.empty()) absl::StrAppend(&text, "provider '", provider, "': ");
  if (!field.empty()) absl::StrAppend(&text, field, ": ");
  return absl::StrCat(text, message);
}

ConfigResult ParseConfig(std::string_view text, const std::string& path, const EnvLookup& env, SecretResolver* resolver,
                         const std::optional<MasterKeyPlace>& open_sealed) {
  ProblemList problems(path);
  ConfigResult result;
  Node root;
  if (ParseTree(text, path, env, &root, &problems)) {
    FilesOnly files_only;
    Recorder recorder(resolver != nullptr ? resolver : &files_only);
    KeyFiles files{path, env("HOME").value_or(""), env, &recorder, nullptr, nullptr};
    if (resolver != nullptr) resolver->Prepare(SourcesIn(root, files));
    MapReader top(root, {root.line, "", ""}, &problems);
    Config& config = result.config.emplace();
    config.path = path;
    config.broker.master_keys = ReadMasterKeys(&top, open_sealed.value_or(MasterKeyPlace{}), files, env);
    if (open_sealed) files.open = OpenerWith(config.broker.master_keys, &top);
    ReadTop(&top, files, &config);
    config.sources = recorder.Take();
    for (ProviderConfig& provider : config.providers)
      provider.proxy_url = ForwardProxyOf(provider.base_url, config.proxy_url, env);
    CheckProxies(config, &problems);
  }
  Wipe(&root);
  if (problems.HasErrors()) result.config.reset();
  result.problems = problems.Take();
  return result;
}

ConfigResult LoadConfig(const std::string& path, const EnvLookup& env, SecretResolver* resolver,
                        const std::optional<MasterKeyPlace>& open_sealed) {
  ProblemList about_file(path);
  std::optional<FileContent> content = ReadConfigFile(path, &about_file);
  if (!content) {
    ConfigResult unread;
    unread.problems = about_file.Take();
    return unread;
  }
  if (content->mode & kOthersMode) {
    about_file.Warn(
        {}, absl::StrFormat("other users can read or change this file, which holds keys (mode %04o): run chmod 600 %s",
                            content->mode, path));
  }
  ConfigResult result = ParseConfig(content->text.Reveal(), path, env, resolver, open_sealed);
  result.text = std::move(content->text);
  std::vector<ConfigProblem> first = about_file.Take();
  result.problems.insert(result.problems.begin(), first.begin(), first.end());
  return result;
}

SealingConfig LoadSealingConfig(const std::string& path, const EnvLookup& env, const MasterKeyPlace& place) {
  ProblemList problems(path);
  SealingConfig result;
  Node root;
  const std::optional<FileContent> content = ReadConfigFile(path, &problems);
  if (content && ParseTree(content->text.Reveal(), path, env, &root, &problems)) {
    MapReader top(root, {root.line, "", ""}, &problems);
    KeyFiles files;
    files.config_path = path;
    files.home = env("HOME").value_or("");
    result.master_keys = ReadMasterKeys(&top, place, files, env);
    TakeProviderNames(&top, &result.providers);
  }
  Wipe(&root);
  if (problems.HasErrors()) result.master_keys.reset();
  result.problems = problems.Take();
  return result;
}

std::string DefaultConfigPath() {
  std::string home = ProcessEnv()("HOME").value_or("");
  if (home.empty()) home = HomeOfUser();
  return home.empty() ? "" : home + "/.claude-code-router/config.json";
}

std::string ResolvePath(std::string_view path, std::string_view config_path, std::string_view home) {
  if (path.starts_with("~/") && !home.empty()) return (std::filesystem::path(home) / path.substr(2)).string();
  return (std::filesystem::path(config_path).parent_path() / path).string();
}

}  // namespace ccr
