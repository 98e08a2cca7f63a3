// Which headers pass: open lists, with what must not pass taken out. Names are compared without case.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccr::proxy {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Whether a client's request header goes to the provider. Not: hop-by-hop headers (RFC 9110, 7.6.1) and Proxy-*; what
// we set anew (Host, Content-Length); every credential (NamesCredential); what tells of the client's whereabouts
// (Origin, Referer, Sec-Fetch-*, Forwarded, X-Forwarded-*, X-Real-IP, Via); Expect.
bool ForwardRequestHeader(std::string_view name);

// Whether a provider's response header goes to the client. Not: hop-by-hop headers and Proxy-*; Content-Length, set
// anew; Set-Cookie, Alt-Svc, Strict-Transport-Security and Access-Control-*, which speak for the provider's host, not
// for ours; X-Ccr-*, which are ours.
bool RelayResponseHeader(std::string_view name);

// Whether `connection`, the value of a Connection header, names `name`: such a header is hop-by-hop as well.
bool NamedByConnection(std::string_view connection, std::string_view name);

// The value of the first header of that name; empty when there is none.
std::string_view FindHeader(const Headers& headers, std::string_view name);

}  // namespace ccr::proxy
