#include "client/cli/migrate/config_text.h"

#include <boost/json.hpp>
#include <cmath>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/migrate/pools.h"

namespace ccr::cli::migration {
namespace {

namespace json = boost::json;

constexpr size_t kShortLine = 100;
constexpr char kNoKey[] = "none";  // what a server gets that asks for none

// On one line, with spaces.
std::string Line(const json::value& value) {
  std::vector<std::string> parts;
  if (value.is_object()) {
    for (const auto& [name, member] : value.get_object()) {
      parts.push_back(absl::StrCat(json::serialize(json::value(name)), ": ", Line(member)));
    }
    return absl::StrCat("{", absl::StrJoin(parts, ", "), "}");
  }
  if (!value.is_array()) return json::serialize(value);
  for (const json::value& item : value.get_array()) parts.push_back(Line(item));
  return absl::StrCat("[", absl::StrJoin(parts, ", "), "]");
}

// Short lists and maps on one line, longer ones and lists of maps with two spaces a level.
void Print(const json::value& value, const std::string& indent, std::string* out) {
  const std::string line = Line(value);
  const bool is_container = value.is_object() || value.is_array();
  if (!is_container || (!indent.empty() && line.size() <= kShortLine && line.find("}, {") == std::string::npos)) {
    *out += line;
    return;
  }
  const std::string inner = indent + "  ";
  const char* separator = "\n";
  absl::StrAppend(out, value.is_object() ? "{" : "[");
  const auto next = [&] {
    absl::StrAppend(out, separator, inner);
    separator = ",\n";
  };
  if (value.is_object()) {
    for (const auto& [name, member] : value.get_object()) {
      next();
      absl::StrAppend(out, json::serialize(json::value(name)), ": ");
      Print(member, inner, out);
    }
  } else {
    for (const json::value& item : value.get_array()) {
      next();
      Print(item, inner, out);
    }
  }
  absl::StrAppend(out, "\n", indent, value.is_object() ? "}" : "]");
}

// The text of a key where it may stand in the configuration itself: a variable, or none at all. Else a stand-in, which
// is of the same kind as an Anthropic OAuth token where the key is one.
json::value KeyValue(const KeyText& key, size_t number) {
  if (!key.variable.empty()) return json::value("${" + key.variable + "}");
  if (key.text.empty()) return kNoKey;
  const bool is_oauth = key.text.Reveal().starts_with("sk-ant-oat");
  return json::value(absl::StrCat(is_oauth ? "sk-ant-oat-" : "stand-in-", number));
}

json::object KeyJson(const KeyDraft& key, Keys keys, size_t number) {
  json::object out;
  if (keys == Keys::kInFiles && !key.file.empty()) {
    out["file"] = key.file;
  } else {
    out["key"] = KeyValue(key.key, number);
  }
  out["name"] = key.name;
  if (key.weight == std::floor(key.weight)) {
    if (key.weight != 1) out["weight"] = static_cast<uint64_t>(key.weight);
  } else {
    out["weight"] = key.weight;
  }
  if (key.rpm > 0) out["rpm"] = key.rpm;
  if (key.tpm > 0) out["tpm"] = key.tpm;
  if (key.max_concurrent > 0) out["max_concurrent"] = key.max_concurrent;
  if (!key.models.empty()) out["models"] = json::value_from(key.models);
  return out;
}

json::object ProviderJson(const ProviderDraft& provider, Keys keys) {
  json::object out{
      {"name", provider.name}, {"api_base_url", provider.url}, {"models", json::value_from(provider.models)}};
  const ProviderSettings& settings = provider.settings;
  if (!settings.strategy.empty()) out["rotation_strategy"] = settings.strategy;
  if (settings.max_retries == 0U) out["retry_on_failure"] = false;
  if (settings.max_retries.value_or(0) > 0) out["max_retries"] = *settings.max_retries;
  if (settings.max_failures) out["maxFailures"] = *settings.max_failures;
  json::object timeouts;
  if (settings.connect_ms) timeouts["connect"] = *settings.connect_ms;
  if (settings.first_byte_ms) timeouts["first_byte"] = *settings.first_byte_ms;
  if (!timeouts.empty()) out["timeouts"] = std::move(timeouts);
  if (!provider.auth_header.empty()) out["auth"] = json::object{{"header", provider.auth_header}};
  json::array list;
  for (const KeyDraft& key : provider.keys) list.push_back(KeyJson(key, keys, list.size()));
  out["api_keys"] = std::move(list);
  return out;
}

std::string FileName(const std::string& name, std::set<std::string>* taken) {
  std::string file = absl::StrCat(kKeyFolder, "/", name);
  for (int number = 2; !taken->insert(absl::AsciiStrToLower(file)).second; ++number) {
    file = absl::StrCat(kKeyFolder, "/", name, "-", number);
  }
  return file;
}

}  // namespace

void NameFiles(Draft* draft) {
  std::set<std::string> taken;
  const auto needs_file = [](const KeyText& key) { return key.variable.empty() && !key.text.empty(); };
  if (draft->client_token && needs_file(*draft->client_token)) {
    draft->client_token_file = FileName("client-token", &taken);
  }
  for (ProviderDraft& provider : draft->providers) {
    const std::string plain = PlainName(provider.name);
    const std::string prefix = plain.empty() ? "provider" : plain;
    for (KeyDraft& key : provider.keys) {
      if (needs_file(key.key)) key.file = FileName(absl::StrCat(prefix, ".", key.name), &taken);
    }
  }
}

std::string ConfigText(const Draft& draft, Keys keys) {
  json::object root;
  if (draft.client_token) {
    const bool in_file = keys == Keys::kInFiles && !draft.client_token_file.empty();
    root["APIKEY"] =
        in_file ? json::value(json::object{{"file", draft.client_token_file}}) : KeyValue(*draft.client_token, 0);
  }
  if (draft.api_timeout_ms) root["API_TIMEOUT_MS"] = *draft.api_timeout_ms;
  json::array providers;
  for (const ProviderDraft& provider : draft.providers) providers.push_back(ProviderJson(provider, keys));
  root["Providers"] = std::move(providers);
  if (!draft.default_route.empty()) root["Router"] = json::object{{"default", draft.default_route}};
  if (!draft.fallbacks.empty()) root["fallback"] = json::object{{"default", json::value_from(draft.fallbacks)}};
  std::string text;
  Print(root, "", &text);
  return text + "\n";
}

}  // namespace ccr::cli::migration
