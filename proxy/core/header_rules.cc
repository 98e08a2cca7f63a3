#include "proxy/core/header_rules.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "proxy/core/ascii.h"
#include "proxy/core/credential_rules.h"

namespace ccr::proxy {
namespace {

bool HasPrefix(std::string_view name, std::string_view prefix) {
  return SameWithoutCase(name.substr(0, prefix.size()), prefix);
}

template <size_t N>
bool IsOneOf(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::any_of(names.begin(), names.end(), [name](std::string_view one) { return SameWithoutCase(name, one); });
}

// Names share a first letter with few others: at most a handful of comparisons for any header.
bool IsHopByHop(std::string_view name) {
  switch (name.empty() ? '\0' : name[0] | 0x20) {
    case 'c':
      return SameWithoutCase(name, "connection");
    case 'k':
      return SameWithoutCase(name, "keep-alive");
    case 'p':
      return HasPrefix(name, "proxy-");
    case 't':
      return IsOneOf<3>(name, {"te", "trailer", "transfer-encoding"});
    case 'u':
      return SameWithoutCase(name, "upgrade");
    default:
      return false;
  }
}

}  // namespace

bool ForwardRequestHeader(std::string_view name) {
  if (name.empty() || IsHopByHop(name) || NamesCredential(name)) return false;
  switch (name[0] | 0x20) {
    case 'c':
      return !SameWithoutCase(name, "content-length");
    case 'e':
      return !SameWithoutCase(name, "expect");
    case 'f':
      return !SameWithoutCase(name, "forwarded");
    case 'h':
      return !IsOneOf<2>(name, {"host", "http2-settings"});
    case 'o':
      return !SameWithoutCase(name, "origin");
    case 'r':
      return !SameWithoutCase(name, "referer");
    case 's':
      return !HasPrefix(name, "sec-fetch-");
    case 'v':
      return !SameWithoutCase(name, "via");
    case 'x':
      return !HasPrefix(name, "x-forwarded-") && !SameWithoutCase(name, "x-real-ip");
    default:
      return true;
  }
}

bool RelayResponseHeader(std::string_view name) {
  if (name.empty() || IsHopByHop(name)) return false;
  switch (name[0] | 0x20) {
    case 'a':
      return !SameWithoutCase(name, "alt-svc") && !HasPrefix(name, "access-control-");
    case 'c':
      return !SameWithoutCase(name, "content-length");
    case 's':
      return !IsOneOf<3>(name, {"set-cookie", "set-cookie2", "strict-transport-security"});
    case 'x':
      return !HasPrefix(name, "x-ccr-");
    default:
      return true;
  }
}

bool NamedByConnection(std::string_view connection, std::string_view name) {
  for (size_t begin = 0; begin < connection.size();) {
    const size_t end = std::min(connection.find(',', begin), connection.size());
    const absl::string_view option(connection.data() + begin, end - begin);
    if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(option), absl::string_view(name.data(), name.size())))
      return true;
    begin = end + 1;
  }
  return false;
}

std::string_view FindHeader(const Headers& headers, std::string_view name) {
  const auto it =
      std::find_if(headers.begin(), headers.end(), [name](const auto& h) { return SameWithoutCase(h.first, name); });
  return it == headers.end() ? std::string_view() : std::string_view(it->second);
}

}  // namespace ccr::proxy
