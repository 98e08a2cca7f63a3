// What a pool does for each of its keys, a bounded number at a time.
#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/functional/function_ref.h"
#include "broker/service/managed_pool.h"

namespace ccr {
namespace {

// Takes the steps, and between two of them leaves the lock alone for as long as the last one took: it is not fair, and
// would go to the one who asks again at once, over and over, while others wait.
void TakeSteps(absl::FunctionRef<bool()> step) {
  constexpr std::chrono::microseconds kShortestPause(50);
  constexpr std::chrono::microseconds kLongestPause(2000);
  using Steady = std::chrono::steady_clock;
  for (Steady::time_point begin = Steady::now(); !step(); begin = Steady::now()) {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - begin);
    std::this_thread::sleep_for(std::clamp(took, kShortestPause, kLongestPause));
  }
}

}  // namespace

// Once the keys have numbers, whoever is granted one of them, or still one that leaves, must find its secret.
void ManagedPool::Reconfigure(PoolPlan plan, const RememberedKeys& remembered) {
  core::Reconfiguration change(std::move(plan.spec));
  TakeSteps([&] { return Number(&change, remembered); });
  const std::shared_ptr<const PoolInfo> before = info();
  std::shared_ptr<const PoolInfo> after = MakeInfo(*before, change, &plan);
  const std::shared_ptr<const PoolInfo> both = WithSecretsOf(*before, *after);
  SetInfo(both == nullptr ? after : both);
  TakeSteps([&] { return Adopt(&change); });
  if (both == nullptr) return;
  MutexLock lock(mutex_);
  info_.swap(after);
}

bool ManagedPool::Number(core::Reconfiguration* change, const RememberedKeys& remembered) {
  MutexLock lock(mutex_);
  Publish(/*removed=*/false);  // a key that is added may have the number of a forgotten one, which is still told of
  const absl::Time now = env_->clock->Now();
  size_t restored = change->added.size();
  const bool done = pool_.Number(change, kStep, now);
  for (; restored < change->added.size(); ++restored) {
    const core::KeyIndex key = change->added[restored];
    if (key >= last_errors_.size()) last_errors_.resize(key + 1);
    const auto known = remembered.find(pool_.key(key).fingerprint);
    doubted_errors_.erase(key);
    last_errors_[key] = known == remembered.end() ? LastError() : known->second.error;
    if (known != remembered.end()) pool_.Restore(key, known->second.state, now);
  }
  return done;
}

bool ManagedPool::Adopt(core::Reconfiguration* change) {
  bool done = false;
  Effects effects;
  {
    MutexLock lock(mutex_);
    done = pool_.Adopt(change, kStep, env_->clock->Now());
    effects = Leave();
  }
  Perform(std::move(effects));
  return done;
}

void ManagedPool::Save(absl::Time since) {
  core::KeyIndex next = 0;
  while (SaveSome(since, &next)) env_->journal->Settle().IgnoreError();  // told by the journal
}

bool ManagedPool::SaveSome(absl::Time since, core::KeyIndex* next) {
  Journal::Entry entry;
  MutexLock lock(mutex_);
  const auto keys = static_cast<core::KeyIndex>(info_->keys.size());
  const core::KeyIndex end = std::min<core::KeyIndex>(keys, *next + Journal::kMaxBatch);
  for (; *next < end; ++*next) {
    const std::optional<core::KeySnapshot> state = pool_.DescribeUnderneath(*next);
    // While a change is under way the number may be a new key's already, of which `info_` knows nothing.
    if (pool_.key(*next).fingerprint != info_->keys[*next].fingerprint) continue;
    if (!state.has_value() || std::max({state->last_used, state->last_failure, state->last_success}) < since) continue;
    entry.records.emplace_back(KeyRecord{info_->pool, info_->keys[*next].fingerprint, *state, last_errors_[*next]});
  }
  if (!entry.records.empty()) {
    entry.pool = info_;
    env_->journal->Add(std::move(entry));
  }
  return *next < keys;
}

PoolStatus ManagedPool::Status() {
  PoolStatus status;
  std::vector<core::KeyIndex> keys;
  {
    MutexLock lock(mutex_);
    status.info = info_;
    status.snapshot = pool_.Outline(env_->clock->Now());
    keys.assign(pool_.order().begin(), pool_.order().end());
  }
  status.snapshot.keys.reserve(keys.size());
  status.last_errors.reserve(keys.size());
  size_t next = 0;
  TakeSteps([&] { return DescribeSome(keys, &next, &status); });
  return status;
}

bool ManagedPool::DescribeSome(absl::Span<const core::KeyIndex> keys, size_t* next, PoolStatus* status) {
  MutexLock lock(mutex_);
  const size_t end = std::min(keys.size(), *next + kStep);
  for (; *next < end; ++*next) {
    const core::KeyIndex key = keys[*next];
    std::optional<core::KeySnapshot> state = pool_.Describe(key);
    // The configuration may have changed between two steps, and the number be another key's.
    if (!state.has_value() || pool_.key(key).fingerprint != status->info->keys[key].fingerprint) continue;
    status->snapshot.available += state->available;
    status->snapshot.keys.push_back(*std::move(state));
    status->last_errors.push_back(last_errors_[key]);
  }
  return *next == keys.size();
}

}  // namespace ccr
