#include "broker/adapters/store/memory_store.h"

#include <gtest/gtest.h>

namespace ccr {
namespace {

KeyRecord Record(const std::string& pool, const std::string& fingerprint, uint64_t uses) {
  core::KeySnapshot state;
  state.uses = uses;
  return {pool, fingerprint, state};
}

TEST(MemoryStoreTest, IsEmptyAtFirst) {
  MemoryStore store;
  EXPECT_TRUE(store.Load()->empty());
}

TEST(MemoryStoreTest, TheLastRecordOfAKeyWins) {
  MemoryStore store;
  const KeyRecord records[] = {Record("p", "f", 1), Record("p", "f", 2)};
  ASSERT_TRUE(store.Append(records).ok());
  const KeyRecord later[] = {Record("p", "f", 3)};
  ASSERT_TRUE(store.Append(later).ok());
  ASSERT_EQ(store.Load()->size(), 1u);
  EXPECT_EQ(store.Load()->at(0).state.uses, 3u);
}

TEST(MemoryStoreTest, KeysAreOfTheirPool) {
  MemoryStore store;
  const KeyRecord records[] = {Record("p", "f", 1), Record("q", "f", 2), Record("p", "g", 3)};
  ASSERT_TRUE(store.Append(records).ok());
  EXPECT_EQ(store.Load()->size(), 3u);
}

}  // namespace
}  // namespace ccr
