// LiteLLM's proxy configuration, after its documentation (github.com/BerriAI/litellm-docs: docs/proxy/configs.md for
// model_list, os.environ/, credential_list and environment_variables; docs/proxy/load_balancing.md for rpm, tpm, order,
// weight and routing_strategy; docs/proxy/reliability.md for fallbacks; docs/providers/ for the prefixes and their
// variables). The bases of the vendors' APIs are those of github.com/BerriAI/litellm,
// litellm/litellm_core_utils/get_llm_provider_logic.py.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/base/absl_text.h"
#include "client/cli/config/init.h"
#include "client/cli/migrate/endpoint.h"
#include "client/cli/migrate/litellm_vendors.h"
#include "client/cli/migrate/pools.h"
#include "client/cli/migrate/readers.h"

namespace ccr::cli::migration {
namespace {

constexpr std::string_view kFromEnv = "os.environ/";
constexpr char kNothingLikeIt[] = "ccr has nothing like it";

bool IsVariable(std::string_view name) {
  const auto allowed = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  return !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), allowed);
}

const Node& EnvironmentOf(const Node& root) {
  static const auto* const none = new Node;
  const Node* found = FieldOf(root, "environment_variables");
  return found == nullptr ? *none : *found;
}

// What clients call a model, and the deployments behind the name.
struct ModelGroup {
  std::string name;
  std::vector<size_t> deployments;
  bool chat = true;
};

class Reader {
 public:
  Reader(const Node& root, const EnvLookup& env)
      : root_(root), top_(root, "the file"), env_(env), environment_(EnvironmentOf(root), "environment_variables") {
    top_.Ignore({"environment_variables"});
  }

  absl::StatusOr<Migration> Read() {
    out_.hider.AddAllOf(root_);
    const Node* models = top_.Find("model_list");
    if (models == nullptr || models->kind != Node::Kind::kList) {
      return absl::InvalidArgumentError("is no configuration of LiteLLM's proxy: it has no model_list");
    }
    credentials_ = top_.Find("credential_list");
    ReadSettings();
    for (size_t i = 0; i < models->items.size(); ++i) {
      const Node& item = models->items[i];
      ReadEntry(item, absl::StrCat("model_list[", i, "] (line ", item.line, ")"));
    }
    Finish();
    top_.TellRest({{"include", "other files: migrate each, or put them into this one"}}, kNothingLikeIt, &out_.notes);
    environment_.TellRest({}, "no key is taken from it; where ccr needs it, set it where ccr start runs", &out_.notes);
    return std::move(out_);
  }

 private:
  // The text, or what its variable holds; for what is no secret.
  std::string Plain(const std::string& text) {
    if (!text.starts_with(kFromEnv)) return text;
    const std::optional<KeyText> found = Keyed(text);
    return found ? std::string(found->text.Reveal()) : "";
  }

  // Nothing for a variable that is not set.
  std::optional<KeyText> Keyed(std::string_view text) {
    if (!text.starts_with(kFromEnv)) return KeyText{Secret(text), ""};
    const std::string variable(text.substr(kFromEnv.size()));
    const Node* here = environment_.Find(variable);
    if (here != nullptr && !ScalarText(*here).starts_with(kFromEnv)) return KeyText{Secret(ScalarText(*here)), ""};
    std::string value = IsVariable(variable) ? env_(variable).value_or("") : "";
    if (value.empty()) return std::nullopt;
    out_.hider.Add(value);
    return KeyText{Secret(std::move(value)), variable};
  }

  const Node* CredentialOf(const std::string& name) const {
    if (credentials_ == nullptr) return nullptr;
    for (const Node& item : credentials_->items) {
      const Node* named = FieldOf(item, "credential_name");
      if (named != nullptr && ScalarText(*named) == name) return FieldOf(item, "credential_values");
    }
    return nullptr;
  }

  void ReadEntry(const Node& item, const std::string& where);
  void ReadParams(Fields* entry, Fields* params, const std::string& where);
  bool FindKey(const Secret& given, const Vendor& vendor, const std::string& where, KeyText* key);
  bool FindUrl(const Vendor& vendor, const std::string& base, const std::string& where, std::string* model,
               Deployment* out);
  std::vector<std::string> ModelsOf(const std::string& model, const std::string& url, const std::string& where);
  void ReadSettings();
  void ReadRouting(const std::string& strategy);
  void TakeTimeout(std::optional<double> seconds);
  void TakeMasterKey(const Secret& given);
  void TakeFallbacks(const Node* list);
  void Finish();
  void TellAliases(const Pools& pools);
  std::vector<std::string> RoutesOf(const std::string& group, const Pools& pools) const;
  void FillFallbacks(const Pools& pools);

  const Node& root_;
  Fields top_;
  const EnvLookup& env_;
  Fields environment_;
  const Node* credentials_ = nullptr;
  ProviderSettings settings_;
  std::vector<Deployment> deployments_;
  std::vector<std::vector<std::string>> models_of_;  // of each deployment, before they are pooled
  std::vector<ModelGroup> groups_;
  std::vector<std::pair<std::string, std::vector<std::string>>> fallbacks_;
  std::vector<std::string> default_fallbacks_;
  Migration out_;
};

void Reader::ReadEntry(const Node& item, const std::string& where) {
  const Node* params = item.kind == Node::Kind::kMap ? FieldOf(item, "litellm_params") : nullptr;
  if (params == nullptr || params->kind != Node::Kind::kMap) {
    return out_.notes.NotTaken(where, "it has no litellm_params");
  }
  Fields entry(item, where);
  Fields fields(*params, where);
  entry.Ignore({"litellm_params", "model_info"});
  ReadParams(&entry, &fields, where);
}

void Reader::ReadParams(Fields* entry, Fields* params, const std::string& where) {
  const std::string model_name = entry->Text("model_name");
  std::string model = Plain(params->Text("model"));
  if (model.empty()) return out_.notes.NotTaken(where, "litellm_params.model is missing");
  std::string why;
  const Vendor* vendor = FindVendor(params->Text("custom_llm_provider"), &model, &why);
  if (vendor == nullptr) return out_.notes.NotTaken(where, why);
  Secret given(params->Text("api_key"));
  std::string base = params->Text("api_base");
  if (base.empty()) base = params->Text("base_url");
  if (const std::string name = params->Text("litellm_credential_name"); !name.empty()) {
    const Node* values = CredentialOf(name);
    if (values == nullptr) {
      return out_.notes.NotTaken(where, absl::StrCat("credential ", name, " is not in credential_list"));
    }
    Fields credential(*values, where);
    if (given.empty()) given = Secret(credential.Text("api_key"));
    if (base.empty()) base = credential.Text("api_base");
  }
  Deployment deployment{.where = where};
  if (!FindUrl(*vendor, base, where, &model, &deployment)) return;
  if (!FindKey(given, *vendor, where, &deployment.key)) return;
  deployment.models = ModelsOf(model, deployment.url, where);
  if (deployment.models.empty()) return;
  deployment.key_name = deployment.key.variable;
  const auto whole = [&](std::string_view name) {
    const double number = params->Number(name).value_or(entry->Number(name).value_or(0));
    return number > 0 ? static_cast<uint64_t>(number) : 0;
  };
  deployment.rpm = whole("rpm");
  deployment.tpm = whole("tpm");
  deployment.max_concurrent = whole("max_parallel_requests");
  deployment.weight = params->Number("weight").value_or(1);
  deployment.rank = static_cast<int64_t>(params->Number("order").value_or(0));
  deployment.settings = settings_;
  if (deployment.rpm + deployment.tpm > 0) {
    out_.notes.Different(where, "rpm and tpm are hard limits here: a request waits for room instead of being sent");
  }
  params->Ignore({"api_version"});
  params->TellRest(ParamReasons(), kNothingLikeIt, &out_.notes);
  entry->TellRest({}, kNothingLikeIt, &out_.notes);
  const auto same = [&](const ModelGroup& group) { return group.name == model_name; };
  auto group = std::find_if(groups_.begin(), groups_.end(), same);
  if (group == groups_.end()) group = groups_.insert(groups_.end(), {model_name, {}});
  const Node* info = entry->Find("model_info");
  const Node* mode = info == nullptr ? nullptr : FieldOf(*info, "mode");
  if (mode != nullptr && ScalarText(*mode) != "chat" && ScalarText(*mode) != "responses") group->chat = false;
  group->deployments.push_back(deployments_.size());
  models_of_.push_back(deployment.models);
  deployments_.push_back(std::move(deployment));
}

bool Reader::FindKey(const Secret& given, const Vendor& vendor, const std::string& where, KeyText* key) {
  if (given.empty() && vendor.variable.empty()) return true;
  const std::string usual = absl::StrCat(ToAbsl(kFromEnv), ToAbsl(vendor.variable));
  const std::string_view source = given.empty() ? std::string_view(usual) : given.Reveal();
  std::optional<KeyText> found = Keyed(source);
  if (!found) {
    const std::string variable(source.substr(kFromEnv.size()));
    out_.notes.NotTaken(where, absl::StrCat("its key is in the variable ", variable,
                                            ", which is not set here: set it and migrate again"));
    return false;
  }
  if (found->text.empty()) {
    out_.notes.NotTaken(where, "its key is empty");
    return false;
  }
  *key = std::move(*found);
  return true;
}

bool Reader::FindUrl(const Vendor& vendor, const std::string& base, const std::string& where, std::string* model,
                     Deployment* out) {
  const std::string given = Plain(base);
  if (given.empty() && (!base.empty() || vendor.base.empty())) {
    out_.notes.NotTaken(where, base.empty() ? "api_base is missing"
                                            : absl::StrCat("api_base is in a variable that is not set here: ",
                                                           base.substr(kFromEnv.size())));
    return false;
  }
  const std::string url = given.empty() ? std::string(vendor.base) : given;
  out->name = given.empty() ? std::string(vendor.prefix) : HostName(url);
  switch (vendor.api) {
    case Vendor::Api::kAzure:
      out->url = AzureEndpoint(url);
      out->auth_header = "api-key";
      out->name = out->name.substr(0, out->name.find('.'));
      out_.notes.Different(where, "goes to Azure's v1 API, where the name of the deployment is the model");
      return true;
    case Vendor::Api::kAnthropic:
      out->url = Joined(url, "/v1/messages");
      return true;
    case Vendor::Api::kGemini:
      out->url = Joined(url, "/models/");
      if (given.empty() || absl::StrContains(url, "generativelanguage.googleapis.com")) return true;
      out_.notes.NotTaken(where, "its api_base is not Google's: write it as a provider with its full endpoint");
      return false;
    case Vendor::Api::kOllama:
      out->url = Joined(absl::StrContains(url, "/v1") ? url : Joined(url, "/v1"), "/chat/completions");
      out_.notes.Different(where, "goes to Ollama's OpenAI-compatible API");
      return true;
    case Vendor::Api::kChat:
      break;
  }
  const bool responses = vendor.prefix == "openai" && model->starts_with("responses/");
  if (responses) *model = model->substr(std::string_view("responses/").size());
  out->url = Joined(url, responses ? "/responses" : "/chat/completions");
  return true;
}

// Those that a wildcard stands for: what `ccr init` would list for the same endpoint.
std::vector<std::string> Reader::ModelsOf(const std::string& model, const std::string& url, const std::string& where) {
  if (!absl::StrContains(model, '*')) return {model};
  std::vector<std::string> models = KnownModelsOf(url);
  if (models.empty()) {
    out_.notes.NotTaken(where, "a wildcard, and ccr wants the names of models: list those that you use");
  } else {
    out_.notes.Different(
        where, absl::StrCat("a wildcard, which became ", absl::StrJoin(models, ", "), ": add the models that you use"));
  }
  return models;
}

void Reader::ReadRouting(const std::string& strategy) {
  static const auto* const known = new std::map<std::string, std::string>{{"least-busy", "least_in_flight"},
                                                                          {"latency-based-routing", "lowest_latency"},
                                                                          {"usage-based-routing", "least_used"},
                                                                          {"usage-based-routing-v2", "least_used"},
                                                                          {"simple-shuffle", ""}};
  const auto found = known->find(strategy);
  if (strategy.empty()) return;
  if (found == known->end()) {
    return out_.notes.NotTaken("router_settings", absl::StrCat("routing_strategy ", strategy, ": ", kNothingLikeIt));
  }
  settings_.strategy = found->second;
  if (strategy == "simple-shuffle") {
    out_.notes.Different("router_settings", "simple-shuffle: keys take turns (round_robin), or by weight where set");
  }
}

void Reader::TakeTimeout(std::optional<double> seconds) {
  if (seconds && *seconds > 0) out_.draft.api_timeout_ms = static_cast<uint64_t>(std::llround(*seconds * 1000));
}

void Reader::TakeMasterKey(const Secret& given) {
  std::optional<KeyText> token = Keyed(given.Reveal());
  const std::string problem = token ? KeyProblem(token->text.Reveal()) : "it is in a variable that is not set here";
  if (problem.empty()) {
    out_.draft.client_token = std::move(token);
  } else {
    out_.notes.NotTaken("general_settings", absl::StrCat("master_key: ", problem, "; set APIKEY yourself"));
  }
}

void Reader::TakeFallbacks(const Node* list) {
  if (list == nullptr) return;
  for (const Node& item : list->items) {
    for (const Node::Entry& entry : item.entries) {
      std::vector<std::string> names;
      for (const Node& name : entry.value.items) names.push_back(ScalarText(name));
      fallbacks_.emplace_back(entry.name, std::move(names));
    }
  }
}

void Reader::ReadSettings() {
  const Node none;
  for (const char* section : {"litellm_settings", "router_settings"}) {
    const Node* found = top_.Find(section);
    Fields fields(found == nullptr ? none : *found, section);
    TakeTimeout(fields.Number("request_timeout"));
    TakeTimeout(fields.Number("timeout"));
    if (const auto retries = fields.Number("num_retries"); retries && *retries >= 0) {
      settings_.max_retries = std::min<uint64_t>(static_cast<uint64_t>(*retries), 100);
    }
    TakeFallbacks(fields.Find("fallbacks"));
    if (const Node* list = fields.Find("default_fallbacks")) {
      for (const Node& name : list->items) default_fallbacks_.push_back(ScalarText(name));
    }
    ReadRouting(fields.Text("routing_strategy"));
    fields.TellRest(SettingReasons(), kNothingLikeIt, &out_.notes);
  }
  const Node* general = top_.Find("general_settings");
  Fields fields(general == nullptr ? none : *general, "general_settings");
  if (const Secret master(fields.Text("master_key")); !master.empty()) TakeMasterKey(master);
  fields.TellRest(SettingReasons(), kNothingLikeIt, &out_.notes);
}

std::vector<std::string> Reader::RoutesOf(const std::string& name, const Pools& pools) const {
  std::vector<std::string> routes;
  for (const ModelGroup& group : groups_) {
    if (group.name != name) continue;
    for (const size_t index : group.deployments) {
      const std::string& provider = pools.provider_of[index];
      if (provider.empty()) continue;
      std::string route = absl::StrCat(provider, ",", models_of_[index].front());
      if (std::find(routes.begin(), routes.end(), route) == routes.end()) routes.push_back(std::move(route));
    }
  }
  return routes;
}

// ccr has one name for a model: that of the provider.
void Reader::TellAliases(const Pools& pools) {
  for (const ModelGroup& group : groups_) {
    const std::vector<std::string> routes = RoutesOf(group.name, pools);
    const auto same = [&group](const std::string& route) { return route.ends_with("," + group.name); };
    if (routes.empty() || group.name.find('*') != std::string::npos) continue;
    if (routes.size() == 1 && same(routes.front())) continue;
    out_.notes.Different(absl::StrCat("model_name ", group.name),
                         absl::StrCat("clients ask for ", absl::StrJoin(routes, " or for "),
                                      routes.size() > 1 ? ": ccr balances within a provider, not between them" : ""));
  }
}

void Reader::FillFallbacks(const Pools& pools) {
  std::string first;
  for (const ModelGroup& group : groups_) {
    const bool taken = !RoutesOf(group.name, pools).empty();
    if (first.empty() && taken && LooksLikeChat(group.name) && group.chat) first = group.name;
  }
  if (first.empty()) return;
  std::vector<std::string> routes = RoutesOf(first, pools);
  std::vector<std::string> names;
  for (const auto& [name, targets] : fallbacks_) {
    if (name == first) {
      names.insert(names.end(), targets.begin(), targets.end());
    } else {
      out_.notes.NotTaken(absl::StrCat("fallbacks of ", name),
                          absl::StrCat("only Router.default has them here, and that is ", first));
    }
  }
  if (names.empty()) names = default_fallbacks_;
  for (const std::string& name : names) {
    const std::vector<std::string> more = RoutesOf(name, pools);
    if (more.empty()) out_.notes.NotTaken(absl::StrCat("fallbacks of ", first), name + " was not taken");
    for (const std::string& route : more) {
      if (std::find(routes.begin(), routes.end(), route) == routes.end()) routes.push_back(route);
    }
  }
  out_.draft.default_route = routes.front();
  out_.draft.fallbacks.assign(routes.begin() + 1, routes.end());
  out_.notes.Different("Router.default",
                       absl::StrCat(routes.front(), ", the first of model_list, for models that nobody lists"));
}

void Reader::Finish() {
  Pools pools = BuildPools(std::move(deployments_), out_.hider, &out_.notes);
  TellAliases(pools);
  FillFallbacks(pools);
  out_.draft.providers = std::move(pools.providers);
}

}  // namespace

absl::StatusOr<Migration> ReadLitellm(const std::vector<Source>& sources, const EnvLookup& env) {
  if (sources.size() != 1) return absl::InvalidArgumentError("LiteLLM has one config.yaml: name one FILE");
  absl::StatusOr<Tree> root = ParseSource(sources[0], Syntax::kYaml);
  if (!root.ok()) return root.status();
  absl::StatusOr<Migration> migration = Reader(**root, env).Read();
  if (migration.ok()) return migration;
  return absl::Status(migration.status().code(), absl::StrCat(sources[0].name, " ", migration.status().message()));
}

}  // namespace ccr::cli::migration
