#include "broker/service/session_hasher.h"

#include <gtest/gtest.h>

namespace ccr {
namespace {

TEST(SessionHasherTest, TellsSessionsApartAndKeepsThemTogether) {
  const SessionHasher hasher;
  EXPECT_EQ(hasher.Of("a"), hasher.Of("a"));
  EXPECT_NE(hasher.Of("a"), hasher.Of("b"));
  EXPECT_NE(hasher.Of("a"), core::kNoSession);
  EXPECT_EQ(hasher.Of(""), core::kNoSession);
}

TEST(SessionHasherTest, EachRunHasItsOwnKey) {
  EXPECT_NE(SessionHasher().Of("a"), SessionHasher().Of("a"));
  const SessionHasher hasher;
  EXPECT_EQ(SessionHasher(hasher).Of("a"), hasher.Of("a"));
}

}  // namespace
}  // namespace ccr
