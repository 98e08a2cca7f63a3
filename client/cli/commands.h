// What the commands of `ccr` are: their names, options, help and what each does. The parser, the help and the
// completion scripts all come from this one definition.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "client/cli/command_builder.h"
#include "client/cli/config/init.h"
#include "client/cli/key/key_options.h"
#include "client/cli/key/seal.h"
#include "client/cli/migrate/migrate_from.h"
#include "client/cli/model.h"
#include "client/cli/rotation/rotation.h"
#include "client/cli/service/service.h"
#include "client/cli/simulate/simulate.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

// Kinds of arguments, as the help names them. Completion asks `ccr __complete KIND` for those that are not files.
inline constexpr char kFileKind[] = "FILE";
inline constexpr char kProviderKind[] = "PROVIDER";
inline constexpr char kRouteKind[] = "ROUTE";
inline constexpr char kModelKind[] = "PROVIDER,MODEL";
inline constexpr char kShellKind[] = "SHELL";
inline constexpr char kKeyKind[] = "KEY";  // of the PROVIDER before it
inline constexpr char kStrategyKind[] = "STRATEGY";

struct Arguments {
  ServiceOptions service;
  RotationOptions rotation;
  SimulateOptions simulate;
  ModelOptions model;
  InitOptions init;
  MigrateOptions migrate;
  SealOptions seal;
  KeyOptions key;
  PoolOptions pool;
  std::vector<std::string> code;  // Claude Code's, taken off the command line before it is parsed
  std::string proxy;              // of health
  std::string file;               // of config check; empty = --config
  std::string word;               // the shell of completion, the kind of __complete
  std::string before;             // of __complete: the word before the one that is completed
  bool foreground = false;
  bool print = false;
  bool follow = false;
};

// Adds all of it to `app`. Parsing puts into `chosen` what is to be done. The references must outlive `app`.
void AddCommands(CLI::App& app, Arguments& arguments, const Terminal& terminal, Command& chosen);

}  // namespace ccr::cli
