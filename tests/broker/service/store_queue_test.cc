#include "broker/service/store_queue.h"

#include <gtest/gtest.h>

#include "broker/adapters/store/memory_store.h"

namespace ccr {
namespace {

class MoodyStore final : public KeyStore {
 public:
  absl::StatusOr<std::vector<KeyRecord>> Load() override { return store_.Load(); }
  absl::Status Append(absl::Span<const KeyRecord> records) override {
    ++appends_;
    return fails_ ? absl::UnavailableError("disk full") : store_.Append(records);
  }
  void Fail(bool fails) { fails_ = fails; }
  int appends() const { return appends_; }

 private:
  MemoryStore store_;
  bool fails_ = false;
  int appends_ = 0;
};

KeyRecord Record(const std::string& fingerprint, uint64_t uses) {
  core::KeySnapshot state;
  state.uses = uses;
  return {"p", fingerprint, state};
}

class StoreQueueTest : public testing::Test {
 protected:
  absl::Status Append(std::vector<KeyRecord> records) { return queue_.Append(records); }

  MoodyStore store_;
  StoreQueue queue_{&store_};
};

TEST_F(StoreQueueTest, PassesRecordsOn) {
  ASSERT_TRUE(Append({Record("f", 1)}).ok());
  EXPECT_EQ(queue_.Load()->size(), 1u);
  EXPECT_EQ(queue_.stats().records, 0u);
  EXPECT_EQ(queue_.stats().writes, 1u);
}

TEST_F(StoreQueueTest, KeepsWhatIsRefusedOncePerKey) {
  store_.Fail(true);
  EXPECT_FALSE(Append({Record("f", 1), Record("g", 1)}).ok());
  EXPECT_FALSE(Append({Record("f", 2)}).ok());
  EXPECT_EQ(queue_.stats().records, 2u);
  EXPECT_EQ(queue_.stats().failures, 2u);
}

TEST_F(StoreQueueTest, WritesWhatItKeptWithTheNextAppend) {
  store_.Fail(true);
  EXPECT_FALSE(Append({Record("f", 1)}).ok());
  store_.Fail(false);
  ASSERT_TRUE(Append({Record("f", 2), Record("g", 1)}).ok());
  EXPECT_EQ(queue_.stats().records, 0u);
  const absl::StatusOr<std::vector<KeyRecord>> records = queue_.Load();
  ASSERT_EQ(records->size(), 2u);
  for (const KeyRecord& record : *records) EXPECT_EQ(record.state.uses, record.fingerprint == "f" ? 2u : 1u);
}

TEST_F(StoreQueueTest, AnEmptyAppendTriesAgainAndElseCostsNothing) {
  ASSERT_TRUE(Append({}).ok());
  EXPECT_EQ(store_.appends(), 0);
  store_.Fail(true);
  EXPECT_FALSE(Append({Record("f", 1)}).ok());
  store_.Fail(false);
  ASSERT_TRUE(Append({}).ok());
  EXPECT_EQ(queue_.Load()->size(), 1u);
}

}  // namespace
}  // namespace ccr
