#include "proxy/core/session_usage.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

TEST(SessionUsage, RemembersTheLast) {
  SessionUsage usage;
  EXPECT_EQ(usage.Last("a"), 0U);
  usage.Record("a", 10);
  usage.Record("b", 20);
  usage.Record("a", 30);
  EXPECT_EQ(usage.Last("a"), 30U);
  EXPECT_EQ(usage.Last("b"), 20U);
  EXPECT_EQ(usage.size(), 2U);
}

TEST(SessionUsage, NobodysSessionIsNotKept) {
  SessionUsage usage;
  usage.Record("", 10);
  EXPECT_EQ(usage.Last(""), 0U);
  EXPECT_EQ(usage.size(), 0U);
}

TEST(SessionUsage, DropsTheOneUnusedLongest) {
  SessionUsage usage(2);
  usage.Record("a", 1);
  usage.Record("b", 2);
  EXPECT_EQ(usage.Last("a"), 1U);  // makes b the oldest
  usage.Record("c", 3);
  EXPECT_EQ(usage.Last("b"), 0U);
  EXPECT_EQ(usage.Last("a"), 1U);
  EXPECT_EQ(usage.Last("c"), 3U);
  usage.Record("a", 4);  // makes c the oldest
  usage.Record("d", 5);
  EXPECT_EQ(usage.Last("c"), 0U);
  EXPECT_EQ(usage.Last("a"), 4U);
}

TEST(SessionUsage, IsBounded) {
  SessionUsage usage;
  for (int i = 0; i < 10001; ++i) usage.Record(std::to_string(i), 7);
  EXPECT_EQ(usage.size(), 10000U);
  EXPECT_EQ(usage.Last("0"), 0U);
  EXPECT_EQ(usage.Last("1"), 7U);
  SessionUsage none(0);
  none.Record("a", 1);
  EXPECT_EQ(none.Last("a"), 0U);
}

}  // namespace
}  // namespace ccr::proxy
