// What tests of the pool share: simulated time, new lease ids, evidence by name.
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/pool.h"
#include "gtest/gtest.h"

namespace ccr::core {

inline Evidence Success() {
  Evidence evidence;
  evidence.http_status = 200;
  evidence.first_byte = absl::Milliseconds(200);
  return evidence;
}

inline Evidence Status(int status) {
  Evidence evidence;
  evidence.http_status = status;
  return evidence;
}

inline Evidence Status(int status, absl::Duration retry_after) {
  Evidence evidence = Status(status);
  evidence.retry_after = retry_after;
  return evidence;
}

// On a path of the caller's choice.
inline Evidence Foreign(int status) {
  Evidence evidence = Status(status);
  evidence.foreign_path = true;
  return evidence;
}

// A good answer that was cut.
inline Evidence Cut() {
  Evidence evidence = Success();
  evidence.incomplete = true;
  return evidence;
}

inline Evidence Cancelled() {
  Evidence evidence;
  evidence.client_cancelled = true;
  return evidence;
}

inline PoolSpec SpecOf(uint32_t keys, const std::string& strategy = "round_robin") {
  PoolSpec spec;
  spec.name = "demo";
  spec.strategy = strategy;
  for (uint32_t i = 0; i < keys; ++i) {
    KeySpec key;
    key.name = "key" + std::to_string(i);
    key.fingerprint = "fp" + std::to_string(i);
    key.cooldown = absl::Minutes(1);
    key.probe_interval = absl::Minutes(10);
    spec.keys.push_back(key);
  }
  return spec;
}

class PoolTest : public testing::Test {
 protected:
  static constexpr absl::Duration kMs = absl::Milliseconds(1);

  void Start(PoolSpec spec) { pool_ = std::make_unique<Pool>(std::move(spec), now_); }
  void Pass(absl::Duration duration) { now_ += duration; }
  void GoTo(absl::Time time) { now_ = time; }

  LeaseId NewId() { return {epoch_, 1, 7, ++ids_}; }

  LeaseResult Ask(std::vector<KeyIndex> excluded = {}, OwnerId owner = kNoOwner) {
    return pool_->Lease({NewId(), owner, excluded}, now_, random_);
  }
  // A lease that must be granted.
  Grant Get(std::vector<KeyIndex> excluded = {}, OwnerId owner = kNoOwner) {
    const LeaseResult result = Ask(std::move(excluded), owner);
    EXPECT_TRUE(std::holds_alternative<Grant>(result));
    return std::holds_alternative<Grant>(result) ? std::get<Grant>(result) : Grant{};
  }
  // A lease that must be refused.
  Refusal Refused(std::vector<KeyIndex> excluded = {}) {
    const LeaseResult result = Ask(std::move(excluded));
    EXPECT_TRUE(std::holds_alternative<Refusal>(result));
    return std::holds_alternative<Refusal>(result) ? std::get<Refusal>(result) : Refusal{};
  }
  // A lease of this very key.
  Grant GetKey(KeyIndex key, uint32_t of) {
    std::vector<KeyIndex> others;
    for (KeyIndex other = 0; other < of; ++other) {
      if (other != key) others.push_back(other);
    }
    const Grant grant = Get(others);
    EXPECT_EQ(grant.key, key);
    return grant;
  }
  // A good answer has begun.
  bool Begin(const Grant& grant, absl::Duration first_byte = absl::Milliseconds(200)) {
    return pool_->Progress(grant.id, {200, first_byte}, now_, random_);
  }
  Decision Tell(const Grant& grant, const Evidence& evidence) {
    return pool_->Apply({grant.id, evidence, 0, 0}, now_, random_);
  }
  // The provider refuses this key of so many, and its probe too.
  void Disable(KeyIndex key, uint32_t of) {
    Tell(GetKey(key, of), Status(401));
    ASSERT_NE(pool_->NextProbe(), absl::InfiniteFuture());
    GoTo(pool_->NextProbe());
    std::vector<KeyIndex> due;
    pool_->TakeProbes(1, now_, &due);
    EXPECT_EQ(due, std::vector<KeyIndex>{key});
    pool_->OnProbe(key, Status(401), now_, random_);
  }
  KeySnapshot Key(KeyIndex key) { return pool_->Snapshot(now_).keys.at(key); }
  KeyState State(KeyIndex key) { return Key(key).state; }
  CircuitState Circuit() { return pool_->Snapshot(now_).circuit; }
  std::vector<Pool::Answer> Poll() {
    std::vector<Pool::Answer> answers;
    pool_->Poll(now_, random_, &answers);
    return answers;
  }
  std::vector<Transition> Transitions() {
    std::vector<Transition> transitions;
    pool_->TakeTransitions(&transitions);
    return transitions;
  }
  size_t CountOf(Transition::Type type) {
    size_t count = 0;
    for (const Transition& transition : Transitions()) count += transition.type == type;
    return count;
  }

  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  std::mt19937_64 random_{1};
  std::unique_ptr<Pool> pool_;
  uint32_t epoch_ = 1;
  uint64_t ids_ = 0;
};

}  // namespace ccr::core
