// The broker's Prometheus metrics.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "broker/base/mutex.h"
#include "broker/ports/observer.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace ccr {

inline constexpr size_t kOutcomes = static_cast<size_t>(core::Outcome::kNeutral) + 1;
inline constexpr size_t kAffinities = static_cast<size_t>(core::Affinity::kOverShare) + 1;
inline constexpr size_t kRefusals = static_cast<size_t>(core::Refusal::Why::kWaitedTooLong) + 1;
// Pools with more keys have no series of single keys.
inline constexpr size_t kMaxKeysWithSeries = 200;

// Counts what happens. Series are resolved when a pool is added, then each event is a few atomic additions. They stay
// when a pool is removed, as counters must not go back. Thread-safe.
class BrokerMetrics final : public Observer {
 public:
  explicit BrokerMetrics(prometheus::Registry* registry);

  void OnTransitions(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) override;
  void OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) override;
  void OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) override;
  void OnAnswer(const PoolNames& pool, const Answer& answer) override;

 private:
  struct KeySeries {
    prometheus::Counter* leases = nullptr;
    prometheus::Counter* input_tokens = nullptr;
    prometheus::Counter* output_tokens = nullptr;
    std::array<prometheus::Counter*, kOutcomes> outcomes{};
  };
  struct PoolSeries {
    KeySeries all;                // of pools without series of single keys; key label ""
    std::vector<KeySeries> keys;  // by KeyIndex
    std::array<prometheus::Counter*, kOutcomes> reports{};
    std::array<prometheus::Counter*, kRefusals> refusals{};
    std::array<prometheus::Counter*, kAffinities> affinity{};  // none for kNotAsked
    prometheus::Counter* probes_recovered = nullptr;
    prometheus::Counter* probes_refused = nullptr;
    prometheus::Counter* probes_failed = nullptr;
    prometheus::Counter* circuit_opened = nullptr;
    prometheus::Counter* expired = nullptr;
    prometheus::Histogram* wait = nullptr;
    prometheus::Histogram* first_byte = nullptr;

    prometheus::Counter& probe(core::Outcome outcome) const;
    const KeySeries& key(core::KeyIndex index) const { return index < keys.size() ? keys[index] : all; }
  };

  KeySeries AddKey(const std::string& pool, const std::string& key);
  std::shared_ptr<const PoolSeries> AddPool(const PoolNames& pool);
  std::shared_ptr<const PoolSeries> Find(const std::string& pool) const;

  prometheus::Family<prometheus::Counter>& leases_;
  prometheus::Family<prometheus::Counter>& reports_;
  prometheus::Family<prometheus::Counter>& outcomes_;
  prometheus::Family<prometheus::Counter>& refusals_;
  prometheus::Family<prometheus::Counter>& affinity_;
  prometheus::Family<prometheus::Counter>& probes_;
  prometheus::Family<prometheus::Counter>& circuit_opened_;
  prometheus::Family<prometheus::Counter>& expired_;
  prometheus::Family<prometheus::Counter>& tokens_;
  prometheus::Family<prometheus::Histogram>& wait_;
  prometheus::Family<prometheus::Histogram>& first_byte_;

  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<const PoolSeries>> pools_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr
