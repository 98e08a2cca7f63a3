#include "client/cli/migrate/migrate_from.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/base/absl_text.h"
#include "broker/base/private_path.h"
#include "broker/config/endpoint.h"
#include "broker/config/url.h"
#include "client/cli/migrate/config_text.h"
#include "client/cli/migrate/readers.h"
#include "client/cli/migrate/writing.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace migration {
namespace {

std::string Counted(size_t number, const std::string& noun) {
  return absl::StrCat(number, " ", noun, number == 1 ? "" : "s");
}

absl::StatusOr<Migration> ReadAll(const MigrateOptions& migrate, std::istream& in) {
  if (migrate.files.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("name what ", migrate.from, " exported: ccr migrate --from ",
                                                   migrate.from, " FILE, or - for stdin"));
  }
  std::vector<Source> sources;
  for (const std::string& file : migrate.files) {
    absl::StatusOr<Source> source = ReadSource(file, in);
    if (!source.ok()) return source.status();
    sources.push_back(*std::move(source));
  }
  if (migrate.from == "litellm") return ReadLitellm(sources, ProcessEnv());
  return migrate.from == "gpt-load" ? ReadGptLoad(sources) : ReadNewApi(sources);
}

// What the configuration holds, as the report names it.
void AddTaken(const Config& config, const Draft& draft, std::vector<Note>* taken) {
  for (const ProviderConfig& provider : config.providers) {
    const size_t keys = provider.keys.size();
    taken->push_back(
        {provider.name, absl::StrCat(Counted(provider.models.size(), "model"), ", ",
                                     ToAbsl(FormatName(provider.format)), ", ", Counted(keys, "key"),
                                     keys > 1 ? " by " + provider.strategy : "", ", ", DescribeEndpoint(provider))});
  }
  if (!draft.default_route.empty()) taken->push_back({"Router.default", draft.default_route});
  if (!draft.fallbacks.empty()) taken->push_back({"fallback.default", absl::StrJoin(draft.fallbacks, ", then ")});
  if (draft.client_token) taken->push_back({"APIKEY", "clients must send it, as they do now"});
  if (draft.api_timeout_ms) taken->push_back({"API_TIMEOUT_MS", absl::StrCat(*draft.api_timeout_ms)});
}

size_t CountFiles(const Draft& draft) {
  size_t count = draft.client_token_file.empty() ? 0 : 1;
  for (const ProviderDraft& provider : draft.providers) {
    count += static_cast<size_t>(std::count_if(provider.keys.begin(), provider.keys.end(),
                                               [](const KeyDraft& key) { return !key.file.empty(); }));
  }
  return count;
}

void PrintNotes(const std::string& title, const std::vector<Note>& notes, std::ostream& out) {
  if (notes.empty()) return;
  out << "\n" << title << "\n";
  for (const Note& note : notes) {
    const std::string line = absl::StrCat(note.where, ": ", note.text);
    out << "  " << Fit(line, DisplayWidth(line)) << "\n";
  }
}

boost::json::array NotesJson(const std::vector<Note>& notes) {
  boost::json::array list;
  for (const Note& note : notes) list.push_back({{"where", note.where}, {"text", note.text}});
  return list;
}

// One migration from its files to the report.
class Run {
 public:
  Run(const ServiceOptions& options, const MigrateOptions& migrate, const Terminal& terminal)
      : migrate_(migrate),
        terminal_(terminal),
        json_(options.json),
        path_(migrate.output.empty() ? options.config_path : AbsolutePath(migrate.output)),
        by_default_(path_ == DefaultConfigPath()) {}

  int Do(std::istream& in) {
    absl::StatusOr<Migration> read = ReadAll(migrate_, in);
    if (!read.ok()) return Fail(std::string(read.status().message()), 2);
    migration_ = *std::move(read);
    Draft& draft = migration_.draft;
    if (draft.providers.empty()) return NothingTaken();
    NameFiles(&draft);
    if (const int bad = Check(); bad != 0) return bad;
    const std::string text = ConfigText(draft, Keys::kInFiles);
    absl::Status status = CheckPlaces(draft, path_, migrate_.force);
    if (!migrate_.dry_run && status.ok()) status = Write(draft, text, path_, migrate_.force);
    if (!status.ok()) return Fail(std::string(status.message()), 1);
    Report(text);
    return migrate_.dry_run ? 0 : Verdict();
  }

 private:
  int Fail(const std::string& why, int exit_status) {
    terminal_.err << "ccr: " << migration_.hider.Hidden(why) << "\n";
    return exit_status;
  }

  std::vector<Note> Shown(const std::vector<Note>& notes) const {
    std::vector<Note> shown = Merged(notes);
    for (Note& note : shown) {
      note = {migration_.hider.Hidden(std::move(note.where)), migration_.hider.Hidden(std::move(note.text))};
    }
    return shown;
  }

  int NothingTaken() {
    for (const Note& note : Shown(migration_.notes.not_taken)) {
      const std::string line = absl::StrCat(note.where, ": ", note.text);
      terminal_.err << "ccr: " << Fit(line, DisplayWidth(line)) << "\n";
    }
    return Fail(absl::StrCat("nothing in ", absl::StrJoin(migrate_.files, ", "), " can be taken; nothing was written"),
                2);
  }

  // Whether what was written loads, with the keys that it names.
  int Verdict() {
    const ConfigResult result = LoadConfig(path_, ProcessEnv());
    for (const ConfigProblem& problem : result.problems) {
      if (problem.severity == ConfigProblem::Severity::kError) terminal_.err << problem.ToString() << "\n";
    }
    return result.config ? 0 : Fail(path_ + " was written, and does not load", 1);
  }

  // Whether the configuration will load, with texts in place of the keys.
  int Check() {
    const ConfigResult result = ParseConfig(ConfigText(migration_.draft, Keys::kStandIn), path_, ProcessEnv());
    for (const ConfigProblem& problem : result.problems) {
      const std::string field = problem.field.empty() ? "" : problem.field + ": ";
      const std::string where = problem.provider.empty() ? "the configuration" : "provider " + problem.provider;
      if (result.config) {
        look_at_.push_back({where, field + problem.message});
      } else if (problem.severity == ConfigProblem::Severity::kError) {
        terminal_.err << "ccr: " << migration_.hider.Hidden(where + ": " + field + problem.message) << "\n";
      }
    }
    if (!result.config) return Fail("what would be written does not load; nothing was written", 2);
    AddTaken(*result.config, migration_.draft, &migration_.notes.taken);
    return 0;
  }

  void Report(const std::string& text) const {
    if (json_) return ReportJson(text);
    const Notes& notes = migration_.notes;
    std::ostream& out = terminal_.out;
    const size_t files = CountFiles(migration_.draft);
    const std::string with = files == 0 ? "" : absl::StrCat(", with ", Counted(files, "key file"), " in ", KeyFolder());
    if (migrate_.dry_run) {
      out << text << "\nNothing was written. It would be " << path_ << with << ".\n";
    } else {
      out << path_ << " is written" << with << ".\n";
    }
    PrintNotes("Taken", Shown(notes.taken), out);
    PrintNotes("Not taken", Shown(notes.not_taken), out);
    PrintNotes("Different here", Shown(notes.different), out);
    PrintNotes("Worth a look", Shown(look_at_), out);
    const std::string command = by_default_ ? "ccr " : "ccr --config " + path_ + " ";
    if (!migrate_.dry_run) out << "\nNext: " << command << "config check, then " << command << "start\n";
  }

  void ReportJson(const std::string& text) const {
    boost::json::array key_files;
    const std::string folder = KeyFolder().substr(0, KeyFolder().size() - std::string_view(kKeyFolder).size());
    if (!migration_.draft.client_token_file.empty()) {
      key_files.push_back(boost::json::value(folder + migration_.draft.client_token_file));
    }
    for (const ProviderDraft& provider : migration_.draft.providers) {
      for (const KeyDraft& key : provider.keys) {
        if (!key.file.empty()) key_files.push_back(boost::json::value(folder + key.file));
      }
    }
    const Notes& notes = migration_.notes;
    terminal_.out << boost::json::serialize(boost::json::object{{"from", migrate_.from},
                                                                {"config", path_},
                                                                {"written", !migrate_.dry_run},
                                                                {"key_files", key_files},
                                                                {"taken", NotesJson(Shown(notes.taken))},
                                                                {"not_taken", NotesJson(Shown(notes.not_taken))},
                                                                {"different", NotesJson(Shown(notes.different))},
                                                                {"look_at", NotesJson(Shown(look_at_))},
                                                                {"configuration", boost::json::parse(text)}})
                  << "\n";
  }

  std::string KeyFolder() const { return absl::StrCat(path_.substr(0, path_.rfind('/') + 1), kKeyFolder); }

  const MigrateOptions& migrate_;
  const Terminal& terminal_;
  const bool json_;
  const std::string path_;
  const bool by_default_;
  Migration migration_;
  std::vector<Note> look_at_;
};

}  // namespace
}  // namespace migration

const std::vector<std::string>& MigrationSources() {
  static const auto* const sources = new std::vector<std::string>{"litellm", "gpt-load", "new-api"};
  return *sources;
}

int MigrateFrom(const ServiceOptions& options, const MigrateOptions& migrate, std::istream& in,
                const Terminal& terminal) {
  return migration::Run(options, migrate, terminal).Do(in);
}

}  // namespace ccr::cli
