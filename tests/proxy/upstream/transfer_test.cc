#include "proxy/upstream/transfer.h"

#include <gtest/gtest.h>

#include <chrono>

namespace ccr::proxy {
namespace {

using std::chrono::milliseconds;

// One that is where the test says.
class TestTransfer final : public UpstreamClient::Transfer {
 public:
  using Transfer::Begin;

  void Resume() override {}
  void Cancel() override {}
  void TimeOut(TransportError, SteadyTime) override {}

  SteadyTime connected_at = SteadyTime::min();

 private:
  SteadyTime ConnectedAt() const override { return connected_at; }
  SteadyTime ConnectDeadline(SteadyTime) const override { return After(started_, request_.connect_timeout); }
  bool AllSent() const override { return true; }
};

TEST(TransferTest, TheFirstByteOfASlowConnectionHasItsDeadlineToo) {
  const SteadyTime start = std::chrono::steady_clock::now();
  UpstreamRequest request;
  request.connect_timeout = absl::Seconds(10);
  request.first_byte_timeout = absl::Milliseconds(100);
  TestTransfer transfer;
  transfer.Begin(std::move(request), nullptr, start);
  ASSERT_LE(transfer.next_check(), start + milliseconds(100));
  EXPECT_FALSE(transfer.CheckDeadlines(start + milliseconds(100))) << "still connecting";
  transfer.connected_at = start + milliseconds(101);
  EXPECT_LE(transfer.next_check(), start + milliseconds(201));
  EXPECT_FALSE(transfer.CheckDeadlines(start + milliseconds(200)));
  EXPECT_EQ(transfer.next_check(), start + milliseconds(201));
  EXPECT_EQ(transfer.CheckDeadlines(start + milliseconds(201)), TransportError::kFirstByteTimeout);
}

}  // namespace
}  // namespace ccr::proxy
