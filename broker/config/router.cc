#include "broker/config/router.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/closest_name.h"
#include "broker/config/limits.h"

namespace ccr {
namespace {

class RouteReader {
 public:
  RouteReader(const std::vector<ProviderConfig>& providers, ProblemList* problems) : problems_(problems) {
    for (const ProviderConfig& provider : providers) {
      if (!provider.name.empty()) by_name_.try_emplace(absl::AsciiStrToLower(provider.name), &provider);
    }
  }

  void Read(MapReader* fields, FieldName name, std::string* out) const {
    std::string text;
    fields->Text(name, &text);
    if (!text.empty()) *out = Check(text, fields->At(name));
  }

  void ReadList(MapReader* fields, FieldName field, std::vector<std::string>* out) const {
    const Node* list = fields->List(field);
    if (list == nullptr) return;
    for (size_t i = 0; i < list->items.size(); ++i) {
      const Place place = fields->At(field).Item(i, list->items[i].line);
      const std::string* text = fields->TextOf(list->items[i], place);
      if (text) out->push_back(Check(*text, place));
    }
  }

 private:
  std::string Check(std::string_view text, const Place& place) const {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view provider = ToStd(absl::StripAsciiWhitespace(ToAbsl(text.substr(0, comma))));
    const std::string_view rest = comma < text.size() ? text.substr(comma + 1) : std::string_view();
    const std::string_view model = ToStd(absl::StripAsciiWhitespace(ToAbsl(rest)));
    if (provider.empty() || model.empty()) {
      problems_->Error(place, "must be \"provider,model\"");
      return "";
    }
    const auto found = by_name_.find(absl::AsciiStrToLower(ToAbsl(provider)));
    if (found == by_name_.end()) {
      problems_->Error(place, absl::StrCat("there is no provider ", ToAbsl(provider), Suggestion(provider)));
      return "";
    }
    const std::vector<std::string>& models = found->second->models;
    if (!models.empty() && std::find(models.begin(), models.end(), model) == models.end()) {
      problems_->Warn(place, absl::StrCat("provider ", found->second->name, " does not list model ", ToAbsl(model),
                                          ": add it to its models, or correct it"));
    }
    return absl::StrCat(found->second->name, ",", ToAbsl(model));
  }

  std::string Suggestion(std::string_view provider) const {
    std::vector<std::string_view> names;
    for (const auto& [name, config] : by_name_) names.push_back(config->name);
    std::sort(names.begin(), names.end());
    const std::string_view closest = ClosestName(provider, names);
    return closest.empty() ? ": correct it, or add the provider"
                           : absl::StrCat(": did you mean ", ToAbsl(closest), "?");
  }

  ProblemList* const problems_;
  std::unordered_map<std::string, const ProviderConfig*> by_name_;  // by the name in lower case
};

}  // namespace

void ReadRoutes(MapReader* top, Config* config) {
  const RouteReader routes(config->providers, &top->Problems());
  if (std::optional<MapReader> router = top->Map("Router")) {
    RouterConfig& out = config->router;
    routes.Read(&*router, "default", &out.default_route);
    routes.Read(&*router, "background", &out.background);
    routes.Read(&*router, "think", &out.think);
    routes.Read(&*router, "longContext", &out.long_context);
    routes.Read(&*router, "webSearch", &out.web_search);
    routes.Read(&*router, "image", &out.image);
    router->Whole("longContextThreshold", kTokenRange, &out.long_context_threshold);
    router->Done();
  }
  if (std::optional<MapReader> fallback = top->Map("fallback")) {
    for (const char* name : {"default", "background", "think", "longContext", "webSearch", "image"}) {
      std::vector<std::string> list;
      routes.ReadList(&*fallback, name, &list);
      if (!list.empty()) config->fallback[name] = std::move(list);
    }
    fallback->Done();
  }
}

}  // namespace ccr
