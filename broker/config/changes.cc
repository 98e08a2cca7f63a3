#include "broker/config/changes.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"

namespace ccr {
namespace {

constexpr size_t kMaxLines = 100;
constexpr size_t kNamedKeys = 5;
constexpr size_t kShownBytes = 60;

// Fields that a running process does not take up.
constexpr std::string_view kAtStart[] = {"HOST",
                                         "PORT",
                                         "LOG",
                                         "LOG_LEVEL",
                                         "LOG_FORMAT",
                                         "Broker.listen",
                                         "Broker.tls",
                                         "Broker.state_dir",
                                         "Proxy.broker",
                                         "Proxy.listen",
                                         "Broker.identities",
                                         "Broker.metrics_listen",
                                         "Proxy.workers",
                                         "Proxy.broker_tls",
                                         "Proxy.broker_token",
                                         "Proxy.drain_timeout",
                                         "Proxy.metrics_listen"};

// Of the identities those that are known by a token, which a running broker takes up.
constexpr char kTokens[] = "Broker.identities (token)";
constexpr char kTokenEntry[] = ", token: ";

bool IsReadAtStart(std::string_view path) {
  return std::any_of(std::begin(kAtStart), std::end(kAtStart), [path](std::string_view field) {
    return path == field || (path.starts_with(field) && path[field.size()] == '.');
  });
}

// "3 keys added (a, b, c)"
void TellKeys(const std::string& prefix, const std::vector<std::string>& names, const char* what,
              std::vector<std::string>* lines) {
  if (names.empty()) return;
  if (names.size() == 1) return lines->push_back(absl::StrCat(prefix, "key '", names[0], "' ", what));
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamedKeys));
  lines->push_back(absl::StrCat(prefix, names.size(), " keys ", what, " (", absl::StrJoin(names.begin(), end, ", "),
                                names.size() > kNamedKeys ? ", ...)" : ")"));
}

// The names that lead to a line of indented "NAME: VALUE" lines.
class Path {
 public:
  std::string Enter(size_t indent, const std::string& name, bool opens) {
    while (!open_.empty() && open_.back().first >= indent) open_.pop_back();
    std::string path;
    for (const auto& [at, parent] : open_) absl::StrAppend(&path, parent, ".");
    if (opens) open_.emplace_back(indent, name);
    return path + name;
  }
  void Leave() { open_.clear(); }

 private:
  std::vector<std::pair<size_t, std::string>> open_;
};

}  // namespace

ConfigOutline::ConfigOutline(const Config& config) {
  TakeLines(config);
  fields_["APIKEY"].exact = Sha256(config.client_token.Reveal());
  fields_["PROXY_URL"].exact = Sha256(config.proxy_url);
  for (const IdentityConfig& identity : config.broker.identities) {
    if (!identity.token_sha256.empty()) fields_[kTokens].exact += identity.token_sha256;
  }
  for (const ProviderConfig& provider : config.providers) {
    Pool& pool = pools_[provider.name];
    pool.fields["api_base_url"].exact = Sha256(provider.base_url);
    pool.fields["probe.url"].exact = Sha256(provider.probe.url);
    for (const KeyConfig& key : provider.keys) {
      pool.keys[key.name] = {
          absl::StrCat(key.weight, " ", key.max_failures, " ", key.cooldown ? absl::FormatDuration(*key.cooldown) : "",
                       " ", key.max_concurrent, " ", key.limits.rpm, " ", key.limits.tpm, " ", key.limits.rpd, " ",
                       key.limits.tpd, " ", absl::StrJoin(key.models, " "), key.enabled ? "" : " not enabled"),
          Sha256(key.secret.Reveal())};
    }
  }
}

void ConfigOutline::TakeLines(const Config& config) {
  const std::string text = DescribeConfig(config);
  Path path;
  Pool* pool = nullptr;
  size_t next = 0;
  for (const absl::string_view part : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::string_view line = ToStd(part);
    const size_t indent = line.find_first_not_of(' ');
    const std::string_view body = line.substr(indent);
    if (body.starts_with('#')) continue;
    if (indent == 0) pool = nullptr;
    if (body.starts_with("- name: ") && next < config.providers.size()) {
      pool = &pools_[config.providers[next++].name];
      path.Leave();
    } else if (body.starts_with("- ")) {
      const bool token = absl::StrContains(ToAbsl(body), kTokenEntry);
      if (pool == nullptr) fields_[token ? kTokens : "Broker.identities"].exact += std::string(body);
    } else {
      const size_t colon = std::min(body.find(':'), body.size() - 1);
      const std::string_view value = body.substr(std::min(colon + 2, body.size()));
      const std::string name = path.Enter(indent, std::string(body.substr(0, colon)), value.empty());
      if (!value.empty()) (pool == nullptr ? fields_ : pool->fields)[name].shown = std::string(value);
    }
  }
}

std::vector<std::string> ConfigOutline::ChangesTo(const ConfigOutline& after) const {
  std::vector<std::string> lines;
  if (fields_.empty()) return lines;
  for (const auto& [name, pool] : pools_) {
    if (!after.pools_.contains(name)) lines.push_back(absl::StrCat("provider '", name, "' removed"));
  }
  for (const auto& [name, pool] : after.pools_) {
    const auto known = pools_.find(name);
    const std::string prefix = absl::StrCat("provider '", name, "'");
    if (known == pools_.end()) {
      lines.push_back(absl::StrCat(prefix, " added, ", pool.keys.size(), pool.keys.size() == 1 ? " key" : " keys"));
      continue;
    }
    Compare(prefix + ": ", known->second.fields, pool.fields, &lines);
    CompareKeys(prefix + ": ", known->second.keys, pool.keys, &lines);
  }
  Compare("", fields_, after.fields_, &lines);
  if (lines.size() <= kMaxLines) return lines;
  const size_t more = lines.size() - kMaxLines + 1;
  lines.resize(kMaxLines - 1);
  lines.push_back(absl::StrCat("and ", more, " more"));
  return lines;
}

std::vector<std::string> ConfigOutline::NeedRestart(const ConfigOutline& after) const {
  std::vector<std::string> names;
  if (fields_.empty()) return names;
  Values all = fields_;
  all.insert(after.fields_.begin(), after.fields_.end());
  for (const auto& [name, value] : all) {
    const auto old = fields_.find(name);
    const auto now = after.fields_.find(name);
    const bool same = old != fields_.end() && now != after.fields_.end() && old->second == now->second;
    if (!same && IsReadAtStart(name)) names.push_back(name);
  }
  return names;
}

void ConfigOutline::Compare(const std::string& prefix, const Values& before, const Values& after,
                            std::vector<std::string>* lines) {
  Values all = before;
  all.insert(after.begin(), after.end());
  for (const auto& [name, value] : all) {
    const auto old = before.find(name);
    const auto now = after.find(name);
    if (old == before.end() || now == after.end()) {
      lines->push_back(absl::StrCat(prefix, name, old == before.end() ? " added" : " removed"));
      continue;
    }
    if (old->second == now->second) continue;
    const std::string change = absl::StrCat(": ", old->second.shown, " -> ", now->second.shown);
    const bool tells = old->second.shown != now->second.shown && change.size() <= 2 * kShownBytes;
    lines->push_back(absl::StrCat(prefix, name, tells ? change : " changed"));
  }
}

void ConfigOutline::CompareKeys(const std::string& prefix, const Values& before, const Values& after,
                                std::vector<std::string>* lines) {
  std::vector<std::string> added, removed, replaced, changed;
  for (const auto& [name, key] : before) {
    if (!after.contains(name)) removed.push_back(name);
  }
  for (const auto& [name, key] : after) {
    const auto known = before.find(name);
    if (known == before.end()) {
      added.push_back(name);
    } else if (known->second.exact != key.exact) {
      replaced.push_back(name);
    } else if (known->second.shown != key.shown) {
      changed.push_back(name);
    }
  }
  TellKeys(prefix, added, "added", lines);
  TellKeys(prefix, removed, "removed", lines);
  TellKeys(prefix, replaced, "replaced", lines);
  TellKeys(prefix, changed, "changed", lines);
}

}  // namespace ccr
