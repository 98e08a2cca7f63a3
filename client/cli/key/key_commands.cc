#include "client/cli/key/key_commands.h"

#include <boost/json.hpp>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/key/key_input.h"
#include "client/cli/key/key_view.h"
#include "client/cli/key/new_key.h"
#include "client/cli/rotation/rotation_json.h"
#include "client/cli/rotation/rotation_view.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
namespace json = boost::json;

constexpr size_t kNamedKeys = 10;  // in a message

int Fail(const Terminal& terminal, const std::string& why, int exit_status = 2) {
  terminal.err << "ccr: " << why << "\n";
  return exit_status;
}

v1::KeyRef Ref(const KeyOptions& options) {
  v1::KeyRef ref;
  ref.set_pool(options.provider);
  ref.set_key(options.key);
  return ref;
}

// "ccr key enable openai work"
std::string Line(const std::string& command, const std::string& provider, const std::string& key) {
  return absl::StrCat("ccr key ", command, " ", ShellWord(provider), key.empty() ? "" : " ",
                      key.empty() ? "" : ShellWord(key));
}

// "openai's key 'work'"
std::string Named(const std::string& provider, const std::string& key) {
  const std::string name = absl::StrCat(provider, "'s key '", key, "'");
  return Fit(name, DisplayWidth(name));
}

// `words` says in plain words what is so now.
int TellChange(const absl::StatusOr<v1::KeyChange>& change, const std::string& words, bool as_json,
               const Terminal& terminal) {
  if (as_json) {
    terminal.out << KeyChangeJson(change->provider(), change->key()) << "\n";
  } else {
    terminal.out << Named(change->provider(), change->key().name()) << " " << words << "\n";
  }
  return 0;
}

void WarnOfNone(BrokerCall& broker, const std::string& provider, const Terminal& terminal) {
  const absl::StatusOr<v1::ListPoolsResponse> response = broker.ListPools(provider);
  if (!response.ok() || response->pools_size() == 0 || response->pools(0).available_keys() > 0) return;
  terminal.err << "No key of " << provider << " could be used now: requests wait, or get an error.\n";
}

// Of a provider, the one key with that fingerprint; else nothing but what is known.
v1::KeyStatus FindKey(BrokerCall& broker, const std::string& provider, const v1::AddedKey& added) {
  const absl::StatusOr<v1::ListPoolsResponse> response = broker.ListPools(provider);
  if (response.ok()) {
    for (const v1::PoolStatus& pool : response->pools()) {
      for (const v1::KeyStatus& key : pool.keys()) {
        if (key.fingerprint() == added.fingerprint()) return key;
      }
    }
  }
  v1::KeyStatus key;
  key.set_name(added.name());
  key.set_fingerprint(added.fingerprint());
  return key;
}

int TellAdded(BrokerCall& broker, const v1::AddKeysResponse& response, const KeyOptions& options, bool as_json,
              const Terminal& terminal) {
  if (response.keys_size() != 1) return Fail(terminal, "the broker did not say what became of the key", 1);
  const v1::AddedKey& added = response.keys(0);
  const std::string& provider = response.provider();
  if (added.outcome() == v1::AddedKey::KNOWN) {
    return Fail(terminal, absl::StrCat(provider, " has this key already, as '", added.name(), "'; nothing was changed"),
                1);
  }
  if (added.outcome() != v1::AddedKey::ADDED) return Fail(terminal, added.message());
  if (as_json) {
    json::object object{{"provider", provider},
                        {"key", KeyObject(FindKey(broker, provider, added))},
                        {"total_keys", response.total_keys()},
                        {"dry_run", options.dry_run}};
    terminal.out << json::serialize(object) << "\n";
  } else if (options.dry_run) {
    terminal.out << Named(provider, added.name()) << " would be added; nothing was changed.\n";
  } else {
    terminal.out << Named(provider, added.name()) << " is added (fingerprint " << added.fingerprint()
                 << ") and may serve: " << Keys(response.total_keys())
                 << " now. Taking it back: " << Line("remove", provider, added.name()) << "\n";
  }
  return 0;
}

}  // namespace

std::string KeyOnCommandLine() {
  return "a key has no place on the command line: it is in your shell's history now, and other users could see it in "
         "the "
         "list of processes. Revoke it at the provider, and hand its successor over on standard input, in a file "
         "(--file FILE), or typed unseen: ccr key add PROVIDER. Existing keys are named by name or fingerprint: ccr "
         "key "
         "list";
}

int TellRefusal(BrokerCall& broker, const absl::Status& status, const std::string& provider, const std::string& key,
                const Terminal& terminal) {
  std::string text = broker.Explain(status);
  if (absl::StrContains(status.message(), "in effect"))  // it came to the broker, which has no disk
    text = absl::StrCat("broker at ", broker.address(), ": ", status.message());
  if (absl::IsNotFound(status) && !absl::StrContains(status.message(), "did you mean")) {
    const absl::StatusOr<v1::ListPoolsResponse> pools = broker.ListPools(provider);
    if (!pools.ok()) {
      text += broker.Meant(provider, pools.status());
    } else if (!key.empty() && pools->pools_size() > 0) {
      std::vector<std::string> names;
      for (const v1::KeyStatus& known : pools->pools(0).keys()) names.push_back(known.name());
      const std::string nearest = Nearest(key, names);
      const bool cut = names.size() > kNamedKeys;
      if (cut) names.resize(kNamedKeys);
      absl::StrAppend(&text, nearest.empty() ? "; there is " + absl::StrJoin(names, ", ") + (cut ? ", ..." : "")
                                             : "; did you mean '" + nearest + "'?");
    }
  }
  terminal.err << "ccr: " << text << "\n";
  return absl::IsInvalidArgument(status) ? 2 : broker.ExitStatus(status);
}

int ListKeys(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal) {
  BrokerCall broker(FindBroker(service));
  const absl::StatusOr<v1::ListPoolsResponse> response = broker.ListPools(options.provider);
  if (!response.ok()) return TellRefusal(broker, response.status(), options.provider, "", terminal);
  terminal.out << (service.json ? RotationJson(*response) + "\n"
                                : KeyTable(*response, NowOf(*response), terminal.width));
  return 0;
}

int AddKey(const ServiceOptions& service, const KeyOptions& options, std::istream& in, bool ask,
           const Terminal& terminal) {
  for (const std::string& word : options.strays) {
    if (LooksLikeKey(word)) return Fail(terminal, KeyOnCommandLine());
  }
  if (!options.strays.empty()) {
    return Fail(terminal, "ccr key add takes a provider and nothing more. If the other word is a key: " +
                              KeyOnCommandLine() + ". If it is a name: --name NAME");
  }
  if (options.fresh.weight == 0) return Fail(terminal, "only a key of the configuration file can have weight 0");
  BrokerCall broker(FindBroker(service));
  if (ask && options.file.empty()) {  // nobody shall type it in vain
    const absl::StatusOr<v1::ListPoolsResponse> pools = broker.ListPools(options.provider);
    if (!pools.ok()) return TellRefusal(broker, pools.status(), options.provider, "", terminal);
  }
  const absl::StatusOr<Secret> key = ReadOneKey(options.file, in, ask, terminal);
  if (!key.ok()) return Fail(terminal, std::string(key.status().message()));
  v1::AddKeysRequest request;
  request.set_pool(options.provider);
  request.set_dry_run(options.dry_run);
  *request.add_keys() = ToProto(options.fresh, *key);
  const absl::StatusOr<v1::AddKeysResponse> response = broker.AddKeys(request);
  WipeText(request.mutable_keys(0)->mutable_secret());
  if (!response.ok()) return TellRefusal(broker, response.status(), options.provider, "", terminal);
  return TellAdded(broker, *response, options, service.json, terminal);
}

int RemoveKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal) {
  BrokerCall broker(FindBroker(service));
  const absl::StatusOr<v1::RemoveKeyResponse> removed = broker.RemoveKey(Ref(options));
  if (!removed.ok()) return TellRefusal(broker, removed.status(), options.provider, options.key, terminal);
  if (service.json) {
    terminal.out << json::serialize(json::object{{"provider", removed->provider()},
                                                 {"removed", options.key},
                                                 {"total_keys", removed->total_keys()}})
                 << "\n";
  } else {
    terminal.out << Named(removed->provider(), options.key) << " is removed: no request gets it, "
                 << Keys(removed->total_keys())
                 << " left. Taking it back, with the key on standard input: " << Line("add", removed->provider(), "")
                 << "\n";
  }
  return 0;
}

int DisableKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal) {
  v1::DisableKeyRequest request;
  *request.mutable_key() = Ref(options);
  std::string until = "until it is enabled";
  if (!options.disable_for.empty()) {
    const absl::StatusOr<absl::Duration> time = ParseTime(options.disable_for);
    if (!time.ok()) return Fail(terminal, absl::StrCat("--for: ", time.status().message()));
    request.set_for_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(*time)));
    until = "for " + FormatWait(*time);
  }
  BrokerCall broker(FindBroker(service));
  const absl::StatusOr<v1::KeyChange> change = broker.DisableKey(request);
  if (!change.ok()) return TellRefusal(broker, change.status(), options.provider, options.key, terminal);
  if (!service.json) WarnOfNone(broker, change->provider(), terminal);
  return TellChange(
      change,
      absl::StrCat("is disabled ", until, ": no request gets it, those that have it go on. Taking it back: ",
                   Line("enable", change->provider(), change->key().name())),
      service.json, terminal);
}

int EnableKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal) {
  BrokerCall broker(FindBroker(service));
  const absl::StatusOr<v1::KeyChange> change = broker.EnableKey(Ref(options));
  if (!change.ok()) return TellRefusal(broker, change.status(), options.provider, options.key, terminal);
  return TellChange(change,
                    absl::StrCat("is enabled: ", StateText(change->key(), absl::Now()),
                                 ". Taking it back: ", Line("disable", change->provider(), change->key().name())),
                    service.json, terminal);
}

int ResetKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal) {
  BrokerCall broker(FindBroker(service));
  const absl::StatusOr<v1::KeyChange> change = broker.ResetKey(Ref(options));
  if (!change.ok()) return TellRefusal(broker, change.status(), options.provider, options.key, terminal);
  return TellChange(change,
                    absl::StrCat("is as if it were new: ", StateText(change->key(), absl::Now()),
                                 ". It cannot be taken back; answers judge the key again"),
                    service.json, terminal);
}

int TestKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal) {
  BrokerCall broker(FindBroker(service));
  const absl::StatusOr<v1::ProbeKeyResponse> response = broker.ProbeKey(Ref(options));
  if (!response.ok()) return TellRefusal(broker, response.status(), options.provider, options.key, terminal);
  const bool good = response->outcome() == v1::OUTCOME_SUCCESS;
  if (service.json) {
    terminal.out << ProbeJson(*response) << "\n";
  } else {
    std::ostream& out = good ? terminal.out : terminal.err;
    out << (good ? "" : "ccr: ") << Named(response->provider(), response->key().name()) << ": " << ProbeText(*response)
        << "; it is " << StateText(response->key(), absl::Now()) << "\n";
  }
  return good ? 0 : 1;
}

int KeyHistory(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal) {
  BrokerCall broker(FindBroker(service));
  const absl::StatusOr<v1::KeyHistory> history = broker.GetKeyHistory(Ref(options));
  if (!history.ok()) return TellRefusal(broker, history.status(), options.provider, options.key, terminal);
  terminal.out << (service.json ? HistoryJson(*history) + "\n" : HistoryText(*history, absl::LocalTimeZone()));
  return 0;
}

}  // namespace ccr::cli
