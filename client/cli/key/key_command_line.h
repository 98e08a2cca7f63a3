// The commands about keys and pools that run, as the command line has them.
#pragma once

#include "client/cli/command_builder.h"
#include "client/cli/commands.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

// Adds `ccr key ...`, and returns it for more commands of that kind. The references must outlive `app`.
CLI::App* AddKeyCommands(CLI::App& app, Arguments& arguments, const Terminal& terminal, Command& chosen);

// Adds `ccr pool ...` and `ccr events`.
void AddPoolCommands(CLI::App& app, Arguments& arguments, const Terminal& terminal, Command& chosen);

}  // namespace ccr::cli
