#include "proxy/core/credential_rules.h"

#include <gtest/gtest.h>

namespace ccr::proxy {
namespace {

TEST(ClientCredentials, FoundInWhateverTextHoldsThem) {
  ClientCredentials credentials;
  credentials.Add("Authorization", "Bearer  canary-token-1");
  credentials.Add("X-My-Api-Key", " canary-token-2 ");
  credentials.Add("x-request-id", "0123456789");
  credentials.Add("x-api-key", "test");
  EXPECT_TRUE(credentials.In("canary-token-1"));
  EXPECT_TRUE(credentials.In("x=canary-token-2;y"));
  EXPECT_FALSE(credentials.In("canary-token-"));
  EXPECT_FALSE(credentials.In("0123456789"));
  EXPECT_FALSE(credentials.In("a test"));
  EXPECT_FALSE(credentials.In(""));
}

TEST(WithoutCredentials, ByNameInAnySpelling) {
  const ClientCredentials none;
  for (const char* credential : {"key=k",       "%6bey=k",          "%6B%65%79=k",
                                 "%256bey=k",   "%25256bey=k",      "KEY=k",
                                 "$key=k",      "%24key=k",         "key",
                                 "key=",        "api_key=k",        "Api-Key=k",
                                 "api%5Fkey=k", "x-goog-api-key=k", "access_token=k",
                                 "x=1;key=k",   "a;%6bey=k",        "key%00=k",
                                 "key%00x=k",   "+key=k",           "%20%24key=k",
                                 "%09key+=k",   "key[]=k",          "api_key%5B0%5D=k"}) {
    EXPECT_EQ(WithoutCredentials(credential, none), "") << credential;
    EXPECT_EQ(WithoutCredentials("alt=sse&" + std::string(credential) + "&b", none), "alt=sse&b") << credential;
  }
}

TEST(WithoutCredentials, OthersPassAsTheyCame) {
  const ClientCredentials none;
  for (const char* query :
       {"", "beta=true", "keys=1", "mykey=2", "k%65=1", "pageToken=x&page_token=y", "u=%3Fkey%3Dv", "a=%", "a=%zz&b=%2",
        "a&&", "&&b&", "idempotency-key=3", "keys[]=1", "key.x=1", "+", "[]=1", "%00", "&&"}) {
    EXPECT_EQ(WithoutCredentials(query, none), query) << query;
  }
}

TEST(WithoutCredentials, ByValue) {
  ClientCredentials credentials;
  credentials.Add("x-api-key", "canary/token");
  EXPECT_EQ(WithoutCredentials("a=canary/token&b=canary%2Ftoken&c=canary%252Ftoken&d=x", credentials), "d=x");
}

}  // namespace
}  // namespace ccr::proxy
