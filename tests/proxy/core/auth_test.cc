#include "proxy/core/auth.h"

#include <gtest/gtest.h>

namespace ccr::proxy {
namespace {

AccessPolicy Policy(std::string listen, bool token, std::vector<std::string> allowed = {}) {
  return {std::move(listen), token, std::move(allowed)};
}

TEST(HostAllowed, KnownHostsAlwaysAre) {
  for (const AccessPolicy& policy : {Policy("127.0.0.1", false), Policy("0.0.0.0", false), Policy("192.0.2.7", true)}) {
    for (const char* host : {"", "localhost", "LocalHost:3456", "a.localhost:1", "localhost.", "127.0.0.1",
                             "127.0.0.1:80", "127.255.0.9", "[::1]", "[::1]:3456"}) {
      EXPECT_TRUE(HostAllowed(host, policy)) << host << " at " << policy.listen_host;
    }
  }
  EXPECT_TRUE(HostAllowed("192.0.2.7:3456", Policy("192.0.2.7", false)));
  EXPECT_TRUE(HostAllowed("[2001:db8::1]:3456", Policy("2001:db8::1", false)));
}

TEST(HostAllowed, ForeignHosts) {
  for (const char* host : {"evil.example",
                           "evil.example:3456",
                           "127.0.0.1.evil.example",
                           "localhost.evil.example",
                           "127.0.0.256",
                           "127.0.0",
                           "127.0.0.1.1",
                           "127.0.0.x",
                           "notlocalhost",
                           "0.0.0.0:3456",
                           "[::]",
                           "::1x",
                           "localhost:",
                           "localhost:x",
                           "localhost:123456",
                           "[::1",
                           "[::1]x",
                           "localhost@evil.example",
                           "evil.example/localhost",
                           ":80"}) {
    EXPECT_FALSE(HostAllowed(host, Policy("127.0.0.1", false))) << host;
    EXPECT_FALSE(HostAllowed(host, Policy("127.0.0.1", true))) << host;
    EXPECT_FALSE(HostAllowed(host, Policy("0.0.0.0", false))) << host;
    EXPECT_TRUE(HostAllowed(host, Policy("0.0.0.0", true))) << host;
  }
}

TEST(HostAllowed, AllowedHosts) {
  const AccessPolicy policy = Policy("127.0.0.1", false, {"proxy.example", "other.example:8080", "2001:db8::2"});
  EXPECT_TRUE(HostAllowed("Proxy.Example:99", policy));
  EXPECT_TRUE(HostAllowed("proxy.example", policy));
  EXPECT_TRUE(HostAllowed("other.example:8080", policy));
  EXPECT_FALSE(HostAllowed("other.example", policy));
  EXPECT_FALSE(HostAllowed("other.example:80", policy));
  EXPECT_FALSE(HostAllowed("sub.proxy.example", policy));
  EXPECT_TRUE(HostAllowed("[2001:db8::2]:1", policy));
}

TEST(OriginAllowed, ForeignOriginsNeverAre) {
  for (const bool token : {false, true}) {
    const AccessPolicy policy = Policy("0.0.0.0", token, {"app.example"});
    for (const char* origin :
         {"", "http://localhost:5173", "https://127.0.0.1", "http://[::1]:80", "https://app.example"}) {
      EXPECT_TRUE(OriginAllowed(origin, policy)) << origin;
    }
    for (const char* origin :
         {"null", "https://evil.example", "https://app.example.evil", "http://0.0.0.0:3456", "localhost",
          "://localhost", "https://", "http://localhost/x", "http://localhost@evil.example"}) {
      EXPECT_FALSE(OriginAllowed(origin, policy)) << origin;
    }
  }
}

TEST(FetchSiteAllowed, OtherSitesNeedAKnownOrigin) {
  const AccessPolicy policy = Policy("127.0.0.1", true, {"app.example"});
  for (const char* own : {"", "none", "same-origin"}) EXPECT_TRUE(FetchSiteAllowed(own, "", policy)) << own;
  for (const char* other : {"cross-site", "same-site", "Cross-Site", "whatever comes next"}) {
    EXPECT_FALSE(FetchSiteAllowed(other, "", policy)) << other;
    EXPECT_FALSE(FetchSiteAllowed(other, "https://evil.example", policy)) << other;
    EXPECT_TRUE(FetchSiteAllowed(other, "https://app.example", policy)) << other;
  }
}

TEST(ClientTokens, AnyPlace) {
  using Tokens = std::array<std::string_view, 3>;
  EXPECT_EQ(ClientTokens("Bearer abc", "", ""), (Tokens{"abc", "", ""}));
  EXPECT_EQ(ClientTokens(" bearer  abc ", " def ", " ghi "), (Tokens{"abc", "def", "ghi"}));
  EXPECT_EQ(ClientTokens("Basic abc", "def", ""), (Tokens{"", "def", ""}));
  EXPECT_EQ(ClientTokens("Bearer", "", ""), (Tokens{"", "", ""}));
  EXPECT_EQ(ClientTokens("Bearerabc", "", ""), (Tokens{"", "", ""}));
  EXPECT_EQ(ClientTokens("", "", "ghi"), (Tokens{"", "", "ghi"}));
}

}  // namespace
}  // namespace ccr::proxy
