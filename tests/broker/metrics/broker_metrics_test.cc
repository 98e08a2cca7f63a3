#include "broker/adapters/metrics/broker_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/adapters/metrics/state_registry.h"
#include "prometheus/text_serializer.h"

namespace ccr {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Type = core::Transition::Type;

class NoStore final : public KeyStore {
 public:
  absl::StatusOr<Fence> Acquire() override { return Fence{1}; }
  absl::StatusOr<Loaded> Load() override { return Loaded(); }
  absl::Status Commit(absl::Span<const Record> /*batch*/, Fence /*fence*/) override { return absl::OkStatus(); }
};

class BrokerMetricsTest : public ::testing::Test {
 protected:
  BrokerMetricsTest() : metrics_(&registry_) {}

  std::string Text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }
  static std::shared_ptr<const PoolNames> Pool(size_t keys) {
    auto pool = std::make_shared<PoolNames>();
    pool->pool = "p";
    for (size_t i = 0; i < keys; ++i) {
      pool->keys.emplace_back();
      pool->keys.back().name = "k" + std::to_string(i);
    }
    return pool;
  }

  StateRegistry registry_;
  BrokerMetrics metrics_;
};

TEST_F(BrokerMetricsTest, CountsLeasesWaitsTokensAndExpiries) {
  const auto pool = Pool(2);
  metrics_.OnPoolAdded(pool);
  std::vector<core::Transition> batch(3);
  batch[0].type = Type::kLeased;
  batch[0].key = 1;
  batch[0].wait = absl::Milliseconds(200);
  batch[1].type = Type::kSuccess;
  batch[1].key = 1;
  batch[1].input_tokens = 7;
  batch[1].latency = absl::Milliseconds(300);
  batch[2].type = Type::kLeaseExpired;
  batch[2].key = 0;
  metrics_.OnTransitions(pool, batch);
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("ccr_leases_total{key=\"k1\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_leases_total{key=\"k0\",pool=\"p\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("ccr_lease_wait_seconds_bucket{pool=\"p\",le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("ccr_lease_wait_seconds_bucket{pool=\"p\",le=\"0.25\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_upstream_first_byte_seconds_count{pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_key_tokens_total{direction=\"input\",key=\"k1\",pool=\"p\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("ccr_leases_expired_total{pool=\"p\"} 1\n"));
}

TEST_F(BrokerMetricsTest, CountsLeasesOfSessionsByResult) {
  const auto pool = Pool(1);
  metrics_.OnPoolAdded(pool);
  std::vector<core::Transition> batch(4);
  for (core::Transition& transition : batch) {
    transition.type = Type::kLeased;
    transition.key = 0;
  }
  batch[0].affinity = batch[1].affinity = core::Affinity::kHit;
  batch[2].affinity = core::Affinity::kOverShare;
  metrics_.OnTransitions(pool, batch);
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("ccr_session_affinity_total{pool=\"p\",result=\"hit\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("ccr_session_affinity_total{pool=\"p\",result=\"over_share\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_session_affinity_total{pool=\"p\",result=\"moved\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("ccr_session_affinity_total{pool=\"p\",result=\"none\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("not_asked")));
}

TEST_F(BrokerMetricsTest, CountsProbesByResult) {
  const auto pool = Pool(1);
  metrics_.OnPoolAdded(pool);
  std::vector<core::Transition> batch(4);
  for (core::Transition& transition : batch) {
    transition.type = Type::kProbed;
    transition.key = 0;
  }
  batch[0].outcome = core::Outcome::kSuccess;
  batch[1].outcome = core::Outcome::kAuth;
  batch[2].outcome = core::Outcome::kPermission;
  batch[3].outcome = core::Outcome::kUpstreamFailure;
  metrics_.OnTransitions(pool, batch);
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("ccr_probes_total{pool=\"p\",result=\"recovered\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_probes_total{pool=\"p\",result=\"refused\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("ccr_probes_total{pool=\"p\",result=\"failed\"} 1\n"));
}

TEST_F(BrokerMetricsTest, CountsAppliedReportsAndRefusals) {
  const auto pool = Pool(1);
  metrics_.OnPoolAdded(pool);
  core::Decision decision;
  decision.outcome = core::Outcome::kRateLimited;
  decision.key = 0;
  metrics_.OnAnswer(*pool, decision);
  decision.disposition = core::Disposition::kDuplicate;
  metrics_.OnAnswer(*pool, decision);
  metrics_.OnAnswer(*pool, core::Refusal::Why::kCircuitOpen);
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("ccr_reports_total{outcome=\"rate_limited\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_key_outcomes_total{key=\"k0\",outcome=\"rate_limited\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_lease_refusals_total{pool=\"p\",why=\"circuit_open\"} 1\n"));
}

TEST_F(BrokerMetricsTest, PoolsAbove200KeysHaveNoSeriesOfSingleKeys) {
  metrics_.OnPoolAdded(Pool(kMaxKeysWithSeries));
  EXPECT_THAT(Text(), HasSubstr("key=\"k199\""));
  StateRegistry registry;
  BrokerMetrics metrics(&registry);
  const auto pool = Pool(kMaxKeysWithSeries + 1);
  metrics.OnPoolAdded(pool);
  core::Transition leased;
  leased.type = Type::kLeased;
  leased.key = 200;
  metrics.OnTransitions(pool, absl::MakeConstSpan(&leased, 1));
  const std::string text = prometheus::TextSerializer().Serialize(registry.Collect());
  EXPECT_THAT(text, Not(HasSubstr("key=\"k")));
  EXPECT_THAT(text, HasSubstr("ccr_leases_total{key=\"\",pool=\"p\"} 1\n"));
}

TEST_F(BrokerMetricsTest, TellsHowThingsStandAtEveryScrape) {
  MonotonicWallClock clock;
  NoStore store;
  BrokerService service({&clock, &store, {&metrics_}, Secret(std::string(32, 's')), nullptr});
  Config config;
  config.providers.resize(1);
  config.providers[0].name = "p";
  config.providers[0].keys.resize(2);
  config.providers[0].keys[0] = {.name = "k0", .secret = Secret("canary-key-a")};
  config.providers[0].keys[1] = {.name = "k1", .secret = Secret("canary-key-b")};
  ASSERT_TRUE(service.Apply(std::move(config)).ok());
  registry_.Watch(&service);
  LeaseParams params;
  params.pool = "p";
  params.session = "canary-session";
  const auto lease = service.Lease(params, [](const core::LeaseId&) { return LeaseCallback(); });
  EXPECT_THAT(Text(), HasSubstr("ccr_key_in_flight{pool=\"p\",key=\"k0\"} 1\n"));
  EXPECT_THAT(Text(), HasSubstr("ccr_sessions{pool=\"p\"} 1\n"));
  core::Report report;
  report.id = lease->grant.id;
  report.evidence.http_status = 401;
  service.Report(report);
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("ccr_key_in_flight{pool=\"p\",key=\"k0\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("ccr_key_state{pool=\"p\",key=\"k0\",state=\"cooling\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_pool_keys{pool=\"p\",state=\"active\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_pool_available_keys{pool=\"p\"} 1\n"));
  report.id = service.Lease(params, [](const core::LeaseId&) { return LeaseCallback(); })->grant.id;
  report.evidence.http_status = 200;
  service.Report(report);
  EXPECT_THAT(Text(), HasSubstr("ccr_sessions{pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ccr_broker_build_info{version=\""));
  EXPECT_THAT(text, Not(HasSubstr("canary")));
}

}  // namespace
}  // namespace ccr
