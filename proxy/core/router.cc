#include "proxy/core/router.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/base/absl_text.h"
#include "proxy/core/json/text.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kLongContextSuffix = "[1m]";
constexpr uint64_t kMinLongSessionTokens = 20000;

std::string ProviderList(const RoutingTable& table) {
  if (table.providers.empty()) return "none is configured";
  return absl::StrJoin(table.providers, ", ",
                       [](std::string* out, const Provider& p) { absl::StrAppend(out, p.name); });
}

// `model` without the suffix that asks for a long context; whether it had it.
bool StripLongContext(std::string_view* model) {
  if (!absl::EndsWithIgnoreCase(ToAbsl(*model), ToAbsl(kLongContextSuffix))) return false;
  model->remove_suffix(kLongContextSuffix.size());
  return true;
}

absl::StatusOr<Route> ByProvider(const RoutingTable& table, std::string_view model, size_t comma) {
  const std::string_view name = model.substr(0, comma);
  std::string_view rest = model.substr(comma + 1);
  StripLongContext(&rest);
  if (name.empty() || rest.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model '", ToAbsl(model), "' is not of the form \"provider,model\"; providers: ", ProviderList(table)));
  }
  const Provider* provider = table.FindProvider(name);
  if (provider == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("there is no provider '", ToAbsl(name), "'; providers: ", ProviderList(table)));
  }
  return Route{provider, std::string(rest), Rule::kExplicit};
}

template <typename Same>
const Provider* FindLister(const RoutingTable& table, Same same, std::string_view* spelling) {
  for (const Provider& provider : table.providers) {
    const auto it = std::find_if(provider.models.begin(), provider.models.end(), same);
    if (it == provider.models.end()) continue;
    *spelling = *it;
    return &provider;
  }
  return nullptr;
}

// Without a provider when none lists it.
Route ByExactListing(const RoutingTable& table, std::string_view model) {
  std::string_view spelling;
  const Provider* provider = FindLister(
      table, [&](const std::string& listed) { return listed == model; }, &spelling);
  if (provider == nullptr) {
    const auto same = [&](const std::string& listed) { return absl::EqualsIgnoreCase(listed, ToAbsl(model)); };
    provider = FindLister(table, same, &spelling);
  }
  StripLongContext(&spelling);
  return {provider, std::string(spelling), Rule::kListed};
}

Route ByListing(const RoutingTable& table, std::string_view model) {
  Route route = ByExactListing(table, model);
  if (route.provider == nullptr && StripLongContext(&model)) route = ByExactListing(table, model);
  return route;
}

// `owner` is whose the entry is, for the message.
absl::StatusOr<Route> ByEntry(const RoutingTable& table, Rule rule, std::string_view owner, std::string_view entry) {
  const size_t comma = entry.find(',');
  if (comma == entry.npos) {
    Route route = ByListing(table, entry);
    route.rule = rule;
    if (route.provider != nullptr) return route;
    return absl::NotFoundError(
        absl::StrCat(ToAbsl(owner), " '", ToAbsl(entry),
                     "' is listed by no provider; write \"provider,model\"; providers: ", ProviderList(table)));
  }
  absl::StatusOr<Route> route = ByProvider(table, entry, comma);
  if (!route.ok())
    return absl::Status(route.status().code(), absl::StrCat(ToAbsl(owner), ": ", route.status().message()));
  route->rule = rule;
  return route;
}

bool IsLongContext(const RoutingTable& table, bool suffix, const RequestFacts& facts, uint64_t last_input_tokens) {
  return suffix || facts.tokens > table.long_context_threshold ||
         (last_input_tokens > table.long_context_threshold && facts.tokens > kMinLongSessionTokens);
}

bool Contains(std::string_view text, std::string_view lower) {
  return absl::StrContains(absl::AsciiStrToLower(ToAbsl(text)), ToAbsl(lower));
}

bool IsClaudeCodesChoice(Format client, std::string_view model, const RequestFacts& facts) {
  return client == Format::kAnthropic && !facts.session.empty() && absl::StartsWithIgnoreCase(ToAbsl(model), "claude");
}

absl::Status NoRoute(const RoutingTable& table, std::string_view model) {
  if (model.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request names no model and Router.default is not set; send \"provider,model\"; providers: ",
                     ProviderList(table)));
  }
  return absl::NotFoundError(
      absl::StrCat("model '", ToAbsl(model),
                   "' is listed by no provider and Router.default is not set; send \"provider,model\"; providers: ",
                   ProviderList(table)));
}

}  // namespace

std::string_view RuleName(Rule rule) {
  switch (rule) {
    case Rule::kExplicit:
      return "explicit";
    case Rule::kListed:
      return "listed";
    case Rule::kImage:
      return "image";
    case Rule::kLongContext:
      return "longContext";
    case Rule::kSubagent:
      return "subagent";
    case Rule::kBackground:
      return "background";
    case Rule::kWebSearch:
      return "webSearch";
    case Rule::kThink:
      return "think";
    case Rule::kFallback:
      return "fallback";
    case Rule::kDefault:
      break;
  }
  return "default";
}

absl::StatusOr<Route> PickRoute(const RoutingTable& table, Format client, std::string_view model,
                                const RequestFacts& facts, uint64_t session_last_input_tokens) {
  const size_t comma = model.find(',');
  if (comma != model.npos) return ByProvider(table, model, comma);
  Route listed;
  if (!model.empty()) listed = ByListing(table, model);
  if (listed.provider != nullptr && !IsClaudeCodesChoice(client, model, facts)) return listed;

  const bool suffix = StripLongContext(&model);
  const struct {
    Rule rule;
    std::string_view owner;
    std::string_view entry;
    bool holds;
  } rules[] = {
      {Rule::kImage, "Router.image", table.image, facts.image},
      {Rule::kLongContext, "Router.longContext", table.long_context,
       IsLongContext(table, suffix, facts, session_last_input_tokens)},
      {Rule::kSubagent, "the subagent tag's model",
       facts.subagent ? std::string_view(facts.subagent->model) : std::string_view(), facts.subagent.has_value()},
      {Rule::kBackground, "Router.background", table.background, Contains(model, "claude") && Contains(model, "haiku")},
      {Rule::kWebSearch, "Router.webSearch", table.web_search, facts.web_search},
      {Rule::kThink, "Router.think", table.think, facts.thinking},
      {Rule::kDefault, "Router.default", table.default_route, true},
  };
  for (const auto& rule : rules) {
    if (rule.holds && !rule.entry.empty()) return ByEntry(table, rule.rule, rule.owner, rule.entry);
  }
  if (listed.provider != nullptr) return listed;
  return NoRoute(table, model);
}

bool NeedsTokenCount(const RoutingTable& table) {
  return !table.long_context.empty();
}

std::vector<Route> Fallbacks(const RoutingTable& table, std::string_view route_name) {
  const bool named = route_name != "explicit" && route_name != "listed" && route_name != "subagent";
  const auto list = table.fallback.find(std::string(named ? route_name : "default"));
  std::vector<Route> routes;
  if (list == table.fallback.end()) return routes;
  for (const std::string& entry : list->second) {
    const absl::StatusOr<Route> route = ByEntry(table, Rule::kFallback, "fallback", entry);
    if (!route.ok()) continue;
    const auto same = [&](const Route& r) { return r.provider == route->provider && r.model == route->model; };
    if (std::none_of(routes.begin(), routes.end(), same)) routes.push_back(*route);
  }
  return routes;
}

std::vector<std::string_view> SpliceModel(std::string_view body, const BodyScan& scan, std::string_view model,
                                          std::string* storage) {
  if (scan.model == model) return {body};
  *storage = JsonString(model);
  if (scan.model_begin == scan.model_end) {
    const size_t next = body.find_first_not_of(" \t\r\n", scan.model_end);
    storage->insert(0, "\"model\":");
    if (body[next] != '}') *storage += ',';
  }
  return {body.substr(0, scan.model_begin), *storage, body.substr(scan.model_end)};
}

}  // namespace ccr::proxy
