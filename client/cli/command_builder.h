// How one command is added to the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <utility>

namespace ccr::cli {

using Command = std::function<int()>;

// Adds commands to `app`, which must outlive it, as `chosen` must: parsing puts there what is to be done.
class Builder {
 public:
  Builder(CLI::App& app, Command& chosen) : app_(app), chosen_(chosen) {}

  // `run` is what it does. `example` is shown in its help, a line each, indented by two.
  CLI::App* Add(const std::string& group, const std::string& name, const std::string& what, const std::string& example,
                Command run) {
    CLI::App* command = app_.add_subcommand(name, what);
    command->group(group);
    if (!example.empty()) command->footer("Examples:\n" + example);
    command->callback([&chosen = chosen_, run = std::move(run)] { chosen = run; });
    return command;
  }

 private:
  CLI::App& app_;
  Command& chosen_;
};

}  // namespace ccr::cli
