#include "client/cli/key/key_import.h"

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <functional>
#include <optional>
#include <ostream>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/broker_call.h"
#include "client/cli/key/key_commands.h"
#include "client/cli/key/key_input.h"
#include "client/cli/key/key_view.h"
#include "client/cli/key/new_key.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
namespace json = boost::json;

constexpr size_t kChunk = 1000;
constexpr size_t kToldKeys = 20;  // of each kind, to people
constexpr size_t kBarWidth = 30;

// "[######----]  3,000/10,000 keys sent", drawn over itself; nothing where nobody looks.
class Bar {
 public:
  Bar(size_t all, const char* what, bool shown, const Terminal& terminal)
      : all_(all), what_(what), shown_(shown && terminal.interactive()), out_(terminal.out) {
    Show(0);
  }
  ~Bar() {
    if (shown_) out_ << "\r\x1b[K" << std::flush;
  }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  void Show(size_t done) {
    if (!shown_) return;
    const size_t full = all_ == 0 ? kBarWidth : kBarWidth * done / all_;
    out_ << "\r[" << std::string(full, '#') << std::string(kBarWidth - full, '-') << "] " << done << "/" << all_ << " "
         << what_ << std::flush;
  }

 private:
  const size_t all_;
  const char* const what_;
  const bool shown_;
  std::ostream& out_;
};

// What became of one key of the file.
struct Fate {
  int line = 0;
  v1::AddedKey added;
  std::optional<absl::StatusOr<v1::ProbeKeyResponse>> test;

  bool Refused() const { return test.has_value() && test->ok() && (*test)->outcome() != v1::OUTCOME_SUCCESS; }
  bool NotAsked() const { return test.has_value() && !test->ok(); }
  std::string TestText() const { return test->ok() ? ProbeText(**test) : std::string(test->status().message()); }
};

struct Import {
  std::string provider;  // as the broker writes it
  std::vector<Fate> fates;
  std::vector<std::string> repeated;
  uint32_t total_keys = 0;
  bool dry_run = false;

  size_t Count(v1::AddedKey::Outcome outcome) const {
    return static_cast<size_t>(std::count_if(fates.begin(), fates.end(),
                                             [outcome](const Fate& fate) { return fate.added.outcome() == outcome; }));
  }
  size_t Count(bool (Fate::*is)() const) const {
    return static_cast<size_t>(std::count_if(fates.begin(), fates.end(), std::mem_fn(is)));
  }
};

absl::Status Send(BrokerCall& broker, const KeyOptions& options, const KeyList& list, Bar& bar, Import* import) {
  for (size_t begin = 0; begin < list.keys.size(); begin += kChunk) {
    const size_t end = std::min(begin + kChunk, list.keys.size());
    v1::AddKeysRequest request;
    request.set_pool(options.provider);
    request.set_dry_run(options.dry_run);
    for (size_t i = begin; i < end; ++i) *request.add_keys() = ToProto(list.keys[i].key, list.keys[i].key.secret);
    const absl::StatusOr<v1::AddKeysResponse> response = broker.AddKeys(request);
    for (v1::NewKey& key : *request.mutable_keys()) WipeText(key.mutable_secret());
    if (!response.ok()) return response.status();
    if (static_cast<size_t>(response->keys_size()) != end - begin)
      return absl::InternalError("the broker did not say what became of each key");
    import->provider = response->provider();
    import->total_keys = response->total_keys();
    for (size_t i = begin; i < end; ++i)
      import->fates.push_back({list.keys[i].line, response->keys(static_cast<int>(i - begin)), std::nullopt});
    bar.Show(end);
  }
  return absl::OkStatus();
}

// Asks for each key that was added, so many at once. This thread is one of them, and the one that tells how far it is.
void Validate(BrokerCall& broker, uint32_t parallel, Bar& bar, Import* import) {
  std::vector<Fate*> added;
  for (Fate& fate : import->fates) {
    if (fate.added.outcome() == v1::AddedKey::ADDED) added.push_back(&fate);
  }
  std::atomic<size_t> next{0};
  std::atomic<size_t> done{0};
  const auto work = [&](bool tells) {
    for (size_t i = next++; i < added.size(); i = next++) {
      v1::KeyRef ref;
      ref.set_pool(import->provider);
      ref.set_key(added[i]->added.fingerprint());
      added[i]->test = broker.ProbeKey(ref);
      ++done;
      if (tells) bar.Show(done);
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min<size_t>(parallel, added.size()); ++i) threads.emplace_back(work, false);
  work(true);
  for (std::thread& thread : threads) thread.join();
}

// At most kToldKeys lines of them.
void TellSome(const std::vector<std::string>& lines, std::ostream& out) {
  for (size_t i = 0; i < std::min(lines.size(), kToldKeys); ++i) out << lines[i] << "\n";
  if (lines.size() > kToldKeys) out << "and " << lines.size() - kToldKeys << " more: --json names all\n";
}

void Tell(const Import& import, bool validated, const Terminal& terminal) {
  std::vector<std::string> known, invalid, refused;
  std::set<std::string> why_not_asked;
  for (const Fate& fate : import.fates) {
    const std::string line = absl::StrCat("line ", fate.line, ": ");
    if (fate.added.outcome() == v1::AddedKey::KNOWN)
      known.push_back(absl::StrCat(line, import.provider, " has this key already, as '", fate.added.name(), "'"));
    if (fate.added.outcome() != v1::AddedKey::KNOWN && fate.added.outcome() != v1::AddedKey::ADDED)
      invalid.push_back(absl::StrCat(line, "not taken: ", fate.added.message()));
    if (fate.NotAsked()) why_not_asked.insert(fate.TestText());
    if (fate.Refused()) refused.push_back(absl::StrCat(line, "'", fate.added.name(), "': ", fate.TestText()));
  }
  TellSome(import.repeated, terminal.err);
  TellSome(known, terminal.err);
  TellSome(invalid, terminal.err);
  TellSome(refused, terminal.err);
  TellSome({why_not_asked.begin(), why_not_asked.end()}, terminal.err);
  const size_t added = import.Count(v1::AddedKey::ADDED);
  std::vector<std::string> parts{absl::StrCat(Keys(added), import.dry_run ? " would be added" : " added")};
  if (!known.empty()) parts.push_back(absl::StrCat(known.size(), " known already"));
  if (!import.repeated.empty()) parts.push_back(absl::StrCat(import.repeated.size(), " more than once in the file"));
  if (!invalid.empty()) parts.push_back(absl::StrCat(invalid.size(), " not taken"));
  const size_t not_asked = import.Count(&Fate::NotAsked);
  if (validated) {
    parts.push_back(
        absl::StrCat(added - refused.size() - not_asked, " taken by the provider, ", refused.size(), " not"));
  }
  if (not_asked > 0) parts.push_back(absl::StrCat(not_asked, " could not be tested"));
  terminal.out << import.provider << ": " << absl::StrJoin(parts, ", ");
  if (import.dry_run) {
    terminal.out << "; nothing was changed.\n";
    return;
  }
  terminal.out << "; " << Keys(import.total_keys) << " now.";
  if (added > 0)
    terminal.out << " Taking one back: ccr key remove " << ShellWord(import.provider) << " NAME, of ccr key list "
                 << ShellWord(import.provider);
  terminal.out << "\n";
}

json::value TestValue(const Fate& fate) {
  if (!fate.test.has_value()) return nullptr;
  return fate.test->ok() ? ProbeObject(**fate.test) : json::object{{"outcome", nullptr}, {"detail", fate.TestText()}};
}

void TellJson(const Import& import, bool validated, const Terminal& terminal) {
  json::array keys;
  for (const Fate& fate : import.fates) {
    const bool added = fate.added.outcome() == v1::AddedKey::ADDED;
    const bool known = fate.added.outcome() == v1::AddedKey::KNOWN;
    keys.push_back(json::object{
        {"line", fate.line},
        {"outcome", added   ? "added"
                    : known ? "known"
                            : "invalid"},
        {"name", fate.added.name()},
        {"fingerprint",
         fate.added.fingerprint().empty() ? json::value(nullptr) : json::value(fate.added.fingerprint())},
        {"message", fate.added.message().empty() ? json::value(nullptr) : json::value(fate.added.message())},
        {"test", TestValue(fate)}});
  }
  const size_t added = import.Count(v1::AddedKey::ADDED);
  const size_t known = import.Count(v1::AddedKey::KNOWN);
  terminal.out << json::serialize(json::object{
                      {"provider", import.provider},
                      {"dry_run", import.dry_run},
                      {"added", added},
                      {"known", known},
                      {"repeated", import.repeated.size()},
                      {"invalid", import.fates.size() - added - known},
                      {"refused", validated ? json::value(import.Count(&Fate::Refused)) : json::value(nullptr)},
                      {"total_keys", import.total_keys},
                      {"keys", std::move(keys)}})
               << "\n";
}

}  // namespace

int ImportKeys(const ServiceOptions& service, const KeyOptions& options, std::istream& in, const Terminal& terminal) {
  absl::StatusOr<KeyList> list = ReadKeyList(options.file, in);
  if (!list.ok()) {
    terminal.err << "ccr: " << list.status().message() << "\nnothing was sent\n";
    return 2;
  }
  BrokerCall broker(FindBroker(service));
  Import import;
  import.dry_run = options.dry_run;
  import.repeated = std::move(list->repeated);
  absl::Status sent;
  {
    Bar bar(list->keys.size(), "keys sent", !service.json, terminal);
    sent = Send(broker, options, *list, bar, &import);
  }
  if (!sent.ok()) {
    const int exit_status = TellRefusal(broker, sent, options.provider, "", terminal);
    if (const size_t added = import.Count(v1::AddedKey::ADDED); added > 0 && !options.dry_run)
      terminal.err << Keys(added) << " of " << list->keys.size()
                   << " were added before: with the same file again they are known\n";
    return exit_status;
  }
  const bool validated = options.validate && !options.dry_run;
  if (validated) {
    Bar bar(import.Count(v1::AddedKey::ADDED), "keys tested", !service.json, terminal);
    Validate(broker, options.parallel, bar, &import);
  }
  if (service.json) {
    TellJson(import, validated, terminal);
  } else {
    Tell(import, validated, terminal);
  }
  const size_t good = import.Count(v1::AddedKey::ADDED) + import.Count(v1::AddedKey::KNOWN);
  return good == import.fates.size() && import.Count(&Fate::Refused) + import.Count(&Fate::NotAsked) == 0 ? 0 : 1;
}

}  // namespace ccr::cli
