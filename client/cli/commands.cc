#include "client/cli/commands.h"

#include <unistd.h>

#include <iostream>

#include "absl/strings/str_join.h"
#include "client/cli/code.h"
#include "client/cli/completion/completion.h"
#include "client/cli/config/config_check.h"
#include "client/cli/config/config_diff.h"
#include "client/cli/health.h"
#include "client/cli/key/key_command_line.h"

namespace ccr::cli {
namespace {

constexpr char kRunGroup[] = "Running";
constexpr char kUseGroup[] = "Claude Code";
constexpr char kLookGroup[] = "Watching";
constexpr char kConfigGroup[] = "Configuration";
constexpr char kHidden[] = "";

constexpr const char* kExamples = R"(Examples:
  ccr init                        write the first configuration
  ccr code                        run Claude Code, with the service as long as it needs it
  ccr start                       start broker and proxy in the background
  ccr status                      is it running, and where
  ccr rotation openai --watch     follow the keys of one provider live
  ccr model think deepseek,deepseek-reasoner
  ccr --json rotation | jq '.pools[].available_keys'
  ccr --config ./config.yaml restart

Exit status: 0 done, 1 failed, 2 bad command line or configuration, 3 not running. With --json, a command that fails
answers {"error":{"kind":"failed"|"bad_input"|"not_running","message":...}}.)";

void AddServiceCommands(Builder& add, Arguments& arguments, const Terminal& terminal) {
  ServiceOptions& service = arguments.service;
  add.Add(kRunGroup, "start", "Start broker and proxy; returns when both are ready",
          "  ccr start\n  ccr start --foreground          until Ctrl-C, logs on the terminal",
          [&] { return Start(service, arguments.foreground, terminal); })
      ->add_flag("-f,--foreground", arguments.foreground,
                 "Stay, with the logs on the terminal; Ctrl-C stops the service");
  add.Add(kRunGroup, "stop", "Stop the service; requests in flight may finish", "  ccr stop",
          [&] { return Stop(service, terminal); });
  add.Add(kRunGroup, "restart", "Stop, then start; a wrong configuration stops nothing", "  ccr restart",
          [&] { return Restart(service, terminal); });
  add.Add(kRunGroup, "reload", "Have the running broker read its configuration, and tell its verdict",
          "  ccr reload\n  ccr --broker 10.0.0.5:50061 reload", [&] { return Reload(service, terminal); });
}

void AddClaudeCommands(Builder& add, Arguments& arguments, const Terminal& terminal) {
  ServiceOptions& service = arguments.service;
  CLI::App* code = add.Add(
      kUseGroup, "code", "Run Claude Code through the service, started and stopped as needed",
      "  ccr code\n  ccr code -p \"what does this project do?\"\n  ccr --config ./config.yaml code --continue\n\n"
      "Every argument behind 'code' goes to Claude Code as it is; ccr's own options come before it. A service that\n"
      "ccr code started ends with the last ccr code; one that was started otherwise stays.",
      [&] { return RunCode(service, arguments.code, terminal); });
  code->add_option("arguments", arguments.code, "Claude Code's")->type_name("");
  code->set_help_flag();  // -h is Claude Code's too
  const auto activate = [&] { return Activate(service, arguments.word, terminal); };
  CLI::App* commands[] = {add.Add(kUseGroup, "activate", "Print the environment of 'ccr code' as shell commands",
                                  "  eval \"$(ccr activate)\" && claude\n  ccr activate fish | source", activate),
                          add.Add(kUseGroup, "env", "The same as activate", "  eval \"$(ccr env)\"", activate)};
  for (CLI::App* command : commands) {
    command->add_option("shell", arguments.word, "bash, zsh, sh or fish [that of $SHELL]")
        ->type_name(kShellKind)
        ->check(CLI::IsMember({"bash", "zsh", "sh", "fish"}).description(""));
  }
}

bool MayAsk(const ServiceOptions& service, const Terminal& terminal) {
  const absl::Status asked = CheckAsked(service);
  if (!asked.ok()) terminal.err << "ccr: " << asked.message() << "\n";
  return asked.ok();
}

void AddSimulateCommand(Builder& add, Arguments& arguments, const Terminal& terminal) {
  SimulateOptions& simulate = arguments.simulate;
  CLI::App* command = add.Add(kLookGroup, "simulate", "Replay the last hours under another strategy or other limits",
                              "  ccr simulate --strategy fill_first\n  ccr simulate openai --config other.json\n"
                              "  ccr --json simulate | jq '.pools[].configured.wasted'",
                              [&] {
                                if (!MayAsk(arguments.service, terminal)) return 1;
                                simulate.broker = FindBroker(arguments.service);
                                simulate.json = arguments.service.json;
                                return Simulate(simulate, terminal);
                              });
  command->add_option("provider", simulate.provider, "Only this provider")->type_name(kProviderKind);
  command->add_option("--strategy", simulate.strategy, "Of all providers that are replayed")->type_name(kStrategyKind);
  command->add_option("--config", simulate.config_path, "Strategies and limits of this file")->type_name(kFileKind);
}

void AddWatchingCommands(Builder& add, Arguments& arguments, const Terminal& terminal) {
  ServiceOptions& service = arguments.service;
  add.Add(kLookGroup, "status", "Whether the service runs, where, and how many keys are available",
          "  ccr status\n  ccr --json status\n  ccr --broker 10.0.0.5:50061 status",
          [&] { return Status(service, terminal); });
  RotationOptions& rotation = arguments.rotation;
  CLI::App* command = add.Add(kLookGroup, "rotation", "Show every provider's keys and their state",
                              "  ccr rotation\n  ccr rotation openai --watch\n"
                              "  ccr --json rotation | jq '.pools[].available_keys'",
                              [&] {
                                if (!MayAsk(service, terminal)) return 1;
                                rotation.broker = FindBroker(service);
                                rotation.json = service.json;
                                return ShowRotation(rotation, terminal);
                              });
  command->add_option("provider", rotation.provider, "Only this provider")->type_name(kProviderKind);
  command->add_flag("-w,--watch", rotation.watch, "Follow live; into a pipe: one line per event");
  command->add_flag("--wide", rotation.wide, "All columns, however wide the terminal is");
  AddSimulateCommand(add, arguments, terminal);
  add.Add(kLookGroup, "health", "Whether broker and proxy can do their work: exit status 0 or 1, within 2 s",
          "  ccr health\n  ccr health --proxy 127.0.0.1:3456     only this one, as a container's health check\n"
          "  ccr health --broker unix:/run/ccr/broker.sock",
          [&] { return Health(service, arguments.proxy, terminal); })
      ->add_option("--proxy", arguments.proxy, "Ask this proxy; with --broker, both")
      ->type_name("HOST:PORT");
}

void AddModelCommand(Builder& add, Arguments& arguments, const Terminal& terminal) {
  ModelOptions& model = arguments.model;
  CLI::App* command =
      add.Add(kConfigGroup, "model", "Show the Router and the models there are, or change one entry",
              "  ccr model\n  ccr model think deepseek,deepseek-reasoner\n  ccr model webSearch --unset",
              [&] { return Model(arguments.service, model, terminal); });
  command->add_option("route", model.route, "default, background, think, longContext, webSearch or image")
      ->type_name(kRouteKind);
  command->add_option("target", model.target, "What it becomes; the old file is kept as FILE.bak")
      ->type_name(kModelKind);
  command->add_flag("--unset", model.unset, "Remove the entry");
  command->add_flag("--force", model.force, "Also a model that its provider does not list");
}

void AddInitCommand(Builder& add, Arguments& arguments, const Terminal& terminal) {
  InitOptions& init = arguments.init;
  CLI::App* command =
      add.Add(kConfigGroup, "init", "Write the first configuration; never over one that is there",
              "  ccr init                                 asks\n  ccr init openrouter --env OPENROUTER_API_KEY\n"
              "  ccr init deepseek < keys.txt             one key a line",
              [&] { return Init(arguments.service, init, std::cin, isatty(STDIN_FILENO) != 0, terminal); });
  command->add_option("provider", init.provider, "One of " + absl::StrJoin(KnownProviders(), ", ") + ", or any name");
  command->add_option("--url", init.url, "Its endpoint")->type_name("URL");
  command->add_option("--model", init.models, "A model of it; may be repeated")
      ->type_name("MODEL")
      ->allow_extra_args(false);
  command->add_option("--env", init.env, "Variable with the key; it stays there")->type_name("NAME");
}

ServiceOptions WithConfig(ServiceOptions service, const std::string& file) {
  if (!file.empty()) service.config_path = file;
  return service;
}

int RunMigrate(const Arguments& arguments, const Terminal& terminal) {
  const MigrateOptions& migrate = arguments.migrate;
  if (!migrate.from.empty()) return MigrateFrom(arguments.service, migrate, std::cin, terminal);
  if (migrate.files.size() > 1) {
    terminal.err << "ccr: one configuration at a time: name one FILE\n";
    return 2;
  }
  return Migrate(WithConfig(arguments.service, migrate.files.empty() ? "" : migrate.files.front()), terminal);
}

void AddMigrateCommand(Builder& add, Arguments& arguments, const Terminal& terminal) {
  MigrateOptions& migrate = arguments.migrate;
  CLI::App* command = add.Add(
      kConfigGroup, "migrate", "Tell what becomes of a Claude Code Router file; with --from, write a configuration",
      "  ccr migrate                              changes nothing\n  ccr migrate --from litellm config.yaml\n"
      "  ccr migrate --from gpt-load groups.json keys-openai-all.txt\n"
      "  sqlite3 -json one-api.db 'SELECT * FROM channels' | ccr migrate --from new-api - --dry-run",
      [&] { return RunMigrate(arguments, terminal); });
  command->add_option("file", migrate.files, "Configuration [the one of --config]; with --from, what was exported")
      ->type_name(kFileKind);
  CLI::Option* from =
      command->add_option("--from", migrate.from, "Another system: " + absl::StrJoin(MigrationSources(), ", "))
          ->type_name("SYSTEM")
          ->check(CLI::IsMember(MigrationSources()).description(""));
  command->add_option("--output", migrate.output, "Where to write [the one of --config]; keys go to keys/ beside it")
      ->type_name(kFileKind)
      ->needs(from);
  command->add_flag("--force", migrate.force, "Over a file that is there; it is kept as FILE.bak")->needs(from);
  command->add_flag("--dry-run", migrate.dry_run, "Only show what would be written, without keys")->needs(from);
}

void AddConfigCommands(CLI::App& app, Builder& add, Arguments& arguments, const Terminal& terminal, Command& chosen) {
  AddInitCommand(add, arguments, terminal);
  AddModelCommand(add, arguments, terminal);
  CLI::App* config = app.add_subcommand("config", "Check the configuration, or compare it: ccr config check, diff");
  config->group(kConfigGroup)->require_subcommand(1)->footer("Examples:\n  ccr config check\n  ccr config diff");
  Builder add_config(*config, chosen);
  CLI::App* check = add_config.Add(
      "Commands", "check", "Name every mistake; as ccr-broker --check",
      "  ccr config check\n  ccr config check ./config.yaml --print",
      [&] { return CheckConfig(WithConfig(arguments.service, arguments.file), arguments.print, terminal); });
  check->add_flag("--print", arguments.print, "Print the configuration as it takes effect, keys hidden");
  CLI::App* diff = add_config.Add("Commands", "diff", "What the file says otherwise than the broker runs with",
                                  "  ccr config diff\n  ccr --json config diff ./config.yaml", [&] {
                                    return MayAsk(arguments.service, terminal)
                                               ? DiffConfig(WithConfig(arguments.service, arguments.file),
                                                            FindBroker(arguments.service), terminal)
                                               : 1;
                                  });
  for (CLI::App* command : {check, diff})
    command->add_option("file", arguments.file, "Configuration [the one of --config]")->type_name(kFileKind);
  AddMigrateCommand(add, arguments, terminal);
}

void AddSealCommand(Builder& add_key, Arguments& arguments, const Terminal& terminal) {
  SealOptions& seal = arguments.seal;
  CLI::App* command =
      add_key.Add("Commands", "seal", "Seal a key for the configuration; asks no broker",
                  "  ccr key seal openrouter < key.txt        prints what goes into api_keys as {sealed: \"...\"}\n"
                  "  ccr key seal openrouter --file key.txt\n"
                  "  ccr key seal --new-master-key new.key    the first step of changing the master key",
                  [&] { return SealKey(arguments.service, seal, STDIN_FILENO, isatty(STDIN_FILENO) != 0, terminal); });
  command->add_option("provider", seal.provider, "Whose key it is")->type_name(kProviderKind);
  command->add_option("--file", seal.file, "With the key, or with a text to be sealed anew [standard input]")
      ->type_name(kFileKind);
  command->add_option("--new-master-key", seal.new_master_key, "Make this file, with a new master key")
      ->type_name(kFileKind);
}

void AddCompletionCommands(CLI::App& app, Builder& add, Arguments& arguments, const Terminal& terminal) {
  add.Add(kConfigGroup, "completion", "Print a completion script for bash, zsh or fish",
          "  ccr completion bash > ~/.local/share/bash-completion/completions/ccr\n"
          "  ccr completion zsh > \"${fpath[1]}/_ccr\"\n"
          "  ccr completion fish > ~/.config/fish/completions/ccr.fish",
          [&] {
            terminal.out << CompletionScript(app, arguments.word);
            return 0;
          })
      ->add_option("shell", arguments.word)
      ->type_name(kShellKind)
      ->required()
      ->check(CLI::IsMember(CompletionShells()).description(""));
  CLI::App* complete = add.Add(kHidden, "__complete", "", "", [&] {
    terminal.out << Candidates(arguments.word, arguments.before, arguments.service);
    return 0;
  });
  complete->add_option("kind", arguments.word);
  complete->add_option("before", arguments.before);
}

void AddGlobalOptions(CLI::App& app, Arguments& arguments) {
  app.fallthrough();  // global options may follow the command
  app.set_help_flag("-h,--help", "Show this help; also after a command");
  app.set_version_flag("-v,--version", "ccr " CCR_VERSION, "Show the version");
  app.add_option("--broker", arguments.service.broker, "Broker to ask: HOST:PORT or unix:PATH [the running service's]")
      ->envname("CCR_BROKER")
      ->type_name("ADDR");
  app.add_option("--broker-tls-ca", arguments.service.broker_tls.ca, "TLS to it: who signed its certificate (PEM)")
      ->envname("CCR_BROKER_TLS_CA");
  app.add_option("--broker-tls-cert", arguments.service.broker_tls.cert, "TLS to it: your certificate (PEM)")
      ->envname("CCR_BROKER_TLS_CERT");
  app.add_option("--broker-tls-key", arguments.service.broker_tls.key, "TLS to it: the key of that certificate (PEM)")
      ->envname("CCR_BROKER_TLS_KEY");
  app.add_option("--broker-token-file", arguments.service.broker_token_file, "What it knows you by: a file")
      ->envname("CCR_BROKER_TOKEN_FILE");
  app.add_option("--config", arguments.service.config_path, "Configuration [~/.claude-code-router/config.json]")
      ->type_name(kFileKind);
  app.add_option("--run-dir", arguments.service.run_dir,
                 "Folder of the pid file, logs and state [beside the configuration]")
      ->envname("CCR_RUN_DIR")
      ->type_name("DIR");
  app.add_flag("--json", arguments.service.json, "Answer in JSON, for scripts");
}

}  // namespace

void AddCommands(CLI::App& app, Arguments& arguments, const Terminal& terminal, Command& chosen) {
  AddGlobalOptions(app, arguments);
  app.require_subcommand(0, 1);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("Positionals", "Arguments");
  app.get_formatter()->column_width(28);
  Builder add(app, chosen);
  AddClaudeCommands(add, arguments, terminal);
  AddServiceCommands(add, arguments, terminal);
  AddWatchingCommands(add, arguments, terminal);
  Builder add_key(*AddKeyCommands(app, arguments, terminal, chosen), chosen);
  AddSealCommand(add_key, arguments, terminal);
  AddPoolCommands(app, arguments, terminal, chosen);
  AddConfigCommands(app, add, arguments, terminal, chosen);
  AddCompletionCommands(app, add, arguments, terminal);
  app.footer(kExamples);  // after the commands, which would inherit it
}

}  // namespace ccr::cli
