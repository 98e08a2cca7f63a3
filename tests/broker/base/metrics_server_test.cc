#include "broker/base/metrics_server.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <chrono>
#include <memory>

namespace ccr {
namespace {

TEST(MetricsServerTest, ATakenPortIsNamed) {
  const auto registry = std::make_shared<prometheus::Registry>();
  const auto first = MetricsServer::Start({"127.0.0.1", 0}, registry);
  ASSERT_TRUE(first.ok()) << first.status();
  const HostPort taken = (*first)->address();
  EXPECT_NE(taken.port, 0);
  const auto second = MetricsServer::Start(taken, registry);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(second.status().message().find(taken.ToString()), absl::string_view::npos);
}

TEST(MetricsServerTest, EndsAtOnce) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(MetricsServer::Start({"127.0.0.1", 0}, std::make_shared<prometheus::Registry>()).ok());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30))
      << "more than a second each when nobody knocks";
}

}  // namespace
}  // namespace ccr
