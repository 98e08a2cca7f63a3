#include "client/cli/config/init.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/base/secret.h"
#include "client/cli/hidden_input.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

// The models are those that the provider's own pages named as present in November 2026, the first for everything, the
// last and cheaper one for background work. Providers retire names after about a year; where an alias of the newest is
// documented it is taken.
struct KnownProvider {
  const char* name;
  const char* url;
  std::vector<std::string> models;
  const char* variable;
};

const std::vector<KnownProvider>& Known() {
  static const auto* const known = new std::vector<KnownProvider>{
      {"anthropic",
       "https://api.anthropic.com/v1/messages",
       {"claude-sonnet-5-5", "claude-haiku-5-5"},
       "ANTHROPIC_API_KEY"},
      {"deepseek",
       "https://api.deepseek.com/v1/chat/completions",
       {"deepseek-v4-pro", "deepseek-v4-flash"},
       "DEEPSEEK_API_KEY"},
      {"gemini",
       "https://generativelanguage.googleapis.com/v1beta/models/",
       {"gemini-3.8-flash", "gemini-3.5-flash-lite"},
       "GEMINI_API_KEY"},
      {"openai", "https://api.openai.com/v1/chat/completions", {"gpt-6.1-terra", "gpt-6-luna"}, "OPENAI_API_KEY"},
      {"openrouter",
       "https://openrouter.ai/api/v1/chat/completions",
       {"~anthropic/claude-sonnet-latest"},
       "OPENROUTER_API_KEY"}};
  return *known;
}

const KnownProvider* FindKnown(const std::string& name) {
  for (const KnownProvider& known : Known()) {
    if (name == known.name) return &known;
  }
  return nullptr;
}

std::string TypedLine(std::istream& in) {
  std::string line;
  std::getline(in, line);
  return std::string(absl::StripAsciiWhitespace(line));
}

// Until an empty line for a person, until the end for a pipe.
std::vector<Secret> TypedKeys(std::istream& in, bool ask, const Terminal& terminal) {
  std::vector<Secret> keys;
  const auto read = [&] {
    while (in.good()) {
      if (ask) terminal.err << (keys.empty() ? "API key (not shown): " : "another, or Enter: ") << std::flush;
      std::string key = TypedLine(in);
      if (ask) terminal.err << "\n";
      if (key.empty() && ask) return;
      if (!key.empty()) keys.emplace_back(std::move(key));
    }
  };
  if (!ask) {
    read();
    return keys;
  }
  const HiddenInput hidden;
  read();
  return keys;
}

std::string JsonQuoted(std::string_view text) {
  return boost::json::serialize(boost::json::value(boost::json::string_view(text.data(), text.size())));
}

std::string QuotedList(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(JsonQuoted(text));
  return absl::StrCat("[", absl::StrJoin(quoted, ", "), "]");
}

std::string KeyField(const std::vector<Secret>& keys) {
  if (keys.size() == 1) return absl::StrCat("\"api_key\": ", JsonQuoted(keys[0].Reveal()));
  std::string list;
  for (const Secret& key : keys)
    absl::StrAppend(&list, list.empty() ? "" : ",", "\n        ", JsonQuoted(key.Reveal()));
  return absl::StrCat("\"api_keys\": [", list, "\n      ]");
}

// JSON, so that it is YAML too.
std::string ConfigText(const InitOptions& init, const std::vector<Secret>& keys) {
  return absl::StrCat(
      "{\n  \"Providers\": [\n    {\n      \"name\": ", JsonQuoted(init.provider),
      ",\n      \"api_base_url\": ", JsonQuoted(init.url), ",\n      \"models\": ", QuotedList(init.models),
      ",\n      ", KeyField(keys),
      "\n    }\n  ],\n  \"Router\": {\n    \"default\": ", JsonQuoted(init.provider + "," + init.models.front()),
      ",\n    \"background\": ", JsonQuoted(init.provider + "," + init.models.back()), "\n  }\n}\n");
}

// What is missing; empty when all is there.
std::string FillIn(InitOptions* init, std::istream& in, bool ask, const Terminal& terminal) {
  const std::string names = absl::StrJoin(KnownProviders(), ", ");
  if (init->provider.empty() && ask) {
    terminal.err << "Provider (" << names << ", or a name of your own): " << std::flush;
    init->provider = TypedLine(in);
  }
  if (init->provider.empty()) return "name a provider: ccr init PROVIDER, with one of " + names;
  const KnownProvider* known = FindKnown(init->provider);
  if (known != nullptr && init->url.empty()) init->url = known->url;
  if (known != nullptr && init->models.empty()) init->models = known->models;
  if (init->url.empty() && ask) {
    terminal.err << "Its endpoint, for example https://HOST/v1/chat/completions: " << std::flush;
    init->url = TypedLine(in);
  }
  if (init->models.empty() && ask) {
    terminal.err << "A model: " << std::flush;
    init->models = {TypedLine(in)};
  }
  if (!init->url.empty() && !init->models.empty()) return "";
  const std::string nearest = Nearest(init->provider, KnownProviders());
  return absl::StrCat("provider ", init->provider, " is not known",
                      nearest.empty() ? "" : absl::StrCat(" (did you mean ", nearest, "?)"),
                      ": give its --url and --model, or take one of ", names);
}

std::vector<Secret> FindKeys(const InitOptions& init, std::istream& in, bool ask, const Terminal& terminal) {
  std::vector<Secret> keys;
  const KnownProvider* known = FindKnown(init.provider);
  const bool has_usual = known != nullptr && !ProcessEnv()(known->variable).value_or("").empty();
  if (!init.env.empty()) {
    keys.emplace_back(absl::StrCat("${", init.env, "}"));
  } else if (!ask || !has_usual) {
    keys = TypedKeys(in, ask, terminal);
  }
  if (keys.empty() && has_usual) keys.emplace_back(absl::StrCat("${", known->variable, "}"));
  return keys;
}

absl::Status WriteNew(const std::string& path, const std::string& text) {
  if (const absl::Status made = ServiceFiles(path, std::filesystem::path(path).parent_path().string()).MakeFolder();
      !made.ok())
    return made;
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return absl::AlreadyExistsError(path + " is there already, and stays as it is");
  if (fd < 0) return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (written) return absl::OkStatus();
  unlink(path.c_str());
  return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", std::strerror(error)));
}

}  // namespace

std::vector<std::string> KnownProviders() {
  std::vector<std::string> names;
  for (const KnownProvider& known : Known()) names.emplace_back(known.name);
  return names;
}

std::string KnownUrlOf(const std::string& provider) {
  const KnownProvider* known = FindKnown(provider);
  return known == nullptr ? "" : known->url;
}

std::vector<std::string> KnownModelsOf(const std::string& url) {
  for (const KnownProvider& known : Known()) {
    if (url == known.url) return known.models;
  }
  return {};
}

int Init(const ServiceOptions& options, InitOptions init, std::istream& in, bool ask, const Terminal& terminal) {
  const auto fail = [&terminal](const std::string& why, int exit_status) {
    terminal.err << "ccr: " << why << "\n";
    return exit_status;
  };
  const std::string& path = options.config_path;
  if (access(path.c_str(), F_OK) == 0) return fail(path + " is there already, and stays as it is", 1);
  if (const std::string missing = FillIn(&init, in, ask, terminal); !missing.empty()) return fail(missing, 2);
  const std::vector<Secret> keys = FindKeys(init, in, ask, terminal);
  if (keys.empty()) return fail("no key: give them on stdin, one a line, or name a variable with --env", 2);
  const std::string text = ConfigText(init, keys);
  const ConfigResult result = ParseConfig(text, path, ProcessEnv());
  for (const ConfigProblem& problem : result.problems) terminal.err << problem.ToString() << "\n";
  if (!result.config) return fail("nothing was written", 2);
  if (const absl::Status written = WriteNew(path, text); !written.ok()) return fail(std::string(written.message()), 1);
  if (options.json) {
    terminal.out << boost::json::serialize(
                        boost::json::object{{"config", path}, {"provider", init.provider}, {"keys", keys.size()}})
                 << "\n";
  } else {
    terminal.out << path << " is written: " << init.provider << ", " << keys.size()
                 << (keys.size() == 1 ? " key" : " keys") << ", models " << absl::StrJoin(init.models, ", ")
                 << ".\nNext: ccr code, or ccr start\n";
  }
  return 0;
}

}  // namespace ccr::cli
