// Disabled keys are probed by the service, a few at a time, and come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/service/fixture.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class FakeProber final : public KeyProber {
 public:
  void Start(KeyProbe probe, Done done) override {
    keys.emplace_back(probe.key.Reveal());
    probes.push_back(std::move(probe));
    answers.push_back(std::move(done));
  }
  // The newest probe of the key, which comes in any order.
  void AnswerFor(const std::string& key, int status) {
    const auto newest = std::find(keys.rbegin(), keys.rend(), key);
    ASSERT_NE(newest, keys.rend());
    Answer(static_cast<size_t>(keys.rend() - newest) - 1, status);
  }
  void Answer(size_t i, int status) {
    core::Evidence evidence;
    evidence.http_status = status;
    answers[i](evidence);
  }

  std::vector<std::string> keys;
  std::vector<KeyProbe> probes;
  std::vector<Done> answers;
};

class ProbeTest : public ::testing::Test {
 protected:
  static ProviderConfig Provider(const std::string& name, const std::vector<std::string>& keys) {
    ProviderConfig provider = MakeProvider(name, keys);
    provider.probe.url = "http://127.0.0.1:9/models";
    provider.probe.interval = absl::Minutes(10);
    return provider;
  }
  void Apply(Config config) { ASSERT_TRUE(service_.Apply(std::move(config)).ok()); }
  // The first keys of the pool, which has another one or is of one key: refused, and their probes too.
  void Disable(int keys) {
    std::vector<LeaseAnswer> leases;
    for (int i = 0; i < keys; ++i) leases.push_back(LeaseNow(service_, "p"));
    for (const LeaseAnswer& lease : leases) service_.Report(MakeReport(lease.grant.id, 401));
    clock_.Advance(absl::Seconds(3));
    service_.Sweep();
    due_ = absl::InfiniteFuture();
    for (size_t i = 0; i < prober_.answers.size(); ++i) prober_.Answer(i, 401);
    prober_.keys.clear();
    prober_.probes.clear();
    prober_.answers.clear();
  }
  core::KeyState State(size_t key) { return service_.GetPool("p")->snapshot.keys[key].state; }

  ManualClock clock_;
  MemoryStore store_;
  FakeProber prober_;
  absl::Time due_ = absl::InfiniteFuture();
  BrokerService service_{BrokerService::Options{
      &clock_, &store_, {}, TestSalt(), [this](absl::Time when) { due_ = std::min(due_, when); }, &prober_}};
};

TEST_F(ProbeTest, AKeyThatIsGoodAgainComesBack) {
  ProviderConfig provider = Provider("p", {"a"});
  provider.format = ProviderFormat::kAnthropic;
  provider.proxy_url = "http://127.0.0.1:8";
  Config config = MakeConfig(std::move(provider));
  config.authorities = "pem";
  Apply(std::move(config));
  Disable(1);
  ASSERT_LE(due_, clock_.Now() + absl::Minutes(11));
  ASSERT_GE(due_, clock_.Now() + absl::Minutes(9));
  service_.Sweep();
  EXPECT_THAT(prober_.probes, SizeIs(0));
  clock_.Advance(due_ - clock_.Now() + absl::Nanoseconds(1));
  service_.Sweep();
  ASSERT_THAT(prober_.keys, ElementsAre("canary-key-a"));
  const KeyProbe& probe = prober_.probes[0];
  EXPECT_EQ(probe.url, "http://127.0.0.1:9/models");
  EXPECT_EQ(probe.auth_header, "authorization");
  EXPECT_EQ(probe.auth_prefix, "Bearer ");
  EXPECT_EQ(probe.proxy_url, "http://127.0.0.1:8");
  EXPECT_EQ(probe.authorities, "pem");
  EXPECT_THAT(probe.headers, ElementsAre(std::pair<std::string, std::string>("anthropic-version", "2023-06-01")));
  prober_.Answer(0, 200);
  EXPECT_EQ(State(0), core::KeyState::kActive);
  ASSERT_TRUE(service_.Settle().ok());
  EXPECT_EQ(store_.Load()->keys[0].state.state, core::KeyState::kActive);
}

TEST_F(ProbeTest, AllKeysDisabledIsFailedPrecondition) {
  Apply(MakeConfig(Provider("p", {"a"})));
  Disable(1);
  EXPECT_EQ(LeaseNow(service_, "p").status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ProbeTest, ARefusedKeyStaysOutAndIsAskedForAgainLater) {
  Apply(MakeConfig(Provider("p", {"a"})));
  Disable(1);
  clock_.Advance(absl::Minutes(11));
  service_.Sweep();
  ASSERT_THAT(prober_.keys, SizeIs(1));
  due_ = absl::InfiniteFuture();
  prober_.Answer(0, 401);
  EXPECT_EQ(State(0), core::KeyState::kDisabled);
  EXPECT_GE(due_, clock_.Now() + absl::Minutes(18));
  EXPECT_LE(due_, clock_.Now() + absl::Minutes(22));
  clock_.Advance(absl::Minutes(23));
  EXPECT_GT(service_.Sweep(), clock_.Now());
  EXPECT_THAT(prober_.keys, SizeIs(2));
}

TEST_F(ProbeTest, APoolProbesTwoKeysAtATime) {
  Apply(MakeConfig(Provider("p", {"a", "b", "c", "d"})));
  Disable(3);
  clock_.Advance(absl::Minutes(11));
  EXPECT_GT(service_.Sweep(), clock_.Now());  // no busy loop while it waits
  EXPECT_THAT(prober_.keys, SizeIs(2));
  service_.Sweep();
  EXPECT_THAT(prober_.keys, SizeIs(2));
  prober_.Answer(0, 500);
  EXPECT_THAT(prober_.keys, SizeIs(3));
}

TEST_F(ProbeTest, AnAnswerForAKeyOrPoolThatIsGoneIsDropped) {
  Apply(MakeConfig(Provider("p", {"a", "b", "d"})));
  Disable(2);
  clock_.Advance(absl::Minutes(11));
  service_.Sweep();
  Apply(MakeConfig(Provider("p", {"b", "c"})));
  prober_.AnswerFor("canary-key-a", 200);
  prober_.AnswerFor("canary-key-b", 403);
  EXPECT_EQ(State(0), core::KeyState::kDisabled);
  EXPECT_EQ(State(1), core::KeyState::kActive);
  clock_.Advance(absl::Hours(1));
  service_.Sweep();
  ASSERT_THAT(prober_.keys, SizeIs(3));
  EXPECT_EQ(prober_.keys[2], "canary-key-b");
  Apply(MakeConfig(Provider("q", {"x"})));
  prober_.Answer(2, 200);
}

TEST_F(ProbeTest, ProvidersCanDoWithout) {
  ProviderConfig provider = Provider("p", {"a"});
  provider.probe.enabled = false;
  Apply(MakeConfig(std::move(provider)));
  Disable(1);
  clock_.Advance(absl::Hours(1000));
  service_.Sweep();
  EXPECT_THAT(prober_.keys, SizeIs(0));
  EXPECT_EQ(State(0), core::KeyState::kActive);
}

}  // namespace
}  // namespace ccr
