#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "client/lib/lease_guard.h"

namespace ccr::client {
namespace {

class LeaseGuardTest : public ::testing::Test {
 protected:
  LeaseGuard Guard(const std::string& id) {
    v1::LeaseResponse lease;
    lease.set_lease_id(id);
    lease.mutable_credential()->set_secret("canary-key-a1");
    return LeaseGuard(std::move(lease), [this](const v1::ReportRequest& report) { reports_.push_back(report); });
  }

  std::vector<v1::ReportRequest> reports_;
};

TEST_F(LeaseGuardTest, KeepsTheKeyApartFromTheMessage) {
  const LeaseGuard guard = Guard("l1");
  EXPECT_EQ(guard.secret().Reveal(), "canary-key-a1");
  EXPECT_EQ(guard.lease().lease_id(), "l1");
  EXPECT_EQ(guard.lease().SerializeAsString().find("canary"), std::string::npos);
}

TEST_F(LeaseGuardTest, ReportsSuccessOnce) {
  {
    LeaseGuard guard = Guard("l1");
    guard.Success();
    guard.Success();
    guard.Failure({});
  }
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_EQ(reports_[0].lease_id(), "l1");
  EXPECT_TRUE(reports_[0].evidence().success());
}

TEST_F(LeaseGuardTest, ReportsTheEvidenceOfAFailure) {
  {
    LeaseGuard guard = Guard("l1");
    v1::Evidence evidence;
    evidence.set_http_status(429);
    guard.Failure(evidence);
  }
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_EQ(reports_[0].evidence().http_status(), 429u);
  EXPECT_FALSE(reports_[0].evidence().caller_fault());
}

TEST_F(LeaseGuardTest, AnAbandonedLeaseCountsForNothing) {
  { const LeaseGuard guard = Guard("l1"); }
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_TRUE(reports_[0].evidence().caller_fault());
}

TEST_F(LeaseGuardTest, MovingMovesTheDuty) {
  {
    LeaseGuard first = Guard("l1");
    LeaseGuard second = std::move(first);
    EXPECT_EQ(second.secret().Reveal(), "canary-key-a1");
    second.Success();
  }
  EXPECT_EQ(reports_.size(), 1u);
}

TEST_F(LeaseGuardTest, AssignmentEndsTheLeaseThatWasHeld) {
  {
    LeaseGuard guard = Guard("old");
    guard = Guard("new");
    ASSERT_EQ(reports_.size(), 1u);
    EXPECT_EQ(reports_[0].lease_id(), "old");
    EXPECT_TRUE(reports_[0].evidence().caller_fault());
    guard.Success();
  }
  ASSERT_EQ(reports_.size(), 2u);
  EXPECT_EQ(reports_[1].lease_id(), "new");
}

}  // namespace
}  // namespace ccr::client
