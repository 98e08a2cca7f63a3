#include "client/cli/app.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <vector>

#include "broker/base/config.h"
#include "client/cli/rotation.h"
#include "client/cli/service.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

constexpr const char* kExamples = R"(Examples:
  ccr start                       start broker and proxy in the background
  ccr start --foreground          the same, until Ctrl-C, logs on the terminal
  ccr status                      is it running, and where
  ccr rotation                    every key: state, when it comes back, what it did
  ccr rotation openai --watch     follow one provider live
  ccr --json rotation | jq '.pools[].available_keys'
  ccr --config ./config.yaml restart

Exit status: 0 done, 1 failed, 2 bad command line or configuration, 3 not running.)";

struct Arguments {
  ServiceOptions service;
  RotationOptions rotation;
  bool foreground = false;
};

using Command = std::function<int()>;

void AddServiceCommands(CLI::App& app, Arguments& arguments, const Terminal& terminal, Command& chosen) {
  ServiceOptions& service = arguments.service;
  CLI::App* start = app.add_subcommand("start", "Start broker and proxy; returns when both are ready");
  start->add_flag("-f,--foreground", arguments.foreground,
                  "Stay, with the logs on the terminal; Ctrl-C stops the service");
  start->callback([&] { chosen = [&] { return Start(service, arguments.foreground, terminal); }; });
  app.add_subcommand("stop", "Stop the service; requests in flight may finish")->callback([&] {
    chosen = [&] { return Stop(service, terminal); };
  });
  app.add_subcommand("restart", "Stop, then start")->callback([&] {
    chosen = [&] { return Restart(service, terminal); };
  });
  app.add_subcommand("status", "Whether the service runs, where, and how many keys are available")->callback([&] {
    chosen = [&] { return Status(service, terminal); };
  });
  app.add_subcommand("reload", "Let the running broker read its configuration again")->callback([&] {
    chosen = [&] { return Reload(service, terminal); };
  });
}

void AddRotationCommand(CLI::App& app, Arguments& arguments, const Terminal& terminal, Command& chosen) {
  RotationOptions& rotation = arguments.rotation;
  CLI::App* command = app.add_subcommand("rotation", "Show every provider's keys and their state");
  command->add_option("provider", rotation.provider, "Only this provider");
  command->add_flag("-w,--watch", rotation.watch, "Follow live; into a pipe: one line per event");
  command->add_flag("--wide", rotation.wide, "All columns, with fingerprints");
  command->callback([&] {
    chosen = [&] {
      rotation.broker = BrokerAddress(arguments.service);
      rotation.json = arguments.service.json;
      return ShowRotation(rotation, terminal);
    };
  });
}

void AddGlobalOptions(CLI::App& app, Arguments& arguments) {
  app.fallthrough();  // global options may follow the command
  app.set_help_flag("-h,--help", "Show this help; also after a command");
  app.set_version_flag("-v,--version", "ccr " CCR_VERSION);
  app.add_option("--broker", arguments.service.broker, "Broker to ask: HOST:PORT or unix:PATH [the running service's]")
      ->type_name("ADDR");
  app.add_option("--config", arguments.service.config_path, "Configuration [~/.claude-code-router/config.json]")
      ->type_name("FILE");
  app.add_flag("--json", arguments.service.json, "Answer in JSON, for scripts");
}

std::string Complaint(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> remaining = app.remaining();
  const bool unknown_command = app.get_subcommands().empty() && !remaining.empty() && remaining[0][0] != '-';
  if (!unknown_command) return error.what();
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  const std::string nearest = Nearest(remaining[0], names);
  const std::string unknown = "unknown command '" + Fit(remaining[0], 40) + "'";
  return nearest.empty() ? unknown : unknown + "; did you mean 'ccr " + nearest + "'?";
}

}  // namespace

int RunApp(int argc, const char* const* argv, const std::string& bin_folder, const Terminal& terminal) {
  CLI::App app{"Runs ccr-broker and ccr-proxy on this machine and shows what the API keys are doing.", "ccr"};
  Arguments arguments;
  arguments.service.bin_folder = bin_folder;
  arguments.service.config_path = DefaultConfigPath();
  Command chosen;
  AddGlobalOptions(app, arguments);
  AddServiceCommands(app, arguments, terminal, chosen);
  AddRotationCommand(app, arguments, terminal, chosen);
  app.require_subcommand(0, 1);
  app.footer(kExamples);  // after the commands, which would inherit it
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  for (CLI::App* command : app.get_subcommands({})) command->group("Commands");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    return app.exit(done, terminal.out, terminal.err);
  } catch (const CLI::ParseError& error) {
    terminal.err << "ccr: " << Complaint(app, error) << "\nccr --help lists the commands.\n";
    return 2;
  }
  if (chosen) return chosen();
  terminal.err << app.help();
  return 2;
}

}  // namespace ccr::cli
