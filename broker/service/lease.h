// Questions to the service and its answers, in the words of the core.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/lease_result.h"
#include "broker/core/report.h"
#include "broker/core/types.h"
#include "broker/service/journal.h"
#include "broker/service/pool_info.h"

namespace ccr {

struct LeaseParams {
  std::string_view pool;                           // compared without case
  absl::Span<const std::string_view> exclude;      // fingerprints; unknown ones are ignored
  absl::Duration max_wait = absl::ZeroDuration();  // 0 = answer at once
  core::OwnerId owner = core::kNoOwner;
  core::LeaseId retry_of = {};    // see core::Pool::LeaseArgs
  std::string_view request_id;    // the caller's name of the request; for logs
  std::string_view session;       // the client's; only a keyed hash of it is kept. Empty: none
  std::string_view model;         // as the provider calls it; empty: not known
  uint64_t estimated_tokens = 0;  // 0 = not known
};

// Granted when `status` is OK; then `grant` is set, and `pool` as after a refusal. Otherwise:
//   NotFound            no such pool
//   ResourceExhausted   no key now; `retry_after` until the earliest comes back (infinite: none is in sight)
//   FailedPrecondition  every key is disabled and none has a trial scheduled
//   Unavailable         the broker is shutting down
struct LeaseAnswer {
  absl::Status status;
  absl::Duration retry_after = absl::InfiniteDuration();
  std::optional<core::Refusal::Why> refused;  // set when a pool refused
  core::Grant grant;
  std::shared_ptr<const PoolInfo> pool;
};

// Takes the answer of a request that waited, on any thread, with no lock of the service held.
using LeaseCallback = std::function<void(LeaseAnswer)>;

// Called at most once, before anything can answer the wait, when a request begins to wait: `id` names the wait for
// CancelWait. It runs under the pool's lock, so it must only make the callback.
using WaitStart = absl::FunctionRef<LeaseCallback(const core::LeaseId& id)>;

// It must not leave before `commit` is tried (BrokerService::AwaitCommit): what the report did to its key survives from
// then on.
struct ReportAnswer {
  core::Decision decision;
  std::shared_ptr<const PoolInfo> pool;  // null when the pool is gone
  Journal::Position commit = Journal::kNowhere;
};

}  // namespace ccr
