#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/completion/words.h"

namespace ccr::cli {
namespace {

std::vector<std::string> OptionNames(const CommandWords& words) {
  std::vector<std::string> names;
  for (const OptionWords& option : words.options) names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

const char kBashHead[] = R"sh(# bash completion of ccr
_ccr_ask() {
  "${COMP_WORDS[0]}" ${config:+--config "$config"} __complete "$1" ${2:+-- "$2"} 2>/dev/null
}

_ccr() {
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="" place=0 skip=0 config="" i word
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    if [ "$skip" = 1 ]; then
      [ "${COMP_WORDS[i-1]}" = --config ] && config="$word"
      skip=0
      continue
    fi
)sh";

const char kBashTail[] = R"sh(  if [ "${#COMPREPLY[@]}" = 0 ] && [ "$files" = 1 ]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}
complete -F _ccr ccr
)sh";

std::string BashCommand(const CommandWords& words) {
  std::string out = absl::StrCat("    \"", words.path, "\")\n");
  absl::StrAppend(&out, "      options=\"", absl::StrJoin(OptionNames(words), " "), "\"\n");
  std::vector<std::string> commands;
  for (const CommandWords& command : words.commands) commands.push_back(command.name);
  if (!commands.empty()) absl::StrAppend(&out, "      words=\"", absl::StrJoin(commands, " "), "\"\n");
  for (size_t i = 0; i < words.kinds.size(); ++i) {
    if (words.kinds[i] == kFileKind) absl::StrAppend(&out, "      [ $place = ", i, " ] && files=1\n");
    if (IsDynamic(words.kinds[i])) {
      absl::StrAppend(&out, "      [ $place = ", i, " ] && words=\"$(_ccr_ask ", words.kinds[i],
                      words.kinds[i] == kKeyKind ? " \"$prev\"" : "", ")\"\n");
    }
  }
  return out + "      ;;\n";
}

}  // namespace

std::string BashScript(const CommandWords& root) {
  std::string out = absl::StrCat(kBashHead, FindCommand(root), "  done\n");
  const std::string files = absl::StrJoin(ValueOptions(root, kFileKind), "|");
  absl::StrAppend(&out, "  local options=\"\" words=\"\" files=0\n  COMPREPLY=()\n  case \"$command\" in\n");
  absl::StrAppend(&out, "    code) files=1 ;;\n");
  for (const CommandWords* words : AllOf(root)) {
    if (words->path != "code") absl::StrAppend(&out, BashCommand(*words));
  }
  absl::StrAppend(&out, "  esac\n");
  absl::StrAppend(&out, "  if [ \"$skip\" = 1 ]; then\n    options=\"\" words=\"\" files=0\n    case \"$prev\" in ",
                  files, ") files=1 ;; esac\n  fi\n");
  absl::StrAppend(&out,
                  "  case \"$cur\" in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
                  "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n  esac\n");
  return out + kBashTail;
}

}  // namespace ccr::cli
