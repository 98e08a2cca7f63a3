#include "proxy/core/descriptors.h"

#include <gtest/gtest.h>

namespace ccr::proxy {
namespace {

TEST(ShareDescriptors, ClientsLeaveRoomForProviders) {
  for (const uint64_t limit : {256, 1024, 20000, 1 << 20}) {
    for (const size_t workers : {1, 2, 16}) {
      const ClientShare share = ShareDescriptors(limit, workers);
      const uint64_t clients = static_cast<uint64_t>(share.served + share.rejected);
      const uint64_t providers = static_cast<uint64_t>(share.served) + 2 * workers * share.idle_upstream;
      EXPECT_LE(clients + providers + limit / 16, limit) << limit << " " << workers;
      EXPECT_GE(share.served, static_cast<int64_t>(limit / 3)) << limit;
    }
  }
}

TEST(ShareDescriptors, NoLimitIsNone) {
  const ClientShare share = ShareDescriptors(UINT64_MAX, 8);
  EXPECT_GT(share.served, 1'000'000'000);
  EXPECT_EQ(share.rejected, 256);
  EXPECT_EQ(share.idle_upstream, 1024U);
  EXPECT_GE(ShareDescriptors(1, 8).served, 1);
  EXPECT_GE(ShareDescriptors(1, 8).idle_upstream, 1U);
}

}  // namespace
}  // namespace ccr::proxy
