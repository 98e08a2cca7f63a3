#include "client/cli/config/config_diff.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "broker/config/key_names.h"
#include "broker/config/url.h"
#include "client/cli/rotation/rotation_view.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
namespace json = boost::json;

constexpr char kThere[] = "is there";
constexpr char kByConfiguration[] = "configuration";  // why a key is out
constexpr char kByOperator[] = "operator";

std::string Limit(uint64_t limit) {
  return limit == 0 ? "none" : absl::StrCat(limit);
}

std::string YesNo(bool yes) {
  return yes ? "yes" : "no";
}

// Collects what is different of one provider.
class Comparison {
 public:
  Comparison(std::string provider, absl::Time now, std::vector<ConfigDifference>* out)
      : provider_(std::move(provider)), now_(now), out_(out) {}

  void Pool(const ProviderConfig& file, const v1::PoolStatus& broker) {
    Compare("", "strategy", file.strategy, broker.strategy());
    Compare("", "api_base_url", HideUrlSecrets(file.base_url), broker.base_url());
    std::map<std::string, const v1::KeyStatus*> keys;
    for (const v1::KeyStatus& key : broker.keys()) keys.emplace(key.name(), &key);
    bool all_named = true;
    for (const KeyConfig& key : file.keys) {
      all_named = all_named && !key.name.empty();
      if (key.name.empty()) continue;
      const auto same = keys.find(key.name);
      if (same == keys.end()) {
        Compare(key.name, kThere, "yes", "no");
      } else {
        Key(key, *same->second);
        keys.erase(same);
      }
      if (!file.enable_rotation) break;  // the others are not used
    }
    if (!all_named) return;
    for (const v1::KeyStatus& key : broker.keys()) {
      if (keys.contains(key.name())) Compare(key.name(), kThere, "no", "yes");
    }
  }

  void Compare(const std::string& key, const std::string& field, const std::string& file, const std::string& broker) {
    if (file != broker) out_->push_back({provider_, key, field, file, broker});
  }

 private:
  void Key(const KeyConfig& file, const v1::KeyStatus& broker) {
    const auto compare = [&](const char* field, const std::string& in_file, const std::string& in_broker) {
      Compare(file.name, field, in_file, in_broker);
    };
    compare("enabled", YesNo(file.enabled), Enabled(broker));
    compare("weight", absl::StrFormat("%g", file.weight), absl::StrFormat("%g", broker.weight()));
    compare("maxFailures", absl::StrCat(file.max_failures), absl::StrCat(broker.max_failures()));
    compare("max_concurrent", Limit(file.max_concurrent), Limit(broker.max_concurrent()));
    compare("rpm", Limit(file.limits.rpm), Limit(broker.limits().rpm()));
    compare("tpm", Limit(file.limits.tpm), Limit(broker.limits().tpm()));
    compare("rpd", Limit(file.limits.rpd), Limit(broker.limits().rpd()));
    compare("tpd", Limit(file.limits.tpd), Limit(broker.limits().tpd()));
  }

  // Whether people have it in use, not whether answers have taken it out.
  std::string Enabled(const v1::KeyStatus& key) const {
    if (key.state() != v1::KEY_STATE_DISABLED) return "yes";
    if (key.reason() == kByConfiguration) return "no";
    if (key.reason() != kByOperator) return "yes";
    if (!key.has_available_at()) return "no";
    return absl::StrCat("no (for ", FormatWait(ToTime(key.available_at()) - now_), ")");
  }

  const std::string provider_;
  const absl::Time now_;
  std::vector<ConfigDifference>* const out_;
};

// Names the keys that have none as the broker on this machine does, if its salt can be read and is the one of the
// broker that was asked: one of its fingerprints must come out.
void NameAsBroker(const ServiceOptions& options, const v1::ListPoolsResponse& response, Config* config) {
  namespace fs = std::filesystem;
  const std::string beside = ResolvePath("state", options.config_path, "");
  const ServiceFiles files = FilesOf(options);
  const bool moved = !files.beside_config() && config->broker.state_dir == beside;
  const fs::path folder = moved ? files.folder() + "/state" : config->broker.state_dir;
  const std::string path = (folder / "fingerprint.salt").string();
  if (access(path.c_str(), R_OK) != 0) return;
  absl::StatusOr<Secret> salt = Fingerprinter::LoadOrCreateSalt(path);
  if (!salt.ok()) return;
  const Fingerprinter fingerprinter(*std::move(salt));
  for (const ProviderConfig& provider : config->providers) {
    for (const KeyConfig& key : provider.keys) {
      const std::string fingerprint = fingerprinter.Of(key.secret);
      for (const v1::PoolStatus& pool : response.pools()) {
        const bool known = std::any_of(pool.keys().begin(), pool.keys().end(), [&](const v1::KeyStatus& status) {
          return status.fingerprint() == fingerprint;
        });
        if (known) return NameKeys(fingerprinter, config);
      }
    }
  }
}

std::string Line(const ConfigDifference& difference) {
  const std::string of =
      difference.key.empty() ? difference.provider : absl::StrCat(difference.provider, "'s key '", difference.key, "'");
  const std::string line = difference.field == kThere
                               ? absl::StrCat(of, difference.file == "yes" ? " is in the file, and not in the broker"
                                                                           : " is in the broker, and not in the file")
                               : absl::StrCat(of, ": ", difference.field, " is ", difference.file, " in the file, ",
                                              difference.broker, " in the broker");
  return Fit(line, DisplayWidth(line));
}

void TellJson(const ServiceOptions& options, const std::vector<ConfigDifference>& differences, bool refused,
              std::ostream& out) {
  json::array list;
  for (const ConfigDifference& difference : differences) {
    list.push_back(json::object{{"provider", difference.provider},
                                {"key", difference.key.empty() ? json::value(nullptr) : json::value(difference.key)},
                                {"field", difference.field == kThere ? "present" : difference.field},
                                {"file", difference.file},
                                {"broker", difference.broker}});
  }
  json::array not_compared;
  for (const std::string& field : NotCompared()) not_compared.push_back(json::value(field));
  out << json::serialize(json::object{{"config", options.config_path},
                                      {"same", differences.empty()},
                                      {"file_refused", refused},
                                      {"differences", std::move(list)},
                                      {"not_compared", std::move(not_compared)}})
      << "\n";
}

}  // namespace

std::vector<ConfigDifference> CompareWithBroker(const Config& config, const v1::ListPoolsResponse& response,
                                                absl::Time now) {
  std::vector<ConfigDifference> differences;
  std::map<std::string, const v1::PoolStatus*> pools;
  for (const v1::PoolStatus& pool : response.pools()) pools.emplace(pool.provider(), &pool);
  for (const ProviderConfig& provider : config.providers) {
    Comparison comparison(provider.name, now, &differences);
    const auto same = pools.find(provider.name);
    if (same == pools.end()) {
      comparison.Compare("", kThere, "yes", "no");
      continue;
    }
    comparison.Pool(provider, *same->second);
    pools.erase(same);
  }
  for (const v1::PoolStatus& pool : response.pools()) {
    if (pools.contains(pool.provider()))
      Comparison(pool.provider(), now, &differences).Compare("", kThere, "no", "yes");
  }
  return differences;
}

const std::vector<std::string>& NotCompared() {
  static const auto* const fields = new std::vector<std::string>{"limits, queue and session_affinity of providers",
                                                                 "models",
                                                                 "cooldownTime",
                                                                 "transformers and rules",
                                                                 "Router",
                                                                 "Broker",
                                                                 "Proxy"};
  return *fields;
}

int DiffConfig(const ServiceOptions& options, const BrokerTarget& target, const Terminal& terminal) {
  std::optional<Config> config = LoadOrExplain(options, true, terminal);
  if (!config) return 2;
  BrokerCall broker(target);
  const absl::StatusOr<v1::ListPoolsResponse> response = broker.ListPools("");
  if (!response.ok()) {
    terminal.err << "ccr: " << broker.Explain(response.status()) << "\n";
    return broker.ExitStatus(response.status());
  }
  NameAsBroker(options, *response, &*config);
  const std::vector<ConfigDifference> differences = CompareWithBroker(*config, *response, NowOf(*response));
  const absl::StatusOr<v1::BrokerStatus> status = broker.GetStatus();
  const bool refused = status.ok() && status->has_last_reload() && !status->last_reload().accepted();
  if (options.json) {
    TellJson(options, differences, refused, terminal.out);
    return 0;
  }
  for (const ConfigDifference& difference : differences) terminal.out << Line(difference) << "\n";
  if (differences.empty()) terminal.out << "The broker runs with what " << options.config_path << " says.\n";
  if (refused) terminal.err << "The broker has refused the file as it was last: ccr reload says why.\n";
  terminal.err << "Not told by the broker, so not compared: " << absl::StrJoin(NotCompared(), ", ") << ".\n";
  return 0;
}

}  // namespace ccr::cli
