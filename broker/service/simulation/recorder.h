// Keeps what a pool did in the last hours.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "broker/core/pool.h"
#include "broker/service/simulation/record.h"

namespace ccr::simulation {

// The memory of all recorders together, in equal parts. Thread-safe.
class RecordBudget {
 public:
  explicit RecordBudget(size_t bytes) : bytes_(bytes) {}

  void Share(size_t pools) { pools_.store(pools > 0 ? pools : 1, std::memory_order_relaxed); }
  size_t OfOne() const { return bytes_ / pools_.load(std::memory_order_relaxed); }

 private:
  const size_t bytes_;  // 0 = nothing is recorded
  std::atomic<size_t> pools_{1};
};

// In memory alone: it begins with the broker. What is older than kAge, or more than the budget allows, is dropped in
// chunks, the oldest first. A call costs the writing of one entry; memory is taken once for kChunk of them.
// Not thread-safe: its pool holds one lock.
class Recorder {
 public:
  static constexpr size_t kBytes = 64 * 1024 * 1024;  // of all pools
  static constexpr absl::Duration kAge = absl::Hours(6);
  static constexpr size_t kChunk = 512;       // entries
  static constexpr size_t kMaxModels = 1024;  // further ones are taken for unknown

  explicit Recorder(const RecordBudget* budget) : budget_(budget) {}  // null: nothing is recorded

  // Without a `result` the request waits.
  void OnAsked(const core::Pool::LeaseArgs& args, absl::Duration max_wait,
               const std::optional<core::LeaseResult>& result, absl::Time now);
  void OnAnswered(const core::LeaseId& lease, const core::LeaseResult& result, absl::Time now);
  void OnLeft(const core::LeaseId& lease, absl::Time now);
  void OnEnded(const core::Report& report, const core::Decision& decision, absl::Time now);
  void OnProbed(core::KeyIndex key, const core::Evidence& evidence, absl::Time now);

  // Copies one chunk at most.
  Record Copy(absl::Time now) const;

 private:
  bool on() const { return budget_ != nullptr && budget_->OfOne() > 0; }
  Entry& Add(absl::Time now);
  void BeginChunk(absl::Time now);
  uint16_t NumberOf(std::string_view model);

  const RecordBudget* const budget_;
  std::deque<std::shared_ptr<const Chunk>> full_;
  std::shared_ptr<Chunk> last_;
  bool truncated_ = false;
  std::vector<std::string> models_ = {""};
  absl::flat_hash_map<std::string, uint16_t> numbers_;
  uint16_t last_model_ = 0;
};

}  // namespace ccr::simulation
