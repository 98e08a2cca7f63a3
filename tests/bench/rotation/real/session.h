// A scenario that runs by the clock.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/rotation/recorder.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

// What the two ends, provider and clients, share. Scenario time is the clock's, moved so that the trace begins at Start.
class Session {
 public:
  explicit Session(const Scenario& scenario);

  void Start();
  absl::Time Now() const;  // never goes back; the scenario's start before Start
  const Scenario& scenario() const { return scenario_; }
  Recorder& recorder() { return recorder_; }
  void Finish(size_t request, Fate fate, int status);
  size_t unfinished() const { return unfinished_; }
  // Of a bearer token.
  std::optional<size_t> KeyOf(const std::string& credential) const;
  static std::string Credential(const KeyModel& key);

 private:
  const Scenario& scenario_;
  Recorder recorder_;
  size_t unfinished_;
  std::optional<absl::Time> clock_at_start_;
};

}  // namespace ccr::rotation
