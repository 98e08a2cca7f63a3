#include "client/cli/claude_env.h"

#include <algorithm>
#include <boost/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"
#include "broker/base/address.h"

namespace ccr::cli {
namespace {

// `list` (comma-separated hosts) with `host` in it.
std::string WithHost(const std::string& list, const std::string& host) {
  for (const absl::string_view item : absl::StrSplit(list, ',')) {
    const absl::string_view name = absl::StripAsciiWhitespace(item);
    if (name == host || name == "*") return list;
  }
  return absl::StripAsciiWhitespace(list).empty() ? host : absl::StrCat(list, ",", host);
}

}  // namespace

EnvChanges ClaudeEnv(const Config& config, const std::string& endpoint, const EnvLookup& env) {
  const absl::StatusOr<HostPort> address = ParseHostPort(endpoint);
  const std::string host = address.ok() ? address->host : "127.0.0.1";
  const std::string upper = env("NO_PROXY").value_or("");
  const std::string lower = env("no_proxy").value_or("");
  EnvChanges changes{
      {"ANTHROPIC_BASE_URL", "http://" + endpoint},
      {"ANTHROPIC_AUTH_TOKEN", config.client_token.empty() ? "test" : std::string(config.client_token.Reveal())},
      {"API_TIMEOUT_MS", std::to_string(absl::ToInt64Milliseconds(config.api_timeout))},
      {"NO_PROXY", WithHost(upper.empty() ? lower : upper, host)},
      {"no_proxy", WithHost(lower.empty() ? upper : lower, host)},
      {"DISABLE_TELEMETRY", "true"},
      {"DISABLE_COST_WARNINGS", "true"}};
  if (config.non_interactive) {
    for (const auto& [name, value] : {std::pair{"CI", "true"}, std::pair{"FORCE_COLOR", "0"},
                                      std::pair{"NODE_NO_READLINE", "1"}, std::pair{"TERM", "dumb"}}) {
      changes.emplace_back(name, value);
    }
  }
  for (const char* name :
       {"ANTHROPIC_API_KEY", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"}) {
    changes.emplace_back(name, std::nullopt);
  }
  return changes;
}

std::string ShellExports(const EnvChanges& changes) {
  std::string text;
  for (const auto& [name, value] : changes) {
    if (value) {
      absl::StrAppend(&text, "export ", name, "='", absl::StrReplaceAll(*value, {{"'", R"('\'')"}}), "'\n");
    } else {
      absl::StrAppend(&text, "unset ", name, "\n");
    }
  }
  return text;
}

std::string FishExports(const EnvChanges& changes) {
  std::string text;
  for (const auto& [name, value] : changes) {
    if (value) {
      absl::StrAppend(&text, "set -gx ", name, " '", absl::StrReplaceAll(*value, {{"\\", "\\\\"}, {"'", "\\'"}}),
                      "';\n");
    } else {
      absl::StrAppend(&text, "set -e ", name, ";\n");
    }
  }
  return text;
}

std::string EnvJson(const EnvChanges& changes) {
  boost::json::object json;
  for (const auto& [name, value] : changes)
    json[name] = value ? boost::json::value(*value) : boost::json::value(nullptr);
  return boost::json::serialize(json);
}

std::vector<std::string> Changed(const std::vector<std::string>& environment, const EnvChanges& changes) {
  std::vector<std::string> out;
  for (const std::string& variable : environment) {
    const std::string name = variable.substr(0, variable.find('='));
    const auto same = [&name](const auto& change) { return change.first == name; };
    if (std::none_of(changes.begin(), changes.end(), same)) out.push_back(variable);
  }
  for (const auto& [name, value] : changes) {
    if (value) out.push_back(absl::StrCat(name, "=", *value));
  }
  return out;
}

}  // namespace ccr::cli
