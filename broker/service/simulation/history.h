// A record read as requests with their attempts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "broker/core/types.h"
#include "broker/service/simulation/counts.h"
#include "broker/service/simulation/limit.h"
#include "broker/service/simulation/record.h"

namespace ccr::simulation {

// One call to the provider.
struct Attempt {
  core::KeyIndex key = core::kNoKey;
  absl::Time granted, ended;
  absl::Duration first_byte;
  std::optional<absl::Duration> retry_after;
  uint64_t tokens = 0;
  std::optional<ToldLimit> limit;  // of requests
  int http_status = 0;
  core::Outcome outcome = core::Outcome::kNeutral;
};

struct PastRequest {
  absl::Time arrival;
  core::SessionHash session = core::kNoSession;
  uint16_t model = 0;  // index into History::models
  uint64_t estimated_tokens = 0;
  absl::Duration max_wait;             // that it allowed
  absl::Duration waited;               // in all, for its keys
  std::optional<absl::Duration> left;  // its client went away so long after the arrival
  Ending ending = Ending::kError;
  absl::InlinedVector<Attempt, 1> attempts;  // in order
};

struct ProbeAnswer {
  absl::Time at;
  core::KeyIndex key = core::kNoKey;
  int http_status = 0;
};

struct History {
  std::vector<PastRequest> requests;  // by arrival
  std::vector<ProbeAnswer> probes;    // by time
  std::vector<std::string> models;
  absl::Time from = absl::InfiniteFuture(), until = absl::InfinitePast();  // of arrivals
  bool truncated = false;                                                  // there was more before
};

// The last `most` requests that are over. Those whose beginning was dropped, or whose end is not known, are left out.
History Read(const Record& record, size_t most);

// What happened, told as a replay is.
Counts Recorded(const History& history);

}  // namespace ccr::simulation
