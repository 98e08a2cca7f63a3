#include "client/cli/migrate/pools.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/config/url.h"

namespace ccr::cli::migration {
namespace {

constexpr size_t kMaxKeyBytes = 8192;
constexpr size_t kMaxProviderName = 100;
constexpr size_t kMaxPlainName = 48;

// Adds what is new, in order.
void Unite(const std::vector<std::string>& more, std::vector<std::string>* all) {
  for (const std::string& each : more) {
    if (std::find(all->begin(), all->end(), each) == all->end()) all->push_back(each);
  }
}

}  // namespace

std::string KeyProblem(std::string_view key) {
  if (key.size() > kMaxKeyBytes) return "the key is longer than 8192 bytes";
  if (absl::StrContains(ToAbsl(key), "***")) return "the key is masked, so it is not in this file: export it whole";
  const bool graphic = std::all_of(key.begin(), key.end(), [](char c) { return absl::ascii_isgraph(c); });
  return graphic ? "" : "the key holds a space, a control character or one beyond ASCII";
}

bool LooksLikeChat(std::string_view model) {
  static constexpr std::string_view kOthers[] = {"embed", "rerank", "whisper", "tts", "dall-e", "image", "moderation"};
  return std::none_of(std::begin(kOthers), std::end(kOthers),
                      [model](std::string_view part) { return absl::StrContains(ToAbsl(model), ToAbsl(part)); });
}

namespace {

// Why it cannot be taken; empty when it can.
std::string ProblemOf(const Deployment& deployment) {
  if (const std::string problem = UrlProblem(deployment.url, {"http", "https"}, false); !problem.empty()) {
    return "its URL " + problem;
  }
  if (deployment.models.empty()) return "it names no model";
  return KeyProblem(deployment.key.text.Reveal());
}

std::string ProviderName(const std::string& wanted) {
  std::string name;
  for (const char c : wanted) name += c == ',' || absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? '-' : c;
  name = std::string(absl::StripAsciiWhitespace(name));
  if (name.size() <= kMaxProviderName) return name;
  size_t end = kMaxProviderName;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;  // not within a code point
  return name.substr(0, end);
}

// `name`, or `name`-2 and so on: the first that is not in `taken`, upper and lower case alike.
std::string Unique(const std::string& name, std::set<std::string>* taken) {
  std::string unique = name;
  for (int number = 2; !taken->insert(absl::AsciiStrToLower(unique)).second; ++number) {
    unique = absl::StrCat(name, "-", number);
  }
  return unique;
}

// `wanted`, or one by number: the first that does not hold the key, however short that is.
std::string KeyName(const std::string& wanted, size_t number, std::string_view key) {
  std::string letters;
  for (size_t rest = number; rest > 0; rest = (rest - 1) / 26) letters += static_cast<char>('a' + (rest - 1) % 26);
  const std::string names[] = {wanted, absl::StrCat("key-", number), "key-" + letters, "account." + letters};
  const auto* fit = std::find_if(std::begin(names), std::end(names), [key](const std::string& name) {
    return !name.empty() && (key.empty() || name.find(key) == std::string::npos);
  });
  return fit == std::end(names) ? absl::StrCat(number, letters) : *fit;
}

// Builds one provider.
class Pool {
 public:
  Pool(std::string name, const Deployment& first) {
    provider_.name = std::move(name);
    provider_.url = first.url;
    provider_.auth_header = first.auth_header;
    provider_.settings = first.settings;
  }

  const std::string& name() const { return provider_.name; }

  void Add(Deployment deployment, const Hider& hider, Notes* notes) {
    Unite(deployment.models, &provider_.models);
    const auto found = by_text_.find(deployment.key.text.Reveal());
    if (found == by_text_.end()) return AddKey(std::move(deployment), hider);
    Combine(deployment, &provider_.keys[found->second], notes);
  }

  // A key that serves everything says so by naming no model; weights that are all alike are not said.
  ProviderDraft Take() {
    const auto all_models = provider_.models.size();
    for (KeyDraft& key : provider_.keys) {
      if (key.models.size() == all_models) key.models.clear();
    }
    const bool alike = std::all_of(provider_.keys.begin(), provider_.keys.end(),
                                   [this](const KeyDraft& key) { return key.weight == provider_.keys.front().weight; });
    for (KeyDraft& key : provider_.keys) {
      if (alike) key.weight = 1;
    }
    if (!alike) provider_.settings.strategy = "weighted";
    if (provider_.keys.size() < 2) provider_.settings.strategy.clear();
    return std::move(provider_);
  }

 private:
  void AddKey(Deployment&& deployment, const Hider& hider) {
    KeyDraft& key = provider_.keys.emplace_back();
    const std::string wanted = hider.Holds(deployment.key_name) ? "" : PlainName(deployment.key_name);
    key.name = Unique(KeyName(wanted, provider_.keys.size(), deployment.key.text.Reveal()), &key_names_);
    key.key = std::move(deployment.key);
    by_text_.emplace(key.key.text.Reveal(), provider_.keys.size() - 1);
    key.weight = deployment.weight;
    key.rpm = deployment.rpm;
    key.tpm = deployment.tpm;
    key.max_concurrent = deployment.max_concurrent;
    key.models = std::move(deployment.models);
  }

  void Combine(const Deployment& deployment, KeyDraft* key, Notes* notes) {
    Unite(deployment.models, &key->models);
    const auto sum = [](uint64_t a, uint64_t b) { return a == 0 || b == 0 ? 0 : a + b; };
    const bool limited =
        key->rpm + key->tpm + key->max_concurrent + deployment.rpm + deployment.tpm + deployment.max_concurrent > 0;
    key->rpm = sum(key->rpm, deployment.rpm);
    key->tpm = sum(key->tpm, deployment.tpm);
    key->max_concurrent = sum(key->max_concurrent, deployment.max_concurrent);
    if (limited) {
      notes->Different(deployment.where,
                       absl::StrCat("has the same key as another entry: the limits of ", key->name, " of ", name(),
                                    " are the sums over its models, none where an entry sets none"));
    }
  }

  ProviderDraft provider_;
  std::unordered_map<std::string_view, size_t>
      by_text_;  // views of the secrets in provider_, which stay where they are
  std::set<std::string> key_names_;
};

}  // namespace

std::string PlainName(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    const bool kept = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
    if (kept || (!plain.empty() && plain.back() != '-')) plain += kept ? c : '-';
  }
  plain = plain.substr(0, kMaxPlainName);
  while (!plain.empty() && (plain.back() == '-' || plain.back() == '.')) plain.pop_back();
  while (!plain.empty() && (plain.front() == '-' || plain.front() == '.')) plain.erase(0, 1);
  return plain;
}

Pools BuildPools(std::vector<Deployment> deployments, const Hider& hider, Notes* notes) {
  Pools pools;
  pools.provider_of.resize(deployments.size());
  std::vector<size_t> order(deployments.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return deployments[a].rank < deployments[b].rank; });
  std::vector<Pool> built;
  std::set<std::string> names;
  using Shape = std::tuple<std::string, std::string, int64_t>;
  std::multimap<Shape, std::pair<ProviderSettings, size_t>> by_shape;
  for (const size_t index : order) {
    Deployment& deployment = deployments[index];
    if (std::string problem = ProblemOf(deployment); !problem.empty()) {
      notes->NotTaken(deployment.where, std::move(problem));
      continue;
    }
    const Shape shape(deployment.url, deployment.auth_header, deployment.rank);
    const auto [begin, end] = by_shape.equal_range(shape);
    auto found = std::find_if(begin, end, [&](const auto& each) { return each.second.first == deployment.settings; });
    if (found == end) {
      std::string wanted = hider.Holds(deployment.name) ? "" : ProviderName(deployment.name);
      if (wanted.empty()) wanted = "provider";
      const std::string name = Unique(wanted, &names);
      if (name != wanted) {
        notes->Different(deployment.where, absl::StrCat("is the provider ", name, ": the name ", wanted, " is taken"));
      }
      found = by_shape.emplace(shape, std::pair(deployment.settings, built.size()));
      built.emplace_back(name, deployment);
    }
    Pool& pool = built[found->second.second];
    pools.provider_of[index] = pool.name();
    pool.Add(std::move(deployment), hider, notes);
  }
  for (Pool& pool : built) pools.providers.push_back(pool.Take());
  return pools;
}

}  // namespace ccr::cli::migration
