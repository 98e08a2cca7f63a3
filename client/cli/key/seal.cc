#include "client/cli/key/seal.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/file_content.h"
#include "broker/base/master_key_file.h"
#include "broker/base/private_path.h"
#include "broker/base/sealer.h"
#include "broker/config/map_reader.h"
#include "broker/config/sealed_keys.h"
#include "client/cli/hidden_input.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

constexpr size_t kMaxInput = 16384;  // a sealed text is a third longer than its key
constexpr size_t kMaxLine = 4096;    // what a terminal gives at once

int Fail(const absl::Status& why, int exit_status, const Terminal& terminal) {
  terminal.err << "ccr: " << why.message() << "\n";
  return exit_status;
}

int Fail(const std::string& why, const Terminal& terminal) {
  terminal.err << "ccr: " << why << "\n";
  return 2;
}

int ExitStatusOf(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

// What is there without its final newlines.
Secret Line(const Secret& text) {
  const std::string_view all = text.Reveal();
  return Secret(all.substr(0, all.find_last_not_of("\r\n") + 1));
}

Secret TypedKey(int in, const Terminal& terminal) {
  const HiddenInput hidden;
  terminal.err << "Key (not shown): " << std::flush;
  ssize_t size = 0;
  const Secret typed = Secret::Filled(kMaxLine, [&](char* space) { size = read(in, space, kMaxLine); });
  terminal.err << "\n";
  return Secret(typed.Reveal().substr(0, static_cast<size_t>(std::max<ssize_t>(size, 0))));
}

absl::StatusOr<Secret> ReadInput(const SealOptions& seal, int in, bool ask, const Terminal& terminal) {
  if (!seal.file.empty()) {
    absl::StatusOr<FileContent> content = ReadFileContent(seal.file, kMaxInput);
    if (content.ok()) return Line(content->text);
    return absl::Status(content.status().code(),
                        absl::StrCat("the key file ", seal.file, " ", content.status().message()));
  }
  if (ask) return Line(TypedKey(in, terminal));
  absl::StatusOr<Secret> content = ReadToEnd(in, kMaxInput);
  if (content.ok()) return Line(*content);
  return absl::Status(content.status().code(), absl::StrCat("standard input ", content.status().message()));
}

// Quotes what looks like a name, not like a key that went astray.
void TellUnknownProvider(const std::string& provider, const std::vector<std::string>& known, const Terminal& terminal) {
  const auto same = [&provider](const std::string& name) { return absl::EqualsIgnoreCase(name, provider); };
  if (std::any_of(known.begin(), known.end(), same)) return;
  const std::string nearest = Nearest(provider, known);
  terminal.err << "warning: the configuration has no provider "
               << (IsShowable(provider) ? "'" + provider + "'" : "of this name") << " yet"
               << (nearest.empty() ? "" : " (did you mean " + nearest + "?)")
               << ": a sealed key opens for the provider alone that is named here\n";
}

int MakeMasterKey(const std::string& path, bool json, const Terminal& terminal) {
  const std::string file = AbsolutePath(path);
  if (const absl::Status made = MakeMasterKeyFile(file, RandomBytes); !made.ok()) return Fail(made, 1, terminal);
  const absl::StatusOr<Secret> key = ReadMasterKeyFile(file);
  if (!key.ok()) return Fail(key.status(), 1, terminal);
  const std::string id = MasterKeyId(*key);
  if (json) {
    terminal.out << boost::json::serialize(boost::json::object{{"file", file}, {"master_key", id}}) << "\n";
  } else {
    terminal.out << file << " is made: the master key " << id
                 << ".\nNext: name it first in Broker.master_key, those before it after it; ccr reload; seal each key "
                    "again by giving its sealed text to ccr key seal.\n";
  }
  return 0;
}

// The key to seal: what came in, or what a sealed text holds.
absl::StatusOr<Secret> KeyOf(Secret input, const MasterKeys& master_keys, const SealContext& context) {
  if (LooksSealed(input.Reveal())) {
    const MasterKeys::SealerResult sealer = master_keys.ToOpen();
    return sealer.ok() ? (*sealer)->Open(input.Reveal(), context) : sealer.status();
  }
  const std::string problem = KeyProblem(input.Reveal());
  if (problem.empty()) return input;
  return absl::InvalidArgumentError(problem);
}

}  // namespace

int SealKey(const ServiceOptions& options, const SealOptions& seal, int in, bool ask, const Terminal& terminal) {
  if (!seal.new_master_key.empty()) {
    if (!seal.provider.empty() || !seal.file.empty()) {
      return Fail("--new-master-key makes a master key and seals nothing: leave provider and --file out", terminal);
    }
    return MakeMasterKey(seal.new_master_key, options.json, terminal);
  }
  if (seal.provider.empty()) return Fail("name the provider whose key it is: ccr key seal PROVIDER", terminal);
  const SealingConfig config = LoadSealingConfig(options.config_path, ProcessEnv(), MasterKeyPlaceOf(options));
  for (const ConfigProblem& problem : config.problems) terminal.err << problem.ToString() << "\n";
  if (config.master_keys == nullptr) return Fail("nothing was sealed", terminal);
  TellUnknownProvider(seal.provider, config.providers, terminal);
  absl::StatusOr<Secret> input = ReadInput(seal, in, ask, terminal);
  if (!input.ok()) return Fail(input.status(), ExitStatusOf(input.status()), terminal);
  const SealContext context = ContextOfFileKey(seal.provider);
  const absl::StatusOr<Secret> key = KeyOf(*std::move(input), *config.master_keys, context);
  if (!key.ok()) return Fail(key.status(), ExitStatusOf(key.status()), terminal);
  const bool is_first =
      absl::IsNotFound(config.master_keys->ToOpen().status()) && config.master_keys->sources().empty();
  const MasterKeys::SealerResult sealer = config.master_keys->ToSeal();
  if (!sealer.ok()) return Fail(sealer.status(), 1, terminal);
  if (is_first) {
    terminal.err << config.master_keys->default_path()
                 << " is made: keep a copy of it apart from the configuration; without it no sealed key opens\n";
  }
  const std::string sealed = (*sealer)->Seal(*key, context);
  if (options.json) {
    terminal.out << boost::json::serialize(boost::json::object{
                        {"provider", seal.provider}, {"master_key", (*sealer)->MasterKeyIds()[0]}, {"sealed", sealed}})
                 << "\n";
  } else {
    terminal.out << sealed << "\n";
  }
  return 0;
}

}  // namespace ccr::cli
