#include "client/cli/config/config_check.h"

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/base/absl_text.h"
#include "broker/config/endpoint.h"
#include "broker/config/rules_reader.h"
#include "client/cli/config/load.h"
#include "client/cli/model.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

std::string Count(size_t number, const std::string& noun) {
  return absl::StrCat(number, " ", noun, number == 1 ? "" : "s");
}

size_t CountErrors(const ConfigResult& result) {
  return static_cast<size_t>(std::count_if(result.problems.begin(), result.problems.end(), [](const auto& problem) {
    return problem.severity == ConfigProblem::Severity::kError;
  }));
}

// "2 providers, 5 keys, routes default and think, 1 warning", or what is wrong.
std::string Summary(const ConfigResult& result) {
  const size_t errors = CountErrors(result);
  const size_t warnings = result.problems.size() - errors;
  const std::string warned = warnings == 0 ? "" : absl::StrCat(", ", Count(warnings, "warning"));
  if (!result.config) return absl::StrCat("wrong: ", Count(errors, "error"), warned);
  size_t keys = 0;
  for (const ProviderConfig& provider : result.config->providers) keys += provider.keys.size();
  std::vector<std::string> routes;
  for (const std::string& name : RouteNames()) {
    if (!RouteOf(result.config->router, name).empty()) routes.push_back(name);
  }
  return absl::StrCat("ok: ", Count(result.config->providers.size(), "provider"), ", ", Count(keys, "key"), ", ",
                      routes.empty() ? "no routes" : "routes " + absl::StrJoin(routes, " "), warned);
}

boost::json::object ProblemJson(const ConfigProblem& problem) {
  const bool is_error = problem.severity == ConfigProblem::Severity::kError;
  return {{"severity", is_error ? "error" : "warning"},
          {"file", problem.file},
          {"line", problem.line},
          {"provider", problem.provider},
          {"field", problem.field},
          {"message", problem.message}};
}

// The effective rules are what `rules` of the configuration reads.
boost::json::object ProviderJson(const ProviderConfig& provider) {
  return {{"name", provider.name},
          {"format", FormatName(provider.format)},
          {"endpoint", DescribeEndpoint(provider)},
          {"rules", boost::json::parse(DescribeRulesOf(provider))}};
}

void TellJson(const ConfigResult& result, const std::string& summary, std::ostream& out) {
  boost::json::array problems, providers, sources;
  for (const ConfigProblem& problem : result.problems) problems.push_back(ProblemJson(problem));
  if (result.config) {
    for (const ProviderConfig& provider : result.config->providers) providers.push_back(ProviderJson(provider));
    for (const SecretSource& source : result.config->sources) sources.emplace_back(source.Name());
  }
  out << boost::json::serialize(boost::json::object{{"ok", result.config.has_value()},
                                                    {"summary", summary},
                                                    {"problems", problems},
                                                    {"providers", providers},
                                                    {"sources", sources}})
      << "\n";
}

// Where keys come from, but for those in the file itself.
void TellSources(const Config& config, std::ostream& out) {
  for (const SecretSource& source : config.sources) {
    const std::string name = source.Name();
    out << "  " << Fit(name, DisplayWidth(name)) << ": read\n";
  }
}

// What each provider's URL means.
void TellProviders(const Config& config, std::ostream& out) {
  for (const ProviderConfig& provider : config.providers) {
    const std::string line =
        absl::StrCat(provider.name, ": ", ToAbsl(FormatName(provider.format)), ", ", DescribeEndpoint(provider));
    out << "  " << Fit(line, DisplayWidth(line)) << "\n";
  }
}

}  // namespace

int CheckConfig(const ServiceOptions& options, bool print, const Terminal& terminal) {
  const ConfigResult result = LoadWithKeys(options.config_path, /*strict=*/true, MasterKeyPlaceOf(options));
  const std::string summary = absl::StrCat(options.config_path, ": ", Summary(result));
  if (options.json) {
    TellJson(result, summary, terminal.out);
  } else {
    for (const ConfigProblem& problem : result.problems) terminal.err << problem.ToString() << "\n";
    std::ostream& out = print ? terminal.err : terminal.out;
    out << summary << "\n";
    if (result.config) TellProviders(*result.config, out);
    if (result.config) TellSources(*result.config, out);
  }
  if (print && result.config && !options.json) terminal.out << DescribeConfig(*result.config);
  return result.config ? 0 : 2;
}

}  // namespace ccr::cli
