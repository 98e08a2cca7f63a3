#include "broker/base/address.h"

#include <gtest/gtest.h>

namespace ccr {
namespace {

TEST(AddressTest, ParsesAndPrints) {
  for (const char* text : {"127.0.0.1:3456", "localhost:0", "[::1]:65535", "example.test:80"}) {
    const auto address = ParseHostPort(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(AddressTest, NamesWhatIsWrong) {
  const struct {
    const char* text;
    const char* why;
  } rows[] = {
      {"", "port is missing"},       {"localhost", "port is missing"},
      {":80", "host is missing"},    {"::1:80", "needs brackets"},
      {"[::1:80", "']' is missing"}, {"h:65536", "no number"},
      {"h:-1", "no number"},         {"h:8x", "no number"},
      {"h:", "no number"},
  };
  for (const auto& row : rows) {
    const auto address = ParseHostPort(row.text);
    ASSERT_FALSE(address.ok()) << row.text;
    EXPECT_NE(std::string(address.status().message()).find(row.why), std::string::npos) << address.status();
  }
}

TEST(AddressTest, KnowsLoopback) {
  for (const char* host : {"127.0.0.1", "127.255.0.9", "::1", "localhost"}) EXPECT_TRUE(IsLoopback(host)) << host;
  for (const char* host : {"0.0.0.0", "10.0.0.1", "::", "128.0.0.1", "example.test", "127.0.0.1.example.test"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

}  // namespace
}  // namespace ccr
