#include "proxy/upstream/plain_url.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

struct Case {
  std::string url, authority, host, port, target;
};

TEST(PlainUrlTest, TakesApart) {
  for (const Case& c : {
           Case{"http://host", "host", "host", "80", ""},
           Case{"http://host/", "host", "host", "80", "/"},
           Case{"http://Host.example:8080/v1/a?b=c", "Host.example:8080", "Host.example", "8080", "/v1/a?b=c"},
           Case{"http://host?x", "host", "host", "80", "?x"},
           Case{"http://my_host-1:1/", "my_host-1:1", "my_host-1", "1", "/"},
           Case{"http://127.0.0.1:11434/api/@:%20[]", "127.0.0.1:11434", "127.0.0.1", "11434", "/api/@:%20[]"},
           Case{"http://[::1]/a", "[::1]", "::1", "80", "/a"},
           Case{"http://[fe80::1.2.3.4]:81/", "[fe80::1.2.3.4]:81", "fe80::1.2.3.4", "81", "/"},
       }) {
    const auto parsed = PlainUrl::Parse(c.url);
    ASSERT_TRUE(parsed) << c.url;
    EXPECT_EQ(parsed->authority, c.authority);
    EXPECT_EQ(parsed->host, c.host);
    EXPECT_EQ(parsed->port, c.port);
    EXPECT_EQ(parsed->target, c.target);
  }
}

TEST(PlainUrlTest, LeavesTheRestToOthers) {
  for (const char* url : {"",
                          "http:",
                          "http://",
                          "http:///x",
                          "https://host/",
                          "HTTP://host/",
                          "//host/",
                          "http://user@host/",
                          "http://u:p@host:1/",
                          "http://host:/",
                          "http://host:x/",
                          "http://host:123456/",
                          "http://host:65536/",
                          "http://ho st/",
                          "http://h\xc3\xb6st/",
                          "http://host/a#b",
                          "http://host/a b",
                          "http://host/\r\nx: 1",
                          "http://host/\xc3\xa9",
                          "http://[::1/",
                          "http://[::1]x/",
                          "http://[]/",
                          "http://[host]/",
                          "http://[fe80::1%eth0]/",
                          "http://ho$t/"}) {
    EXPECT_FALSE(PlainUrl::Parse(url)) << url;
  }
}

}  // namespace
}  // namespace ccr::proxy
