#include "client/cli/config/config_check.h"

#include <algorithm>
#include <boost/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

}  // namespace

int CheckConfig(const ServiceOptions& options, bool print, const Terminal& terminal) {
  const ConfigResult result = LoadConfig(options.config_path, ProcessEnv());
  const std::string summary = absl::StrCat(options.config_path, ": ", Summary(result));
  if (options.json) {
    boost::json::array problems;
    for (const ConfigProblem& problem : result.problems) problems.push_back(ProblemJson(problem));
    terminal.out << boost::json::serialize(boost::json::object{
                        {"ok", result.config.has_value()}, {"summary", summary}, {"problems", problems}})
                 << "\n";
  } else {
    for (const ConfigProblem& problem : result.problems) terminal.err << problem.ToString() << "\n";
    (print ? terminal.err : terminal.out) << summary << "\n";
  }
  if (print && result.config && !options.json) terminal.out << DescribeConfig(*result.config);
  return result.config ? 0 : 2;
}

}  // namespace ccr::cli
