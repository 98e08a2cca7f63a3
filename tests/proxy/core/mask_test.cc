#include "proxy/core/mask.h"

#include <gtest/gtest.h>

namespace ccr::proxy {
namespace {

std::string Masked(std::string_view secret, std::string text) {
  Mask(secret, &text);
  return text;
}

TEST(Mask, EveryPlaceWithoutChangingTheLength) {
  EXPECT_EQ(Masked("canary-1", "canary-1 canary-1canary-1 canary-2 canary-"),
            "******** **************** canary-2 canary-");
  EXPECT_EQ(Masked("canary-1", ""), "");
  EXPECT_EQ(Masked("aaaaaaaa", "aaaaaaaaaaaa"), "********aaaa");
}

TEST(Mask, PlaceholdersAreWords) {
  EXPECT_EQ(Masked("ollama", "ollama is away"), "ollama is away");
  EXPECT_EQ(Masked("", "text"), "text");
}

}  // namespace
}  // namespace ccr::proxy
