#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "broker/base/absl_text.h"
#include "broker/base/address.h"
#include "broker/base/file_content.h"
#include "broker/config/endpoint.h"
#include "broker/config/parse.h"
#include "client/cli/config/config_check.h"
#include "client/cli/model.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

constexpr size_t kMaxMigratedBytes = 16 << 20;
constexpr mode_t kForOthers = 077;

// A line of the report: a field, and what is to say of it.
struct Finding {
  std::string field;
  std::string text;
};

struct Report {
  std::vector<Finding> used;
  std::vector<Finding> ignored;
  std::vector<Finding> different;
};

struct IgnoredField {
  const char* name;
  const char* why;
};

// What Claude Code Router knows at the top level and ccr does nothing with.
constexpr IgnoredField kIgnoredFields[] = {
    {"CUSTOM_ROUTER_PATH", "JavaScript of yours that picks the model; ccr runs none. Use Router, fallback and models"},
    {"transformers",
     "JavaScript of yours; ccr runs none. Its built-in transformers go into each provider's transformer.use"},
    {"plugins", "JavaScript of yours; ccr runs none"},
    {"presets", "JavaScript of yours; ccr runs none"},
    {"StatusLine", "set Claude Code's own statusLine in ~/.claude/settings.json"},
    {"REWRITE_SYSTEM_PROMPT", "the system prompt goes to the provider as Claude Code wrote it"},
    {"forceUseImageAgent", "a request with an image goes to Router.image, whole"},
    {"ANTHROPIC_SMALL_FAST_MODEL", "use Router.background"},
};

const Node* FieldOf(const Node& map, std::string_view name) {
  for (auto entry = map.entries.rbegin(); entry != map.entries.rend(); ++entry) {
    if (entry->name == name) return entry->value.kind == Node::Kind::kNull ? nullptr : &entry->value;
  }
  return nullptr;
}

std::string ProviderLine(const ProviderConfig& provider) {
  const size_t keys = provider.keys.size();
  return absl::StrCat(
      provider.models.size(), provider.models.size() == 1 ? " model, " : " models, ",
      ToAbsl(FormatName(provider.format)), ", ", keys == 1 ? "1 key" : absl::StrCat(keys, " keys"),
      keys > 1 ? absl::StrCat(" by ", provider.enable_rotation ? provider.strategy : "no rotation") : "");
}

void AddUsed(const Config& config, Report* report) {
  for (const ProviderConfig& provider : config.providers)
    report->used.push_back({provider.name, ProviderLine(provider)});
  for (const std::string& name : RouteNames()) {
    const std::string route = RouteOf(config.router, name);
    if (!route.empty()) report->used.push_back({"Router." + name, route});
  }
  for (const auto& [name, routes] : config.fallback) {
    report->used.push_back({"fallback." + name, absl::StrJoin(routes, ", then ")});
  }
  if (!config.client_token.empty()) report->used.push_back({"APIKEY", "clients must send it"});
  if (!config.proxy_url.empty()) report->used.push_back({"PROXY_URL", "for requests to providers"});
  if (!config.claude_path.empty()) report->used.push_back({"CLAUDE_PATH", "what ccr code runs"});
  if (config.non_interactive) report->used.push_back({"NON_INTERACTIVE_MODE", "ccr code sets CI=true and the like"});
}

void AddIgnored(const Node& root, Report* report) {
  for (const IgnoredField& field : kIgnoredFields) {
    if (FieldOf(root, field.name) != nullptr) report->ignored.push_back({field.name, field.why});
  }
}

void AddAddresses(const Node& root, const Config& config, Report* report) {
  const Node* host = FieldOf(root, "HOST");
  if (host == nullptr || host->text == config.host) return;
  report->different.push_back(
      {"HOST", absl::StrCat(config.host, " is used instead of ", host->text, " while APIKEY is not set")});
}

void AddRotation(const Config& config, Report* report) {
  std::vector<std::string> names;
  for (const ProviderConfig& provider : config.providers) {
    if (provider.keys.size() > 1 && provider.enable_rotation) names.push_back(provider.name);
  }
  if (names.empty()) return;
  report->different.push_back({"api_keys", absl::StrCat("really rotate here (", absl::StrJoin(names, ", "),
                                                        "); Claude Code Router reads the setting and never does")});
}

void AddDifferent(const Node& root, const Config& config, mode_t mode, Report* report) {
  if ((mode & kForOthers) != 0) {
    report->different.push_back(
        {"file mode", absl::StrFormat("%04o: others can read your keys; run chmod 600 %s", mode, config.path)});
  }
  AddAddresses(root, config, report);
  if (FieldOf(root, "LOG_LEVEL") == nullptr) {
    report->different.push_back({"LOG_LEVEL", "info where it is not set, not debug"});
  }
  report->different.push_back({"logs", "in logs/ beside the file; no request, answer or key is written there"});
  AddRotation(config, report);
}

void PrintFindings(const std::string& title, const std::vector<Finding>& findings, const Terminal& terminal) {
  if (findings.empty()) return;
  size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, DisplayWidth(finding.field));
  terminal.out << "\n" << title << "\n";
  for (const Finding& finding : findings) {
    terminal.out << "  " << finding.field << std::string(width - DisplayWidth(finding.field) + 2, ' ')
                 << Fit(finding.text, DisplayWidth(finding.text)) << "\n";
  }
}

// Those that the other sections do not tell.
std::vector<Finding> OtherProblems(const ConfigResult& result) {
  std::vector<Finding> findings;
  for (const ConfigProblem& problem : result.problems) {
    const bool told = problem.field == "HOST" || problem.message.find("chmod 600") != std::string::npos ||
                      std::any_of(std::begin(kIgnoredFields), std::end(kIgnoredFields),
                                  [&problem](const IgnoredField& field) { return problem.field == field.name; });
    if (told && problem.severity == ConfigProblem::Severity::kWarning) continue;
    findings.push_back({absl::StrCat("line ", problem.line),
                        absl::StrCat(problem.provider.empty() ? "" : "provider '" + problem.provider + "': ",
                                     problem.field.empty() ? "" : problem.field + ": ", problem.message)});
  }
  return findings;
}

boost::json::array FindingsJson(const std::vector<Finding>& findings) {
  boost::json::array list;
  for (const Finding& finding : findings) list.push_back({{"field", finding.field}, {"text", finding.text}});
  return list;
}

void PrintReport(const Report& report, const ConfigResult& result, const ServiceOptions& options,
                 const Terminal& terminal) {
  const std::vector<Finding> others = OtherProblems(result);
  if (options.json) {
    terminal.out << boost::json::serialize(boost::json::object{{"loads", true},
                                                               {"used", FindingsJson(report.used)},
                                                               {"ignored", FindingsJson(report.ignored)},
                                                               {"different", FindingsJson(report.different)},
                                                               {"look_at", FindingsJson(others)}})
                 << "\n";
    return;
  }
  terminal.out << options.config_path << " loads as it is; nothing was changed.\n";
  PrintFindings("Used", report.used, terminal);
  PrintFindings("Ignored", report.ignored, terminal);
  PrintFindings("Different from Claude Code Router", report.different, terminal);
  PrintFindings("Worth a look", others, terminal);
  const bool by_default = options.config_path == DefaultConfigPath();
  terminal.out << "\nTo run it, stop Claude Code Router, then: ccr "
               << (by_default ? "" : "--config " + options.config_path + " ") << "start\n";
}

}  // namespace

int Migrate(const ServiceOptions& options, const Terminal& terminal) {
  const ConfigResult result = LoadConfig(options.config_path, ProcessEnv());
  if (!result.config) {
    for (const ConfigProblem& problem : result.problems) terminal.err << problem.ToString() << "\n";
    terminal.err << "ccr: " << options.config_path << " does not load; nothing was changed\n";
    return 2;
  }
  const absl::StatusOr<FileContent> content = ReadFileContent(options.config_path, kMaxMigratedBytes);
  Node root;
  ProblemList problems(options.config_path);
  if (!content.ok() || !ParseTree(content->text.Reveal(), options.config_path, ProcessEnv(), &root, &problems)) {
    terminal.err << "ccr: " << options.config_path << " was changed meanwhile; try again\n";
    return 2;
  }
  Report report;
  AddUsed(*result.config, &report);
  AddIgnored(root, &report);
  AddDifferent(root, *result.config, content->mode, &report);
  PrintReport(report, result, options, terminal);
  return 0;
}

}  // namespace ccr::cli
