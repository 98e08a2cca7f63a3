#include "broker/adapters/metrics/state_registry.h"

#include <array>
#include <string>
#include <utility>

#include "broker/adapters/metrics/broker_metrics.h"

namespace ccr {
namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

// How long a scrape waits for events that happened before it: they wait for the store.
constexpr absl::Duration kPatience = absl::Milliseconds(100);

constexpr core::KeyState kStates[] = {core::KeyState::kActive, core::KeyState::kCooling, core::KeyState::kDisabled};

prometheus::MetricFamily Family(const char* name, const char* help, prometheus::MetricType type) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  return family;
}

prometheus::MetricFamily Gauge(const char* name, const char* help) {
  return Family(name, help, prometheus::MetricType::Gauge);
}

void Add(prometheus::MetricFamily* family, Labels labels, double value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (family->type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family->metric.push_back(std::move(metric));
}

std::string Name(core::KeyState state) {
  return std::string(core::ToString(state));
}

// The families of one scrape, filled pool by pool.
class StateGauges {
 public:
  void AddPool(const PoolStatus& status) {
    const std::string& pool = status.info->pool;
    const core::PoolSnapshot& snapshot = status.snapshot;
    std::array<uint32_t, 3> counts{};
    for (const core::KeySnapshot& key : snapshot.keys) ++counts[static_cast<size_t>(key.state)];
    for (core::KeyState state : kStates) {
      Add(&pool_keys_, {{"pool", pool}, {"state", Name(state)}}, counts[static_cast<size_t>(state)]);
    }
    Add(&available_, {{"pool", pool}}, snapshot.available);
    Add(&in_flight_, {{"pool", pool}}, snapshot.in_flight);
    Add(&waiting_, {{"pool", pool}}, snapshot.waiting);
    Add(&sessions_, {{"pool", pool}}, snapshot.sessions);
    Add(&circuit_, {{"pool", pool}}, snapshot.circuit == core::CircuitState::kClosed ? 0 : 1);
    if (status.info->keys.size() > kMaxKeysWithSeries) return;
    for (const core::KeySnapshot& key : snapshot.keys) AddKey(pool, status.info->keys[key.key].name, key);
  }

  void AppendTo(std::vector<prometheus::MetricFamily>* families) {
    for (auto* family : {&pool_keys_, &available_, &in_flight_, &waiting_, &sessions_, &circuit_, &key_state_,
                         &key_in_flight_, &key_failures_, &key_available_at_, &key_pace_, &key_room_}) {
      families->push_back(std::move(*family));
    }
  }

 private:
  void AddKey(const std::string& pool, const std::string& name, const core::KeySnapshot& key) {
    for (core::KeyState state : kStates) {
      Add(&key_state_, {{"pool", pool}, {"key", name}, {"state", Name(state)}}, key.state == state ? 1 : 0);
    }
    Add(&key_in_flight_, {{"pool", pool}, {"key", name}}, key.in_flight);
    Add(&key_failures_, {{"pool", pool}, {"key", name}}, key.consecutive_failures);
    const bool known = key.available_at != absl::InfinitePast() && key.available_at != absl::InfiniteFuture();
    Add(&key_available_at_, {{"pool", pool}, {"key", name}},
        known ? static_cast<double>(absl::ToUnixMillis(key.available_at)) / 1000 : 0);
    if (key.learned.rate <= 0) return;
    Add(&key_pace_, {{"pool", pool}, {"key", name}}, key.learned.rate);
    Add(&key_room_, {{"pool", pool}, {"key", name}}, key.room);
  }

  prometheus::MetricFamily pool_keys_ = Gauge("ccr_pool_keys", "Keys of the pool, by state.");
  prometheus::MetricFamily available_ = Gauge("ccr_pool_available_keys", "Keys that could be granted now.");
  prometheus::MetricFamily in_flight_ = Gauge("ccr_pool_in_flight", "Leases of the pool that are out.");
  prometheus::MetricFamily waiting_ = Gauge("ccr_pool_waiting", "Requests that wait for a key.");
  prometheus::MetricFamily sessions_ = Gauge("ccr_sessions", "Client sessions whose last key is remembered.");
  prometheus::MetricFamily circuit_ = Gauge("ccr_circuit_open", "1 while the pool's circuit is open or half-open.");
  prometheus::MetricFamily key_state_ = Gauge("ccr_key_state", "1 for the state that the key is in.");
  prometheus::MetricFamily key_in_flight_ = Gauge("ccr_key_in_flight", "Leases of the key that are out.");
  prometheus::MetricFamily key_failures_ = Gauge("ccr_key_consecutive_failures", "Failures of the key in a row.");
  prometheus::MetricFamily key_pace_ =
      Gauge("ccr_key_learned_requests_per_second", "What the key serves, as learned; absent while not known.");
  prometheus::MetricFamily key_room_ =
      Gauge("ccr_key_room_requests", "Requests that the learned limit has room for; absent while not known.");
  prometheus::MetricFamily key_available_at_ =
      Gauge("ccr_key_available_timestamp_seconds", "When a cooling or disabled key may be tried again; 0 when unset.");
};

prometheus::MetricFamily Reloads(const BrokerService::ReloadCounts& counts) {
  auto family =
      Family("ccr_config_reloads_total", "Configuration reloads, by result.", prometheus::MetricType::Counter);
  Add(&family, {{"result", "success"}}, static_cast<double>(counts.succeeded));
  Add(&family, {{"result", "failure"}}, static_cast<double>(counts.failed));
  return family;
}

prometheus::MetricFamily Single(const char* name, const char* help, Labels labels, double value) {
  auto family = Gauge(name, help);
  Add(&family, std::move(labels), value);
  return family;
}

prometheus::MetricFamily StoreWrites(const Journal::Stats& stats) {
  auto family =
      Family("ccr_store_writes_total", "Writes to the state store, by result.", prometheus::MetricType::Counter);
  Add(&family, {{"result", "success"}}, static_cast<double>(stats.writes));
  Add(&family, {{"result", "failure"}}, static_cast<double>(stats.failures));
  return family;
}

prometheus::MetricFamily StoreSeconds(const Journal::Stats& stats) {
  auto family = Family("ccr_store_write_seconds_total", "Time spent in writes to the state store.",
                       prometheus::MetricType::Counter);
  Add(&family, {}, absl::ToDoubleSeconds(stats.busy));
  return family;
}

}  // namespace

std::vector<prometheus::MetricFamily> StateRegistry::Collect() const {
  BrokerService* service = service_;
  if (service != nullptr) service->Settle(kPatience).IgnoreError();
  std::vector<prometheus::MetricFamily> families = Registry::Collect();
  families.push_back(
      Single("ccr_broker_build_info", "Always 1; the labels say what runs.", {{"version", CCR_VERSION}}, 1));
  if (service == nullptr) return families;
  StateGauges gauges;
  for (const PoolStatus& status : service->ListPools()) gauges.AddPool(status);
  gauges.AppendTo(&families);
  const BrokerService::ReloadCounts reloads = service->reloads();
  families.push_back(Reloads(reloads));
  families.push_back(Single("ccr_config_last_reload_successful", "1 when the last reload took effect.", {},
                            reloads.last_succeeded ? 1 : 0));
  if (failing_sources_ != nullptr) {
    families.push_back(Single("ccr_key_sources_failing",
                              "Files, programs and paths of Vault that do not give their keys.", {},
                              static_cast<double>(failing_sources_())));
  }
  const Journal::Stats store = service->journal_stats();
  families.push_back(StoreWrites(store));
  families.push_back(StoreSeconds(store));
  families.push_back(Single("ccr_store_queue_records", "Records that the state store has refused and that wait.", {},
                            static_cast<double>(store.records)));
  families.push_back(Single("ccr_lease_streams", "Connected lease streams.", {}, service->streams()));
  return families;
}

}  // namespace ccr
