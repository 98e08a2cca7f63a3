// Histories made by hand.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/pool_spec.h"
#include "broker/service/simulation/history.h"

namespace ccr::simulation {

using core::Outcome;

inline const absl::Time kBegin = absl::FromUnixSeconds(1'700'000'000);

inline bool Never() {
  return false;
}

inline core::PoolSpec SpecOf(const std::string& strategy, size_t keys) {
  core::PoolSpec spec;
  spec.name = "p";
  spec.strategy = strategy;
  spec.queue_wait = absl::Seconds(30);
  spec.session_affinity = false;
  for (size_t i = 0; i < keys; ++i) {
    core::KeySpec key;
    key.name = key.fingerprint = std::string(1, static_cast<char>('a' + i));
    spec.keys.push_back(key);
  }
  return spec;
}

inline Attempt AttemptOf(core::KeyIndex key, absl::Duration from, absl::Duration took, Outcome outcome) {
  Attempt attempt;
  attempt.key = key;
  attempt.granted = kBegin + from;
  attempt.ended = attempt.granted + took;
  attempt.outcome = outcome;
  attempt.http_status = outcome == Outcome::kSuccess ? 200 : outcome == Outcome::kRateLimited ? 429 : 500;
  return attempt;
}

inline PastRequest RequestOf(absl::Duration at, std::initializer_list<Attempt> attempts) {
  PastRequest request;
  request.arrival = kBegin + at;
  request.max_wait = absl::Seconds(30);
  request.attempts.assign(attempts.begin(), attempts.end());
  const Outcome last = request.attempts.empty() ? Outcome::kRateLimited : request.attempts.back().outcome;
  request.ending = last == Outcome::kSuccess       ? Ending::kServed
                   : last == Outcome::kCallerFault ? Ending::kOwnFault
                   : last == Outcome::kNeutral     ? Ending::kLeft
                                                   : Ending::kError;
  if (last == Outcome::kNeutral) request.left = request.attempts.back().ended - request.arrival;
  return request;
}

inline History HistoryOf(std::vector<PastRequest> requests) {
  History history;
  history.models = {""};
  history.from = requests.front().arrival;
  history.until = requests.back().arrival;
  history.requests = std::move(requests);
  return history;
}

// `count` requests, one each `gap`, served in a second by keys in turn.
inline History Steady(size_t count, absl::Duration gap, size_t keys) {
  std::vector<PastRequest> requests;
  for (size_t i = 0; i < count; ++i) {
    const auto key = static_cast<core::KeyIndex>(i % keys);
    const absl::Duration at = gap * static_cast<double>(i);
    requests.push_back(RequestOf(at, {AttemptOf(key, at, absl::Seconds(1), Outcome::kSuccess)}));
  }
  return HistoryOf(std::move(requests));
}

// The limit is found from the refusals: three were served in the minute before each.
inline History Limited() {
  std::vector<PastRequest> requests;
  for (int minute = 0; minute < 5; ++minute) {
    for (int i = 0; i < 4; ++i) {
      const absl::Duration at = absl::Minutes(minute) + absl::Seconds(10) * i;
      const Attempt refused = AttemptOf(0, at, absl::Milliseconds(50), Outcome::kRateLimited);
      const absl::Duration later = at + absl::Milliseconds(50);
      if (i < 3) {
        requests.push_back(RequestOf(at, {AttemptOf(0, at, absl::Seconds(1), Outcome::kSuccess)}));
      } else {
        requests.push_back(RequestOf(at, {refused, AttemptOf(1, later, absl::Seconds(1), Outcome::kSuccess)}));
        requests.back().attempts[0].retry_after = absl::Seconds(30) - absl::Milliseconds(50);
      }
    }
  }
  return HistoryOf(std::move(requests));
}

}  // namespace ccr::simulation
