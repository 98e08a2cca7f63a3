#include "proxy/core/router.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proxy/core/json_text.h"

namespace ccr::proxy {
namespace {

absl::string_view ToAbsl(std::string_view text) {
  return {text.data(), text.size()};
}

std::string ProviderList(const RoutingTable& table) {
  if (table.providers.empty()) return "none is configured";
  return absl::StrJoin(table.providers, ", ",
                       [](std::string* out, const Provider& p) { absl::StrAppend(out, p.name); });
}

absl::StatusOr<Route> ByProvider(const RoutingTable& table, std::string_view model, size_t comma) {
  const std::string_view name = model.substr(0, comma);
  const std::string_view rest = model.substr(comma + 1);
  if (name.empty() || rest.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model '", ToAbsl(model), "' is not of the form \"provider,model\"; providers: ", ProviderList(table)));
  }
  const Provider* provider = table.FindProvider(name);
  if (provider == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("there is no provider '", ToAbsl(name), "'; providers: ", ProviderList(table)));
  }
  return Route{provider, std::string(rest)};
}

template <typename Same>
const Provider* FindLister(const RoutingTable& table, Same same, std::string* spelling) {
  for (const Provider& provider : table.providers) {
    const auto it = std::find_if(provider.models.begin(), provider.models.end(), same);
    if (it == provider.models.end()) continue;
    *spelling = *it;
    return &provider;
  }
  return nullptr;
}

Route ByListedModel(const RoutingTable& table, std::string_view model) {
  Route route;
  route.provider = FindLister(
      table, [&](const std::string& listed) { return listed == model; }, &route.model);
  if (route.provider == nullptr) {
    const auto same = [&](const std::string& listed) { return absl::EqualsIgnoreCase(listed, ToAbsl(model)); };
    route.provider = FindLister(table, same, &route.model);
  }
  return route;
}

absl::StatusOr<Route> ByDefault(const RoutingTable& table) {
  const std::string& fallback = table.default_route;
  const size_t comma = fallback.find(',');
  if (comma != fallback.npos) return ByProvider(table, fallback, comma);
  Route route = ByListedModel(table, fallback);
  if (route.provider != nullptr) return route;
  return absl::NotFoundError(
      absl::StrCat("Router.default '", fallback,
                   "' is listed by no provider; write \"provider,model\"; providers: ", ProviderList(table)));
}

}  // namespace

absl::StatusOr<Route> PickRoute(const RoutingTable& table, std::string_view model) {
  const size_t comma = model.find(',');
  if (comma != model.npos) return ByProvider(table, model, comma);
  if (!model.empty()) {
    Route route = ByListedModel(table, model);
    if (route.provider != nullptr) return route;
  }
  if (!table.default_route.empty()) return ByDefault(table);
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
