// Who may talk to the proxy: Host, Origin and Sec-Fetch-Site against web pages, and where the client token stands.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace ccr::proxy {

struct AccessPolicy {
  std::string listen_host;  // without port and brackets; a wildcard (0.0.0.0, ::) names no host
  bool has_client_token = false;
  std::vector<std::string> allowed_hosts;  // "host" for any port, "host:port" for that one
};

// Known hosts are loopback names (localhost, *.localhost, 127.0.0.0/8, ::1) with any port, the listen address and
// allowed_hosts.
//
//   Host      listener   client token  ->
//   known     any        any           allowed
//   absent    any        any           allowed: browsers always send one
//   foreign   loopback   any           refused: a name that came to resolve to 127.0.0.1
//   foreign   other      none          refused
//   foreign   other      configured    allowed: the token decides
bool HostAllowed(std::string_view host, const AccessPolicy& policy);

// `origin` is the Origin header, empty when absent. Absent and known ones are allowed; foreign ones, "null" and
// malformed ones never are, with or without a token.
bool OriginAllowed(std::string_view origin, const AccessPolicy& policy);

// `fetch_site` is the Sec-Fetch-Site header, empty when absent, as from all that are no browsers. What a page of
// another site or origin asks for is allowed when it comes with a known Origin; an <img> or a link comes with none.
bool FetchSiteAllowed(std::string_view fetch_site, std::string_view origin, const AccessPolicy& policy);

// Where a client may have put its token: Authorization's (scheme Bearer), x-api-key's and, for Google's SDKs,
// x-goog-api-key's; empty when absent. The request is authenticated when any of them is the token.
std::array<std::string_view, 3> ClientTokens(std::string_view authorization, std::string_view x_api_key,
                                             std::string_view x_goog_api_key);

}  // namespace ccr::proxy
