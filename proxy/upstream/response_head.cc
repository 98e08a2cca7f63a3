#include "proxy/upstream/response_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy {
namespace {

constexpr std::array<std::string_view, 10> kHopByHop = {
    "connection",        "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade",    "proxy-connection",   "http2-settings"};
constexpr size_t kUsualHeaders = 24;

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string> ConnectionTokens(const UpstreamHead& head) {
  std::vector<std::string> tokens;
  for (const auto& [name, value] : head.headers) {
    if (!SameName(name, "connection")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      tokens.emplace_back(Trim(rest.substr(0, comma)));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return tokens;
}

int StatusOf(std::string_view status_line) {
  int status = 0;
  const std::string_view rest = status_line.substr(std::min(status_line.find(' ') + 1, status_line.size()));
  std::from_chars(rest.data(), rest.data() + std::min<size_t>(rest.size(), 3), status);
  return status;
}

}  // namespace

bool ResponseHead::AddLine(std::string_view line) {
  if (complete_) return false;
  if (line.starts_with("HTTP/")) {
    Begin(StatusOf(line));
  } else if (!Trim(line).empty()) {
    AddHeaderLine(line);
  } else {
    complete_ = head_.status >= 200;
  }
  return complete_;
}

void ResponseHead::Begin(int status) {
  Clear();
  head_.status = status;
  head_.headers.reserve(kUsualHeaders);
}

void ResponseHead::AddHeaderLine(std::string_view line) {
  const size_t colon = line.find(':');
  if (line.front() == ' ' || line.front() == '\t') {
    if (!head_.headers.empty()) head_.headers.back().second.append(" ").append(Trim(line));
  } else if (colon != std::string_view::npos) {
    AddHeader(Trim(line.substr(0, colon)), Trim(line.substr(colon + 1)));
  }
}

void ResponseHead::AddHeader(std::string_view name, std::string_view value) {
  if (SameName(name, "content-length")) {
    std::from_chars(value.data(), value.data() + value.size(), head_.content_length);
  }
  head_.headers.emplace_back(name, value);
}

UpstreamHead ResponseHead::Take() {
  const std::vector<std::string> named = ConnectionTokens(head_);
  const auto is_hop_by_hop = [&](const auto& header) {
    const auto same = [&](std::string_view name) { return SameName(header.first, name); };
    return std::any_of(kHopByHop.begin(), kHopByHop.end(), same) || std::any_of(named.begin(), named.end(), same);
  };
  std::erase_if(head_.headers, is_hop_by_hop);
  return std::exchange(head_, {});
}

void ResponseHead::Clear() {
  head_ = {};
  complete_ = false;
}

}  // namespace ccr::proxy
