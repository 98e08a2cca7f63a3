#include "client/cli/app.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "broker/base/config.h"
#include "client/cli/commands.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

// Where the command stands in `argv`; argc when there is none. Options before it may take a value.
int CommandIndex(const CLI::App& app, int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.empty() || word[0] != '-') return i;
    const CLI::Option* option = app.get_option_no_throw(word);  // nothing for "--name=value" too
    if (option != nullptr && option->get_items_expected_min() > 0) ++i;
  }
  return argc;
}

// Takes the arguments of Claude Code off the command line: how many words are left for the parser.
int SplitOffCode(const CLI::App& app, int argc, const char* const* argv, std::vector<std::string>* code) {
  const int command = CommandIndex(app, argc, argv);
  if (command == argc || std::string_view(argv[command]) != "code") return argc;
  code->assign(argv + command + 1, argv + argc);
  return command + 1;
}

std::string Complaint(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* parsed = &app;
  while (!parsed->get_subcommands().empty()) parsed = parsed->get_subcommands().front();
  const std::vector<std::string> remaining = app.remaining(true);
  const bool has_commands = !parsed->get_subcommands([](const CLI::App*) { return true; }).empty();
  if (has_commands && remaining.empty() && parsed != &app) {
    return "ccr " + parsed->get_name() + " needs a command: see ccr " + parsed->get_name() + " --help";
  }
  const bool unknown_command = has_commands && !remaining.empty() && remaining[0][0] != '-';
  if (!unknown_command) return error.what();
  std::vector<std::string> names;
  for (const CLI::App* command : parsed->get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  const std::string path = parsed == &app ? "ccr " : "ccr " + parsed->get_name() + " ";
  const std::string nearest = Nearest(remaining[0], names);
  const std::string unknown = "unknown command '" + path.substr(4) + Fit(remaining[0], 40) + "'";
  return nearest.empty() ? unknown : unknown + "; did you mean '" + path + nearest + "'?";
}

}  // namespace

int RunApp(int argc, const char* const* argv, const std::string& bin_folder, const Terminal& terminal) {
  CLI::App app{"One endpoint for Claude Code and SDKs over all your API keys.", "ccr"};
  Arguments arguments;
  arguments.service.bin_folder = bin_folder;
  arguments.service.config_path = DefaultConfigPath();
  Command chosen;
  AddCommands(app, arguments, terminal, chosen);
  try {
    app.parse(SplitOffCode(app, argc, argv, &arguments.code), argv);
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
