#include "broker/config/url.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/address.h"

namespace ccr {
namespace {

constexpr std::string_view kHidden = "(hidden)";
constexpr uint16_t kHttpPort = 80;
constexpr uint16_t kHttpsPort = 443;

struct UrlParts {
  std::string_view scheme, userinfo, host_port, rest;  // `rest` begins with '/', '?' or '#', or is empty
};

UrlParts Split(std::string_view url) {
  UrlParts parts;
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos) return parts;
  parts.scheme = url.substr(0, colon);
  url.remove_prefix(colon + 3);
  const size_t end = std::min(url.find_first_of("/?#"), url.size());
  parts.rest = url.substr(end);
  parts.host_port = url.substr(0, end);
  const size_t at = parts.host_port.rfind('@');
  if (at != std::string_view::npos) {
    parts.userinfo = parts.host_port.substr(0, at + 1);
    parts.host_port.remove_prefix(at + 1);
  }
  return parts;
}

absl::StatusOr<HostPort> ParseWithDefault(std::string_view text, uint16_t port) {
  const bool has_port = text.find(':', text.starts_with('[') ? text.find(']') : 0) != std::string_view::npos;
  return ParseHostPort(has_port ? std::string(text) : absl::StrCat(ToAbsl(text), ":", port));
}

bool IsHostPort(std::string_view text) {
  const auto parsed = ParseWithDefault(text, kHttpPort);
  return parsed.ok() && !parsed->host.empty() && parsed->port != 0;
}

bool NamesSecret(std::string_view parameter) {
  const std::string name = absl::AsciiStrToLower(ToAbsl(parameter));
  static constexpr const char* kWords[] = {"key", "token", "secret", "sig", "pass", "auth"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&name](const char* w) { return absl::StrContains(name, w); });
}

}  // namespace

std::string UrlProblem(std::string_view url, std::initializer_list<std::string_view> schemes, bool allow_userinfo) {
  const auto is_bad = [](unsigned char c) {
    return c <= ' ' || c >= 0x7F || c == '"' || c == '<' || c == '>' || c == '\\';
  };
  if (std::any_of(url.begin(), url.end(), is_bad))
    return "must be a URL without spaces, quotes and characters beyond ASCII";
  const UrlParts parts = Split(url);
  const std::string scheme = absl::AsciiStrToLower(ToAbsl(parts.scheme));
  if (std::find(schemes.begin(), schemes.end(), scheme) == schemes.end()) {
    std::string list;
    for (const std::string_view known : schemes)
      absl::StrAppend(&list, list.empty() ? "" : " or ", ToAbsl(known), "://");
    return absl::StrCat("must be a full URL that begins with ", list);
  }
  if (!parts.userinfo.empty() && !allow_userinfo)
    return "must not hold a user name or password: put the key into api_key or api_keys";
  if (!IsHostPort(parts.host_port)) return "must name a host, and a port from 1 to 65535 where it names one";
  if (parts.rest.find('#') != std::string_view::npos) return "must not hold a fragment: remove the # and what follows";
  return "";
}

std::optional<HostPort> HostPortOf(std::string_view url) {
  const UrlParts parts = Split(url);
  const bool tls = absl::EqualsIgnoreCase(ToAbsl(parts.scheme), "https");
  if (!tls && !absl::EqualsIgnoreCase(ToAbsl(parts.scheme), "http")) return std::nullopt;
  const absl::StatusOr<HostPort> parsed = ParseWithDefault(parts.host_port, tls ? kHttpsPort : kHttpPort);
  if (!parsed.ok()) return std::nullopt;
  return *parsed;
}

std::string_view UrlPath(std::string_view url) {
  std::string_view path = Split(url).rest;
  path = path.substr(0, path.find_first_of("?#"));
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

bool IsReadableOnItsWay(std::string_view url) {
  const UrlParts parts = Split(url);
  if (!absl::EqualsIgnoreCase(ToAbsl(parts.scheme), "http")) return false;
  std::string_view host = parts.host_port;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
    if (host.find('.') == std::string_view::npos) return false;
  }
  return !IsLoopback(std::string(host));
}

bool IsSameOrigin(std::string_view a, std::string_view b) {
  const UrlParts first = Split(a), second = Split(b);
  return !first.scheme.empty() && absl::EqualsIgnoreCase(ToAbsl(first.scheme), ToAbsl(second.scheme)) &&
         absl::EqualsIgnoreCase(ToAbsl(first.host_port), ToAbsl(second.host_port));
}

std::string ModelsUrl(std::string_view endpoint) {
  endpoint = endpoint.substr(0, endpoint.find_first_of("?#"));
  while (endpoint.ends_with('/')) endpoint.remove_suffix(1);
  if (endpoint.ends_with("/models")) return std::string(endpoint);
  for (const std::string_view end : {"/chat/completions", "/messages", "/responses"}) {
    if (endpoint.ends_with(end))
      return absl::StrCat(ToAbsl(endpoint.substr(0, endpoint.size() - end.size())), "/models");
  }
  return "";
}

std::string HideUrlSecrets(std::string_view url) {
  const UrlParts parts = Split(url);
  if (parts.scheme.empty()) return std::string(url);
  const std::string_view userinfo = parts.userinfo.empty() ? std::string_view() : "(hidden)@";
  std::string_view query = parts.rest.substr(std::min(parts.rest.find('?'), parts.rest.size()));
  std::string out = absl::StrCat(ToAbsl(parts.scheme), "://", ToAbsl(userinfo), ToAbsl(parts.host_port),
                                 ToAbsl(parts.rest.substr(0, parts.rest.size() - query.size())));
  while (!query.empty()) {  // '?' or '&', then name=value
    const std::string_view parameter = query.substr(0, query.find('&', 1));
    const size_t equals = parameter.find('=');
    const bool hide = equals != std::string_view::npos && NamesSecret(parameter.substr(0, equals));
    absl::StrAppend(&out, ToAbsl(parameter.substr(0, hide ? equals + 1 : parameter.size())),
                    hide ? ToAbsl(kHidden) : "");
    query.remove_prefix(parameter.size());
  }
  return out;
}

}  // namespace ccr
