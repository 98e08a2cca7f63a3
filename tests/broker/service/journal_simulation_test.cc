// Seeded histories of pools, a store that fails or is slow, and a writer: what was acknowledged is there.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "absl/cleanup/cleanup.h"
#include "broker/base/log.h"
#include "broker/service/journal.h"
#include "tests/broker/service/stores.h"

namespace ccr {
namespace {

constexpr size_t kPools = 2;
constexpr size_t kKeysEach = 3;  // of each pool
constexpr int kHistories = 10'000;
constexpr int kSteps = 40;

// One history. Slow commits are those during which other steps happen, as when other threads run.
class History {
 public:
  explicit History(uint32_t seed) : random_(seed) {}

  void Run() {
    for (int i = 0; i < kSteps; ++i) Step();
    failing_ = false;
    over_ = true;
    journal_.Retry();
    ASSERT_TRUE(journal_.Settle().ok());
    EXPECT_EQ(answers_, awaited_);
    for (size_t i = 0; i < keys_.size(); ++i) EXPECT_EQ(Stored(i), keys_[i].recorded) << "key " << i;
    for (size_t pool = 0; pool < kPools; ++pool) EXPECT_EQ(observer_.heard[pool], told_[pool]);
  }

 private:
  struct Key {
    uint64_t version = 0;   // of its state now
    uint64_t recorded = 0;  // the last one that the journal was given
    uint64_t tried = 0;     // that the store was given
    uint64_t stored = 0;
  };
  class Order final : public Observer {
   public:
    explicit Order(History* history) : history_(history) {}
    void OnTransitions(const std::shared_ptr<const PoolNames>& pool,
                       absl::Span<const core::Transition> batch) override {
      const size_t index = pool->pool == "0" ? 0 : 1;
      for (const core::Transition& event : batch) {
        EXPECT_EQ(event.input_tokens, ++heard[index]) << "out of order or lost";
        if (event.key != core::kNoKey) {
          EXPECT_GE(history_->keys_[event.key].tried, event.output_tokens) << "told before the commit";
        }
      }
    }
    void OnPoolAdded(const std::shared_ptr<const PoolNames>& /*pool*/) override {}
    void OnPoolRemoved(const std::shared_ptr<const PoolNames>& /*pool*/) override {}

    std::array<uint64_t, kPools> heard{};

   private:
    History* const history_;
  };

  static std::shared_ptr<const PoolNames> Named(const char* name) {
    auto pool = std::make_shared<PoolNames>();
    pool->pool = name;
    return pool;
  }
  bool Once(int in) { return static_cast<int>(random_() % static_cast<uint32_t>(in)) == 0; }
  size_t Any(size_t count) { return random_() % count; }

  void Step() {
    switch (Any(8)) {
      case 0:
      case 1:
        return Success();
      case 2:
      case 3:
        return Failure();
      case 4:
        return Checkpoint();
      case 5:
        failing_ = Once(3);
        return;
      case 6:
        return journal_.Retry();
      default:
        if (!committing_) journal_.RunOnce();
    }
  }

  Journal::Position Add(Journal::Entry entry) { return journal_.Add(std::move(entry)); }
  Record RecordOf(size_t key) {
    core::KeySnapshot state;
    state.uses = keys_[key].recorded = keys_[key].version;
    return KeyRecord{pools_[key / kKeysEach]->pool, std::to_string(key), state};
  }
  core::Transition Event(size_t pool) {
    core::Transition event;
    event.input_tokens = ++told_[pool];
    return event;
  }

  void Success() {
    const size_t key = Any(keys_.size());
    ++keys_[key].version;  // counters, which only a checkpoint writes
    const std::array<core::Transition, 1> events = {Event(key / kKeysEach)};
    Add({.pool = pools_[key / kKeysEach], .transitions = events});
  }

  void Failure() {
    const size_t key = Any(keys_.size());
    const uint64_t version = ++keys_[key].version;
    std::array<core::Transition, 1> events = {Event(key / kKeysEach)};
    events[0].key = static_cast<core::KeyIndex>(key);
    events[0].output_tokens = version;
    Journal::Entry entry{.pool = pools_[key / kKeysEach], .transitions = events};
    entry.records.push_back(RecordOf(key));
    const Journal::Position position = Add(std::move(entry));
    ++awaited_;
    const auto answer = [this, key, version] {
      ++answers_;
      EXPECT_GE(keys_[key].tried, version) << "answered before the commit";
      if (!refused_) EXPECT_GE(keys_[key].stored, version) << "acknowledged and lost";
    };
    if (!journal_.Await(position, answer)) answer();
  }

  void Checkpoint() {
    const size_t pool = Any(kPools);
    Journal::Entry entry{.pool = pools_[pool]};
    for (size_t key = pool * kKeysEach; key < (pool + 1) * kKeysEach; ++key) entry.records.push_back(RecordOf(key));
    Add(std::move(entry));
  }

  absl::Status OnCommit(absl::Span<const Record> batch) {
    committing_ = true;
    while (!over_ && Once(2)) Step();
    committing_ = false;
    refused_ = failing_ && !Once(4);
    for (const Record& record : batch) {
      const auto& written = std::get<KeyRecord>(record);
      Key& key = keys_[std::stoul(written.fingerprint)];
      EXPECT_GE(written.state.uses, key.stored) << "a newer record was overwritten";
      key.tried = std::max(key.tried, written.state.uses);
      if (!refused_) key.stored = written.state.uses;
    }
    return refused_ ? absl::UnavailableError("disk full") : absl::OkStatus();
  }

  uint64_t Stored(size_t key) {
    for (const KeyRecord& record : KeysIn(store_)) {
      if (record.fingerprint == std::to_string(key)) return record.state.uses;
    }
    return 0;
  }

  std::minstd_rand random_;
  std::array<Key, kPools * kKeysEach> keys_;
  std::array<uint64_t, kPools> told_{};
  uint64_t answers_ = 0, awaited_ = 0;
  bool failing_ = false, refused_ = false, committing_ = false, over_ = false;
  const std::array<std::shared_ptr<const PoolNames>, kPools> pools_ = {Named("0"), Named("1")};
  ScriptedStore store_{[this](absl::Span<const Record> batch) { return OnCommit(batch); }};
  Order observer_{this};
  Journal journal_{&store_, {&observer_}};
};

TEST(JournalSimulation, WhatWasAcknowledgedIsStoredAndNothingIsOvertaken) {
  InitLog(LogFormat::kText, LogLevel::kOff);  // the store fails some 10,000 times
  const absl::Cleanup log_again = [] { InitLog(LogFormat::kText, LogLevel::kInfo); };
  for (uint32_t seed = 1; seed <= kHistories; ++seed) {
    SCOPED_TRACE(seed);
    History(seed).Run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace ccr
