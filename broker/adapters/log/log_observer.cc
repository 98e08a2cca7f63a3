#include "broker/adapters/log/log_observer.h"

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "broker/base/log.h"

namespace ccr {
namespace {

using Type = core::Transition::Type;

std::string Rfc3339(absl::Time time) {
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) return "never";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

LogLevel LevelOf(Type type) {
  switch (type) {
    case Type::kLeased:
    case Type::kSuccess:
    case Type::kQueued:
    case Type::kProbed:
      return LogLevel::kDebug;
    case Type::kRecovered:
    case Type::kCircuitClosed:
      return LogLevel::kInfo;
    case Type::kFailure:
    case Type::kCooling:
    case Type::kLeaseExpired:
      return LogLevel::kWarn;
    case Type::kDisabled:
    case Type::kCircuitOpened:
      return LogLevel::kError;
  }
  return LogLevel::kWarn;
}

void LogKey(LogLevel level, const PoolNames& pool, const core::Transition& transition) {
  const core::KeySpec unknown;
  const core::KeySpec& key = transition.key < pool.keys.size() ? pool.keys[transition.key] : unknown;
  const std::string_view outcome = core::ToString(transition.outcome);
  switch (transition.type) {
    case Type::kLeased:
      return Log(level, "key_chosen",
                 {{"pool", pool.pool},
                  {"key", key.name},
                  {"fingerprint", key.fingerprint},
                  {"waited_ms", absl::ToInt64Milliseconds(transition.wait)},
                  {"id", transition.request_id}});
    case Type::kSuccess:
      return Log(level, "success",
                 {{"pool", pool.pool},
                  {"key", key.name},
                  {"fingerprint", key.fingerprint},
                  {"first_byte_ms", absl::ToInt64Milliseconds(transition.latency)},
                  {"id", transition.request_id}});
    case Type::kFailure:
      return Log(level, "failure",
                 {{"pool", pool.pool},
                  {"key", key.name},
                  {"fingerprint", key.fingerprint},
                  {"class", outcome},
                  {"reason", transition.reason},
                  {"id", transition.request_id}});
    case Type::kCooling:
      return Log(level, "cooldown",
                 {{"pool", pool.pool},
                  {"key", key.name},
                  {"fingerprint", key.fingerprint},
                  {"reason", transition.reason},
                  {"until", Rfc3339(transition.available_at)},
                  {"id", transition.request_id}});
    case Type::kDisabled:
      return Log(level, "disabled",
                 {{"pool", pool.pool},
                  {"key", key.name},
                  {"fingerprint", key.fingerprint},
                  {"reason", transition.reason},
                  {"tried_by", core::ToString(transition.tried_by)},
                  {"next_trial", Rfc3339(transition.next_try)},
                  {"id", transition.request_id}});
    case Type::kRecovered:
      return Log(
          level, "recovered",
          {{"pool", pool.pool}, {"key", key.name}, {"fingerprint", key.fingerprint}, {"reason", transition.reason}});
    case Type::kProbed:
      return Log(level, "probed",
                 {{"pool", pool.pool}, {"key", key.name}, {"fingerprint", key.fingerprint}, {"class", outcome}});
    case Type::kLeaseExpired:
      return Log(
          level, "lease_ended_unreported",
          {{"pool", pool.pool}, {"key", key.name}, {"fingerprint", key.fingerprint}, {"reason", transition.reason}});
    default:
      return;
  }
}

void LogPool(LogLevel level, const PoolNames& pool, const core::Transition& transition) {
  switch (transition.type) {
    case Type::kQueued:
      return Log(level, "lease_queued", {{"pool", pool.pool}});
    case Type::kCircuitOpened:
      return Log(
          level, "circuit_opened",
          {{"pool", pool.pool}, {"reason", transition.reason}, {"next_trial", Rfc3339(transition.available_at)}});
    case Type::kCircuitClosed:
      return Log(level, "circuit_closed", {{"pool", pool.pool}, {"reason", transition.reason}});
    default:
      return LogKey(level, pool, transition);
  }
}

}  // namespace

void LogObserver::OnTransitions(const std::shared_ptr<const PoolNames>& pool,
                                absl::Span<const core::Transition> batch) {
  for (const core::Transition& transition : batch) {
    const LogLevel level = LevelOf(transition.type);
    if (LogEnabled(level)) LogPool(level, *pool, transition);
  }
}

void LogObserver::OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) {
  Log(LogLevel::kInfo, "pool_registered", {{"pool", pool->pool}, {"keys", pool->keys.size()}});
}

void LogObserver::OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) {
  Log(LogLevel::kInfo, "pool_removed", {{"pool", pool->pool}});
}

}  // namespace ccr
