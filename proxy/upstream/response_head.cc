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

// Of the end of a line it takes one line break.
bool HoldsControl(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return std::any_of(line.begin(), line.end(), [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

// The members of all headers of that name, which are lists.
std::vector<std::string> Members(const UpstreamHead& head, std::string_view list) {
  std::vector<std::string> tokens;
  for (const auto& [name, value] : head.headers) {
    if (!SameName(name, list)) continue;
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

ResponseHead::Line ResponseHead::AddLine(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > kMaxHead) return Refuse("the head of the answer is too large");
  if (complete_) return Line::kMore;
  if (HoldsControl(line)) return Refuse("the head of the answer holds a control character");
  if (line.starts_with("HTTP/")) {
    Begin(StatusOf(line));
    http1_ = line.starts_with("HTTP/1");
  } else if (!Trim(line).empty()) {
    AddHeaderLine(line);
  } else if (head_.status == kSwitchingProtocols) {
    return Refuse(kNobodySwitches);
  } else {
    complete_ = head_.status >= 200;
  }
  return complete_ ? Line::kLast : Line::kMore;
}

ResponseHead::Line ResponseHead::Refuse(std::string_view fault) {
  fault_ = fault;
  return Line::kRefused;
}

void ResponseHead::Begin(int status) {
  head_ = {};
  complete_ = false;
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

bool ResponseHead::chunked() const {
  const std::vector<std::string> codings = Members(head_, "transfer-encoding");
  return http1_ &&
         std::any_of(codings.begin(), codings.end(), [](const auto& coding) { return SameName(coding, "chunked"); });
}

UpstreamHead ResponseHead::Take() {
  const std::vector<std::string> named = Members(head_, "connection");
  const auto is_hop_by_hop = [&](const auto& header) {
    const auto same = [&](std::string_view name) { return SameName(header.first, name); };
    return std::any_of(kHopByHop.begin(), kHopByHop.end(), same) || std::any_of(named.begin(), named.end(), same);
  };
  std::erase_if(head_.headers, is_hop_by_hop);
  return std::exchange(head_, {});
}

void ResponseHead::Clear() {
  *this = {};
}

}  // namespace ccr::proxy
