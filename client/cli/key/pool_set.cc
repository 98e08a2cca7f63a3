#include "client/cli/key/pool_set.h"

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/broker_call.h"
#include "client/cli/key/key_commands.h"
#include "client/cli/key/key_input.h"
#include "client/cli/key/key_view.h"
#include "client/cli/rotation/rotation_json.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
namespace json = boost::json;
using Request = v1::ChangePoolRequest;

template <typename Number>
absl::Status ReadNumber(const std::string& value, const char* none, void (Request::*set)(Number), Request* out) {
  Number number = 0;
  const bool is_none = none != nullptr && value == none;
  if (!is_none && !absl::SimpleAtoi(value, &number)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", value, "' is no whole number", none == nullptr ? "" : ", nor none"));
  }
  (out->*set)(number);
  return absl::OkStatus();
}

absl::Status ReadWait(const std::string& value, Request* out) {
  if (value == "none" || value == "0") {
    out->set_max_wait_ms(0);
    return absl::OkStatus();
  }
  const absl::StatusOr<absl::Duration> wait = ParseTime(value);
  if (wait.ok()) out->set_max_wait_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(*wait)));
  return wait.status();
}

absl::Status ReadFlag(const std::string& value, Request* out) {
  if (value != "true" && value != "false")
    return absl::InvalidArgumentError(absl::StrCat("'", value, "' is neither true nor false"));
  out->set_session_affinity(value == "true");
  return absl::OkStatus();
}

// Which of the file and of the contract a setting is, and what it is in a configuration.
struct Setting {
  const char* name;
  absl::Status (*read)(const std::string& value, Request* out);
  std::string (*in_file)(const ProviderConfig& provider);  // as `ccr pool set` takes it
};

template <typename Number>
std::string LimitWord(Number limit) {
  return limit == 0 ? "none" : absl::StrCat(limit);
}

const Setting kSettings[] = {
    {"strategy",
     [](const std::string& value, Request* out) {
       out->set_strategy(value);
       return absl::OkStatus();
     },
     [](const ProviderConfig& provider) { return provider.strategy; }},
    {"max_concurrent",
     [](const std::string& value, Request* out) {
       return ReadNumber(value, "none", &Request::set_max_concurrent, out);
     },
     [](const ProviderConfig& provider) { return LimitWord(provider.max_concurrent); }},
    {"rpm", [](const std::string& value, Request* out) { return ReadNumber(value, "none", &Request::set_rpm, out); },
     [](const ProviderConfig& provider) { return LimitWord(provider.limits.rpm); }},
    {"tpm", [](const std::string& value, Request* out) { return ReadNumber(value, "none", &Request::set_tpm, out); },
     [](const ProviderConfig& provider) { return LimitWord(provider.limits.tpm); }},
    {"rpd", [](const std::string& value, Request* out) { return ReadNumber(value, "none", &Request::set_rpd, out); },
     [](const ProviderConfig& provider) { return LimitWord(provider.limits.rpd); }},
    {"tpd", [](const std::string& value, Request* out) { return ReadNumber(value, "none", &Request::set_tpd, out); },
     [](const ProviderConfig& provider) { return LimitWord(provider.limits.tpd); }},
    {"max_wait", ReadWait,
     [](const ProviderConfig& provider) {
       const int64_t ms = absl::ToInt64Milliseconds(provider.queue.max_wait);
       if (ms == 0) return std::string("none");
       return ms % 1000 == 0 ? absl::StrCat(ms / 1000, "s") : absl::StrCat(ms, "ms");
     }},
    {"max_waiting",
     [](const std::string& value, Request* out) { return ReadNumber(value, nullptr, &Request::set_max_waiting, out); },
     [](const ProviderConfig& provider) { return absl::StrCat(provider.queue.max_size); }},
    {"session_affinity", ReadFlag,
     [](const ProviderConfig& provider) { return std::string(provider.session_affinity ? "true" : "false"); }}};

std::vector<std::string> SettingNames() {
  std::vector<std::string> names;
  for (const Setting& setting : kSettings) names.emplace_back(setting.name);
  return names;
}

const Setting* FindSetting(const std::string& name) {
  const auto* const found = std::find_if(std::begin(kSettings), std::end(kSettings),
                                         [&name](const Setting& setting) { return name == setting.name; });
  return found == std::end(kSettings) ? nullptr : found;
}

struct Assignment {
  std::string name;
  std::string value;
};

// A word without "=" is a strategy.
Assignment Split(const std::string& word) {
  const size_t at = word.find('=');
  if (at == std::string::npos) return {"strategy", word};
  return {word.substr(0, at), word.substr(at + 1)};
}

// As the file has these settings; empty where it cannot be read.
std::string InFile(const ServiceOptions& service, const std::string& provider,
                   const std::vector<std::string>& settings) {
  const ConfigResult result = LoadConfig(service.config_path, ProcessEnv());
  if (!result.config) return "";
  for (const ProviderConfig& known : result.config->providers) {
    if (known.name != provider) continue;
    std::vector<std::string> words;
    for (const std::string& word : settings) {
      const std::string name = Split(word).name;
      words.push_back(absl::StrCat(name, "=", FindSetting(name)->in_file(known)));
    }
    return absl::StrJoin(words, " ");
  }
  return "";
}

}  // namespace

absl::StatusOr<Request> ParseSettings(const PoolOptions& options) {
  if (options.settings.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("say what to set: a strategy, or NAME=VALUE with one of ", absl::StrJoin(SettingNames(), ", ")));
  }
  Request request;
  request.set_pool(options.provider);
  for (const std::string& word : options.settings) {
    const Assignment assignment = Split(word);
    const std::string shown = Fit(assignment.name, 40);
    const Setting* const setting = FindSetting(assignment.name);
    if (setting == nullptr) {
      const std::string nearest = Nearest(assignment.name, SettingNames());
      return absl::InvalidArgumentError(absl::StrCat(
          "there is no setting '", shown, "'",
          nearest.empty() ? "; there is " + absl::StrJoin(SettingNames(), ", ") : "; did you mean " + nearest + "?"));
    }
    if (assignment.value.empty())
      return absl::InvalidArgumentError(absl::StrCat(shown, " has no value: write ", shown, "=VALUE"));
    if (const absl::Status read = setting->read(assignment.value, &request); !read.ok())
      return absl::InvalidArgumentError(absl::StrCat(shown, ": ", read.message()));
  }
  return request;
}

int SetPool(const ServiceOptions& service, const PoolOptions& options, const Terminal& terminal) {
  const absl::StatusOr<Request> request = ParseSettings(options);
  if (!request.ok()) {
    terminal.err << "ccr: " << request.status().message() << "\n";
    return 2;
  }
  BrokerCall broker(FindBroker(service));
  const absl::StatusOr<v1::ChangePoolResponse> response = broker.ChangePool(*request);
  if (!response.ok()) return TellRefusal(broker, response.status(), options.provider, "", terminal);
  const std::string& provider = response->pool().provider();
  if (service.json) {
    json::object set;
    for (const std::string& word : options.settings) set[Split(word).name] = Split(word).value;
    json::object pool = PoolObject(response->pool());
    pool.erase("keys");
    terminal.out << json::serialize(json::object{{"provider", provider}, {"set", set}, {"pool", pool}}) << "\n";
    return 0;
  }
  std::vector<std::string> now;
  for (const std::string& word : options.settings)
    now.push_back(absl::StrCat(Split(word).name, " is ", Split(word).value));
  const std::string before = InFile(service, provider, options.settings);
  terminal.out << provider << ": " << absl::StrJoin(now, ", ") << " now, until the configuration file says otherwise.";
  if (!before.empty()) terminal.out << " As in the file: ccr pool set " << ShellWord(provider) << " " << before;
  terminal.out << "\n";
  return 0;
}

}  // namespace ccr::cli
