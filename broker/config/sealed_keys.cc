#include "broker/config/sealed_keys.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr {
namespace {

constexpr char kMasterKeyChoice[] =
    "must be {file: PATH}, {exec: [PROGRAM, ...]} or {credential: NAME}, or a list of these, of which the first seals";
constexpr size_t kMaxMasterKeys = 16;
constexpr size_t kMaxCredentialName = 255;

const Node* ValueIn(const Node& map, std::string_view name) {
  if (map.kind != Node::Kind::kMap) return nullptr;
  const auto found = std::find_if(map.entries.rbegin(), map.entries.rend(),
                                  [name](const Node::Entry& entry) { return entry.name == name; });
  return found == map.entries.rend() ? nullptr : &found->value;
}

bool IsOfMasterKey(const absl::Status& status) {
  return !ToStd(status.message()).starts_with("sealed key ");
}

std::string Refusal(const absl::Status& status) {
  const char* what_to_do = IsOfMasterKey(status) ? ""
                           : absl::IsNotFound(status)
                               ? ": name that one in Broker.master_key too, or seal the key again"
                               : ": seal the key again with ccr key seal";
  return absl::StrCat(status.message(), what_to_do);
}

// A name that leads to no other folder.
bool IsCredentialName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxCredentialName && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos;
}

std::optional<MasterKeySource> ReadMasterKeyProgram(MapReader* fields, const KeyFiles& files) {
  MasterKeySource source{MasterKeySource::Kind::kExec, "", {}};
  if (!fields->TextList("exec", &source.argv)) return std::nullopt;
  if (source.argv.empty() || source.argv[0].empty()) {
    fields->Problems().Error(fields->At("exec"), "is empty: write [PROGRAM, ARGUMENT, ...]; no shell reads it");
    return std::nullopt;
  }
  if (source.argv[0].find('/') != std::string::npos) {
    source.argv[0] = ResolvePath(source.argv[0], files.config_path, files.home);
  }
  return source;
}

std::optional<MasterKeySource> ReadMasterKey(const Node& node, const Place& place, const KeyFiles& files,
                                             ProblemList* problems) {
  const auto fail = [&](const Place& where, std::string message) {
    problems->Error(where, std::move(message));
    return std::nullopt;
  };
  if (node.kind != Node::Kind::kMap) return fail(place, kMasterKeyChoice);
  MapReader fields(node, place, problems);
  std::vector<const char*> named;
  for (const char* name : {"file", "exec", "credential"}) {
    if (fields.Find(name) != nullptr) named.push_back(name);
  }
  fields.DoneExactly();
  if (named.size() != 1) return fail(place, kMasterKeyChoice);
  if (fields.Find("exec") != nullptr) return ReadMasterKeyProgram(&fields, files);
  MasterKeySource source;
  if (!fields.Text(named[0], &source.path)) return std::nullopt;
  if (fields.Find("credential") != nullptr) {
    source.kind = MasterKeySource::Kind::kCredential;
    if (!IsCredentialName(source.path)) {
      return fail(fields.At("credential"), "must be the name of a credential, without a folder");
    }
    return source;
  }
  if (source.path.empty()) return fail(fields.At("file"), "is empty: name the file with the master key");
  source.path = ResolvePath(source.path, files.config_path, files.home);
  return source;
}

std::vector<MasterKeySource> ReadMasterKeyList(const Node& node, const Place& place, const KeyFiles& files,
                                               ProblemList* problems) {
  std::vector<MasterKeySource> sources;
  if (node.kind != Node::Kind::kList) {
    if (std::optional<MasterKeySource> one = ReadMasterKey(node, place, files, problems)) sources.push_back(*one);
    return sources;
  }
  if (node.items.empty()) problems->Error(place, "is empty: name a master key, or leave it out");
  if (node.items.size() > kMaxMasterKeys) {
    problems->Error(place, absl::StrCat("holds more than ", kMaxMasterKeys, " master keys"));
    return sources;
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    const Place here = place.Item(i, node.items[i].line);
    if (std::optional<MasterKeySource> one = ReadMasterKey(node.items[i], here, files, problems))
      sources.push_back(*one);
  }
  return sources;
}

}  // namespace

SealContext ContextOfFileKey(std::string_view provider) {
  return {absl::AsciiStrToLower(ToAbsl(provider)), "file", 0};
}

KeyOpener OpenerWith(std::shared_ptr<const MasterKeys> master_keys, MapReader* top) {
  if (top->Problems().HasErrors()) return nullptr;
  const absl::Status usable = master_keys->sources().empty() ? absl::OkStatus() : master_keys->ToOpen().status();
  if (!usable.ok()) {
    const Node* node = ValueIn(*top->Find("Broker"), "master_key");
    top->Problems().Error(top->At("Broker").Sub("master_key", node->line), std::string(usable.message()));
    return nullptr;
  }
  return
      [keys = std::move(master_keys)](std::string_view sealed, std::string_view provider) -> absl::StatusOr<OpenedKey> {
        const MasterKeys::SealerResult sealer = keys->ToOpen();
        if (!sealer.ok()) return sealer.status();
        absl::StatusOr<Secret> key = (*sealer)->Open(sealed, ContextOfFileKey(provider));
        if (!key.ok()) return key.status();
        return OpenedKey{*std::move(key), (*sealer)->IsOfNewest(sealed)};
      };
}

std::string RefusalOf(const Node& entry, const std::string& provider, const KeyFiles& files) {
  const Node* key = ValueIn(entry, "key");
  const Node* sealed = ValueIn(key != nullptr ? *key : entry, "sealed");
  if (sealed == nullptr || sealed->kind != Node::Kind::kString || !files.open) return "";
  const absl::StatusOr<OpenedKey> opened = files.open(sealed->text, provider);
  return opened.ok() || IsOfMasterKey(opened.status()) ? "" : Refusal(opened.status());
}

std::optional<Secret> ReadSealed(MapReader* fields, const Place& place, const KeyFiles& files) {
  ProblemList& problems = fields->Problems();
  std::string sealed;
  if (!fields->Text("sealed", &sealed)) return std::nullopt;
  if (place.provider.empty()) {
    problems.Error(place, "only the keys of providers can be sealed: write text or {file: PATH}");
    return std::nullopt;
  }
  if (!LooksSealed(sealed)) {
    problems.Error(fields->At("sealed"), "must be what ccr key seal prints: \"ccr-sealed:1:...\"");
    return std::nullopt;
  }
  if (!files.open) return Secret();
  absl::StatusOr<OpenedKey> opened = files.open(sealed, place.provider);
  if (!opened.ok()) {
    problems.Error(place, Refusal(opened.status()));
    return std::nullopt;
  }
  if (!opened->of_newest) {
    problems.Warn(place,
                  "was sealed with an older master key: give its sealed text to ccr key seal, and put what that prints "
                  "in its place, before you take the older one out of Broker.master_key");
  }
  return std::move(opened->key);
}

std::shared_ptr<const MasterKeys> ReadMasterKeys(MapReader* top, const MasterKeyPlace& where, const KeyFiles& files,
                                                 const EnvLookup& env) {
  std::vector<MasterKeySource> sources;
  std::string state_dir = where.default_state_dir.empty() ? "state" : where.default_state_dir;
  const Node* broker = top->Find("Broker");
  if (broker != nullptr && broker->kind == Node::Kind::kMap) {
    ProblemList unread("");  // of the section's other fields, which their own reader judges
    MapReader section(*broker, top->At("Broker"), &unread);
    section.Text("state_dir", &state_dir);
    if (const Node* node = section.Find("master_key")) {
      sources = ReadMasterKeyList(*node, section.At("master_key"), files, &top->Problems());
    }
  }
  if (!where.state_dir.empty()) state_dir = where.state_dir;
  const std::string folder = std::filesystem::path(files.config_path).parent_path().string();
  if (where.state_dir.empty()) state_dir = ResolvePath(state_dir, files.config_path, files.home);
  return std::make_shared<const MasterKeys>(std::move(sources), std::move(state_dir), folder, env);
}

}  // namespace ccr
