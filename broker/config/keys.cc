#include "broker/config/keys.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/file_content.h"
#include "broker/base/tls_files.h"
#include "broker/config/limits.h"
#include "broker/config/sealed_keys.h"

namespace ccr {
namespace {

constexpr size_t kMaxKeyBytes = 8192;
constexpr mode_t kWorldReadable = 04;

// What a key looks like that was meant otherwise; empty when it looks like a key.
std::string Oddity(std::string_view key) {
  if (key.find(',') != std::string_view::npos) {
    return "holds a comma and is taken as one key: for several write api_keys: [\"...\", \"...\"]";
  }
  const std::string_view name = key.substr(std::min(key.find_first_not_of("${"), key.size()));
  if (key[0] != '$' || name.empty() || !absl::ascii_isalpha(name[0])) return "";
  return "is taken as the key itself, not as a variable: write ${NAME}, or $NAME in capital letters";
}

// Nothing after an error was recorded: here, or for lack of a key.
std::optional<Secret> Checked(std::optional<Secret> secret, const Place& place, ProblemList* problems) {
  std::string problem = secret ? KeyProblem(secret->Reveal()) : "";
  if (secret && problem.empty()) {
    if (std::string odd = Oddity(secret->Reveal()); !odd.empty()) problems->Warn(place, std::move(odd));
  }
  if (problem.empty()) return secret;
  problems->Error(place, std::move(problem));
  return std::nullopt;
}

// The content of the file that the field "file" names, without its final newlines.
std::optional<Secret> ReadKeyFile(MapReader* fields, const Place& place, const KeyFiles& files) {
  std::string path;
  if (!fields->Text("file", &path)) return std::nullopt;
  ProblemList& problems = fields->Problems();
  if (path.empty()) {
    problems.Error(place, "must be text or {file: PATH}");
    return std::nullopt;
  }
  path = ResolvePath(path, files.config_path, files.home);
  const absl::StatusOr<FileContent> content = ReadFileContent(path, kMaxKeyBytes + 2);
  if (!content.ok()) {
    problems.Error(place, absl::StrCat("key file ", path, " ", content.status().message()));
    return std::nullopt;
  }
  if (content->mode & kWorldReadable) {
    problems.Warn(place, absl::StrCat("every user can read the key file: run chmod 600 ", path));
  }
  const std::string_view text = content->text.Reveal();
  return Checked(Secret(text.substr(0, text.find_last_not_of("\r\n") + 1)), place, &problems);
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

// The key itself of an entry that is a map: {key: KEY, ...}, {file: PATH, ...} or {sealed: TEXT, ...}.
std::optional<Secret> ReadOwnSecret(MapReader* fields, const KeyFiles& files) {
  const Node* key = fields->Find("key");
  const Node* file = fields->Find("file");
  const Node* sealed = fields->Find("sealed");
  if (sealed && !key && !file) return ReadSealedKey(fields, fields->Here(), files);
  if (sealed) {
    fields->Problems().Error(fields->Here(), "sealed stands beside key or file: keep one of them");
    return std::nullopt;
  }
  if (key && !file) return ReadSecret(*key, fields->At("key"), files, &fields->Problems());
  if (file && !key) return ReadKeyFile(fields, fields->Here(), files);
  fields->Problems().Error(fields->Here(), key ? "both key and file are given: keep one of them"
                                               : "the key is missing: write {key: \"...\"} or {file: PATH}");
  return std::nullopt;
}

void ReadKey(const Node& node, const Place& place, const KeyFiles& files, ProblemList* problems, KeyConfig* key) {
  std::optional<MapReader> fields;
  if (node.kind == Node::Kind::kMap) fields.emplace(node, place, problems);
  std::optional<Secret> secret = fields ? ReadOwnSecret(&*fields, files) : ReadSecret(node, place, files, problems);
  if (secret) key->secret = std::move(*secret);
  if (!fields) return;
  ReadKeyFields(&*fields, key);
  fields->Done();
}

// "api_keys[1]"
std::string Position(const Place& place) {
  return place.field.substr(place.field.rfind('.') + 1);
}

// Each key and each given name once. `places` runs in parallel to `keys`; messages name positions only.
void CheckUnique(const std::vector<KeyConfig>& keys, const std::vector<Place>& places, ProblemList* problems) {
  std::unordered_map<std::string_view, size_t> secrets, names;
  secrets.reserve(keys.size());
  names.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!keys[i].secret.empty()) {
      const auto [same, is_new] = secrets.try_emplace(keys[i].secret.Reveal(), i);
      if (!is_new)
        problems->Error(places[i], absl::StrCat("the same key as ", Position(places[same->second]), ": remove one"));
    }
    if (keys[i].name.empty()) continue;
    const auto [same, is_new] = names.try_emplace(keys[i].name, i);
    if (!is_new)
      problems->Error(places[i], absl::StrCat("the same name as ", Position(places[same->second]), ": rename one"));
  }
}

std::vector<KeyConfig> ReadKeyList(const Node& list, const Place& place, const KeyFiles& files,
                                   const KeyConfig& defaults, ProblemList* problems) {
  std::vector<KeyConfig> keys;
  std::vector<Place> places;
  if (list.items.empty()) problems->Error(place, "is empty: list at least one key");
  if (list.items.size() > kMaxKeys) {
    problems->Error(place, absl::StrCat("holds more than ", kMaxKeys, " keys: split the provider"));
    return keys;
  }
  const auto refused = [&](const Node& entry) { return RefusalOf(entry, place.provider, files); };
  const bool some_open =
      std::any_of(list.items.begin(), list.items.end(), [&](const Node& entry) { return refused(entry).empty(); });
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (const std::string why = some_open ? refused(list.items[i]) : ""; !why.empty()) {
      problems->Warn(place.Item(i, list.items[i].line), absl::StrCat("is left out: ", why));
      continue;
    }
    places.push_back(place.Item(i, list.items[i].line));
    KeyConfig& key = keys.emplace_back();
    key.max_failures = defaults.max_failures;
    key.cooldown = defaults.cooldown;
    ReadKey(list.items[i], places.back(), files, problems, &key);
  }
  CheckUnique(keys, places, problems);
  return keys;
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

std::string KeyProblem(std::string_view key) {
  if (key.empty())
    return "the key is empty: write the key (where the server asks for none, any text), or remove this entry";
  if (key.size() > kMaxKeyBytes) return absl::StrCat("the key is longer than ", kMaxKeyBytes, " bytes");
  const auto printable = [](char c) { return absl::ascii_isgraph(c); };
  if (std::all_of(key.begin(), key.end(), printable)) return "";
  return "the key holds a space, a control character or one beyond ASCII: copy it again";
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
    std::optional<Secret> secret =
        fields.Find("sealed") != nullptr ? ReadSealedKey(&fields, place, files) : ReadKeyFile(&fields, place, files);
    fields.Done();
    return secret;
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
  std::vector<KeyConfig> keys;
  if (many && one && (one->kind != Node::Kind::kString || !one->text.empty())) {
    problems->Warn(provider->At("api_key"), "is ignored beside api_keys: put the key into that list, or remove it");
  }
  if (many && many->kind == Node::Kind::kList) {
    return ReadKeyList(*many, provider->At("api_keys"), files, defaults, problems);
  }
  if (many) {
    problems->Error(provider->At("api_keys"), "must be a list [...]: for one key write api_key");
  } else if (!one) {
    problems->Error(provider->Here().Sub("api_keys", provider->Here().line),
                    "the key is missing: write api_key, or api_keys for several");
  } else if (one->kind == Node::Kind::kList) {
    problems->Error(provider->At("api_key"), "must be one key: for a list write api_keys");
  } else {
    ReadKey(*one, provider->At("api_key"), files, problems, &defaults);
    keys.push_back(std::move(defaults));
  }
  return keys;
}

}  // namespace ccr
