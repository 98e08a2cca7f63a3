#include "client/cli/model.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/config/config_writer.h"
#include "client/cli/config/route_edit.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

constexpr size_t kNameColumnWidth = 12;
constexpr size_t kModelsInAMessage = 10;

struct RouteField {
  const char* name;
  std::string RouterConfig::*value;
};

const std::vector<RouteField>& RouteFields() {
  static const auto* const fields = new std::vector<RouteField>{
      {"default", &RouterConfig::default_route}, {"background", &RouterConfig::background},
      {"think", &RouterConfig::think},           {"longContext", &RouterConfig::long_context},
      {"webSearch", &RouterConfig::web_search},  {"image", &RouterConfig::image}};
  return *fields;
}

bool IsYaml(const std::string& path) {
  return path.ends_with(".yaml") || path.ends_with(".yml");
}

std::string Padded(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, DisplayWidth(text)) + 2, ' ');
}

boost::json::value RouteOrNull(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

void PrintJson(const Config& config, const Terminal& terminal) {
  boost::json::object router;
  for (const std::string& name : RouteNames()) router[name] = RouteOrNull(RouteOf(config.router, name));
  router["longContextThreshold"] = config.router.long_context_threshold;
  boost::json::array providers;
  for (const ProviderConfig& provider : config.providers) {
    providers.push_back(
        {{"name", provider.name}, {"models", boost::json::array(provider.models.begin(), provider.models.end())}});
  }
  terminal.out << boost::json::serialize(boost::json::object{{"router", router}, {"providers", providers}}) << "\n";
}

void PrintModels(const Config& config, const Terminal& terminal) {
  size_t width = kNameColumnWidth;
  for (const ProviderConfig& provider : config.providers) width = std::max(width, DisplayWidth(provider.name));
  terminal.out << "\nModels\n";
  for (const ProviderConfig& provider : config.providers) {
    std::string label = provider.name;
    for (const std::string& model : provider.models) {
      terminal.out << "  " << Padded(label, width) << model << "\n";
      label.clear();
    }
  }
}

int Show(const Config& config, const ServiceOptions& options, const std::string& route, const Terminal& terminal) {
  if (options.json) {
    PrintJson(config, terminal);
    return 0;
  }
  if (route.empty()) terminal.out << "Router\n";
  for (const std::string& name : RouteNames()) {
    if (!route.empty() && name != route) continue;
    const std::string target = RouteOf(config.router, name);
    terminal.out << "  " << Padded(name, kNameColumnWidth) << (target.empty() ? "-" : target) << "\n";
  }
  if (route.empty()) PrintModels(config, terminal);
  return 0;
}

std::string MeantOrList(const std::string& word, const std::vector<std::string>& names) {
  const std::string nearest = Nearest(word, names);
  if (!nearest.empty()) return absl::StrCat("did you mean ", nearest, "?");
  std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kModelsInAMessage)));
  return absl::StrCat("there is ", absl::StrJoin(first, ", "), names.size() > first.size() ? ", ..." : "");
}

// "provider,model" as the file is to have it, spelled as in Providers.
absl::StatusOr<std::string> CheckTarget(const std::vector<ProviderConfig>& providers, const ModelOptions& model) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(model.target, absl::MaxSplits(',', 1));
  const std::string name(absl::StripAsciiWhitespace(parts.first));
  const std::string wanted(absl::StripAsciiWhitespace(parts.second));
  if (name.empty() || wanted.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Fit(model.target, 80), "' is no PROVIDER,MODEL; write for example: ccr model ", model.route,
                     " ", providers.empty() ? "openrouter,gpt-4o" : providers[0].name + "," + providers[0].models[0]));
  }
  std::vector<std::string> names;
  for (const ProviderConfig& provider : providers) {
    names.push_back(provider.name);
    if (!absl::EqualsIgnoreCase(provider.name, name)) continue;
    const bool listed = std::count(provider.models.begin(), provider.models.end(), wanted) > 0;
    if (listed || model.force) return absl::StrCat(provider.name, ",", wanted);
    return absl::InvalidArgumentError(absl::StrCat("provider ", provider.name, " does not list model ", Fit(wanted, 80),
                                                   ": ", MeantOrList(wanted, provider.models),
                                                   " (--force writes it all the same)"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no provider ", Fit(name, 80), ": ", MeantOrList(name, names)));
}

void PrintProblems(const ConfigResult& result, const Terminal& terminal) {
  for (const ConfigProblem& problem : result.problems) terminal.err << problem.ToString() << "\n";
}

void PrintChange(const ServiceOptions& options, const ModelOptions& model, const std::string& before,
                 const std::string& after, const Terminal& terminal) {
  const bool running = FindRunning(FilesOf(options)).has_value();
  const auto shown = [](const std::string& route) { return route.empty() ? std::string("nothing") : route; };
  terminal.out << model.route << ": " << shown(after) << " (was " << shown(before) << ")\n"
               << (running ? "The running broker reads the file by itself.\n"
                           : "A broker that runs on this file reads it by itself.\n");
}

int Refuse(const absl::Status& status, const Terminal& terminal) {
  terminal.err << "ccr: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

int ChangeFile(const ServiceOptions& options, const ModelOptions& model, const Terminal& terminal) {
  absl::StatusOr<ConfigWriter> file = ConfigWriter::Open(options.config_path);
  if (!file.ok()) {
    terminal.err << "ccr: " << file.status().message() << "\n";
    return 2;
  }
  const std::string_view text = file->text().Reveal();
  const ConfigResult old = ParseConfig(text, options.config_path, ProcessEnv());
  RouteChange change{model.route, std::nullopt};
  if (!model.unset) {
    // A file whose only mistake is this entry may be put right by a change of it: then the new text is asked.
    if (old.config) {
      const absl::StatusOr<std::string> target = CheckTarget(old.config->providers, model);
      if (!target.ok()) return Refuse(target.status(), terminal);
      change.route = *target;
    } else {
      change.route = model.target;
    }
  }
  const absl::StatusOr<std::string> changed = ChangeRoute(text, IsYaml(options.config_path), change);
  if (!changed.ok()) {
    if (!old.config) PrintProblems(old, terminal);
    return Refuse(changed.status(), terminal);
  }
  const ConfigResult result = ParseConfig(*changed, options.config_path, ProcessEnv());
  if (!result.config) {
    PrintProblems(old, terminal);
    terminal.err << "ccr: nothing was changed: the configuration has to be right first\n";
    return 2;
  }
  const std::string before = old.config ? RouteOf(old.config->router, model.route) : "a mistake";
  if (!old.config && !model.unset) {
    const absl::StatusOr<std::string> target = CheckTarget(result.config->providers, model);
    if (!target.ok()) return Refuse(target.status(), terminal);
  }
  if (*changed != text) {
    if (const absl::Status replaced = file->Replace(*changed); !replaced.ok()) return Refuse(replaced, terminal);
  }
  const std::string after = RouteOf(result.config->router, model.route);
  if (options.json) {
    const boost::json::value backup =
        *changed == text ? boost::json::value(nullptr) : boost::json::value(file->backup_path());
    terminal.out << boost::json::serialize(boost::json::object{{"route", model.route},
                                                               {"before", RouteOrNull(old.config ? before : "")},
                                                               {"after", RouteOrNull(after)},
                                                               {"backup", backup}})
                 << "\n";
    return 0;
  }
  PrintChange(options, model, before, after, terminal);
  if (*changed != text) terminal.out << "The file as it was is " << file->backup_path() << "\n";
  return 0;
}

}  // namespace

const std::vector<std::string>& RouteNames() {
  static const auto* const names = [] {
    auto* const list = new std::vector<std::string>;
    for (const RouteField& field : RouteFields()) list->emplace_back(field.name);
    return list;
  }();
  return *names;
}

std::string RouteOf(const RouterConfig& router, const std::string& name) {
  for (const RouteField& field : RouteFields()) {
    if (field.name == name) return router.*field.value;
  }
  return "";
}

int Model(const ServiceOptions& options, const ModelOptions& model, const Terminal& terminal) {
  const std::vector<std::string>& names = RouteNames();
  if (!model.route.empty() && std::count(names.begin(), names.end(), model.route) == 0) {
    const std::string nearest = Nearest(model.route, names);
    terminal.err << "ccr: there is no route '" << Fit(model.route, 40) << "': "
                 << (nearest.empty() ? "use one of " + absl::StrJoin(names, ", ") : "did you mean " + nearest + "?")
                 << "\n";
    return 2;
  }
  if (model.unset && !model.target.empty()) {
    terminal.err << "ccr: --unset removes an entry and takes no PROVIDER,MODEL\n";
    return 2;
  }
  if ((model.unset || model.force) && model.route.empty()) {
    terminal.err << "ccr: say which route, for example: ccr model think --unset\n";
    return 2;
  }
  if (model.unset || !model.target.empty()) return ChangeFile(options, model, terminal);
  const std::optional<Config> config = LoadOrExplain(options, true, terminal);
  return config ? Show(*config, options, model.route, terminal) : 2;
}

}  // namespace ccr::cli
