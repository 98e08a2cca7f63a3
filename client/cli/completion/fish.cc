#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/completion/words.h"

namespace ccr::cli {
namespace {

const char kFishHead[] = R"sh(# fish completion of ccr
function __ccr_ask
  set -l words (commandline -opc)
  set -l config
  if set -l at (contains -i -- --config $words)
    set config --config $words[(math $at + 1)]
  end
  set -l before
  if test $argv[1] = KEY
    set before -- $words[-1]
  end
  $words[1] $config __complete $argv[1] $before 2>/dev/null
end
complete -c ccr -f
)sh";

std::string FishCondition(const CommandWords& root, const CommandWords& words) {
  std::vector<std::string> names;
  for (const CommandWords& command : root.commands) names.push_back(command.name);
  if (words.path.empty()) return absl::StrCat("not __fish_seen_subcommand_from ", absl::StrJoin(names, " "));
  std::vector<std::string> seen;
  for (const absl::string_view word : absl::StrSplit(words.path, ' ')) {
    seen.push_back(absl::StrCat("__fish_seen_subcommand_from ", word));
  }
  for (const CommandWords& command : words.commands) {
    seen.push_back("not __fish_seen_subcommand_from " + command.name);
  }
  return absl::StrJoin(seen, "; and ");
}

std::string FishArguments(const std::string& kind) {
  if (kind == kFileKind) return " -F";
  return IsDynamic(kind) ? absl::StrCat(" -a \"(__ccr_ask ", kind, ")\"") : "";
}

std::string FishOption(const OptionWords& option) {
  std::string out;
  for (const std::string& name : option.names) {
    absl::StrAppend(&out, name[1] == '-' ? " -l " : " -s ", name.substr(name[1] == '-' ? 2 : 1));
  }
  if (!option.kind.empty()) absl::StrAppend(&out, " -r", FishArguments(option.kind));
  return absl::StrCat(out, " -d ", SingleQuoted(option.what));
}

std::string FishCommand(const CommandWords& root, const CommandWords& words) {
  const std::string start = absl::StrCat("complete -c ccr -n ", SingleQuoted(FishCondition(root, words)));
  if (words.path == "code") return start + " -F\n";
  std::string out;
  for (const CommandWords& command : words.commands) {
    absl::StrAppend(&out, start, " -a ", command.name, " -d ", SingleQuoted(command.what), "\n");
  }
  // ccr's own options may follow a command too.
  const std::string options_start = words.path.empty() ? "complete -c ccr" : start;
  for (const OptionWords& option : words.options) {
    absl::StrAppend(&out, options_start, FishOption(option), "\n");
  }
  for (const std::string& kind : words.kinds) {
    if (!FishArguments(kind).empty()) absl::StrAppend(&out, start, FishArguments(kind), "\n");
  }
  return out;
}

}  // namespace

std::string FishScript(const CommandWords& root) {
  std::string out = kFishHead;
  for (const CommandWords* words : AllOf(root)) absl::StrAppend(&out, FishCommand(root, *words));
  return out;
}

}  // namespace ccr::cli
