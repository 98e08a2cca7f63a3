#include "broker/config/source_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/config/limits.h"
#include "broker/config/url.h"

namespace ccr {
namespace {

constexpr char kChoice[] = "{file: PATH}, {exec: [PROGRAM, ...]} or {vault: \"PATH#FIELD\"}";
constexpr Range kTtl{1000, kWeekMillis};
constexpr absl::Duration kDefaultTtl = absl::Minutes(5);
constexpr size_t kMaxArguments = 1000;
constexpr char kKubernetesToken[] = "/var/run/secrets/kubernetes.io/serviceaccount/token";

bool IsVariableName(std::string_view name) {
  const auto allowed = [](char c) { return c == '_' || absl::ascii_isalnum(static_cast<unsigned char>(c)); };
  return !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), allowed);
}

// What the program finds: PATH, HOME and those of "env", where NAME stands for the broker's own and NAME=VALUE for itself.
void ReadEnvironment(MapReader* fields, const KeyFiles& files, std::vector<std::string>* out) {
  const auto pass = [&](const std::string& name) {
    const std::optional<std::string> value = files.env ? files.env(name) : std::nullopt;
    if (value) out->push_back(absl::StrCat(name, "=", *value));
    return value.has_value();
  };
  pass("PATH");
  pass("HOME");
  std::vector<std::string> given;
  if (fields->Find("env") == nullptr || !fields->TextList("env", &given)) return;
  for (const std::string& variable : given) {
    const size_t equals = variable.find('=');
    const std::string name = variable.substr(0, equals);
    if (!IsVariableName(name)) {
      fields->Problems().Error(fields->At("env"), "write NAME to pass a variable on, or NAME=VALUE");
    } else if (equals != std::string::npos) {
      out->push_back(variable);
    } else if (!pass(name)) {
      fields->Problems().Warn(fields->At("env"),
                              absl::StrCat("environment variable ", name, " is not set: the program runs without it"));
    }
  }
}

bool ReadExec(MapReader* fields, const KeyFiles& files, SecretSource* source) {
  source->kind = SecretSource::Kind::kExec;
  source->ttl = kDefaultTtl;
  const Place place = fields->At("exec");
  fields->Millis("ttl", kTtl, &source->ttl);
  ReadEnvironment(fields, files, &source->environment);
  if (!fields->TextList("exec", &source->argv)) return false;
  const bool empty = source->argv.empty() || source->argv[0].empty();
  if (empty) fields->Problems().Error(place, "is empty: write [PROGRAM, ARGUMENT, ...]; no shell reads it");
  if (source->argv.size() > kMaxArguments) fields->Problems().Error(place, "has too many arguments");
  if (empty || source->argv.size() > kMaxArguments) return false;
  source->folder = ResolvePath("", files.config_path, files.home);
  if (source->argv[0].find('/') != std::string::npos) {
    source->argv[0] = ResolvePath(source->argv[0], files.config_path, files.home);
  }
  return true;
}

bool ReadVaultPath(MapReader* fields, const KeyFiles& files, SecretSource* source) {
  source->kind = SecretSource::Kind::kVault;
  source->vault = files.vault;
  const Place place = fields->At("vault");
  std::string text;
  if (!fields->Text("vault", &text)) return false;
  const size_t hash = text.find('#');
  source->vault_path = text.substr(0, hash);
  source->vault_field = hash == std::string::npos ? "" : text.substr(hash + 1);
  const std::string& path = source->vault_path;
  const auto is_graph = [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); };
  const bool sound = !path.empty() && path.front() != '/' && path.back() != '/' && path.find("..") == path.npos &&
                     path.find("//") == path.npos && std::all_of(text.begin(), text.end(), is_graph);
  if (!sound || source->vault_field.empty()) {
    fields->Problems().Error(place,
                             "write \"PATH#FIELD\", for example \"kv/data/openai#key\" (KV version 2, mounted at "
                             "kv) or \"secret/openai#key\" (version 1)");
    return false;
  }
  if (files.vault != nullptr) return true;
  fields->Problems().Error(place, "Broker.vault must say which server: {address: \"https://...\", auth: {...}}");
  return false;
}

// The path in "NAME: {file: PATH}"; `out` is what it is without.
void ReadFileOf(MapReader* fields, const char* name, const KeyFiles& files, std::string* out) {
  const Node* node = fields->Find(name);
  std::string path;
  if (node != nullptr && node->kind == Node::Kind::kMap) {
    MapReader file(*node, fields->At(name), &fields->Problems());
    file.Text("file", &path);
    file.DoneExactly();
  }
  if (!path.empty()) {
    *out = ResolvePath(path, files.config_path, files.home);
  } else if (node != nullptr || out->empty()) {
    fields->Problems().Error(fields->At(name),
                             absl::StrCat("write ", name, ": {file: PATH}: the file is read at each login"));
  }
}

void ReadRequired(MapReader* fields, const char* name, std::string* out) {
  if (fields->Text(name, out) && out->empty()) fields->Problems().Error(fields->At(name), "is missing");
}

void ReadLogin(MapReader* auth, const KeyFiles& files, VaultConfig* out) {
  const bool token = auth->Find("token") != nullptr;
  std::optional<MapReader> approle = auth->Map("approle");
  std::optional<MapReader> kubernetes = auth->Map("kubernetes");
  if (token + approle.has_value() + kubernetes.has_value() != 1) {
    auth->Problems().Error(auth->Here(),
                           "write one of token: {file: PATH}, approle: {role_id, secret_id: {file: PATH}}, kubernetes: "
                           "{role, jwt: {file: PATH}}");
  } else if (token) {
    out->login = VaultConfig::Login::kToken;
    ReadFileOf(auth, "token", files, &out->token_file);
  } else if (approle) {
    out->login = VaultConfig::Login::kAppRole;
    out->mount = "approle";
    ReadRequired(&*approle, "mount", &out->mount);
    ReadRequired(&*approle, "role_id", &out->role_id);
    ReadFileOf(&*approle, "secret_id", files, &out->secret_id_file);
    approle->DoneExactly();
  } else {
    out->login = VaultConfig::Login::kKubernetes;
    out->mount = "kubernetes";
    out->jwt_file = kKubernetesToken;
    ReadRequired(&*kubernetes, "mount", &out->mount);
    ReadRequired(&*kubernetes, "role", &out->role);
    ReadFileOf(&*kubernetes, "jwt", files, &out->jwt_file);
    kubernetes->DoneExactly();
  }
  auth->DoneExactly();
}

void ReadVaultAddress(MapReader* vault, std::string* out) {
  const Place place = vault->At("address");
  if (!vault->Text("address", out)) return;
  const std::string problem = out->empty()
                                  ? "is missing: write the server's URL, for example https://vault.example:8200"
                                  : UrlProblem(*out, {"http", "https"}, false);
  if (!problem.empty()) return vault->Problems().Error(place, problem);
  while (out->ends_with('/')) out->pop_back();
  if (out->ends_with("/v1")) out->resize(out->size() - 3);
  if (IsReadableOnItsWay(*out)) {
    vault->Problems().Warn(place, "the login and the keys travel unencrypted: use https");
  }
}

}  // namespace

bool NamesSource(MapReader* fields) {
  const bool file = fields->Find("file") != nullptr;
  const bool exec = fields->Find("exec") != nullptr;
  return fields->Find("vault") != nullptr || file || exec;
}

std::optional<SecretSource> ReadSource(MapReader* fields, const KeyFiles& files) {
  const bool file = fields->Find("file") != nullptr;
  const bool exec = fields->Find("exec") != nullptr;
  const bool vault = fields->Find("vault") != nullptr;
  SecretSource source;
  if (file + exec + vault != 1) {
    fields->Problems().Error(fields->Here(), file + exec + vault > 1 ? "several sources are given: keep one of them"
                                                                     : absl::StrCat("must be text, ", kChoice));
    return std::nullopt;
  }
  if (exec) return ReadExec(fields, files, &source) ? std::optional(std::move(source)) : std::nullopt;
  if (vault) return ReadVaultPath(fields, files, &source) ? std::optional(std::move(source)) : std::nullopt;
  if (!fields->Text("file", &source.path)) return std::nullopt;
  if (source.path.empty()) {
    fields->Problems().Error(fields->Here(), absl::StrCat("must be text, ", kChoice));
    return std::nullopt;
  }
  source.path = ResolvePath(source.path, files.config_path, files.home);
  return source;
}

std::shared_ptr<const VaultConfig> ReadVault(MapReader* top, const KeyFiles& files) {
  const Node* broker = top->Find("Broker");
  if (broker == nullptr || broker->kind != Node::Kind::kMap) return nullptr;
  ProblemList unread("");  // of the section's other fields, which their own reader judges
  MapReader section(*broker, top->At("Broker"), &unread);
  const Node* node = section.Find("vault");
  if (node == nullptr) return nullptr;
  ProblemList& problems = top->Problems();
  const size_t before = problems.size();
  if (node->kind != Node::Kind::kMap) {
    problems.Error(section.At("vault"), "must be a map: {address, auth}");
    return std::make_shared<const VaultConfig>();
  }
  MapReader vault(*node, section.At("vault"), &problems);
  VaultConfig config;
  ReadVaultAddress(&vault, &config.address);
  vault.Text("namespace", &config.name_space);
  vault.Millis("refresh", kTtl, &config.refresh);
  vault.Text("ca_file", &config.ca_file);
  if (!config.ca_file.empty()) config.ca_file = ResolvePath(config.ca_file, files.config_path, files.home);
  if (std::optional<MapReader> auth = vault.Map("auth")) {
    ReadLogin(&*auth, files, &config);
  } else if (problems.size() == before) {
    problems.Error(vault.Here(), "auth is missing: write auth: {token: {file: PATH}}, approle or kubernetes");
  }
  vault.Done();
  return std::make_shared<const VaultConfig>(std::move(config));
}

}  // namespace ccr
