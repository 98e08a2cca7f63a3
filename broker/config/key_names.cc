#include "broker/config/key_names.h"

#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"

namespace ccr {
namespace {

constexpr size_t kDigits = 8;

std::string NameOf(const std::string& fingerprint, size_t digits) {
  return absl::StrCat("key-", fingerprint.substr(0, digits));
}

void NameKeys(const Fingerprinter& fingerprinter, ProviderConfig* provider) {
  std::vector<std::string> fingerprints(provider->keys.size());
  std::unordered_map<std::string, size_t> taken;  // how often a name is given or would be
  for (size_t i = 0; i < provider->keys.size(); ++i) {
    const KeyConfig& key = provider->keys[i];
    if (key.name.empty()) fingerprints[i] = fingerprinter.Of(key.secret);
    ++taken[key.name.empty() ? NameOf(fingerprints[i], kDigits) : key.name];
  }
  for (size_t i = 0; i < provider->keys.size(); ++i) {
    std::string& name = provider->keys[i].name;
    if (!name.empty()) continue;
    name = NameOf(fingerprints[i], kDigits);
    if (taken[name] > 1) name = NameOf(fingerprints[i], std::string::npos);
  }
}

}  // namespace

void NameKeys(const Fingerprinter& fingerprinter, Config* config) {
  for (ProviderConfig& provider : config->providers) NameKeys(fingerprinter, &provider);
}

std::string NewKeyName(const std::string& fingerprint, const std::function<bool(const std::string&)>& is_taken) {
  std::string name = NameOf(fingerprint, kDigits);
  return is_taken(name) ? NameOf(fingerprint, std::string::npos) : name;
}

}  // namespace ccr
