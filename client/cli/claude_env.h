// The environment in which Claude Code uses this service.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/config/config.h"

namespace ccr::cli {

// Variables to set, and to remove where the value is nothing; in a fixed order.
using EnvChanges = std::vector<std::pair<std::string, std::optional<std::string>>>;

// For the service at `endpoint` ("HOST:PORT"). `env` is the user's environment: hosts in his NO_PROXY stay.
// ANTHROPIC_API_KEY is removed because Claude Code would ask which of the two credentials it shall use;
// CLAUDE_CODE_USE_BEDROCK and its like because with them it would not use ANTHROPIC_BASE_URL.
EnvChanges ClaudeEnv(const Config& config, const std::string& endpoint, const EnvLookup& env);

// As lines that a POSIX shell evaluates, whatever the values hold.
std::string ShellExports(const EnvChanges& changes);

// The same for fish.
std::string FishExports(const EnvChanges& changes);

// {"NAME": VALUE}, null for those to remove.
std::string EnvJson(const EnvChanges& changes);

// `environment` ("NAME=VALUE" entries) with the changes made.
std::vector<std::string> Changed(const std::vector<std::string>& environment, const EnvChanges& changes);

}  // namespace ccr::cli
