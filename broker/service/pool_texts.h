// What people are told of refusals and failures of keys.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/core/lease_result.h"
#include "broker/core/types.h"

namespace ccr {

// FailedPrecondition when every key is disabled, else ResourceExhausted; `retry_after` may be infinite.
absl::Status RefusalStatus(const std::string& pool, const core::Refusal& refusal, absl::Duration retry_after);

// One line of 400 bytes at most, without anything that looks like a key: "HTTP 429 rate_limit_error: the provider's
// words".
std::string DescribeFailure(const core::Evidence& evidence);

}  // namespace ccr
