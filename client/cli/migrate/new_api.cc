// New API's channels, after github.com/QuantumNous/new-api (model/channel.go for the fields, several keys in one
// channel, and that the API's lists leave the keys out; constant/channel.go and relay/channel/ for the types; the choice
// by priority, then by weight, is model/channel_cache.go) and its documentation (docs.newapi.pro, "Channel
// Management"). The channels come as JSON: rows of the table `channels`, in a list or as the API wraps them.
#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"
#include "client/cli/migrate/endpoint.h"
#include "client/cli/migrate/new_api_types.h"
#include "client/cli/migrate/pools.h"
#include "client/cli/migrate/readers.h"

namespace ccr::cli::migration {
namespace {

constexpr int kEnabled = 1;
constexpr int kAzure = 3;
constexpr int kCustom = 8;
constexpr int kOllama = 4;
constexpr int kMaxRedirects = 16;

class ChannelReader {
 public:
  explicit ChannelReader(const Node& root) : root_(root) {}

  absl::StatusOr<Migration> Read() {
    out_.hider.AddAllOf(root_);
    if (!Collect(root_)) {
      return absl::InvalidArgumentError(
          "holds no channels of New API: export its table with the keys, for example "
          "sqlite3 -json one-api.db 'SELECT * FROM channels'");
    }
    for (const Node* channel : channels_) TakeChannel(*channel);
    Pools pools = BuildPools(std::move(deployments_), out_.hider, &out_.notes);
    Route(pools);
    out_.draft.providers = std::move(pools.providers);
    return std::move(out_);
  }

 private:
  bool Collect(const Node& node);
  void TakeChannel(const Node& node);
  std::string UrlOf(const ChannelType& type, std::string base, const std::string& where);
  std::vector<std::string> ModelsOf(Fields* channel);
  std::vector<Secret> KeysOf(Fields* channel);
  void TellRest(Fields* channel);
  void Route(const Pools& pools);

  const Node& root_;
  std::vector<const Node*> channels_;
  std::vector<Deployment> deployments_;
  Migration out_;
};

bool ChannelReader::Collect(const Node& node) {
  if (FieldOf(node, "type") != nullptr && (FieldOf(node, "models") != nullptr || FieldOf(node, "key") != nullptr)) {
    channels_.push_back(&node);
    return true;
  }
  bool found = false;
  for (const char* inner : {"data", "items", "channels"}) {
    const Node* value = FieldOf(node, inner);
    if (value != nullptr) found = Collect(*value) || found;
  }
  for (const Node& item : node.items) found = Collect(item) || found;
  return found;
}

std::string ChannelReader::UrlOf(const ChannelType& type, std::string base, const std::string& where) {
  if (const std::string_view plan = PlanBase(base); !plan.empty()) return Joined(plan, "/chat/completions");
  if (type.number == kCustom) {
    if (absl::StrContains(base, "{model}")) {
      out_.notes.NotTaken(where, "its URL holds {model}, which ccr does not replace: write a provider for each model");
      return "";
    }
    if (base.empty()) out_.notes.NotTaken(where, "base_url is missing");
    return base;
  }
  if (base.empty()) base = std::string(type.base);
  if (base.empty()) {
    out_.notes.NotTaken(where, "base_url is missing");
    return "";
  }
  if (type.number == kAzure) {
    out_.notes.Different(where, "goes to Azure's v1 API, where the name of the deployment is the model");
    return AzureEndpoint(base);
  }
  if (type.number == kOllama) out_.notes.Different(where, "goes to Ollama's OpenAI-compatible API");
  const bool gateway = base.starts_with("https://gateway.ai.cloudflare.com") && type.number == 1;
  return Joined(base, gateway ? "/chat/completions" : type.path);
}

// Under their own names: what model_mapping leads to.
std::vector<std::string> ChannelReader::ModelsOf(Fields* channel) {
  const Node* mapping = channel->Find("model_mapping");
  const Tree inner = mapping != nullptr && mapping->kind == Node::Kind::kString ? ParseInner(mapping->text) : nullptr;
  const Node* map = inner ? inner.get() : mapping;
  std::vector<std::string> models;
  for (const absl::string_view part : absl::StrSplit(channel->Text("models"), ',')) {
    const std::string asked(absl::StripAsciiWhitespace(part));
    std::string model = asked;
    for (int i = 0; map != nullptr && i < kMaxRedirects; ++i) {
      const Node* target = FieldOf(*map, model);
      if (target == nullptr || ScalarText(*target).empty() || ScalarText(*target) == model) break;
      model = ScalarText(*target);
    }
    if (model != asked) {
      out_.notes.Different(channel->where(), absl::StrCat("clients ask for ", model, " instead of ", asked));
    }
    if (!model.empty() && std::find(models.begin(), models.end(), model) == models.end()) models.push_back(model);
  }
  return models;
}

// Those that are enabled.
std::vector<Secret> ChannelReader::KeysOf(Fields* channel) {
  const Node* info = channel->Find("channel_info");
  const Tree inner = info != nullptr && info->kind == Node::Kind::kString ? ParseInner(info->text) : nullptr;
  const Node* details = inner ? inner.get() : info;
  const Node* states = details == nullptr ? nullptr : FieldOf(*details, "multi_key_status_list");
  const Node* key = channel->Find("key");
  std::vector<Secret> keys;
  size_t position = 0;
  for (const absl::string_view line : absl::StrSplit(key == nullptr ? "" : key->text, '\n')) {
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty()) continue;
    const std::string place = absl::StrCat(position++);
    const Node* state = states == nullptr ? nullptr : FieldOf(*states, place);
    if (state != nullptr && NumberOf(*state).value_or(kEnabled) != kEnabled) {
      out_.notes.NotTaken(channel->where(), absl::StrCat("key ", place, " (from 0) is disabled there"));
    } else {
      keys.emplace_back(ToStd(text));
    }
  }
  return keys;
}

void ChannelReader::TellRest(Fields* channel) {
  const Node* group = FieldOf(channel->map(), "group");
  if (group != nullptr && ScalarText(*group) == "default") channel->Ignore({"group"});
  channel->Ignore({"created_time", "test_time", "test_model", "response_time", "balance", "balance_updated_time",
                   "used_quota", "auto_ban", "other_info", "tag", "remark", "settings", "other", "need_reconcile"});
  channel->TellRest({{"group", "ccr has no groups of users"},
                     {"openai_organization",
                      "ccr sends no OpenAI-Organization header: take a key of that "
                      "organization's project"},
                     {"header_override", "ccr sends no headers of yours"},
                     {"param_override", "the client's request says it"},
                     {"status_code_mapping", "see the provider's errors: [{status, as}]"},
                     {"setting", "ccr has one PROXY_URL for all providers, and nothing like the rest"}},
                    "ccr has nothing like it", &out_.notes);
}

void ChannelReader::TakeChannel(const Node& node) {
  Fields named(node, "");
  const std::string name = named.Text("name"), id = named.Text("id");
  Fields channel(node, absl::StrCat("channel ", name.empty() ? "" : absl::StrCat(name, " "), "(id ", id, ")"));
  channel.Ignore({"name", "id"});
  const std::string& where = channel.where();
  const double number = channel.Number("type").value_or(0);
  const ChannelType* type = FindChannelType(static_cast<int>(std::clamp(number, -1.0, 1e6)));
  if (type == nullptr) return out_.notes.NotTaken(where, absl::StrCat("type ", number, " is not known"));
  if (!type->why.empty()) {
    return out_.notes.NotTaken(where, absl::StrCat("type ", number, ", ", ToAbsl(type->name), ": ", ToAbsl(type->why)));
  }
  if (channel.Number("status").value_or(kEnabled) != kEnabled) {
    return out_.notes.NotTaken(where, "it is disabled there");
  }
  std::vector<Secret> keys = KeysOf(&channel);
  if (keys.empty() && type->number != kOllama) {
    return out_.notes.NotTaken(where,
                               "its key is not in this file, as in all lists of the API: export the table, for example "
                               "sqlite3 -json one-api.db 'SELECT * FROM channels'");
  }
  if (keys.empty()) keys.emplace_back();
  const std::string base = channel.Text("base_url");
  const std::string url = UrlOf(*type, base, where);
  if (url.empty()) return;
  const std::vector<std::string> models = ModelsOf(&channel);
  const double weight = std::max(0.0, channel.Number("weight").value_or(0)) / static_cast<double>(keys.size());
  const auto priority = static_cast<int64_t>(std::clamp(channel.Number("priority").value_or(0), -1e15, 1e15));
  TellRest(&channel);
  for (size_t i = 0; i < keys.size(); ++i) {
    Deployment deployment{.where = where, .name = base.empty() ? std::string(type->name) : name, .url = url};
    if (deployment.name.empty()) deployment.name = HostName(url);
    deployment.key_name = keys.size() == 1 || name.empty() ? name : absl::StrCat(name, "-", i + 1);
    if (type->number == kAzure) deployment.auth_header = "api-key";
    deployment.key.text = std::move(keys[i]);
    deployment.models = models;
    deployment.rank = -priority;
    deployment.weight = std::round(weight * 1000) / 1000;
    deployments_.push_back(std::move(deployment));
  }
}

// The first model of what comes first; where others have it too, they follow it, by priority.
void ChannelReader::Route(const Pools& pools) {
  if (pools.providers.empty()) return;
  const std::vector<std::string>& first = pools.providers.front().models;
  const auto chat = std::find_if(first.begin(), first.end(), LooksLikeChat);
  if (chat == first.end()) return;
  const std::string& model = *chat;
  out_.draft.default_route = absl::StrCat(pools.providers.front().name, ",", model);
  for (const ProviderDraft& provider : pools.providers) {
    const bool lists = std::find(provider.models.begin(), provider.models.end(), model) != provider.models.end();
    if (lists && &provider != &pools.providers.front()) {
      out_.draft.fallbacks.push_back(absl::StrCat(provider.name, ",", model));
    }
  }
  out_.notes.Different("Router.default",
                       absl::StrCat(out_.draft.default_route, ", the first model of the highest priority"));
  std::map<std::string, int> listed;
  for (const ProviderDraft& provider : pools.providers) {
    for (const std::string& each : provider.models) ++listed[each];
  }
  for (const auto& [each, count] : listed) {
    if (count < 2) continue;
    out_.notes.Different(absl::StrCat("model ", each),
                         "several providers list it: the name alone goes to the first, \"provider,model\" to any");
  }
}

}  // namespace

absl::StatusOr<Migration> ReadNewApi(const std::vector<Source>& sources) {
  if (sources.size() != 1) return absl::InvalidArgumentError("name one FILE with all channels of New API");
  absl::StatusOr<Tree> root = ParseSource(sources[0], Syntax::kJson);
  if (!root.ok()) return root.status();
  absl::StatusOr<Migration> migration = ChannelReader(**root).Read();
  if (migration.ok()) return migration;
  return absl::Status(migration.status().code(), absl::StrCat(sources[0].name, " ", migration.status().message()));
}

}  // namespace ccr::cli::migration
