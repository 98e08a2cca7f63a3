#include "broker/core/lease_table.h"

#include "gtest/gtest.h"

namespace ccr::core {
namespace {

const absl::Time kTableStart = absl::FromUnixSeconds(1'700'000'000);

LeaseId Id(uint64_t number) {
  return {1, 1, 5, number};
}
LeaseRecord Lease(uint64_t number) {
  return {Id(number), 0, number, false, false};
}

TEST(LeaseTableTest, ALeaseEndsOnce) {
  LeaseTable table;
  table.Add(Lease(1), kNoOwner, kTableStart + absl::Seconds(10));
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.PastOf(Id(1)), LeaseTable::Past::kUnknown);
  EXPECT_TRUE(table.Remove(Id(1), true));
  EXPECT_FALSE(table.Remove(Id(1), true));
  EXPECT_FALSE(table.PopExpired(absl::InfiniteFuture()).has_value());
  EXPECT_EQ(table.PastOf(Id(1)), LeaseTable::Past::kReported);
  EXPECT_EQ(table.size(), 0u);
}

TEST(LeaseTableTest, ExpiresInOrderAndAtTheMoment) {
  LeaseTable table;
  table.Add(Lease(1), kNoOwner, kTableStart + absl::Milliseconds(10'000));
  table.Add(Lease(2), kNoOwner, kTableStart + absl::Milliseconds(5'000));
  EXPECT_EQ(table.NextExpiry(), kTableStart + absl::Milliseconds(5'000));
  EXPECT_EQ(table.PopExpired(kTableStart + absl::Milliseconds(9'999))->id, Id(2));
  EXPECT_FALSE(table.PopExpired(kTableStart + absl::Milliseconds(9'999)).has_value());
  EXPECT_EQ(table.PopExpired(kTableStart + absl::Milliseconds(10'000))->id, Id(1));
  EXPECT_EQ(table.PastOf(Id(1)), LeaseTable::Past::kUnreported);
  EXPECT_EQ(table.NextExpiry(), absl::InfiniteFuture());
}

TEST(LeaseTableTest, ExtendNeverShortens) {
  LeaseTable table;
  table.Add(Lease(1), kNoOwner, kTableStart + absl::Seconds(10));
  EXPECT_TRUE(table.Extend(Id(1), kTableStart + absl::Seconds(5)));
  EXPECT_EQ(table.NextExpiry(), kTableStart + absl::Seconds(10));
  EXPECT_TRUE(table.Extend(Id(1), kTableStart + absl::Seconds(20)));
  EXPECT_EQ(table.NextExpiry(), kTableStart + absl::Seconds(20));
  EXPECT_FALSE(table.Extend(Id(2), kTableStart));
}

TEST(LeaseTableTest, OrphansOnlyTheOwnersLeases) {
  LeaseTable table;
  for (uint64_t i = 1; i <= 9; ++i) table.Add(Lease(i), i % 3, kTableStart + absl::Minutes(10));
  EXPECT_TRUE(table.Remove(Id(4), true));  // of owner 1, in the middle of its list
  EXPECT_TRUE(table.Adopt(Id(7), 2, kTableStart + absl::Minutes(10)));
  table.Orphan(1, kTableStart + absl::Seconds(5));
  EXPECT_EQ(table.PopExpired(kTableStart + absl::Seconds(5))->id, Id(1));
  EXPECT_FALSE(table.PopExpired(kTableStart + absl::Seconds(599)).has_value());
  EXPECT_EQ(table.size(), 7u);
  table.Orphan(2, kTableStart + absl::Seconds(6));
  int expired = 0;
  while (table.PopExpired(kTableStart + absl::Seconds(6))) ++expired;
  EXPECT_EQ(expired, 4);
}

TEST(LeaseTableTest, AnOrphanKeepsAnEarlierEnd) {
  LeaseTable table;
  table.Add(Lease(1), 1, kTableStart + absl::Seconds(3));
  table.Orphan(1, kTableStart + absl::Seconds(5));
  EXPECT_EQ(table.NextExpiry(), kTableStart + absl::Seconds(3));
}

TEST(LeaseTableTest, TrialsEndInOrderOrWithTheirLease) {
  LeaseTable table;
  for (uint64_t i = 1; i <= 4; ++i) {
    LeaseRecord trial = Lease(i);
    trial.circuit_trial = i != 3;
    trial.trial_until = kTableStart + absl::Seconds(10 - static_cast<int>(i));
    table.Add(trial, kNoOwner, kTableStart + absl::Minutes(10));
  }
  EXPECT_EQ(table.NextTrialEnd(), kTableStart + absl::Seconds(6));
  EXPECT_TRUE(table.Remove(Id(4), true));
  EXPECT_EQ(table.NextTrialEnd(), kTableStart + absl::Seconds(8)) << "the third is none";
  EXPECT_FALSE(table.PopOverdueTrial(kTableStart + absl::Milliseconds(7'999)).has_value());
  EXPECT_TRUE(table.PopOverdueTrial(kTableStart + absl::Seconds(8))->circuit_trial);
  EXPECT_FALSE(table.Find(Id(2))->circuit_trial);
  EXPECT_EQ(table.flowing(), 0u);
  EXPECT_TRUE(table.MarkProgressed(Id(1)));
  EXPECT_FALSE(table.MarkProgressed(Id(4)));
  EXPECT_EQ(table.flowing(), 1u);
  EXPECT_FALSE(table.PopOverdueTrial(absl::InfiniteFuture()).has_value());
  EXPECT_TRUE(table.Find(Id(1))->progressed && !table.Find(Id(1))->circuit_trial);
  EXPECT_TRUE(table.Remove(Id(1), true));
  EXPECT_EQ(table.flowing(), 0u);
}

TEST(LeaseTableTest, RemembersABoundedPast) {
  LeaseTable table;
  for (uint64_t i = 0; i <= LeaseTable::kMemory; ++i) {
    table.Add(Lease(i), kNoOwner, kTableStart);
    table.Remove(Id(i), true);
  }
  EXPECT_EQ(table.PastOf(Id(0)), LeaseTable::Past::kUnknown);
  EXPECT_EQ(table.PastOf(Id(1)), LeaseTable::Past::kReported);
  EXPECT_EQ(table.PastOf(Id(LeaseTable::kMemory)), LeaseTable::Past::kReported);
}

}  // namespace
}  // namespace ccr::core
