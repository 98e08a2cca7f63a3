#include "broker/config/keys.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/tls_files.h"
#include "broker/config/limits.h"
#include "broker/config/sealed_keys.h"
#include "broker/config/source_reader.h"

namespace ccr {
namespace {

// What a key looks like that was meant otherwise; empty when it looks like a key.
std::string Oddity(std::string_view key) {
  if (key.find(',') != std::string_view::npos) {
    return "holds a comma and is taken as one key: for several write api_keys: [\"...\", \"...\"]";
  }
  const std::string_view name = key.substr(std::min(key.find_first_not_of("${"), key.size()));
  if (key[0] != '$' || name.empty() || !absl::ascii_isalpha(name[0])) return "";
  return "is taken as the key itself, not as a variable: write ${NAME}, or $NAME in capital letters";
}

void WarnOfOddity(std::string_view key, const Place& place, ProblemList* problems) {
  if (std::string odd = Oddity(key); !odd.empty()) problems->Warn(place, std::move(odd));
}

// Nothing after an error was recorded: here, or for lack of a key.
std::optional<Secret> Checked(std::optional<Secret> secret, const Place& place, ProblemList* problems) {
  std::string problem = secret ? KeyProblem(secret->Reveal()) : "";
  if (secret && problem.empty()) WarnOfOddity(secret->Reveal(), place, problems);
  if (problem.empty()) return secret;
  problems->Error(place, std::move(problem));
  return std::nullopt;
}

// The keys in `text`, which the source gave.
std::vector<Secret> KeysIn(const Secret& text, const SecretSource& source, const Place& place, ProblemList* problems) {
  std::vector<Secret> keys;
  const absl::StatusOr<KeyLines> lines = SplitKeys(text.Reveal());
  if (!lines.ok()) {
    problems->Error(place, absl::StrCat(source.Name(), " ", lines.status().message()));
    keys.emplace_back();
    return keys;
  }
  if (lines->duplicates > 0) {
    problems->Warn(place, absl::StrCat(source.Name(), " gives ", lines->duplicates,
                                       lines->duplicates == 1 ? " key" : " keys", " again: each is used once"));
  }
  WarnOfOddity(lines->keys[0], place, problems);
  for (const std::string_view key : lines->keys) keys.emplace_back(key);
  return keys;
}

// What the source gives now; an empty one stands for keys that are not known, after an error and where nobody asked.
std::vector<Secret> AskForKeys(const SecretSource& source, const Place& place, const KeyFiles& files,
                               ProblemList* problems) {
  SecretAnswer answer = files.resolver->Resolve(source);
  const std::string failure = absl::StrCat(source.Name(), " ", answer.problem);
  for (std::string& warning : answer.warnings) problems->Warn(place, std::move(warning));
  std::vector<Secret> keys;
  if (answer.state == SecretAnswer::State::kLater) {
    problems->Warn(place, failure + ": its keys are used as soon as it gives them");
    return keys;
  }
  if (answer.state == SecretAnswer::State::kKept) problems->Warn(place, failure + ": what it gave last is used");
  if (answer.state == SecretAnswer::State::kFailed) problems->Error(place, failure);
  if (answer.text) return KeysIn(*answer.text, source, place, problems);
  keys.emplace_back();
  return keys;
}

std::optional<Secret> ReadSealedKey(MapReader* fields, const Place& place, const KeyFiles& files) {
  std::optional<Secret> key = ReadSealed(fields, place, files);
  return key && files.open ? Checked(std::move(key), place, &fields->Problems()) : std::move(key);
}

void CheckKeyName(const KeyConfig& key, const Place& place, ProblemList* problems) {
  if (std::string problem = KeyNameProblem(key); !problem.empty()) problems->Error(place, std::move(problem));
}

void ReadCooldown(MapReader* fields, std::optional<absl::Duration>* cooldown) {
  absl::Duration given = -absl::Milliseconds(1);
  fields->Millis({"cooldownTime", "cooldown_time"}, kMillisOrNone, &given);
  if (given >= absl::ZeroDuration()) *cooldown = given;
}

// The fields of an entry beside the key itself, which is read already.
void ReadKeyFields(MapReader* fields, KeyConfig* key) {
  if (fields->Find("name") && fields->Text("name", &key->name)) {
    CheckKeyName(*key, fields->At("name"), &fields->Problems());
  }
  fields->Flag("enabled", &key->enabled);
  fields->Decimal("weight", kWeightRange, &key->weight);
  fields->Whole({"maxFailures", "max_failures"}, kAtLeastOne, &key->max_failures);
  ReadCooldown(fields, &key->cooldown);
  fields->Whole({"max_concurrent", "maxConcurrent"}, kLimitRange, &key->max_concurrent);
  ReadLimits(fields, &key->limits);
  if (fields->Find("models") != nullptr && fields->TextList("models", &key->models) && key->models.empty()) {
    fields->Problems().Error(fields->At("models"), "list at least one model, or leave it out: then it serves all");
  }
}

// What an entry of "api_keys" stands for.
struct Entry {
  std::vector<Secret> secrets;  // as AskForKeys
  bool from_source = false;
};

Entry ReadFromSource(MapReader* fields, const KeyFiles& files) {
  Entry entry{{}, true};
  if (const std::optional<SecretSource> source = ReadSource(fields, files)) {
    entry.secrets = AskForKeys(*source, fields->Here(), files, &fields->Problems());
  } else {
    entry.secrets.emplace_back();
  }
  return entry;
}

Entry ReadText(const Node& node, const Place& place, const KeyFiles& files, ProblemList* problems) {
  Entry entry;
  std::optional<Secret> secret = ReadSecret(node, place, files, problems);
  entry.secrets.push_back(secret ? std::move(*secret) : Secret());
  return entry;
}

Entry ReadSealedEntry(MapReader* fields, const KeyFiles& files) {
  Entry entry;
  std::optional<Secret> secret = ReadSealedKey(fields, fields->Here(), files);
  entry.secrets.push_back(secret ? std::move(*secret) : Secret());
  return entry;
}

// The keys of a map without other fields that are theirs: {sealed: TEXT} or a source.
Entry ReadKept(MapReader* fields, const KeyFiles& files) {
  return fields->Find("sealed") != nullptr ? ReadSealedEntry(fields, files) : ReadFromSource(fields, files);
}

// The keys of an entry that is a map: {key: KEY, ...}, {sealed: TEXT, ...} or a source, {file: PATH, ...}.
Entry ReadOwnKeys(MapReader* fields, const KeyFiles& files) {
  const Node* key = fields->Find("key");
  const bool source = NamesSource(fields);
  if (fields->Find("sealed") != nullptr) {
    if (!key && !source) return ReadSealedEntry(fields, files);
    fields->Problems().Error(fields->Here(), "sealed stands beside key or file: keep one of them");
    Entry nothing;
    nothing.secrets.emplace_back();
    return nothing;
  }
  if (key && !source && key->kind == Node::Kind::kMap) {
    MapReader inner(*key, fields->At("key"), &fields->Problems());
    Entry entry = ReadKept(&inner, files);
    inner.Done();
    return entry;
  }
  if (key && !source) return ReadText(*key, fields->At("key"), files, &fields->Problems());
  if (source && !key) return ReadFromSource(fields, files);
  fields->Problems().Error(fields->Here(), key ? "both key and a source are given: keep one of them"
                                               : "the key is missing: write {key: \"...\"}, {file: PATH}, {exec: "
                                                 "[PROGRAM, ...]} or {vault: \"PATH#FIELD\"}");
  Entry nothing;
  nothing.secrets.emplace_back();
  return nothing;
}

// The keys of one provider as they are read.
class KeyList {
 public:
  KeyList(const KeyFiles& files, const KeyConfig& defaults, ProblemList* problems)
      : files_(files), defaults_(defaults), problems_(problems) {}

  void Read(const Node& node, const Place& place) {
    std::optional<MapReader> fields;
    if (node.kind == Node::Kind::kMap) fields.emplace(node, place, problems_);
    Entry entry = fields ? ReadOwnKeys(&*fields, files_) : ReadText(node, place, files_, problems_);
    const size_t first = keys_.size();
    const bool several = entry.secrets.size() > 1;
    ProblemList told("");  // the settings' mistakes, once they are
    for (size_t i = 0; i < std::max<size_t>(entry.secrets.size(), 1); ++i) {
      KeyConfig key;
      key.max_failures = defaults_.max_failures;
      key.cooldown = defaults_.cooldown;
      if (i < entry.secrets.size()) key.secret = std::move(entry.secrets[i]);
      if (i == 0 && fields) ReadKeyFields(&*fields, &key);
      if (i > 0) {
        MapReader again(node, place, &told);
        ReadKeyFields(&again, &key);
      }
      if (!entry.secrets.empty()) Add(std::move(key), place, entry.from_source);
    }
    if (several) Number(first);
    if (fields) fields->Done();
  }

  // Each key and each given name once; messages name positions only.
  std::vector<KeyConfig> Take() {
    std::vector<bool> extra(keys_.size());
    std::unordered_map<std::string_view, size_t> secrets, names;
    secrets.reserve(keys_.size());
    names.reserve(keys_.size());
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (!keys_[i].secret.empty()) {
        const auto [same, is_new] = secrets.try_emplace(keys_[i].secret.Reveal(), i);
        extra[i] = !is_new && TellSame(same->second, i);
      }
      if (keys_[i].name.empty() || extra[i]) continue;
      const auto [same, is_new] = names.try_emplace(keys_[i].name, i);
      if (!is_new) problems_->Error(PlaceOf(i), absl::StrCat("the same name as ", Where(same->second), ": rename one"));
    }
    std::vector<KeyConfig> kept;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (!extra[i]) kept.push_back(std::move(keys_[i]));
    }
    return kept;
  }

  size_t size() const { return keys_.size(); }

 private:
  struct Origin {
    size_t entry = 0;
    bool from_source = false;
  };

  void Add(KeyConfig key, const Place& place, bool from_source) {
    if (places_.empty() || places_.back().field != place.field) places_.push_back(place);
    origins_.push_back({places_.size() - 1, from_source});
    keys_.push_back(std::move(key));
  }

  // NAME-1, NAME-2, ... for those from `first` on.
  void Number(size_t first) {
    const std::string name = keys_[first].name;
    for (size_t i = first; i < keys_.size() && !name.empty(); ++i) {
      keys_[i].name = absl::StrCat(name, "-", i - first + 1);
      CheckKeyName(keys_[i], PlaceOf(i), problems_);
    }
  }

  // True when the second is dropped: what a source gives is not the configuration's mistake.
  bool TellSame(size_t first, size_t second) {
    const std::string same = "the same key as " + Where(first);
    if (!origins_[first].from_source && !origins_[second].from_source) {
      problems_->Error(PlaceOf(second), same + ": remove one");
      return false;
    }
    problems_->Warn(PlaceOf(second), same + ": it is used once");
    return true;
  }

  const Place& PlaceOf(size_t key) const { return places_[origins_[key].entry]; }
  std::string Where(size_t key) const {
    const std::string& field = PlaceOf(key).field;
    return field.substr(field.find_last_of('.') + 1);
  }

  const KeyFiles& files_;
  const KeyConfig& defaults_;
  ProblemList* const problems_;
  std::vector<KeyConfig> keys_;
  std::vector<Origin> origins_;  // of keys_
  std::vector<Place> places_;    // of entries that gave a key
};

void ReadKeyList(const Node& list, const Place& place, const KeyFiles& files, KeyList* keys, ProblemList* problems) {
  if (list.items.empty()) problems->Error(place, "is empty: list at least one key");
  const auto refused = [&](const Node& entry) { return RefusalOf(entry, place.provider, files); };
  const bool some_open =
      std::any_of(list.items.begin(), list.items.end(), [&](const Node& entry) { return refused(entry).empty(); });
  for (size_t i = 0; i < list.items.size() && keys->size() <= kMaxProviderKeys; ++i) {
    if (const std::string why = some_open ? refused(list.items[i]) : ""; !why.empty()) {
      problems->Warn(place.Item(i, list.items[i].line), absl::StrCat("is left out: ", why));
      continue;
    }
    keys->Read(list.items[i], place.Item(i, list.items[i].line));
  }
  if (keys->size() > kMaxProviderKeys) {
    problems->Error(place, absl::StrCat("holds more than ", kMaxProviderKeys, " keys: split the provider"));
  }
}

}  // namespace

std::string KeyNameProblem(const KeyConfig& key) {
  const auto allowed = [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-'; };
  if (key.name.empty() || key.name.size() > 64 || !std::all_of(key.name.begin(), key.name.end(), allowed))
    return "a key's name is 1 to 64 letters, digits, '.', '_' or '-'";
  if (!key.secret.empty() && key.name.find(key.secret.Reveal()) != std::string::npos)
    return "the name holds the key itself, and names are shown: choose another";
  return "";
}

void ReadLimits(MapReader* fields, LimitsConfig* out) {
  fields->Whole("rpm", kLimitRange, &out->rpm);
  fields->Whole("tpm", kTokenLimitRange, &out->tpm);
  fields->Whole("rpd", kLimitRange, &out->rpd);
  fields->Whole("tpd", kTokenLimitRange, &out->tpd);
}

void ReadAuthorities(MapReader* fields, const KeyFiles& files, std::string* path, std::string* pem) {
  fields->Text("ca_file", path);
  if (path->empty()) return;
  *path = ResolvePath(*path, files.config_path, files.home);
  absl::StatusOr<std::string> read = ReadCertificates(*path);
  if (read.ok()) {
    *pem = *std::move(read);
  } else {
    fields->Problems().Error(fields->At("ca_file"), std::string(read.status().message()));
  }
}

std::optional<Secret> ReadSecret(const Node& node, const Place& place, const KeyFiles& files, ProblemList* problems) {
  if (node.kind == Node::Kind::kMap) {
    MapReader fields(node, place, problems);
    if (fields.Find("sealed") != nullptr) {
      std::optional<Secret> sealed = ReadSealedKey(&fields, place, files);
      fields.Done();
      return sealed;
    }
    SecretSource source;
    if (!fields.Text("file", &source.path)) return std::nullopt;
    if (source.path.empty()) {
      problems->Error(place, "must be text or {file: PATH}");
      return std::nullopt;
    }
    fields.Done();
    source.path = ResolvePath(source.path, files.config_path, files.home);
    std::vector<Secret> found = AskForKeys(source, place, files, problems);
    if (found.size() > 1) problems->Error(place, absl::StrCat(source.Name(), " holds several lines: it must be one"));
    if (found.size() != 1 || found[0].empty()) return std::nullopt;
    return std::move(found[0]);
  }
  if (node.kind != Node::Kind::kString) {
    problems->Error(place, absl::StrCat("must be text or {file: PATH}, not ", ToAbsl(KindName(node.kind)),
                                        node.kind == Node::Kind::kNumber ? ": put it in quotes" : ""));
    return std::nullopt;
  }
  if (!node.unset_variable.empty()) {
    problems->Error(
        place, absl::StrCat("environment variable ", node.unset_variable, " is not set: set it, or use {file: PATH}"));
    return std::nullopt;
  }
  return Checked(Secret(node.text), place, problems);
}

std::vector<KeyConfig> ReadKeys(MapReader* provider, const KeyFiles& files) {
  KeyConfig defaults;
  provider->Whole({"maxFailures", "max_failures"}, kAtLeastOne, &defaults.max_failures);
  ReadCooldown(provider, &defaults.cooldown);
  ProblemList* problems = &provider->Problems();
  const Node* many = provider->Find("api_keys");
  const Node* one = provider->Find("api_key");
  KeyList keys(files, defaults, problems);
  if (many && one && (one->kind != Node::Kind::kString || !one->text.empty())) {
    problems->Warn(provider->At("api_key"), "is ignored beside api_keys: put the key into that list, or remove it");
  }
  if (many && many->kind == Node::Kind::kList) {
    ReadKeyList(*many, provider->At("api_keys"), files, &keys, problems);
  } else if (many && many->kind == Node::Kind::kMap) {
    keys.Read(*many, provider->At("api_keys"));
  } else if (many) {
    problems->Error(provider->At("api_keys"), "must be a list [...]: for one key write api_key");
  } else if (!one) {
    problems->Error(provider->Here().Sub("api_keys", provider->Here().line),
                    "the key is missing: write api_key, or api_keys for several");
  } else if (one->kind == Node::Kind::kList) {
    problems->Error(provider->At("api_key"), "must be one key: for a list write api_keys");
  } else {
    keys.Read(*one, provider->At("api_key"));
    if (keys.size() > 1 && provider->Find("enable_rotation") == nullptr) {
      problems->Warn(provider->At("api_key"), "gives several keys, and only the first is used: write api_keys");
    }
  }
  return keys.Take();
}

}  // namespace ccr
