#include "broker/config/provider.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/config/endpoint.h"
#include "broker/config/limits.h"
#include "broker/config/provider_rules.h"
#include "broker/config/rules_reader.h"
#include "broker/config/transformer.h"
#include "broker/config/url.h"

namespace ccr {
namespace {

constexpr size_t kMaxProviders = 1000;
constexpr size_t kMaxNameBytes = 128;

// A key that Anthropic issues for OAuth: it goes into another header than its API keys.
bool IsOAuthToken(const KeyConfig& key) {
  return key.secret.Reveal().starts_with("sk-ant-oat");
}

void ReadName(MapReader* fields, std::string* name) {
  if (!fields->Text("name", name)) return;
  const auto is_control = [](unsigned char c) { return c < ' ' || c == 0x7F; };
  if (name->empty()) {
    fields->Problems().Error(fields->At("name"), "the provider's name is missing");
  } else if (name->size() > kMaxNameBytes || name->find(',') != std::string::npos || name->front() == ' ' ||
             name->back() == ' ' || std::any_of(name->begin(), name->end(), is_control)) {
    fields->Problems().Error(
        fields->At("name"),
        absl::StrCat("must be at most ", kMaxNameBytes, " bytes, without commas, control characters and outer spaces"));
  }
}

void ReadUrl(MapReader* fields, std::string* url) {
  if (!fields->Text("api_base_url", url)) return;
  const std::string problem =
      url->empty() ? "the provider's full endpoint URL is missing, for example https://HOST/v1/chat/completions"
                   : UrlProblem(*url, {"http", "https"}, false);
  if (!problem.empty()) fields->Problems().Error(fields->At("api_base_url"), problem);
}

// An error only where no request can succeed and a route needs one: at a provider that is known. Elsewhere the server
// may answer anywhere.
void CheckEndpoint(MapReader* fields, const ProviderConfig& provider, bool is_routed) {
  if (provider.base_url.empty() || !UrlProblem(provider.base_url, {"http", "https"}, false).empty()) return;
  const Place place = fields->At("api_base_url");
  const std::string problem = EndpointProblem(provider.base_url, provider.format);
  if (!problem.empty()) {
    const bool fails = is_routed && IsProvidersHost(provider.base_url);
    fails ? fields->Problems().Error(place, problem) : fields->Problems().Warn(place, problem);
  }
  if (IsReadableOnItsWay(provider.base_url)) {
    fields->Problems().Warn(place,
                            "is plain http to another machine: whoever is between can read the key; write https");
  }
}

void CheckWeights(MapReader* fields, const ProviderConfig& provider) {
  const Node* keys = fields->Find("api_keys");
  if (keys == nullptr || keys->items.size() != provider.keys.size()) return;
  const Place place = fields->At("api_keys");
  const auto& all = provider.keys;
  if (!all.empty() && std::all_of(all.begin(), all.end(), [](const KeyConfig& key) { return key.weight == 0; })) {
    return fields->Problems().Warn(place,
                                   "every weight is 0, so all keys are used alike: give those to be preferred 1");
  }
  if (provider.strategy == "weighted") return;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].weight == 0 || all[i].weight == 1) continue;
    return fields->Problems().Warn(
        place.Item(i, keys->items[i].line).Sub("weight", keys->items[i].line),
        absl::StrCat("has no effect under ", provider.strategy, ": write rotation_strategy: \"weighted\""));
  }
}

void ReadModels(MapReader* fields, std::vector<std::string>* models) {
  std::vector<std::string> listed;
  const bool all_text = fields->TextList("models", &listed);
  const Place place = fields->At("models");
  if (listed.empty() && all_text) {
    fields->Problems().Error(place, "list at least one model, for example [\"gpt-4o\"]");
  }
  std::unordered_set<std::string_view> seen;
  for (const std::string& model : listed) {
    if (model.empty()) fields->Problems().Error(place, "the name of a model is empty: remove it");
    if (!seen.insert(model).second)
      fields->Problems().Warn(place, absl::StrCat("model ", model, " is listed twice: remove one"));
  }
  std::copy_if(listed.begin(), listed.end(), std::back_inserter(*models),
               [&seen](const std::string& model) { return seen.erase(model) > 0; });
}

std::string_view AuthHeaderOf(ProviderFormat format) {
  switch (format) {
    case ProviderFormat::kOpenAi:
    case ProviderFormat::kResponses:
      return "authorization";
    case ProviderFormat::kAnthropic:
      return "x-api-key";
    case ProviderFormat::kGemini:
      return "x-goog-api-key";
  }
  return {};
}

void ReadAuth(MapReader* fields, ProviderConfig* out) {
  const auto is_oauth = std::count_if(out->keys.begin(), out->keys.end(), IsOAuthToken);
  const bool is_anthropic = out->format == ProviderFormat::kAnthropic;
  out->auth_header = AuthHeaderOf(out->format);
  if (is_anthropic && is_oauth > 0 && IsOAuthToken(out->keys[0])) out->auth_header = "authorization";
  std::optional<MapReader> auth = fields->Map("auth");
  if (auth) {
    auth->Text("header", &out->auth_header);
    out->auth_header = absl::AsciiStrToLower(out->auth_header);
  } else if (is_anthropic && is_oauth > 0 && static_cast<size_t>(is_oauth) < out->keys.size()) {
    fields->Problems().Warn(fields->At("api_keys"),
                            "API keys and OAuth tokens go into different headers: make a provider of each kind");
  }
  out->auth_prefix = out->auth_header == "authorization" ? "Bearer " : "";
  if (!auth) return;
  auth->Text("prefix", &out->auth_prefix);
  auth->Done();
  const auto in_header = [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; };
  if (out->auth_header.empty() || !std::all_of(out->auth_header.begin(), out->auth_header.end(), in_header)) {
    fields->Problems().Error(auth->At("header"), "must be the name of an HTTP header, for example x-api-key");
  }
  if (!std::all_of(out->auth_prefix.begin(), out->auth_prefix.end(), [](char c) { return absl::ascii_isprint(c); })) {
    fields->Problems().Error(auth->At("prefix"), "must be printable ASCII, for example \"Bearer \"");
  }
}

void ReadTimeouts(MapReader* fields, TimeoutsConfig* out) {
  std::optional<MapReader> timeouts = fields->Map("timeouts");
  if (!timeouts) return;
  timeouts->Millis("connect", kMillis, &out->connect);
  timeouts->Millis("first_byte", kMillis, &out->first_byte);
  timeouts->Millis("idle", kMillis, &out->idle);
  timeouts->Done();
}

void ReadQueue(MapReader* fields, QueueConfig* out) {
  std::optional<MapReader> queue = fields->Map("queue");
  if (!queue) return;
  queue->Millis("max_wait", kMillisOrNone, &out->max_wait);
  queue->Whole("max_size", kAtLeastOne, &out->max_size);
  queue->Done();
}

void ReadProbe(MapReader* fields, const std::string& base_url, ProbeConfig* out) {
  out->url = ModelsUrl(base_url);
  const Node* node = fields->Find("probe");
  if (node != nullptr && node->kind != Node::Kind::kMap) {
    fields->Flag("probe", &out->enabled);
  } else if (std::optional<MapReader> probe = fields->Map("probe")) {
    probe->Text("url", &out->url);
    probe->Millis("interval", kMillis, &out->interval);
    probe->Done();
    std::string problem = UrlProblem(out->url, {"http", "https"}, false);
    if (problem.empty() && !IsSameOrigin(out->url, base_url)) {
      problem = "must have the scheme, host and port of api_base_url: a key goes to its own provider only";
    }
    if (!out->url.empty() && !problem.empty()) fields->Problems().Error(probe->At("url"), problem);
  }
  out->enabled = out->enabled && !out->url.empty();
}

ErrorRuleConfig ReadErrorRule(MapReader* fields) {
  ErrorRuleConfig rule{.as = "request"};
  fields->Whole("status", kErrorStatusRange, &rule.status);
  fields->Text("code", &rule.code);
  fields->Text("match", &rule.match);
  fields->OneOf("as", {"quota", "auth", "rate_limited", "overloaded", "upstream", "request"}, &rule.as);
  if (fields->Find("as") == nullptr)
    fields->Problems().Error(fields->Here(), "lacks `as`: say what such an error means");
  for (const auto& [name, text] : {std::pair{"code", &rule.code}, {"match", &rule.match}}) {
    const Node* node = fields->Find(name);
    if (node != nullptr && node->kind == Node::Kind::kString && text->empty())
      fields->Problems().Error(fields->At(name), "is empty, which matches every error: give a text, or leave it out");
  }
  const bool says_which = fields->Find("status") || fields->Find("code") || fields->Find("match");
  if (!says_which) fields->Problems().Error(fields->Here(), "matches every error: give `status`, `code` or `match`");
  fields->DoneExactly();
  return rule;
}

void ReadErrorRules(MapReader* fields, std::vector<ErrorRuleConfig>* out) {
  const Node* list = fields->List("errors");
  if (list == nullptr) return;
  const Place place = fields->At("errors");
  if (list->items.size() > kMaxErrorRules) {
    fields->Problems().Error(place, absl::StrCat("holds more than ", kMaxErrorRules, " rules"));
    return;
  }
  for (size_t i = 0; i < list->items.size(); ++i) {
    const Node& item = list->items[i];
    const Place here = place.Item(i, item.line);
    if (item.kind != Node::Kind::kMap) {
      fields->Problems().Error(here, "must be a map, for example {code: \"no_funds\", as: \"quota\"}");
      continue;
    }
    MapReader rule(item, here, &fields->Problems());
    out->push_back(ReadErrorRule(&rule));
  }
}

ProviderConfig ReadProvider(const Node& node, const Place& place, const KeyFiles& files, bool is_routed,
                            ProblemList* problems) {
  MapReader fields(node, place, problems);
  ProviderConfig out;
  ReadName(&fields, &out.name);
  ReadUrl(&fields, &out.base_url);
  ReadModels(&fields, &out.models);
  out.keys = ReadKeys(&fields, files);
  out.enable_rotation = fields.Find("api_keys") != nullptr;
  fields.Flag("enable_rotation", &out.enable_rotation);
  fields.OneOf("rotation_strategy", StrategyWords(), &out.strategy);
  fields.Flag("session_affinity", &out.session_affinity);
  fields.Flag("retry_on_failure", &out.retry_on_failure);
  fields.Whole("max_retries", kRetryRange, &out.max_retries);
  fields.Whole({"max_concurrent", "maxConcurrent"}, kLimitRange, &out.max_concurrent);
  ReadLimits(&fields, &out.limits);
  ReadTimeouts(&fields, &out.timeouts);
  ReadQueue(&fields, &out.queue);
  ReadErrorRules(&fields, &out.errors);
  ReadProbe(&fields, out.base_url, &out.probe);
  out.format = ReadTransformers(&fields, &out).value_or(FormatOfUrl(out.base_url));
  ReadAuth(&fields, &out);
  ReadAuthorities(&fields, files, &out.ca_file, &out.authorities);
  out.rules = KnownRules(out);
  ReadRules(&fields, &out);
  CheckEndpoint(&fields, out, is_routed);
  CheckWeights(&fields, out);
  fields.Done();
  return out;
}

// The provider's name before anything is checked, so that every problem can tell it.
std::string NameOf(const Node& node) {
  std::string name;
  for (const Node::Entry& entry : node.entries) {
    if (entry.name == "name") name = entry.value.text;
  }
  return name;
}

const Node* FieldOf(const Node& map, std::string_view name) {
  for (auto entry = map.entries.rbegin(); entry != map.entries.rend(); ++entry) {
    if (entry->name == name) return &entry->value;
  }
  return nullptr;
}

// Whether no key of the provider has a value, all of them being empty or of a variable that is not set.
bool HasNoKey(const Node& provider) {
  const Node* many = FieldOf(provider, "api_keys");
  const Node* one = FieldOf(provider, "api_key");
  const auto lacks = [](const Node& node) {
    const Node* key = node.kind == Node::Kind::kMap ? FieldOf(node, "key") : &node;
    return key != nullptr && key->kind == Node::Kind::kString && (key->text.empty() || !key->unset_variable.empty());
  };
  if (many == nullptr) return one != nullptr && lacks(*one);
  return many->kind == Node::Kind::kList && !many->items.empty() &&
         std::all_of(many->items.begin(), many->items.end(), lacks);
}

// The providers, in lower case, that the Router and fallback name.
std::unordered_set<std::string> Routed(MapReader* top) {
  std::unordered_set<std::string> names;
  const auto take = [&names](const Node& route) {
    const std::string name = route.text.substr(0, route.text.find(','));
    names.insert(absl::AsciiStrToLower(absl::StripAsciiWhitespace(name)));
  };
  for (const char* section : {"Router", "fallback"}) {
    const Node* routes = top->Find(section);
    if (routes == nullptr) continue;
    for (const Node::Entry& entry : routes->entries) {
      take(entry.value);
      for (const Node& route : entry.value.items) take(route);
    }
  }
  return names;
}

bool IsLeftOut(const Node& provider, bool is_routed, const Node& all) {
  const auto has_key = [](const Node& other) { return !HasNoKey(other); };
  return !is_routed && HasNoKey(provider) && std::any_of(all.items.begin(), all.items.end(), has_key);
}

}  // namespace

const std::vector<std::string_view>& StrategyWords() {
  static const auto* const names = new std::vector<std::string_view>{
      "round_robin", "random", "weighted", "least_used", "least_in_flight", "lowest_latency", "fill_first"};
  return *names;
}

std::vector<ProviderConfig> ReadProviders(MapReader* top, const KeyFiles& files) {
  std::vector<ProviderConfig> providers;
  ProblemList* problems = &top->Problems();
  const size_t before = problems->size();
  const FieldName name("Providers", "providers");
  const Node* list = top->List(name);
  const Place place = top->At(name);
  if ((!list || list->items.empty()) && problems->size() == before)
    problems->Error(place, "list at least one provider");
  if (!list) return providers;
  if (list->items.size() > kMaxProviders) {
    problems->Error(place, absl::StrCat("holds more than ", kMaxProviders, " providers"));
    return providers;
  }
  const std::unordered_set<std::string> routed = Routed(top);
  std::unordered_map<std::string, size_t> names;
  for (size_t i = 0; i < list->items.size(); ++i) {
    const Node& node = list->items[i];
    Place where = place.Item(i, node.line);
    if (node.kind != Node::Kind::kMap) {
      problems->Error(where, absl::StrCat("must be a map {...}, not ", ToAbsl(KindName(node.kind))));
      continue;
    }
    where.provider = NameOf(node);
    const bool is_routed = routed.contains(absl::AsciiStrToLower(where.provider));
    if (IsLeftOut(node, is_routed, *list)) {
      problems->Warn(where,
                     "is left out: its key is empty or of a variable that is not set, and nothing in Router and "
                     "fallback needs it; where the server asks for no key, write any text");
      continue;
    }
    providers.push_back(ReadProvider(node, where, files, is_routed, problems));
    if (providers.back().name.empty()) continue;
    const auto [same, is_new] = names.try_emplace(absl::AsciiStrToLower(providers.back().name), i);
    if (is_new) continue;
    problems->Error(where.Sub("name", node.line), absl::StrCat("the same name as Providers[", same->second,
                                                               "] (upper and lower case are one): rename one"));
  }
  return providers;
}

}  // namespace ccr
