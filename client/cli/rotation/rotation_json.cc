#include "client/cli/rotation/rotation_json.h"

#include "client/cli/rotation/rotation_view.h"
#include "google/protobuf/util/time_util.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
namespace json = boost::json;

json::value TextOrNull(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

template <typename Message>
json::value TimeOrNull(const Message& message, bool present) {
  return present ? json::value(google::protobuf::util::TimeUtil::ToString(message)) : json::value(nullptr);
}

json::array Holds(const v1::KeyStatus& key) {
  json::array holds;
  for (const v1::ModelHold& hold : key.holds()) {
    holds.push_back(json::object{
        {"model", hold.model()}, {"until", TimeOrNull(hold.until(), hold.has_until())}, {"reason", hold.reason()}});
  }
  return holds;
}

json::object LimitsObject(const v1::Limits& limits) {
  return {{"rpm", limits.rpm()}, {"tpm", limits.tpm()}, {"rpd", limits.rpd()}, {"tpd", limits.tpd()}};
}

json::value PaceOrNull(const v1::KeyStatus& key) {
  if (!key.has_pace()) return nullptr;
  const v1::Pace& pace = key.pace();
  return json::object{
      {"rpm", pace.rpm()}, {"burst", pace.burst()}, {"max_in_flight", pace.max_in_flight()}, {"room", pace.room()}};
}

json::value TriedByOrNull(const v1::KeyStatus& key) {
  if (key.tried_by() == v1::KeyStatus::TRIED_BY_UNSPECIFIED) return nullptr;
  return json::string(key.tried_by() == v1::KeyStatus::PROBE ? "probe" : "request");
}

}  // namespace

json::object KeyObject(const v1::KeyStatus& key) {
  return {{"name", key.name()},
          {"fingerprint", key.fingerprint()},
          {"state", StateName(key.state())},
          {"available", key.available()},
          {"reason", TextOrNull(key.reason())},
          {"available_at", TimeOrNull(key.available_at(), key.has_available_at())},
          {"tried_by", TriedByOrNull(key)},
          {"failures", key.consecutive_failures()},
          {"max_failures", key.max_failures()},
          {"total_failures", key.failures()},
          {"in_flight", key.in_flight()},
          {"max_concurrent", key.max_concurrent()},
          {"rpm", key.rpm()},
          {"rpm_used", key.rpm_used()},
          {"limits", LimitsObject(key.limits())},
          {"used", LimitsObject(key.used())},
          {"resting_for", Holds(key)},
          {"pace", PaceOrNull(key)},
          {"weight", key.weight()},
          {"uses", key.uses()},
          {"successes", key.successes()},
          {"last_used", TimeOrNull(key.last_used(), key.has_last_used())},
          {"last_success", TimeOrNull(key.last_success(), key.has_last_success())},
          {"last_failure", TimeOrNull(key.last_failure(), key.has_last_failure())},
          {"last_error", TextOrNull(key.last_error())},
          {"last_error_at", TimeOrNull(key.last_error_at(), key.has_last_error_at())},
          {"last_error_request_id", TextOrNull(key.last_error_request_id())},
          {"latency_ms", key.latency_ms() > 0 ? json::value(key.latency_ms()) : json::value(nullptr)},
          {"input_tokens", key.input_tokens()},
          {"output_tokens", key.output_tokens()}};
}

namespace {

json::object CircuitObject(const v1::CircuitStatus& circuit) {
  return {{"state", CircuitName(circuit.state())},
          {"retry_at", TimeOrNull(circuit.retry_at(), circuit.has_retry_at())},
          {"reason", TextOrNull(circuit.reason())}};
}

}  // namespace

json::object PoolObject(const v1::PoolStatus& pool) {
  json::array keys;
  for (const v1::KeyStatus& key : pool.keys()) keys.push_back(KeyObject(key));
  return {{"provider", pool.provider()},
          {"enabled", pool.enabled()},
          {"strategy", pool.strategy()},
          {"total_keys", pool.total_keys()},
          {"available_keys", pool.available_keys()},
          {"in_flight", pool.in_flight()},
          {"waiting", pool.waiting()},
          {"circuit", CircuitObject(pool.circuit())},
          {"acquired", pool.acquired()},
          {"reported", pool.reported()},
          {"expired", pool.expired()},
          {"base_url", pool.base_url()},
          {"keys", std::move(keys)}};
}

std::string RotationJson(const v1::ListPoolsResponse& response) {
  json::array pools;
  for (const v1::PoolStatus& pool : response.pools()) pools.push_back(PoolObject(pool));
  return json::serialize(json::object{{"pools", std::move(pools)},
                                      {"now", TimeOrNull(response.now(), response.has_now())},
                                      {"broker_version", response.broker_version()}});
}

json::object EventObject(const v1::Event& event) {
  return {{"type", EventName(event.type())},
          {"time", TimeOrNull(event.time(), event.has_time())},
          {"provider", event.pool()},
          {"key", TextOrNull(event.key_name())},
          {"fingerprint", TextOrNull(event.key_fingerprint())},
          {"outcome", event.outcome() == 0 ? json::value(nullptr) : json::value(OutcomeName(event.outcome()))},
          {"reason", TextOrNull(event.reason())},
          {"available_at", TimeOrNull(event.available_at(), event.has_available_at())},
          {"count", event.count()}};
}

std::string EventJson(const v1::Event& event) {
  return json::serialize(EventObject(event));
}

}  // namespace ccr::cli
