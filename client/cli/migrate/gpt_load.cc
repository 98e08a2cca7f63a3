// GPT-Load's groups and keys, after version 1.4 (github.com/tbphp/gpt-load: internal/models/types.go for the group and
// the key, internal/handler/group_handler.go for GET /api/groups, internal/handler/key_handler.go for the export of
// keys, "keys-GROUP-all.txt", one a line, and GET /api/keys; internal/channel/ for how an upstream and the client's path
// become a URL). Version 2.0 documents that its management API is still in motion (github.com/tbphp/gpt-load-docs,
// "reference/api") and gives no form of it; its keys are text, one a line, too.
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"
#include "client/cli/config/init.h"
#include "client/cli/migrate/endpoint.h"
#include "client/cli/migrate/pools.h"
#include "client/cli/migrate/readers.h"

namespace ccr::cli::migration {
namespace {

constexpr uint64_t kMaxRetries = 100;
constexpr uint64_t kMaxFailures = 1'000'000;

// What a client calls below an upstream, by type of channel.
const std::map<std::string, std::string>& Endpoints() {
  static const auto* const endpoints = new std::map<std::string, std::string>{{"openai", "/v1/chat/completions"},
                                                                              {"openai-response", "/v1/responses"},
                                                                              {"anthropic", "/v1/messages"},
                                                                              {"gemini", "/v1beta/models/"}};
  return *endpoints;
}

struct GroupKeys {
  std::string where;
  std::vector<Secret> keys;
  bool claimed = false;
};

// "keys-NAME-all.txt", "-active" and "-invalid" as GPT-Load names its exports; otherwise the name of the file.
struct ExportName {
  std::string group;
  bool invalid = false;
};

ExportName NameOfExport(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  if (name.ends_with(".txt")) name.remove_suffix(4);
  if (!name.starts_with("keys-")) return {std::string(name)};
  name.remove_prefix(5);
  for (const std::string_view status : {"-all", "-active", "-invalid"}) {
    if (!name.ends_with(status)) continue;
    return {std::string(name.substr(0, name.size() - status.size())), status == "-invalid"};
  }
  return {std::string(name)};
}

class GroupReader {
 public:
  absl::StatusOr<Migration> Read(const std::vector<Source>& sources) {
    for (const Source& source : sources) {
      const absl::Status read = ReadOne(source);
      if (!read.ok()) return read;
    }
    for (const Node* group : groups_) TakeGroup(*group);
    TakeLoose();
    Pools pools = BuildPools(std::move(deployments_), out_.hider, &out_.notes);
    out_.draft.providers = std::move(pools.providers);
    return std::move(out_);
  }

 private:
  absl::Status ReadOne(const Source& source);
  void ReadText(const Source& source);
  bool Collect(const Node& node);
  void CollectKey(const Node& item);
  void TakeGroup(const Node& node);
  void TakeLoose();
  void ReadConfig(Fields* group, ProviderSettings* settings);
  std::string UrlOf(Fields* group, const std::string& channel);
  std::vector<std::string> ModelsOf(Fields* group);
  std::vector<Secret> KeysOf(Fields* group, const std::string& name, const std::string& id);
  void AddAll(const Deployment& shape, std::vector<Secret> keys);

  std::vector<Tree> trees_;
  std::vector<const Node*> groups_;                   // in trees_
  std::map<std::string, GroupKeys> exported_;         // by group name
  std::map<std::string, std::vector<Secret>> by_id_;  // of GET /api/keys, by group_id
  std::vector<Deployment> deployments_;
  Migration out_;
};

absl::Status GroupReader::ReadOne(const Source& source) {
  const std::string_view text = source.text.Reveal();
  const char first = text[text.find_first_not_of(" \t\r\n")];
  if (first != '{' && first != '[') {
    ReadText(source);
    return absl::OkStatus();
  }
  absl::StatusOr<Tree> tree = ParseSource(source, Syntax::kJson);
  if (!tree.ok()) return tree.status();
  out_.hider.AddAllOf(**tree);
  const bool found = Collect(**tree);
  trees_.push_back(*std::move(tree));
  if (found) return absl::OkStatus();
  return absl::InvalidArgumentError(
      source.name +
      " holds no groups and no keys of GPT-Load: give what GET /api/groups answers, or an export of keys");
}

void GroupReader::ReadText(const Source& source) {
  const ExportName name = NameOfExport(source.name);
  GroupKeys& keys = exported_[name.group];
  keys.where = source.name;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(ToAbsl(source.text.Reveal()), '\n')) {
    ++number;
    const absl::string_view key = absl::StripAsciiWhitespace(line);
    if (key.empty()) continue;
    out_.hider.Add(ToStd(key));
    if (name.invalid) {
      out_.notes.NotTaken(source.name, "the keys of this export are invalid, as GPT-Load says");
    } else if (!std::all_of(key.begin(), key.end(), [](char c) { return absl::ascii_isgraph(c); })) {
      out_.notes.NotTaken(absl::StrCat(source.name, ":", number), "is no key: it holds a space or control character");
    } else {
      keys.keys.emplace_back(ToStd(key));
    }
  }
}

// A group, a key, or something that holds some.
bool GroupReader::Collect(const Node& node) {
  if (FieldOf(node, "channel_type") != nullptr || FieldOf(node, "upstreams") != nullptr) {
    groups_.push_back(&node);
    return true;
  }
  if (FieldOf(node, "key_value") != nullptr) {
    CollectKey(node);
    return true;
  }
  bool found = false;
  for (const char* inner : {"data", "items", "groups", "keys"}) {
    const Node* value = FieldOf(node, inner);
    if (value != nullptr) found = Collect(*value) || found;
  }
  for (const Node& item : node.items) found = Collect(item) || found;
  return found;
}

void GroupReader::CollectKey(const Node& item) {
  Fields key(item, "keys");
  const std::string group = key.Text("group_id"), status = key.Text("status");
  if (status == "invalid") {
    return out_.notes.NotTaken(absl::StrCat("group ", group), "its keys of the status invalid");
  }
  by_id_[group].emplace_back(key.Text("key_value"));
}

void GroupReader::ReadConfig(Fields* group, ProviderSettings* settings) {
  const Node* node = group->Find("config");
  if (node == nullptr) return;
  const Tree inner = node->kind == Node::Kind::kString ? ParseInner(node->text) : nullptr;
  Fields config(inner ? *inner : *node, group->where());
  const auto millis = [&config](std::string_view name) -> std::optional<uint64_t> {
    const double seconds = config.Number(name).value_or(0);
    if (seconds <= 0) return std::nullopt;
    return static_cast<uint64_t>(seconds * 1000);
  };
  settings->connect_ms = millis("connect_timeout");
  settings->first_byte_ms = millis("response_header_timeout");
  if (const auto retries = config.Number("max_retries"); retries && *retries >= 0) {
    settings->max_retries = std::min(static_cast<uint64_t>(*retries), kMaxRetries);
  }
  if (const auto failures = config.Number("blacklist_threshold"); failures && *failures >= 1) {
    settings->max_failures = std::min(static_cast<uint64_t>(*failures), kMaxFailures);
  } else if (failures) {
    out_.notes.NotTaken(group->where(),
                        "blacklist_threshold 0: a key that keeps failing is taken out here, and tried again");
  }
  config.TellRest({{"proxy_url", "ccr has one PROXY_URL for all providers"},
                   {"request_timeout", "ccr has one API_TIMEOUT_MS for all providers"}},
                  "ccr has nothing like it", &out_.notes);
}

// The heaviest upstream's; empty when there is none that ccr could take.
std::string GroupReader::UrlOf(Fields* group, const std::string& channel) {
  const Node* node = group->Find("upstreams");
  const Tree inner = node != nullptr && node->kind == Node::Kind::kString ? ParseInner(node->text) : nullptr;
  const Node* list = inner ? inner.get() : node;
  const Node none;
  std::string best;
  double best_weight = -1;
  size_t count = 0;
  for (const Node& item : (list == nullptr ? none : *list).items) {
    Fields upstream(item, group->where());
    const std::string url = upstream.Text("url");
    const double weight = upstream.Number("weight").value_or(1);
    if (url.empty()) continue;
    ++count;
    if (weight <= best_weight) continue;
    best = url;
    best_weight = weight;
  }
  if (best.empty()) {
    out_.notes.NotTaken(group->where(), "it has no upstream with a url");
    return "";
  }
  if (count > 1) {
    out_.notes.NotTaken(group->where(), absl::StrCat("upstreams: a provider has one URL, and ", count - 1,
                                                     " more are here: add a provider for each"));
  }
  std::string path = group->Text("validation_endpoint");
  const std::string& usual = Endpoints().at(channel);
  if (channel == "gemini" || !path.starts_with('/') || path.find('?') != std::string::npos) path = usual;
  return Joined(best, path);
}

std::vector<std::string> GroupReader::ModelsOf(Fields* group) {
  std::vector<std::string> models;
  if (std::string model = group->Text("test_model"); !model.empty()) models.push_back(std::move(model));
  const Node* redirects = group->Find("model_redirect_rules");
  const Tree inner =
      redirects != nullptr && redirects->kind == Node::Kind::kString ? ParseInner(redirects->text) : nullptr;
  const Node none;
  const Node* rules = inner ? inner.get() : redirects;
  for (const Node::Entry& rule : (rules == nullptr ? none : *rules).entries) {
    const std::string target = ScalarText(rule.value);
    if (target.empty()) continue;
    if (std::find(models.begin(), models.end(), target) == models.end()) models.push_back(target);
    out_.notes.Different(group->where(), absl::StrCat("clients ask for ", target, " instead of ", rule.name));
  }
  if (!models.empty()) {
    out_.notes.Different(group->where(), absl::StrCat("lists ", absl::StrJoin(models, ", "),
                                                      ", all that GPT-Load names: add the models that you use"));
  }
  return models;
}

std::vector<Secret> GroupReader::KeysOf(Fields* group, const std::string& name, const std::string& id) {
  std::vector<Secret> keys;
  if (const Node* list = group->Find("api_keys")) {
    for (const Node& item : list->items) {
      Fields key(item, group->where());
      if (key.Text("status") == "invalid") {
        out_.notes.NotTaken(group->where(), "its keys of the status invalid");
      } else if (const Node* value = key.Find("key_value")) {
        keys.emplace_back(ScalarText(*value));
      }
    }
  }
  const auto take = [&keys](std::vector<Secret>* more) {
    for (Secret& key : *more) keys.push_back(std::move(key));
    more->clear();
  };
  if (const auto found = by_id_.find(id); found != by_id_.end()) take(&found->second);
  auto found = exported_.find(name);
  if (found == exported_.end() && groups_.size() == 1 && exported_.size() == 1) found = exported_.begin();
  if (found != exported_.end()) {
    found->second.claimed = true;
    take(&found->second.keys);
  }
  return keys;
}

void GroupReader::AddAll(const Deployment& shape, std::vector<Secret> keys) {
  for (Secret& key : keys) {
    Deployment deployment{.where = shape.where, .name = shape.name, .url = shape.url, .models = shape.models};
    deployment.settings = shape.settings;
    deployment.key.text = std::move(key);
    deployments_.push_back(std::move(deployment));
  }
}

void GroupReader::TakeGroup(const Node& node) {
  Fields group(node, "");
  const std::string name = group.Text("name"), id = group.Text("id"), channel = group.Text("channel_type");
  const std::string where = absl::StrCat("group ", name.empty() ? id : name);
  Fields fields(node, where);
  fields.Ignore({"name", "id", "channel_type", "group_type", "sub_groups", "display_name", "description", "sort",
                 "endpoint", "effective_config", "created_at", "updated_at", "last_validated_at", "group_id"});
  std::vector<Secret> keys = KeysOf(&fields, name, id);
  if (group.Text("group_type") == "aggregate") {
    return out_.notes.NotTaken(where, "it only names other groups: list those as Router.default and fallback.default");
  }
  if (!Endpoints().contains(channel)) {
    return out_.notes.NotTaken(where, absl::StrCat("channel_type ", channel.empty() ? "is missing" : channel,
                                                   channel.empty() ? "" : " is not known"));
  }
  Deployment shape{.where = where, .name = name, .url = UrlOf(&fields, channel)};
  if (shape.url.empty()) return;
  if (keys.empty()) {
    return out_.notes.NotTaken(where, absl::StrCat("no key for it is here: export its keys, and give keys-", name,
                                                   "-all.txt as another FILE"));
  }
  shape.models = ModelsOf(&fields);
  out_.notes.Different(where, absl::StrCat("clients that used /proxy/", name, " use /p/", name,
                                           ", or the plain paths with the model \"", name, ",MODEL\""));
  ReadConfig(&fields, &shape.settings);
  fields.TellRest({{"proxy_keys", "clients show one APIKEY here: set it"},
                   {"param_overrides", "the client's request says it"},
                   {"header_rules", "ccr sends no headers of yours"}},
                  "ccr has nothing like it", &out_.notes);
  AddAll(shape, std::move(keys));
}

// Exports without a group: those that are named like a provider that `ccr init` knows.
void GroupReader::TakeLoose() {
  for (auto& [name, exported] : exported_) {
    if (exported.claimed || exported.keys.empty()) continue;
    const std::string url = KnownUrlOf(name);
    if (url.empty()) {
      out_.notes.NotTaken(exported.where,
                          absl::StrCat("where its keys go is not said: give the JSON of GET /api/groups "
                                       "with a group ",
                                       name, " as another FILE"));
      continue;
    }
    Deployment shape{.where = exported.where, .name = name, .url = url, .models = KnownModelsOf(url)};
    out_.notes.Different(exported.where, absl::StrCat("is taken as keys of ", name,
                                                      ", with the models that ccr init "
                                                      "lists: ",
                                                      absl::StrJoin(shape.models, ", ")));
    AddAll(shape, std::move(exported.keys));
  }
  for (const auto& [id, keys] : by_id_) {
    if (!keys.empty()) out_.notes.NotTaken(absl::StrCat("keys of the group with id ", id), "the group is not here");
  }
}

}  // namespace

absl::StatusOr<Migration> ReadGptLoad(const std::vector<Source>& sources) {
  return GroupReader().Read(sources);
}

}  // namespace ccr::cli::migration
