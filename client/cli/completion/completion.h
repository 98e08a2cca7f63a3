// `ccr completion`: scripts that complete the command line in a shell, made from the parser's own definition.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "client/cli/service/service.h"

namespace ccr::cli {

const std::vector<std::string>& CompletionShells();  // bash, zsh, fish

// The script for one of them.
std::string CompletionScript(const CLI::App& app, const std::string& shell);

// What an argument of this kind (commands.h) may be: one a line, as the configuration has it, keys as the broker has
// them or else the configuration; nothing when it cannot be read. `before` is the word before it.
std::string Candidates(const std::string& kind, const std::string& before, const ServiceOptions& service);

}  // namespace ccr::cli
