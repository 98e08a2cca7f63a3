#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/commands.h"
#include "client/cli/completion/words.h"

namespace ccr::cli {
namespace {

const char kZshHead[] = R"sh(#compdef ccr
_ccr() {
  local command="" place=0 skip=0 config="" i word
  local -a options commands candidates before
  for ((i = 2; i < CURRENT; i++)); do
    word="${words[i]}"
    if [[ $skip = 1 ]]; then
      [[ "${words[i-1]}" = --config ]] && config="$word"
      skip=0
      continue
    fi
)sh";

const char kZshTail[] = R"sh(  if [[ -n $kind ]]; then
    [[ $kind = KEY ]] && before=(-- ${words[CURRENT-1]})
    candidates=(${(f)"$(${words[1]} ${config:+--config} ${config:+$config} __complete $kind $before 2>/dev/null)"})
    compadd -a candidates
  fi
  (( $#commands )) && _describe command commands
  [[ ${words[CURRENT]} = -* ]] && _describe option options
  [[ $files = 1 ]] && _files
}
if [[ $funcstack[1] = _ccr ]]; then
  _ccr "$@"
else
  compdef _ccr ccr
fi
)sh";

// "NAME:DESCRIPTION" for _describe.
std::string ZshItem(const std::string& name, const std::string& what) {
  return SingleQuoted(absl::StrCat(name, ":", absl::StrReplaceAll(what, {{":", "\\:"}})));
}

std::string ZshCommand(const CommandWords& words) {
  std::string out = absl::StrCat("    \"", words.path, "\")\n      options=(\n");
  for (const OptionWords& option : words.options) {
    for (const std::string& name : option.names) absl::StrAppend(&out, "        ", ZshItem(name, option.what), "\n");
  }
  absl::StrAppend(&out, "      )\n");
  if (!words.commands.empty()) {
    absl::StrAppend(&out, "      commands=(\n");
    for (const CommandWords& command : words.commands) {
      absl::StrAppend(&out, "        ", ZshItem(command.name, command.what), "\n");
    }
    absl::StrAppend(&out, "      )\n");
  }
  for (size_t i = 0; i < words.kinds.size(); ++i) {
    if (words.kinds[i] == kFileKind) absl::StrAppend(&out, "      [[ $place = ", i, " ]] && files=1\n");
    if (IsDynamic(words.kinds[i])) {
      absl::StrAppend(&out, "      [[ $place = ", i, " ]] && kind=", words.kinds[i], "\n");
    }
  }
  return out + "      ;;\n";
}

}  // namespace

std::string ZshScript(const CommandWords& root) {
  std::string out = absl::StrCat(kZshHead, FindCommand(root), "  done\n  local kind=\"\" files=0\n");
  absl::StrAppend(&out, "  if [[ $skip = 1 ]]; then\n    case \"${words[CURRENT-1]}\" in ",
                  absl::StrJoin(ValueOptions(root, kFileKind), "|"), ") _files ;; esac\n    return\n  fi\n");
  absl::StrAppend(&out, "  case \"$command\" in\n    code) files=1 ;;\n");
  for (const CommandWords* words : AllOf(root)) {
    if (words->path != "code") absl::StrAppend(&out, ZshCommand(*words));
  }
  return absl::StrCat(out, "  esac\n", kZshTail);
}

}  // namespace ccr::cli
