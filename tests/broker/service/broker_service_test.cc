#include "tests/broker/service/broker_service_fixture.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using Type = core::Transition::Type;

TEST_F(BrokerServiceTest, LeasesKeysInTurnByTheNameOfThePoolWithoutCase) {
  Apply(MakeConfig(MakeProvider("OpenAI", {"a", "b", "c"})));
  std::vector<std::string> keys;
  for (int i = 0; i < 4; ++i) keys.push_back(KeyOf(LeaseNow(*service_, "openai")));
  EXPECT_THAT(keys, ElementsAre("canary-key-a", "canary-key-b", "canary-key-c", "canary-key-a"));
  EXPECT_EQ(Pool("OPENAI").snapshot.in_flight, 4u);
}

TEST_F(BrokerServiceTest, UnknownPoolIsNotFound) {
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  EXPECT_EQ(LeaseNow(*service_, "q").status.code(), absl::StatusCode::kNotFound);
}

TEST_F(BrokerServiceTest, ExcludedKeysAreNotGranted) {
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  const std::string first = Pool("p").info->keys[0].fingerprint;
  const std::string_view exclude[] = {first, "unknown"};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(KeyOf(LeaseNow(*service_, "p", core::kNoOwner, exclude)), "canary-key-b");
}

TEST_F(BrokerServiceTest, RefusalSaysWhenTheEarliestKeyReturnsAndNamesNoKey) {
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  core::Report report = MakeReport(LeaseNow(*service_, "p").grant.id, 429);
  report.evidence.retry_after = absl::Milliseconds(3000);
  service_->Report(report);
  clock_.Advance(absl::Milliseconds(2999));
  const LeaseAnswer refused = LeaseNow(*service_, "p");
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.retry_after, absl::Milliseconds(1));
  EXPECT_THAT(std::string(refused.status.message()), Not(HasSubstr("canary")));
  EXPECT_EQ(observer_.refusals, 1);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(LeaseNow(*service_, "p").status.ok());
}

TEST_F(BrokerServiceTest, AReportCountsOnce) {
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  const LeaseAnswer lease = LeaseNow(*service_, "p");
  EXPECT_EQ(Report(lease, 500).decision.disposition, core::Disposition::kApplied);
  EXPECT_EQ(Report(lease, 500).decision.disposition, core::Disposition::kDuplicate);
  EXPECT_EQ(Pool("p").snapshot.keys[0].consecutive_failures, 1u);
  EXPECT_EQ(Pool("p").snapshot.reported, 1u);
  EXPECT_EQ(Pool("p").last_errors[0].text, "HTTP 500");
}

TEST_F(BrokerServiceTest, TheLastErrorHoldsTheTransportsWordsAndNoKey) {
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  core::Report report = MakeReport(LeaseNow(*service_, "p").grant.id, 0);
  report.evidence.transport_error = core::TransportError::kTls;
  report.evidence.detail = "SSL certificate problem: self-signed certificate; sk-proj-abcdefghijklmnopqrstuvwxyz";
  service_->Report(report);
  EXPECT_EQ(Pool("p").last_errors[0].text, "tls_error: SSL certificate problem: self-signed certificate; [redacted]");
}

TEST_F(BrokerServiceTest, TheLastErrorHasTheProvidersSentenceItsIdAndTimeAndSurvivesARestart) {
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  core::Report report = MakeReport(LeaseNow(*service_, "p").grant.id, 401);
  report.request_id = "ours";
  report.evidence.error_code = "invalid_api_key";
  report.evidence.message = "Incorrect API key: sk-proj-abcdefghijklmnop\nSee https://example.com";
  report.evidence.provider_request_id = "theirs";
  const absl::Time at = clock_.Now();
  service_->Report(report);
  report = MakeReport(LeaseNow(*service_, "p").grant.id, 429);
  report.request_id = "ours-2";
  report.evidence.message = std::string(1000, 'x');
  service_->Report(report);
  EXPECT_TRUE(service_->Settle().ok());
  for (int run = 0; run < 2; ++run) {
    const std::vector<LastError> errors = Pool("p").last_errors;
    EXPECT_EQ(errors[0].text, "HTTP 401 invalid_api_key: Incorrect API key: [redacted] See https://example.com");
    EXPECT_EQ(errors[0].request_id, "theirs");
    EXPECT_EQ(errors[0].at, at);
    EXPECT_EQ(errors[1].text.size(), 400u);
    EXPECT_EQ(errors[1].request_id, "ours-2");
    Restart();
    clock_.Advance(absl::Seconds(5));
    Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  }
}

TEST_F(BrokerServiceTest, ARestOfOneModelSurvivesARestart) {
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  LeaseParams params;
  params.pool = "p";
  params.model = "big";
  core::Report report = MakeReport(service_->Lease(params, MustNotWait)->grant.id, 429);
  report.evidence.retry_after = absl::Minutes(3);
  report.evidence.model_only = true;
  service_->Report(report);
  EXPECT_TRUE(service_->Settle().ok());
  Restart();
  clock_.Advance(absl::Minutes(1));
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  EXPECT_EQ(service_->Lease(params, MustNotWait)->retry_after, absl::Minutes(2));
  params.model = "small";
  EXPECT_TRUE(service_->Lease(params, MustNotWait)->status.ok());
}

TEST_F(BrokerServiceTest, AnErrorThatTurnsOutToBeTheKeysIsItsLast) {
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  for (const bool served : {false, true}) {
    clock_.Advance(absl::Seconds(10));
    LeaseParams params;
    params.pool = "p";
    const LeaseAnswer first = LeaseNow(*service_, "p");
    core::Report report = MakeReport(first.grant.id, 400);
    report.request_id = "ours";
    report.evidence.error_code = "TENANT_SUSPENDED";
    report.evidence.message = "Ask your administrator";
    const ReportAnswer refused = service_->Report(report);
    EXPECT_EQ(refused.decision.advice, core::Advice::kRotate);
    EXPECT_EQ(Pool("p").last_errors[first.grant.key].text, "") << "it may be the request's fault";
    const std::optional<LeaseAnswer> second = service_->LeaseNext(params, refused, MustNotWait);
    report.id = second->grant.id;
    if (!served) service_->Report(report);
    if (served) Report(*second, 200);
    const std::vector<LastError> errors = Pool("p").last_errors;
    EXPECT_EQ(errors[first.grant.key].text, served ? "HTTP 400 TENANT_SUSPENDED: Ask your administrator" : "");
    EXPECT_EQ(errors[second->grant.key].text, "");
  }
}

TEST_F(BrokerServiceTest, WhatAFailureBringsAboutNamesItsRequest) {
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  core::Report report = MakeReport(LeaseNow(*service_, "p").grant.id, 429);
  report.request_id = "ours";
  service_->Report(report);
  EXPECT_TRUE(service_->Settle().ok());
  Report(LeaseNow(*service_, "p"), 500);
  EXPECT_THAT(observer_.requests, ElementsAre("ours", "ours", ""));  // one 500 of the last key is not held against it
}

TEST_F(BrokerServiceTest, LeasesExpireWhenTheirTimeIsOverAndLateReportsSaySo) {
  Config config = MakeConfig(MakeProvider("p", {"a"}));
  config.broker.lease_ttl = absl::Seconds(10);
  Apply(std::move(config));
  const LeaseAnswer lease = LeaseNow(*service_, "p");
  EXPECT_EQ(due_, clock_.Now() + absl::Seconds(10));
  clock_.Advance(absl::Milliseconds(9999));
  service_->Sweep();
  EXPECT_EQ(service_->Renew(lease.grant.id), absl::Seconds(10));
  clock_.Advance(absl::Milliseconds(9999));
  service_->Sweep();
  EXPECT_EQ(Pool("p").snapshot.in_flight, 1u);
  clock_.Advance(absl::Milliseconds(1));
  service_->Sweep();
  EXPECT_EQ(Pool("p").snapshot.in_flight, 0u);
  EXPECT_EQ(service_->Renew(lease.grant.id), std::nullopt);
  EXPECT_EQ(Report(lease, 200).decision.disposition, core::Disposition::kLate);
  EXPECT_EQ(Pool("p").snapshot.expired, 1u);
}

TEST_F(BrokerServiceTest, NextLeaseAvoidsTheReportedKey) {
  ProviderConfig provider = MakeProvider("p", {"a", "b"});
  provider.strategy = "fill_first";
  Apply(MakeConfig(std::move(provider)));
  const ReportAnswer report = Report(LeaseNow(*service_, "p"), 503);
  EXPECT_EQ(report.decision.advice, core::Advice::kRetry);
  LeaseParams params;
  params.pool = "p";
  EXPECT_EQ(KeyOf(*service_->LeaseNext(params, report, MustNotWait)), "canary-key-b");
}

TEST_F(BrokerServiceTest, NextLeaseMayBeTheSameKeyWhenItIsTheOnlyOneAndTheProviderFailed) {
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  const ReportAnswer report = Report(LeaseNow(*service_, "p"), 500);
  LeaseParams params;
  params.pool = "p";
  EXPECT_EQ(KeyOf(*service_->LeaseNext(params, report, MustNotWait)), "canary-key-a");
}

TEST_F(BrokerServiceTest, ReloadKeepsTheStateOfKeysAndSwapsTheRest) {
  Apply(MakeConfig(MakeProvider("p", {"a", "b"}), MakeProvider("gone", {"x"})));
  const LeaseAnswer removed = LeaseNow(*service_, "gone");
  Disable("p");
  const LeaseAnswer held = LeaseNow(*service_, "p");
  Apply(MakeConfig(MakeProvider("p", {"c", "a"}), MakeProvider("new", {"y"})));

  const PoolStatus pool = Pool("p");
  ASSERT_EQ(pool.snapshot.keys.size(), 2u);
  EXPECT_EQ(pool.info->keys[pool.snapshot.keys[0].key].name, "name-of-c");
  EXPECT_EQ(pool.snapshot.keys[0].state, core::KeyState::kActive);
  EXPECT_EQ(pool.snapshot.keys[1].state, core::KeyState::kDisabled);
  EXPECT_EQ(KeyOf(LeaseNow(*service_, "p")), "canary-key-c");
  EXPECT_EQ(Report(held, 200).decision.disposition, core::Disposition::kApplied);
  EXPECT_EQ(service_->GetPool("gone"), std::nullopt);
  EXPECT_EQ(Report(removed, 200).decision.disposition, core::Disposition::kLate);
  ASSERT_TRUE(service_->Settle().ok());
  EXPECT_THAT(observer_.pools, ElementsAre("+p", "+gone", "+p", "-gone", "+new"));
}

// A key that is taken out and put back, without a lease and with one that ends meanwhile; the whole pool too; and
// over a restart in between.
TEST_F(BrokerServiceTest, AKeyThatComesBackHasItsHistory) {
  for (const bool whole_pool : {false, true}) {
    for (const bool restart : {false, true}) {
      SCOPED_TRACE(testing::Message() << whole_pool << restart);
      const std::string pool = testing::PrintToString(whole_pool) + testing::PrintToString(restart);
      Config with = MakeConfig(MakeProvider(pool, {"a", "b"}), MakeProvider("other", {"x"}));
      Apply(std::move(with));
      core::Report limited = MakeReport(LeaseNow(*service_, pool).grant.id, 429);
      limited.evidence.retry_after = absl::Hours(1);
      service_->Report(limited);  // a
      const LeaseAnswer late = LeaseNow(*service_, pool);
      Report(LeaseNow(*service_, pool), 200);
      Config without = MakeConfig(MakeProvider("other", {"x"}));
      if (!whole_pool) without.providers.push_back(MakeProvider(pool, {"c"}));
      Apply(std::move(without));
      if (!whole_pool) Report(late, 402);  // b
      if (restart) {
        Restart();
        Apply(MakeConfig(MakeProvider("other", {"x"})));
      }
      Apply(MakeConfig(MakeProvider(pool, {"a", "b"}), MakeProvider("other", {"x"})));
      const std::vector<core::KeySnapshot> keys = Pool(pool).snapshot.keys;
      EXPECT_EQ(keys[0].state, core::KeyState::kCooling);
      EXPECT_EQ(keys[0].available_at, clock_.Now() + absl::Hours(1));
      EXPECT_EQ(keys[0].failures, 1u);
      EXPECT_EQ(keys[1].uses, 2u);
      EXPECT_EQ(keys[1].successes, 1u);
      EXPECT_EQ(keys[1].state, whole_pool ? core::KeyState::kActive : core::KeyState::kCooling);
    }
  }
}

TEST_F(BrokerServiceTest, AReloadSwapsSecretsAndKeepsThoseOfLeases) {
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  const LeaseAnswer held = LeaseNow(*service_, "p");
  Apply(MakeConfig(MakeProvider("p", {"c", "b"})));
  EXPECT_EQ(KeyOf(held), "canary-key-a");
  const PoolStatus pool = Pool("p");
  std::vector<std::string> secrets;
  for (const Secret& secret : pool.info->secrets) {
    if (!secret.empty()) secrets.emplace_back(secret.Reveal());
  }
  EXPECT_THAT(secrets, testing::UnorderedElementsAre("canary-key-b", "canary-key-c"));
  ASSERT_TRUE(service_->Settle().ok());
  EXPECT_THAT(observer_.pools, ElementsAre("+p", "+p"));
}

TEST_F(BrokerServiceTest, ASessionKeepsItsKeyOverAReloadUntilItIsTurnedOff) {
  const auto use = [this] {
    LeaseParams params;
    params.pool = "p";
    params.session = "a session";
    const LeaseAnswer lease = *service_->Lease(params, MustNotWait);
    Report(lease, 200);
    return KeyOf(lease);
  };
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  LeaseNow(*service_, "p");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(use(), "canary-key-b");
  Apply(MakeConfig(MakeProvider("p", {"c", "b", "a"})));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(use(), "canary-key-b");
  ProviderConfig off = MakeProvider("p", {"a", "b"});
  off.session_affinity = false;
  Apply(MakeConfig(std::move(off)));
  EXPECT_NE(use(), use());
}

TEST_F(BrokerServiceTest, WithoutRotationOnlyTheFirstKeyIsUsed) {
  ProviderConfig provider = MakeProvider("p", {"a", "b"});
  provider.enable_rotation = false;
  Apply(MakeConfig(std::move(provider)));
  EXPECT_EQ(KeyOf(LeaseNow(*service_, "p")), "canary-key-a");
  EXPECT_EQ(KeyOf(LeaseNow(*service_, "p")), "canary-key-a");
}

TEST_F(BrokerServiceTest, LeasesOfABrokenStreamEndAfterTheGraceTime) {
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  const auto stream = service_->OpenStream("token-of-16-bytes", {});
  LeaseNow(*service_, "p", stream.owner);
  EXPECT_EQ(service_->streams(), 1u);
  service_->CloseStream(stream.owner);
  EXPECT_EQ(service_->streams(), 0u);
  clock_.Advance(absl::Milliseconds(4999));
  service_->Sweep();
  EXPECT_EQ(Pool("p").snapshot.in_flight, 1u);
  clock_.Advance(absl::Milliseconds(1));
  service_->Sweep();
  EXPECT_EQ(Pool("p").snapshot.in_flight, 0u);
}

TEST_F(BrokerServiceTest, AReturningStreamKeepsTheLeasesItNames) {
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  const auto first = service_->OpenStream("token-of-16-bytes", {});
  const LeaseAnswer kept = LeaseNow(*service_, "p", first.owner);
  LeaseNow(*service_, "p", first.owner);
  service_->CloseStream(first.owner);
  const std::string fingerprint = kept.pool->keys[kept.grant.key].fingerprint;
  const BrokerService::HeldLease held[] = {{kept.grant.id, "p", fingerprint}, {core::LeaseId(), "nope", fingerprint}};
  EXPECT_THAT(service_->OpenStream("token-of-16-bytes", held).lost, ElementsAre(1u));
  EXPECT_EQ(Pool("p").snapshot.in_flight, 2u);
  clock_.Advance(absl::Seconds(5));
  service_->Sweep();
  EXPECT_EQ(Pool("p").snapshot.in_flight, 1u);
  EXPECT_EQ(Report(kept, 200).decision.disposition, core::Disposition::kApplied);
}

TEST_F(BrokerServiceTest, AStreamThatSeemedOpenLosesTheLeasesItsSuccessorDoesNotName) {
  Apply(MakeConfig(MakeProvider("p", {"a"})));
  const auto first = service_->OpenStream("token-of-16-bytes", {});
  LeaseNow(*service_, "p", first.owner);
  const auto second = service_->OpenStream("token-of-16-bytes", {});
  EXPECT_EQ(Pool("p").snapshot.in_flight, 0u);
  LeaseNow(*service_, "p", second.owner);
  service_->CloseStream(first.owner);
  clock_.Advance(absl::Seconds(30));
  service_->Sweep();
  EXPECT_EQ(Pool("p").snapshot.in_flight, 1u);
}

TEST_F(BrokerServiceTest, LeasesOfAnEarlierRunAreTakenOverAndReported) {
  Apply(MakeConfig(MakeProvider("other", {"x"}), MakeProvider("p", {"a", "b"})));
  const LeaseAnswer lease = LeaseNow(*service_, "p");
  const std::string fingerprint = lease.pool->keys[lease.grant.key].fingerprint;
  Restart();
  Apply(MakeConfig(MakeProvider("p", {"a", "b"}), MakeProvider("other", {"x"})));
  const BrokerService::HeldLease held[] = {{lease.grant.id, "p", fingerprint}};
  EXPECT_TRUE(service_->OpenStream("token-of-16-bytes", held).lost.empty());
  EXPECT_EQ(Pool("p").snapshot.keys[0].in_flight, 1u);
  EXPECT_EQ(Report(lease, 200).decision.disposition, core::Disposition::kApplied);
  EXPECT_EQ(Report(lease, 200).decision.disposition, core::Disposition::kDuplicate);
  EXPECT_EQ(Pool("p").snapshot.keys[0].in_flight, 0u);
}

TEST_F(BrokerServiceTest, ObserversHearOfEventsInOrder) {
  Apply(MakeConfig(MakeProvider("p", {"a", "b"})));
  Report(LeaseNow(*service_, "p"), 401);
  EXPECT_THAT(observer_.types, ElementsAre(Type::kLeased, Type::kFailure, Type::kCooling));
  EXPECT_THAT(observer_.keys, ElementsAre("name-of-a", "name-of-a", "name-of-a"));
}

// While the store is stuck: a report of a 401 is not acknowledged, everything else goes on.
TEST_F(BrokerServiceTest, AChangedAccessEndsTheCircuitThatRefusalsOpened) {
  const auto wrong = [] {
    ProviderConfig provider = MakeProvider("p", {"a", "b", "c"});
    provider.auth_header = "x-wrong";
    return provider;
  };
  Apply(MakeConfig(wrong()));
  LeaseParams params;
  params.pool = "p";
  std::vector<std::string_view> tried;
  ReportAnswer report = Report(LeaseNow(*service_, "p"), 401);
  for (int i = 1; i < 3; ++i) {
    tried.push_back(report.pool->keys[report.decision.key].fingerprint);
    params.exclude = tried;
    report = Report(*service_->LeaseNext(params, report, MustNotWait), 401);
  }
  EXPECT_EQ(report.decision.advice, core::Advice::kRelay);
  const LeaseAnswer refused = LeaseNow(*service_, "p");
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("accepts none of the keys"));
  Apply(MakeConfig(wrong()));
  EXPECT_FALSE(LeaseNow(*service_, "p").status.ok());
  Apply(MakeConfig(MakeProvider("p", {"a", "b", "c"})));
  Report(LeaseNow(*service_, "p"), 200);
  for (const auto& key : Pool("p").snapshot.keys) EXPECT_TRUE(key.available);
}

TEST_F(BrokerServiceTest, RoutingIsToldAtOnceAndOnEveryChangeWithoutSecrets) {
  Config config = MakeConfig(MakeProvider("p", {"a"}));
  config.client_token = Secret("canary-token");
  Apply(std::move(config));
  std::vector<std::shared_ptr<const Routing>> seen;
  {
    const auto subscription = service_->routing().Follow([&](auto routing) { seen.push_back(std::move(routing)); });
    ASSERT_EQ(seen.size(), 1u);
    Apply(MakeConfig(MakeProvider("q", {"a"})));
  }
  Apply(MakeConfig(MakeProvider("r", {"a"})));
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0]->client_token_sha256, Sha256("canary-token"));
  EXPECT_TRUE(seen[0]->config.client_token.empty());
  EXPECT_TRUE(seen[0]->config.providers[0].keys.empty());
  EXPECT_EQ(seen[1]->config.providers[0].name, "q");
  EXPECT_GT(seen[1]->version, seen[0]->version);
}

TEST_F(BrokerServiceTest, IdsAreUniqueAndCarryEpochAndPool) {
  Apply(MakeConfig(MakeProvider("p", {"a"}), MakeProvider("q", {"b"})));
  std::set<std::pair<uint64_t, uint64_t>> ids;
  for (int i = 0; i < 1000; ++i) {
    const core::LeaseId id = LeaseNow(*service_, "q").grant.id;
    EXPECT_EQ(id.epoch, service_->epoch());
    EXPECT_EQ(id.pool, 1u);
    ids.emplace(id.random_high, id.random_low);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

}  // namespace
}  // namespace ccr
