#include "client/cli/app.h"

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <optional>
#include <sstream>
#include <streambuf>
#include <string_view>
#include <vector>

#include "broker/base/private_path.h"
#include "broker/config/config.h"
#include "client/cli/commands.h"
#include "client/cli/key/key_commands.h"
#include "client/cli/key/key_input.h"
#include "client/cli/service/service.h"
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

// Whether somebody wrote a key on the command line: a word of it that looks like one, where keys are handled, or that
// `message` would show.
bool HoldsKey(const std::string& message, const std::vector<const char*>& words, bool handles_keys) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    word.remove_prefix(std::min(word.find('=') + 1, word.size()));  // 0 without one
    const bool is_path = word.starts_with('/') || word.starts_with('.') || word.starts_with('~');
    return !is_path && LooksLikeKey(word) && (handles_keys || message.find(word) != std::string::npos);
  });
}

std::string Complaint(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* parsed = &app;
  while (!parsed->get_subcommands().empty()) parsed = parsed->get_subcommands().front();
  const std::vector<std::string> remaining = app.remaining(true);
  const bool has_commands = !parsed->get_subcommands([](const CLI::App*) { return true; }).empty();
  if (has_commands && remaining.empty() && parsed != &app) {
    return "ccr " + parsed->get_name() + " needs a command: see ccr " + parsed->get_name() + " --help";
  }
  const CLI::App* const group = parsed->get_parent();
  if (group != nullptr && group->get_name() == "key" && !remaining.empty()) {
    return "an argument is unknown or one too many (it is not shown, it may be a key): a key comes on standard input "
           "or "
           "from a file, as an argument others could see it; see ccr key " +
           parsed->get_name() + " --help";
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

// Passes everything on, and knows whether there was anything.
class NotingBuffer final : public std::streambuf {
 public:
  explicit NotingBuffer(std::streambuf* target) : target_(target) {}
  bool wrote() const { return wrote_; }

 protected:
  int_type overflow(int_type byte) override {
    if (traits_type::eq_int_type(byte, traits_type::eof())) return traits_type::not_eof(byte);
    wrote_ = true;
    return target_->sputc(traits_type::to_char_type(byte));
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    wrote_ |= size > 0;
    return target_->sputn(text, size);
  }
  int sync() override { return target_->pubsync(); }

 private:
  std::streambuf* const target_;
  bool wrote_ = false;
};

// Whether the service runs, of a command that would start or stop it; else nothing.
using Running = std::optional<bool>;

// A failure as all commands tell it with --json.
std::string FailureJson(int exit_status, Running running, std::string_view message) {
  while (message.ends_with('\n')) message.remove_suffix(1);
  if (message.starts_with("ccr: ")) message.remove_prefix(5);
  const char* kind = exit_status == 2 ? "bad_input" : exit_status == 3 ? "not_running" : "failed";
  boost::json::object json;
  if (exit_status == 3) running = false;
  if (running) json["running"] = *running;
  json["error"] = {{"kind", kind}, {"message", boost::json::string_view(message.data(), message.size())}};
  return boost::json::serialize(json);
}

// Runs `command` with a terminal on which it may say what it wants: only JSON leaves on `terminal.out`.
int InJson(const Terminal& terminal, const std::function<int(const Terminal&, Running*)>& command) {
  NotingBuffer buffer(terminal.out.rdbuf());
  std::ostream out(&buffer);
  std::ostringstream said;
  Running running;
  const int exit_status = command({out, said, terminal.width, terminal.height, terminal.color}, &running);
  out.flush();
  if (exit_status != 0 && !buffer.wrote()) {
    terminal.out << FailureJson(exit_status, running, said.str()) << "\n" << std::flush;
  } else {
    terminal.err << said.str();
  }
  return exit_status;
}

// `ccr help COMMAND` is `ccr -h COMMAND`.
std::vector<const char*> WithoutHelpCommand(const CLI::App& app, int argc, const char* const* argv) {
  std::vector<const char*> words(argv, argv + argc);
  const int command = CommandIndex(app, argc, argv);
  if (command < argc && std::string_view(argv[command]) == "help") words[static_cast<size_t>(command)] = "-h";
  return words;
}

// Makes the path of the configuration absolute; what is wrong with it, else empty.
std::string SettlePath(std::string* path) {
  if (path->empty()) return "no configuration is named: HOME is not set, or --config is empty; write --config FILE";
  *path = AbsolutePath(*path);
  if (path->front() == '/') return "";
  return "the configuration " + *path +
         " cannot be found: the current folder does not exist any more; cd to one that " +
         "does, or give --config an absolute path";
}

int RunIn(int argc, const char* const* argv, const std::string& bin_folder, const Terminal& terminal,
          Running* running) {
  CLI::App app{"One endpoint for Claude Code and SDKs over all your API keys.", "ccr"};
  Arguments arguments;
  arguments.service.bin_folder = bin_folder;
  arguments.service.config_path = DefaultConfigPath();
  Command chosen;
  AddCommands(app, arguments, terminal, chosen);
  const std::vector<const char*> words = WithoutHelpCommand(app, argc, argv);
  try {
    app.parse(SplitOffCode(app, argc, words.data(), &arguments.code), words.data());
  } catch (const CLI::Success& done) {  // --help, --version
    return app.exit(done, terminal.out, terminal.err);
  } catch (const CLI::ParseError& error) {
    const std::string complaint = Complaint(app, error);
    terminal.err << "ccr: " << (HoldsKey(complaint, words, app.got_subcommand("key")) ? KeyOnCommandLine() : complaint)
                 << "\nccr --help lists the commands.\n";
    return 2;
  }
  if (!chosen) {
    terminal.err << app.help();
    return 2;
  }
  const std::string problem = SettlePath(&arguments.service.config_path);
  if (problem.empty() || app.got_subcommand("completion") || app.got_subcommand("__complete")) {
    const int exit_status = chosen();
    const bool of_service = app.got_subcommand("start") || app.got_subcommand("restart") || app.got_subcommand("stop");
    if (of_service && exit_status != 0) *running = FindRunning(FilesOf(arguments.service)).has_value();
    return exit_status;
  }
  terminal.err << "ccr: " << problem << "\n";
  return 2;
}

// --json before the words that are Claude Code's.
bool WantsJson(int argc, const char* const* argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "code"; ++i) {
    if (std::string_view(argv[i]) == "--json") return true;
  }
  return false;
}

}  // namespace

int RunApp(int argc, const char* const* argv, const std::string& bin_folder, const Terminal& terminal) {
  Running running;
  const auto run = [&](const Terminal& on, Running* told) { return RunIn(argc, argv, bin_folder, on, told); };
  return WantsJson(argc, argv) ? InJson(terminal, run) : run(terminal, &running);
}

}  // namespace ccr::cli
