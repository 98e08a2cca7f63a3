#include "client/cli/key/key_command_line.h"

#include <unistd.h>

#include <iostream>
#include <ostream>
#include <utility>

#include "client/cli/key/key_commands.h"
#include "client/cli/key/key_import.h"
#include "client/cli/key/key_input.h"
#include "client/cli/key/pool_set.h"

namespace ccr::cli {
namespace {

constexpr char kGroup[] = "Keys while it runs";
constexpr char kCommands[] = "Commands";

using KeyCommand = int (*)(const ServiceOptions&, const KeyOptions&, const Terminal&);

bool IsStdinTerminal() {
  return isatty(STDIN_FILENO) != 0;
}

// Runs `ask` unless the broker is another user's, or a name looks like a key.
template <typename Ask>
Command Asking(Arguments& arguments, const Terminal& terminal, Ask ask) {
  return [&arguments, &terminal, ask] {
    for (const std::string* word : {&arguments.key.provider, &arguments.key.key, &arguments.key.fresh.name}) {
      if (!LooksLikeKey(*word)) continue;
      terminal.err << "ccr: " << KeyOnCommandLine() << "\n";
      return 2;
    }
    const absl::Status asked = CheckAsked(arguments.service);
    if (asked.ok()) return ask();
    terminal.err << "ccr: " << asked.message() << "\n";
    return 1;
  };
}

void AddProvider(CLI::App* command, KeyOptions& options) {
  command->add_option("provider", options.provider, "Whose key")->type_name(kProviderKind)->required();
}

// A command of PROVIDER KEY.
CLI::App* AddOfKey(Builder& add, const char* name, const char* what, const std::string& example, KeyCommand run,
                   Arguments& arguments, const Terminal& terminal) {
  KeyOptions& options = arguments.key;
  CLI::App* command = add.Add(kCommands, name, what, example, Asking(arguments, terminal, [&arguments, &terminal, run] {
                                return run(arguments.service, arguments.key, terminal);
                              }));
  AddProvider(command, options);
  command->add_option("key", options.key, "Its name or fingerprint")->type_name(kKeyKind)->required();
  return command;
}

void AddLimits(CLI::App* command, KeyOptions& options) {
  command->add_option("--weight", options.fresh.weight, "Its share under 'weighted' [1]")->type_name("N");
  command->add_option("--max-concurrent", options.fresh.max_concurrent, "Requests at once")->type_name("N");
  command->add_option("--rpm", options.fresh.limits.rpm, "Requests in any 60 s")->type_name("N");
  command->add_option("--tpm", options.fresh.limits.tpm, "Tokens in any 60 s")->type_name("N");
  command->add_option("--rpd", options.fresh.limits.rpd, "Requests in any 24 h")->type_name("N");
  command->add_option("--tpd", options.fresh.limits.tpd, "Tokens in any 24 h")->type_name("N");
  command->add_option("--model", options.fresh.models, "A model it may serve; may be repeated [all]")
      ->type_name("MODEL")
      ->allow_extra_args(false);
}

void AddAdd(Builder& add, Arguments& arguments, const Terminal& terminal) {
  KeyOptions& options = arguments.key;
  CLI::App* command =
      add.Add(kCommands, "add", "Add one key, which is sealed on the broker's disk",
              "  ccr key add openai                     asks for it, unseen\n"
              "  ccr key add openai --name team < key.txt\n  ccr key add openai --file key.txt --rpm 60",
              Asking(arguments, terminal, [&arguments, &terminal] {
                return AddKey(arguments.service, arguments.key, std::cin, IsStdinTerminal(), terminal);
              }));
  AddProvider(command, options);
  // Whatever stands behind the provider is told what is wrong with it, unseen.
  command->add_option("stray", options.strays, "")->group("")->type_name("");
  command->add_option("--name", options.fresh.name, "What it is called [key- and the beginning of its fingerprint]")
      ->type_name("NAME");
  command->add_option("--file", options.file, "File with the key [standard input]")->type_name(kFileKind);
  AddLimits(command, options);
  command->add_flag("--dry-run", options.dry_run, "Only tell what would become of it");
}

void AddImport(Builder& add, Arguments& arguments, const Terminal& terminal) {
  KeyOptions& options = arguments.key;
  CLI::App* command = add.Add(kCommands, "import", "Add all keys of a file",
                              "  ccr key import openai keys.txt         KEY or NAME KEY a line, or a JSON list\n"
                              "  ccr key import openai - < keys.json\n  ccr key import openai keys.txt --dry-run\n"
                              "  ccr key import openai keys.txt --validate --parallel 4",
                              Asking(arguments, terminal, [&arguments, &terminal] {
                                return ImportKeys(arguments.service, arguments.key, std::cin, terminal);
                              }));
  AddProvider(command, options);
  command->add_option("file", options.file, "One key a line, NAME KEY a line, or a JSON list; - is standard input")
      ->type_name(kFileKind)
      ->required();
  CLI::Option* dry = command->add_flag("--dry-run", options.dry_run, "Only tell what would become of each");
  CLI::Option* validate =
      command->add_flag("--validate", options.validate, "Ask the provider about each that was added");
  validate->excludes(dry);
  command->add_option("--parallel", options.parallel, "So many at once [8]")
      ->type_name("N")
      ->check(CLI::Range(1, 64).description(""))
      ->needs(validate);
}

}  // namespace

CLI::App* AddKeyCommands(CLI::App& app, Arguments& arguments, const Terminal& terminal, Command& chosen) {
  CLI::App* key = app.add_subcommand("key", "Add, remove, disable, test keys of the running broker");
  key->group(kGroup)->require_subcommand(1)->footer(
      "Examples:\n  ccr key list openai\n  ccr key disable openai work --for 2h\n  ccr key add openai --name team < "
      "key.txt");
  Builder add(*key, chosen);
  CLI::App* list = add.Add(kCommands, "list", "Every key in one line: fingerprint, state, reason, when it is back",
                           "  ccr key list\n  ccr --json key list openai | jq '.pools[0].keys[].name'",
                           Asking(arguments, terminal, [&arguments, &terminal] {
                             return ListKeys(arguments.service, arguments.key, terminal);
                           }));
  list->add_option("provider", arguments.key.provider, "Only of this one")->type_name(kProviderKind);
  AddAdd(add, arguments, terminal);
  AddImport(add, arguments, terminal);
  AddOfKey(add, "remove", "Take one out for good; not the last of a provider", "  ccr key remove openai team",
           RemoveKey, arguments, terminal);
  AddOfKey(add, "disable", "Give it to no request, until it is enabled or for a time",
           "  ccr key disable openai work\n  ccr key disable openai work --for 2h", DisableKey, arguments, terminal)
      ->add_option("--for", arguments.key.disable_for, "30s, 15m, 2h, 1d [until it is enabled]")
      ->type_name("TIME");
  AddOfKey(add, "enable", "Put it back, whatever took it out", "  ccr key enable openai work", EnableKey, arguments,
           terminal);
  AddOfKey(add, "reset", "Forget what answers have said of it, and what was learned of its limits",
           "  ccr key reset openai work", ResetKey, arguments, terminal);
  AddOfKey(add, "test", "Ask the provider whether it takes the key; exit status 1 if not", "  ccr key test openai work",
           TestKey, arguments, terminal);
  AddOfKey(add, "history", "What happened to it since the broker's start", "  ccr key history openai work", KeyHistory,
           arguments, terminal);
  return key;
}

void AddPoolCommands(CLI::App& app, Arguments& arguments, const Terminal& terminal, Command& chosen) {
  CLI::App* pool = app.add_subcommand("pool", "Set strategy and limits of a running provider: ccr pool set");
  pool->group(kGroup)->require_subcommand(1)->footer("Examples:\n  ccr pool set openai least_in_flight rpm=600");
  Builder add(*pool, chosen);
  CLI::App* set =
      add.Add(kCommands, "set", "Strategy, limits and waiting of a provider, until its file's entry changes",
              "  ccr pool set openai weighted\n  ccr pool set openai max_concurrent=20 rpm=none\n"
              "  ccr pool set openai max_wait=30s max_waiting=500 session_affinity=true",
              Asking(arguments, terminal,
                     [&arguments, &terminal] { return SetPool(arguments.service, arguments.pool, terminal); }));
  set->add_option("provider", arguments.pool.provider, "Whose keys")->type_name(kProviderKind)->required();
  set->add_option("setting", arguments.pool.settings,
                  "A strategy, or NAME=VALUE: max_concurrent, rpm, tpm, rpd, tpd (a number or none), max_wait (30s, "
                  "none), max_waiting, session_affinity")
      ->type_name(kStrategyKind);
  Builder add_events(app, chosen);
  CLI::App* events = add_events.Add(
      kGroup, "events", "Follow what happens to keys, a line for each event",
      "  ccr events --follow\n  ccr --json events openai --follow",
      Asking(arguments, terminal, [&arguments, &terminal] {
        if (!arguments.follow) {
          terminal.err << "ccr: it tells what happens from now on: ccr events --follow. What happened to "
                          "a key before: ccr key history PROVIDER KEY\n";
          return 2;
        }
        RotationOptions rotation;
        rotation.broker = FindBroker(arguments.service);
        rotation.provider = arguments.rotation.provider;
        rotation.json = arguments.service.json;
        rotation.watch = rotation.lines = true;
        return ShowRotation(rotation, terminal);
      }));
  events->add_option("provider", arguments.rotation.provider, "Only of this one")->type_name(kProviderKind);
  events->add_flag("-f,--follow", arguments.follow, "Until Ctrl-C");
}

}  // namespace ccr::cli
