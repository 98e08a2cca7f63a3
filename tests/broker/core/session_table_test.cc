// Sessions are kept for an hour after their last success, and no more of them than fit.
#include "broker/core/session_table.h"

#include "gtest/gtest.h"

namespace ccr::core {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

class SessionTableTest : public testing::Test {
 protected:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  SessionTable table_{3};
};

TEST_F(SessionTableTest, KnowsTheKeyOfTheLastSuccess) {
  EXPECT_EQ(table_.Find(7, now_), kNoKey);
  table_.Remember(7, 1, now_);
  table_.Remember(8, 2, now_);
  EXPECT_EQ(table_.Find(7, now_), 1u);
  table_.Remember(7, 5, now_);
  EXPECT_EQ(table_.Find(7, now_), 5u);
  EXPECT_EQ(table_.Find(8, now_), 2u);
  EXPECT_EQ(table_.Size(now_), 2u);
}

TEST_F(SessionTableTest, NoSessionIsNeverKept) {
  table_.Remember(kNoSession, 1, now_);
  EXPECT_EQ(table_.Find(kNoSession, now_), kNoKey);
  EXPECT_EQ(table_.Size(now_), 0u);
}

TEST_F(SessionTableTest, AnHourAfterTheLastSuccessItIsForgotten) {
  table_.Remember(7, 1, now_);
  table_.Remember(8, 2, now_ + kMs);
  const absl::Time end = now_ + SessionTable::kIdle;
  EXPECT_EQ(table_.Find(7, end - kMs), 1u);
  EXPECT_EQ(table_.Size(end - kMs), 2u);
  EXPECT_EQ(table_.Find(7, end), kNoKey);
  EXPECT_EQ(table_.Find(8, end), 2u);
  EXPECT_EQ(table_.Size(end), 1u);
  EXPECT_EQ(table_.Find(8, end + kMs), kNoKey);
  EXPECT_EQ(table_.Size(end + kMs), 0u);
}

TEST_F(SessionTableTest, ASuccessProlongs) {
  table_.Remember(7, 1, now_);
  table_.Remember(7, 1, now_ + absl::Minutes(59));
  EXPECT_EQ(table_.Find(7, now_ + absl::Minutes(118)), 1u);
  EXPECT_EQ(table_.Find(7, now_ + absl::Minutes(119)), kNoKey);
}

TEST_F(SessionTableTest, AFullTableForgetsTheOneWithTheOldestSuccess) {
  for (SessionHash session : {1, 2, 3}) table_.Remember(session, 0, now_);
  table_.Remember(1, 0, now_ + kMs);
  EXPECT_EQ(table_.Find(2, now_ + kMs), 0u);  // asking is no success
  table_.Remember(4, 0, now_ + kMs);
  EXPECT_EQ(table_.Find(2, now_ + kMs), kNoKey);
  for (SessionHash session : {1, 3, 4}) EXPECT_EQ(table_.Find(session, now_ + kMs), 0u) << session;
  EXPECT_EQ(table_.Size(now_ + kMs), 3u);
  for (SessionHash session = 100; session < 200; ++session) table_.Remember(session, 9, now_ + kMs);
  EXPECT_EQ(table_.Size(now_ + kMs), 3u);
  for (SessionHash session : {197, 198, 199}) EXPECT_EQ(table_.Find(session, now_ + kMs), 9u) << session;
}

TEST_F(SessionTableTest, KeysCanBeForgotten) {
  for (SessionHash session : {1, 2, 3}) table_.Remember(session, static_cast<KeyIndex>(session), now_);
  table_.ForgetIf([](KeyIndex key) { return key != 2; });
  EXPECT_EQ(table_.Find(2, now_), 2u);
  EXPECT_EQ(table_.Size(now_), 1u);
  table_.Remember(4, 4, now_);
  table_.Clear();
  EXPECT_EQ(table_.Size(now_), 0u);
  for (SessionHash session : {1, 2, 3, 4}) table_.Remember(session, 0, now_);
  EXPECT_EQ(table_.Size(now_), 3u);  // the limit is as before
}

}  // namespace
}  // namespace ccr::core
