#include "proxy/core/auth.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "broker/base/absl_text.h"
#include "proxy/core/ascii.h"

namespace ccr::proxy {
namespace {

struct Authority {
  std::string_view host;  // without brackets
  std::string_view port;  // may be empty
};

bool IsPort(std::string_view port) {
  return !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// "host", "host:port", "[v6]", "[v6]:port".
std::optional<Authority> ParseAuthority(std::string_view text) {
  size_t end = text.find(':');
  Authority result;
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == text.npos) return std::nullopt;
    result.host = text.substr(1, bracket - 1);
    end = bracket + 1;
  } else {
    end = std::min(end, text.size());
    result.host = text.substr(0, end);
  }
  if (result.host.empty() || result.host.find_first_of("/@\\ ") != text.npos) return std::nullopt;
  if (end == text.size()) return result;
  if (text[end] != ':' || !IsPort(text.substr(end + 1))) return std::nullopt;
  result.port = text.substr(end + 1);
  return result;
}

// Four decimal numbers up to 255, the first of them 127.
bool IsLoopbackV4(std::string_view host) {
  if (!host.starts_with("127.")) return false;
  int parts = 0;
  for (size_t begin = 0; begin <= host.size(); ++parts) {
    const size_t end = std::min(host.find('.', begin), host.size());
    uint32_t number = 0;
    if (!IsPort(host.substr(begin, end - begin)) ||
        !absl::SimpleAtoi(ToAbsl(host.substr(begin, end - begin)), &number) || number > 255) {
      return false;
    }
    begin = end + 1;
  }
  return parts == 4;
}

bool IsLoopback(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return SameWithoutCase(host, "localhost") || absl::EndsWithIgnoreCase(ToAbsl(host), ".localhost") ||
         IsLoopbackV4(host) || host == "::1";
}

bool IsWildcard(std::string_view host) {
  return host.empty() || host == "0.0.0.0" || host == "::" || host == "*";
}

bool Matches(const Authority& authority, std::string_view allowed) {
  const std::optional<Authority> entry = ParseAuthority(allowed);
  if (!entry.has_value()) return SameWithoutCase(authority.host, allowed);  // a bare IPv6 address
  return SameWithoutCase(authority.host, entry->host) && (entry->port.empty() || entry->port == authority.port);
}

bool IsKnown(std::string_view text, const AccessPolicy& policy) {
  const std::optional<Authority> authority = ParseAuthority(text);
  if (!authority.has_value()) return false;
  if (IsLoopback(authority->host)) return true;
  if (!IsWildcard(policy.listen_host) && SameWithoutCase(authority->host, policy.listen_host)) return true;
  return std::any_of(policy.allowed_hosts.begin(), policy.allowed_hosts.end(),
                     [&](const std::string& allowed) { return Matches(*authority, allowed); });
}

}  // namespace

bool HostAllowed(std::string_view host, const AccessPolicy& policy) {
  if (host.empty() || IsKnown(host, policy)) return true;
  return policy.has_client_token && !IsLoopback(policy.listen_host);
}

bool OriginAllowed(std::string_view origin, const AccessPolicy& policy) {
  if (origin.empty()) return true;
  const size_t scheme_end = origin.find("://");
  return scheme_end != origin.npos && scheme_end > 0 && IsKnown(origin.substr(scheme_end + 3), policy);
}

bool FetchSiteAllowed(std::string_view fetch_site, std::string_view origin, const AccessPolicy& policy) {
  if (fetch_site.empty() || fetch_site == "same-origin" || fetch_site == "none") return true;
  return !origin.empty() && OriginAllowed(origin, policy);
}

std::array<std::string_view, 3> ClientTokens(std::string_view authorization, std::string_view x_api_key,
                                             std::string_view x_goog_api_key) {
  constexpr std::string_view kScheme = "bearer ";
  authorization = TrimBlanks(authorization);
  std::string_view bearer;
  if (SameWithoutCase(authorization.substr(0, kScheme.size()), kScheme))
    bearer = TrimBlanks(authorization.substr(kScheme.size()));
  return {bearer, TrimBlanks(x_api_key), TrimBlanks(x_goog_api_key)};
}

}  // namespace ccr::proxy
