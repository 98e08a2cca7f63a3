// What of a URL a request over plain HTTP needs.
#pragma once

#include <optional>
#include <string_view>

namespace ccr::proxy {

// Views into the URL it was parsed from.
struct PlainUrl {
  std::string_view authority;  // "host[:port]" as written, for the Host header
  std::string_view host;       // name or address, without the brackets of IPv6
  std::string_view port;       // "80" where there is none
  std::string_view target;     // path and query as written; may lack the leading '/'

  // None unless the URL is "http://" and as simple as RFC 3986 wants it: no user, no fragment, ASCII only.
  static std::optional<PlainUrl> Parse(std::string_view url);
};

}  // namespace ccr::proxy
