#include "proxy/upstream/plain_url.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace ccr::proxy {
namespace {

bool IsHost(std::string_view host) {
  const auto fits = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
  };
  return !host.empty() && std::all_of(host.begin(), host.end(), fits);
}

bool IsAddress(std::string_view host) {
  const auto fits = [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)) || c == ':' || c == '.'; };
  return !host.empty() && std::all_of(host.begin(), host.end(), fits);
}

bool IsPort(std::string_view port) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit)) return false;
  return port.size() < 5 || port <= "65535";
}

bool IsTarget(std::string_view target) {
  return std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7F && c != '#'; });
}

}  // namespace

std::optional<PlainUrl> PlainUrl::Parse(std::string_view url) {
  static constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  PlainUrl parsed;
  parsed.authority = url.substr(0, url.find_first_of("/?#"));
  parsed.target = url.substr(parsed.authority.size());

  std::string_view rest = parsed.authority;
  const bool bracketed = rest.starts_with('[');
  const size_t end = bracketed ? rest.find(']') : rest.find(':');
  parsed.host = bracketed ? rest.substr(1, std::min(end, rest.size()) - 1) : rest.substr(0, end);
  if (bracketed && end == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(std::min(rest.size(), end + (bracketed ? 1 : 0)));
  if (!rest.empty() && !rest.starts_with(':')) return std::nullopt;
  parsed.port = rest.empty() ? "80" : rest.substr(1);
  const bool valid =
      (bracketed ? IsAddress(parsed.host) : IsHost(parsed.host)) && IsPort(parsed.port) && IsTarget(parsed.target);
  return valid ? std::optional(parsed) : std::nullopt;
}

}  // namespace ccr::proxy
