#include "proxy/core/credential_rules.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "proxy/core/ascii.h"
#include "proxy/core/percent.h"

namespace ccr::proxy {
namespace {

constexpr std::array<std::string_view, 9> kHeaderEnds = {
    "authorization", "api-key", "apikey", "access-key", "auth-key", "subscription-key", "token", "secret", "password"};
constexpr std::array<std::string_view, 11> kParameters = {
    "key",        "api-key",     "apikey",    "x-api-key",        "x-goog-api-key", "access-token",
    "auth-token", "oauth-token", "api-token", "subscription-key", "authorization"};

// As many layers as servers that may sit behind each other.
constexpr int kLayers = 3;

char ToPlain(char c) {
  return c == '_' ? '-' : absl::ascii_tolower(static_cast<unsigned char>(c));
}

bool MatchesPlain(std::string_view text, std::string_view plain) {
  return std::equal(text.begin(), text.end(), plain.begin(), plain.end(),
                    [](char a, char b) { return ToPlain(a) == b; });
}

bool EndsInPlain(std::string_view text, std::string_view plain) {
  return text.size() >= plain.size() && MatchesPlain(text.substr(text.size() - plain.size()), plain);
}

bool IsBlankOrControl(char c) {
  return c == '+' || static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
}

// The name as lenient servers read it: blanks before it, and what follows a blank, a control character or "[", do not
// count.
std::string_view LenientName(std::string_view name) {
  name.remove_prefix(std::find_if_not(name.begin(), name.end(), IsBlankOrControl) - name.begin());
  if (name.starts_with('$')) name.remove_prefix(1);
  const auto* end = std::find_if(name.begin(), name.end(), [](char c) { return c == '[' || IsBlankOrControl(c); });
  return name.substr(0, end - name.begin());
}

bool IsCredentialName(std::string_view name) {
  name = LenientName(name);
  return std::any_of(kParameters.begin(), kParameters.end(),
                     [name](std::string_view one) { return MatchesPlain(name, one); });
}

// Whether `found` holds for the text or what it decodes to.
template <typename Found>
bool InAnyLayer(std::string_view text, Found found) {
  std::string layer(text);
  for (int i = 0; i < kLayers && !found(layer) && layer.find('%') != layer.npos; ++i)
    layer = PercentDecodeLeniently(layer);
  return found(layer);
}

// `parameter` is all between two "&".
bool IsCredentialParameter(std::string_view parameter, const ClientCredentials& credentials) {
  for (size_t begin = 0; begin < parameter.size();) {
    const size_t end = std::min(parameter.find(';', begin), parameter.size());
    const std::string_view part = parameter.substr(begin, end - begin);
    if (InAnyLayer(part.substr(0, part.find('=')), IsCredentialName)) return true;
    begin = end + 1;
  }
  return InAnyLayer(parameter, [&](std::string_view text) { return credentials.In(text); });
}

}  // namespace

bool NamesCredential(std::string_view header) {
  return SameWithoutCase(header, "cookie") ||
         std::any_of(kHeaderEnds.begin(), kHeaderEnds.end(),
                     [header](std::string_view end) { return EndsInPlain(header, end); });
}

void ClientCredentials::Add(std::string_view header, std::string_view value) {
  if (!NamesCredential(header) || SameWithoutCase(header, "cookie")) return;
  value = TrimBlanks(value);
  value = TrimBlanks(value.substr(std::min(value.find(' ') + 1, value.size())));
  if (value.size() >= kShortest) values_.push_back(value);
}

bool ClientCredentials::In(std::string_view text) const {
  return std::any_of(values_.begin(), values_.end(),
                     [text](std::string_view value) { return text.find(value) != text.npos; });
}

std::string WithoutCredentials(std::string_view query, const ClientCredentials& credentials) {
  std::string kept;
  bool found = false;
  for (size_t begin = 0; begin < query.size();) {
    const size_t end = std::min(query.find('&', begin), query.size());
    const std::string_view parameter = query.substr(begin, end - begin);
    begin = end + 1;
    if (IsCredentialParameter(parameter, credentials)) {
      found = true;
    } else if (!parameter.empty()) {
      kept.append(kept.empty() ? "" : "&").append(parameter);
    }
  }
  return found ? kept : std::string(query);
}

}  // namespace ccr::proxy
