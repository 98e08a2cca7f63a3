// The command line as the completion scripts need it, and what they have in common.
#pragma once

#include <string>
#include <vector>

namespace ccr::cli {

struct OptionWords {
  std::vector<std::string> names;  // "-w", "--watch"
  std::string what;
  std::string kind;         // of the value; empty = a flag
  bool everywhere = false;  // may follow any command
};

// One command as the scripts need it.
struct CommandWords {
  std::string path;  // "rotation", "config check"; empty = ccr itself
  std::string name;  // the last word of it
  std::string what;
  std::vector<OptionWords> options;
  std::vector<std::string> kinds;  // of its positional arguments, in order
  std::vector<CommandWords> commands;
};

// A command and everything under it, parents first.
std::vector<const CommandWords*> AllOf(const CommandWords& words);

// Whether `ccr __complete` knows what an argument of this kind may be.
bool IsDynamic(const std::string& kind);

// Gives `words` and everything under it the options of `root` that may follow any command.
void Inherit(const CommandWords& root, CommandWords* words);

std::string SingleQuoted(const std::string& text);

// The names of all options that take a value: of `kind`, or of any kind when it is empty.
std::vector<std::string> ValueOptions(const CommandWords& root, const std::string& kind = "");

// The lines, the same in bash and zsh, that take one word before the cursor: they set `command` to the path of the
// command, `place` to how many of its own arguments came already, and `skip` when the next word is an option's value.
std::string FindCommand(const CommandWords& root);

std::string BashScript(const CommandWords& root);
std::string ZshScript(const CommandWords& root);
std::string FishScript(const CommandWords& root);

}  // namespace ccr::cli
