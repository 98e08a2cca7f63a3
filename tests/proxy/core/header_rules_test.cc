#include "proxy/core/header_rules.h"

#include <gtest/gtest.h>

namespace ccr::proxy {
namespace {

TEST(ForwardRequestHeader, WhatPasses) {
  for (const char* name :
       {"anthropic-version", "Anthropic-Beta", "content-type", "Accept", "Accept-Encoding", "User-Agent",
        "x-stainless-lang", "X-Claude-Code-Session-Id", "OpenAI-Organization", "HTTP-Referer", "X-Title",
        "Content-Encoding", "Idempotency-Key", "x-forward", "authorizations", "te2", "x-anything"}) {
    EXPECT_TRUE(ForwardRequestHeader(name)) << name;
  }
}

TEST(ForwardRequestHeader, WhatDoesNot) {
  for (const char* name : {"Connection",
                           "keep-alive",
                           "Proxy-Authorization",
                           "proxy-connection",
                           "PROXY-Anything",
                           "TE",
                           "Trailer",
                           "Transfer-Encoding",
                           "UPGRADE",
                           "Host",
                           "Content-Length",
                           "Authorization",
                           "AUTHORIZATION",
                           "x-api-key",
                           "X-Api-Key",
                           "api-key",
                           "x-goog-api-key",
                           "Cookie",
                           "X-Provider-Api_Key",
                           "cf-aig-authorization",
                           "X-Auth-Token",
                           "x-client-secret",
                           "Sec-Fetch-Site",
                           "Origin",
                           "Referer",
                           "X-Forwarded-For",
                           "x-forwarded-proto",
                           "Forwarded",
                           "Via",
                           "Expect",
                           "X-Real-IP",
                           "HTTP2-Settings",
                           ""}) {
    EXPECT_FALSE(ForwardRequestHeader(name)) << name;
  }
}

TEST(RelayResponseHeader, WhatPasses) {
  for (const char* name :
       {"Content-Type", "retry-after", "retry-after-ms", "x-ratelimit-remaining-requests", "request-id",
        "anthropic-ratelimit-requests-reset", "content-encoding", "Date", "Server", "Cache-Control"}) {
    EXPECT_TRUE(RelayResponseHeader(name)) << name;
  }
}

TEST(RelayResponseHeader, WhatDoesNot) {
  for (const char* name :
       {"Connection", "Keep-Alive", "Transfer-Encoding", "Trailer", "Upgrade", "Proxy-Authenticate", "Set-Cookie",
        "set-cookie2", "Content-Length", "Alt-Svc", "Access-Control-Allow-Origin", "Strict-Transport-Security", ""}) {
    EXPECT_FALSE(RelayResponseHeader(name)) << name;
  }
}

TEST(NamedByConnection, ComparesWholeNames) {
  EXPECT_TRUE(NamedByConnection("close, X-Secret ,te", "x-secret"));
  EXPECT_TRUE(NamedByConnection("x-a", "X-A"));
  EXPECT_FALSE(NamedByConnection("x-ab", "x-a"));
  EXPECT_FALSE(NamedByConnection("", "x-a"));
}

TEST(FindHeader, FirstInAnyCase) {
  const Headers headers = {{"A", "1"}, {"b", "2"}, {"B", "3"}};
  EXPECT_EQ(FindHeader(headers, "B"), "2");
  EXPECT_EQ(FindHeader(headers, "c"), "");
}

}  // namespace
}  // namespace ccr::proxy
