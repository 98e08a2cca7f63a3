#include "broker/service/overlay.h"

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/base/absl_text.h"

namespace ccr {
namespace {

namespace json = boost::json;

std::string Digest(std::string_view text) {
  return absl::BytesToHexString(ToAbsl(std::string_view(Sha256(text)).substr(0, 8)));
}

template <typename Limits>
std::string LimitText(const Limits& limits) {
  return absl::StrCat(limits.rpm, " ", limits.tpm, " ", limits.rpd, " ", limits.tpd);
}

// `key` is a KeyConfig or a KeySpec.
template <typename Key>
std::string DigestOfEntry(const Key& key, bool enabled) {
  return Digest(absl::StrCat(key.name, " ", enabled, " ", key.weight, " ", key.max_failures, " ",
                             key.cooldown ? absl::FormatDuration(*key.cooldown) : "", " ", key.max_concurrent, " ",
                             LimitText(key.limits), " ", absl::StrJoin(key.models, " ")));
}

std::string DigestOfSettings(const ProviderConfig& provider) {
  return Digest(absl::StrCat(provider.strategy, " ", provider.session_affinity, " ", provider.max_concurrent, " ",
                             LimitText(provider.limits), " ", absl::FormatDuration(provider.queue.max_wait), " ",
                             provider.queue.max_size));
}

// Reads fields of an object that this file has written: what is missing or of another type keeps its default.
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}

  std::string Text(std::string_view name) const {
    const json::value* value = object_.if_contains({name.data(), name.size()});
    const json::string* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? "" : std::string(text->data(), text->size());
  }
  template <typename Number>
  void To(std::string_view name, std::optional<Number>* out) const {
    const json::value* value = object_.if_contains({name.data(), name.size()});
    if (value == nullptr) return;
    json::error_code error;
    const Number number = value->to_number<Number>(error);
    if (!error) *out = number;
  }
  template <typename Number>
  Number Of(std::string_view name, Number otherwise) const {
    std::optional<Number> number;
    To(name, &number);
    return number.value_or(otherwise);
  }
  std::optional<bool> Flag(std::string_view name) const {
    const json::value* value = object_.if_contains({name.data(), name.size()});
    if (value == nullptr || !value->is_bool()) return std::nullopt;
    return value->get_bool();
  }
  std::vector<std::string> Texts(std::string_view name) const {
    std::vector<std::string> texts;
    const json::value* value = object_.if_contains({name.data(), name.size()});
    if (value == nullptr || !value->is_array()) return texts;
    for (const json::value& item : value->get_array()) {
      if (item.is_string()) texts.emplace_back(item.get_string().data(), item.get_string().size());
    }
    return texts;
  }

 private:
  const json::object& object_;
};

absl::StatusOr<json::object> Parse(const ChangeRecord& record) {
  json::error_code error;
  json::value value = json::parse(record.content, error);
  if (!error && value.is_object()) return std::move(value.get_object());
  return absl::DataLossError(absl::StrCat("the change '", record.kind, "' of ", record.pool, "/", record.id,
                                          " cannot be read: make it again"));
}

PoolChange ReadChange(const Reader& reader) {
  PoolChange change;
  if (std::string strategy = reader.Text("strategy"); !strategy.empty()) change.strategy = std::move(strategy);
  change.session_affinity = reader.Flag("session_affinity");
  reader.To("max_concurrent", &change.max_concurrent);
  reader.To("rpm", &change.rpm);
  reader.To("tpm", &change.tpm);
  reader.To("rpd", &change.rpd);
  reader.To("tpd", &change.tpd);
  std::optional<int64_t> wait;
  reader.To("max_wait", &wait);
  if (wait) change.max_wait = absl::Milliseconds(*wait);
  reader.To("max_waiting", &change.max_waiting);
  return change;
}

template <typename Value>
void Write(const char* name, const std::optional<Value>& value, json::object* out) {
  if (value) (*out)[name] = *value;
}

ChangeRecord MakeRecord(std::string_view pool, std::string_view kind, std::string_view id,
                        const json::object& content) {
  return {std::string(pool), std::string(kind), std::string(id), json::serialize(content)};
}

}  // namespace

void PoolChange::ApplyTo(ProviderConfig* provider) const {
  if (strategy) provider->strategy = *strategy;
  if (session_affinity) provider->session_affinity = *session_affinity;
  if (max_concurrent) provider->max_concurrent = *max_concurrent;
  provider->limits = {rpm.value_or(provider->limits.rpm), tpm.value_or(provider->limits.tpm),
                      rpd.value_or(provider->limits.rpd), tpd.value_or(provider->limits.tpd)};
  if (max_wait) provider->queue.max_wait = *max_wait;
  if (max_waiting) provider->queue.max_size = *max_waiting;
}

void PoolChange::ApplyTo(core::PoolSpec* spec) const {
  if (strategy) spec->strategy = *strategy;
  if (session_affinity) spec->session_affinity = *session_affinity;
  if (max_concurrent) spec->max_concurrent = *max_concurrent;
  spec->limits = {rpm.value_or(spec->limits.rpm), tpm.value_or(spec->limits.tpm), rpd.value_or(spec->limits.rpd),
                  tpd.value_or(spec->limits.tpd)};
  if (max_wait) spec->queue_wait = *max_wait;
  if (max_waiting) spec->queue_size = *max_waiting;
}

void PoolChange::Add(const PoolChange& later) {
  const auto take = [](auto* mine, const auto& theirs) {
    if (theirs) *mine = theirs;
  };
  take(&strategy, later.strategy);
  take(&session_affinity, later.session_affinity);
  take(&max_concurrent, later.max_concurrent);
  take(&rpm, later.rpm);
  take(&tpm, later.tpm);
  take(&rpd, later.rpd);
  take(&tpd, later.tpd);
  take(&max_wait, later.max_wait);
  take(&max_waiting, later.max_waiting);
}

absl::Status Overlay::Take(const ChangeRecord& record) {
  Changes& changes = pools_[record.pool];
  if (record.content.empty()) {
    if (record.kind == kSwitch) changes.switches.erase(record.id);
    if (record.kind == kKey) changes.added.erase(record.id);
    if (record.kind == kGone) changes.gone.erase(record.id);
    if (record.kind == kPool) changes.settings.reset();
    return absl::OkStatus();
  }
  const absl::StatusOr<json::object> content = Parse(record);
  if (!content.ok()) return content.status();
  const Reader reader(*content);
  if (record.kind == kSwitch) {
    const std::optional<int64_t> until = [&] {
      std::optional<int64_t> nanos;
      reader.To("until", &nanos);
      return nanos;
    }();
    changes.switches[record.id] = {reader.Text("of"), reader.Flag("enabled").value_or(true),
                                   until ? absl::FromUnixNanos(*until) : absl::InfiniteFuture(),
                                   reader.Flag("file_has_out").value_or(false)};
  } else if (record.kind == kKey) {
    changes.added[record.id] = record.content;
  } else if (record.kind == kGone) {
    changes.gone[record.id] = reader.Text("of");
  } else if (record.kind == kPool) {
    changes.settings = ReadChange(reader);
    changes.settings_of = reader.Text("of");
  }
  return absl::OkStatus();
}

const Overlay::Changes* Overlay::Find(std::string_view pool) const {
  const auto found = pools_.find(pool);
  return found == pools_.end() ? nullptr : &found->second;
}

void Overlay::LayOver(ProviderConfig* provider, const Fingerprinter& fingerprinter, GetSealer get_sealer, Held held,
                      std::vector<ChangeRecord>* records, std::vector<std::string>* problems) {
  Changes& changes = pools_[provider->name];
  const auto forget = [&](std::string_view kind, const std::string& id) {
    records->push_back(Nothing(provider->name, kind, id));
  };
  changes.settings_digest = DigestOfSettings(*provider);
  if (changes.settings && changes.settings_of != changes.settings_digest) {
    changes.settings.reset();
    forget(kPool, "");
  }
  if (changes.settings) changes.settings->ApplyTo(provider);

  if (changes.switches.empty() && changes.gone.empty() && changes.added.empty()) return;
  std::vector<KeyConfig> kept;
  std::vector<KeyConfig> gone;
  for (KeyConfig& key : provider->keys) {
    const std::string fingerprint = fingerprinter.Of(key.secret);
    const std::string digest = DigestOfEntry(key, key.enabled);
    if (const auto was = changes.switches.find(fingerprint);
        was != changes.switches.end() && was->second.of != digest) {
      changes.switches.erase(was);
      forget(kSwitch, fingerprint);
    }
    const auto removed = changes.gone.find(fingerprint);
    if (removed != changes.gone.end() && removed->second != digest) {
      changes.gone.erase(removed);
      forget(kGone, fingerprint);
    }
    const bool is_gone = changes.gone.contains(fingerprint);
    // One that was removed and then added is what it was added as, until its entry changes.
    if (is_gone && changes.added.contains(fingerprint)) continue;
    if (changes.added.erase(fingerprint) > 0) forget(kKey, fingerprint);
    (is_gone ? gone : kept).push_back(std::move(key));
  }
  // A pool has at least one key: when all others went, those that were removed are there and out.
  if (kept.empty() && changes.added.empty()) {
    for (KeyConfig& key : gone) key.enabled = false;
    kept = std::move(gone);
  }
  const size_t from_file = kept.size();
  provider->keys = std::move(kept);
  if (changes.added.empty()) return;
  std::set<std::string> names;
  for (const KeyConfig& key : provider->keys) names.insert(key.name);
  const absl::StatusOr<std::shared_ptr<const Sealer>> sealer = get_sealer();
  if (!sealer.ok()) {
    problems->push_back(absl::StrCat("keys of ", provider->name,
                                     " that were added while it ran are used as long as it runs, but not "
                                     "after a restart: ",
                                     sealer.status().message()));
  }
  for (auto& [fingerprint, content] : changes.added) {
    json::value parsed = json::parse(content);  // an object: Take has read it
    json::object& object = parsed.get_object();
    const Reader reader(object);
    const std::string sealed = reader.Text("sealed");
    const SealContext context = ContextOf(provider->name, fingerprint);
    absl::StatusOr<Secret> secret = sealer.ok() ? (*sealer)->Open(sealed, context) : sealer.status();
    if (!secret.ok()) {
      std::optional<Secret> in_use = held(fingerprint);
      if (!in_use) {
        problems->push_back(absl::StrCat(provider->name, "'s key '", reader.Text("name"),
                                         "' is left out: ", secret.status().message()));
        continue;
      }
      secret = *std::move(in_use);
    }
    if (sealer.ok() && !(*sealer)->IsOfNewest(sealed)) {
      object["sealed"] = (*sealer)->Seal(*secret, context);
      records->push_back(MakeRecord(provider->name, kKey, fingerprint, object));
      content = records->back().content;
    }
    KeyConfig key;
    key.name = reader.Text("name");
    if (key.name.empty() || !names.insert(key.name).second) key.name = "key-" + fingerprint;
    key.secret = *std::move(secret);
    key.weight = reader.Of<double>("weight", 1);
    key.max_concurrent = reader.Of<uint32_t>("max_concurrent", 0);
    key.limits = {reader.Of<uint64_t>("rpm", 0), reader.Of<uint64_t>("tpm", 0), reader.Of<uint64_t>("rpd", 0),
                  reader.Of<uint64_t>("tpd", 0)};
    key.models = reader.Texts("models");
    provider->keys.push_back(std::move(key));
  }
  if (from_file <= 1 && provider->keys.size() > 1) provider->enable_rotation = true;
}

void Overlay::SetOut(std::string_view pool, absl::Time now, std::vector<core::KeySpec>* keys) const {
  const Changes* const changes = Find(pool);
  for (core::KeySpec& key : *keys) {
    const bool by_people = key.out_reason == core::kOutByOperator;
    const bool switched = changes != nullptr && changes->switches.contains(key.fingerprint);
    if (!switched && !by_people) continue;
    key.out_until = absl::InfinitePast();
    key.out_reason = {};
    if (!switched) continue;
    const SwitchOf& by = changes->switches.at(key.fingerprint);
    if (by.enabled || by.until <= now) continue;
    key.out_until = by.until;
    key.out_reason = core::kOutByOperator;
  }
}

ChangeRecord Overlay::Switch(std::string_view pool, const core::KeySpec& key, bool enabled, absl::Time until) const {
  json::object content{{"enabled", enabled}, {"of", DigestOf(pool, key)}, {"file_has_out", FileHasOut(pool, key)}};
  if (!enabled && until != absl::InfiniteFuture()) content["until"] = absl::ToUnixNanos(until);
  return MakeRecord(pool, kSwitch, key.fingerprint, content);
}

SealContext Overlay::ContextOf(std::string_view pool, const std::string& key) {
  return {std::string(pool), key, /*version=*/1};
}

ChangeRecord Overlay::Added(std::string_view pool, const std::string& key, const KeyConfig& config,
                            const std::string& sealed) {
  json::object content{{"name", config.name}, {"sealed", sealed}};
  if (config.weight != 1) content["weight"] = config.weight;
  if (config.max_concurrent != 0) content["max_concurrent"] = config.max_concurrent;
  if (config.limits.rpm != 0) content["rpm"] = config.limits.rpm;
  if (config.limits.tpm != 0) content["tpm"] = config.limits.tpm;
  if (config.limits.rpd != 0) content["rpd"] = config.limits.rpd;
  if (config.limits.tpd != 0) content["tpd"] = config.limits.tpd;
  if (!config.models.empty()) content["models"] = json::array(config.models.begin(), config.models.end());
  return MakeRecord(pool, kKey, key, content);
}

ChangeRecord Overlay::Gone(std::string_view pool, const core::KeySpec& key) const {
  return MakeRecord(pool, kGone, key.fingerprint, {{"of", DigestOf(pool, key)}});
}

ChangeRecord Overlay::Settings(std::string_view pool, const PoolChange& change) const {
  const Changes* const changes = Find(pool);
  PoolChange all;
  if (changes != nullptr && changes->settings) all = *changes->settings;
  all.Add(change);
  json::object content{{"of", changes == nullptr ? "" : changes->settings_digest}};
  Write("strategy", all.strategy, &content);
  Write("session_affinity", all.session_affinity, &content);
  Write("max_concurrent", all.max_concurrent, &content);
  Write("rpm", all.rpm, &content);
  Write("tpm", all.tpm, &content);
  Write("rpd", all.rpd, &content);
  Write("tpd", all.tpd, &content);
  if (all.max_wait) content["max_wait"] = absl::ToInt64Milliseconds(*all.max_wait);
  Write("max_waiting", all.max_waiting, &content);
  return MakeRecord(pool, kPool, "", content);
}

ChangeRecord Overlay::Nothing(std::string_view pool, std::string_view kind, std::string_view id) {
  return {std::string(pool), std::string(kind), std::string(id), ""};
}

// A key that was switched is out, or not, for that.
bool Overlay::FileHasOut(std::string_view pool, const core::KeySpec& key) const {
  if (const Changes* const changes = Find(pool); changes != nullptr) {
    if (const auto by = changes->switches.find(key.fingerprint); by != changes->switches.end())
      return by->second.file_has_out;
  }
  return key.out_reason == core::kOutByConfiguration;
}

bool Overlay::HasAdded() const {
  return std::any_of(pools_.begin(), pools_.end(), [](const auto& pool) { return !pool.second.added.empty(); });
}

bool Overlay::IsAdded(std::string_view pool, const std::string& key) const {
  const Changes* const changes = Find(pool);
  return changes != nullptr && changes->added.contains(key);
}

bool Overlay::IsGone(std::string_view pool, const std::string& key) const {
  const Changes* const changes = Find(pool);
  return changes != nullptr && changes->gone.contains(key);
}

// A key that was switched: the entry that the switch was made for.
std::string Overlay::DigestOf(std::string_view pool, const core::KeySpec& key) const {
  if (const Changes* const changes = Find(pool); changes != nullptr) {
    if (const auto by = changes->switches.find(key.fingerprint); by != changes->switches.end()) return by->second.of;
  }
  return DigestOfEntry(key, !FileHasOut(pool, key));
}

}  // namespace ccr
