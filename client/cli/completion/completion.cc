#include "client/cli/completion/completion.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/commands.h"
#include "client/cli/completion/words.h"

namespace ccr::cli {
namespace {

std::string FirstSentence(const std::string& text) {
  return text.substr(0, std::min(text.find('\n'), text.size()));
}

CommandWords Describe(const CLI::App& app, const std::string& path) {
  CommandWords words{path, app.get_name(), FirstSentence(app.get_description()), {}, {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    const bool takes_value = option->get_items_expected_min() > 0;
    if (option->get_positional()) {
      words.kinds.push_back(option->get_type_name());
      continue;
    }
    OptionWords& out = words.options.emplace_back();
    for (const std::string& name : option->get_snames()) out.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) out.names.push_back("--" + name);
    out.what = option->get_description();
    if (takes_value) out.kind = option->get_type_name();
    out.everywhere = path.empty() && option != app.get_help_ptr() && option != app.get_version_ptr();
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); })) {
    words.commands.push_back(Describe(*command, absl::StrCat(path, path.empty() ? "" : " ", command->get_name())));
  }
  return words;
}

// Of a provider.
std::vector<std::string> KeyNames(const std::string& provider, const ServiceOptions& service) {
  std::vector<std::string> names;
  if (provider.empty()) return names;
  if (CheckAsked(service).ok()) {
    const absl::StatusOr<broker::v1::ListPoolsResponse> pools = BrokerCall(FindBroker(service)).ListPools(provider);
    if (pools.ok() && pools->pools_size() > 0) {
      for (const broker::v1::KeyStatus& key : pools->pools(0).keys()) names.push_back(key.name());
      return names;
    }
  }
  const ConfigResult result = LoadConfig(service.config_path, ProcessEnv());
  if (!result.config) return names;
  for (const ProviderConfig& known : result.config->providers) {
    if (known.name != provider) continue;
    for (const KeyConfig& key : known.keys) {
      if (!key.name.empty()) names.push_back(key.name);
    }
  }
  return names;
}

}  // namespace

std::vector<const CommandWords*> AllOf(const CommandWords& words) {
  std::vector<const CommandWords*> all{&words};
  for (const CommandWords& command : words.commands) {
    const std::vector<const CommandWords*> under = AllOf(command);
    all.insert(all.end(), under.begin(), under.end());
  }
  return all;
}

void Inherit(const CommandWords& root, CommandWords* words) {
  for (CommandWords& command : words->commands) {
    for (const OptionWords& option : root.options) {
      const bool has = std::any_of(command.options.begin(), command.options.end(),
                                   [&](const OptionWords& own) { return own.names == option.names; });
      if (option.everywhere && !has) command.options.push_back(option);
    }
    Inherit(root, &command);
  }
}

bool IsDynamic(const std::string& kind) {
  return kind == kProviderKind || kind == kRouteKind || kind == kModelKind || kind == kShellKind ||
         kind == kStrategyKind || kind == kKeyKind;
}

std::string SingleQuoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", R"('\'')"}}), "'");
}

std::vector<std::string> ValueOptions(const CommandWords& root, const std::string& kind) {
  std::vector<std::string> names;
  for (const CommandWords* words : AllOf(root)) {
    for (const OptionWords& option : words->options) {
      const bool inherited = option.everywhere && words != &root;
      if (inherited || option.kind.empty() || (!kind.empty() && option.kind != kind)) continue;
      names.insert(names.end(), option.names.begin(), option.names.end());
    }
  }
  return names;
}

std::string FindCommand(const CommandWords& root) {
  std::string out = "    case \"$command:$word\" in\n";
  absl::StrAppend(&out, "      code:*) ;;\n");
  for (const std::string& name : ValueOptions(root)) {
    absl::StrAppend(&out, "      *:", name, ") skip=1 ;;\n");
  }
  absl::StrAppend(&out, "      *:-*) ;;\n");
  for (const CommandWords* words : AllOf(root)) {
    for (const CommandWords& command : words->commands) {
      absl::StrAppend(&out, "      \"", words->path, ":", command.name, "\") command=\"", command.path,
                      "\" place=0 ;;\n");
    }
  }
  return out + "      *) place=$((place + 1)) ;;\n    esac\n";
}

const std::vector<std::string>& CompletionShells() {
  static const auto* const shells = new std::vector<std::string>{"bash", "zsh", "fish"};
  return *shells;
}

std::string CompletionScript(const CLI::App& app, const std::string& shell) {
  CommandWords root = Describe(app, "");
  if (shell == "fish") return FishScript(root);
  Inherit(CommandWords(root), &root);
  return shell == "zsh" ? ZshScript(root) : BashScript(root);
}

std::string Candidates(const std::string& kind, const std::string& before, const ServiceOptions& service) {
  std::vector<std::string> candidates;
  if (kind == kKeyKind) candidates = KeyNames(before, service);
  if (kind == kShellKind) candidates = CompletionShells();
  if (kind == kRouteKind) candidates = RouteNames();
  if (kind == kStrategyKind) candidates.assign(StrategyWords().begin(), StrategyWords().end());
  if (kind == kProviderKind || kind == kModelKind) {
    const ConfigResult result = LoadConfig(service.config_path, ProcessEnv());
    if (!result.config) return "";
    for (const ProviderConfig& provider : result.config->providers) {
      if (kind == kProviderKind) candidates.push_back(provider.name);
      for (const std::string& model : provider.models) {
        if (kind == kModelKind) candidates.push_back(absl::StrCat(provider.name, ",", model));
      }
    }
  }
  return candidates.empty() ? "" : absl::StrJoin(candidates, "\n") + "\n";
}

}  // namespace ccr::cli
