// What came of a pool's requests, in numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/types.h"

namespace ccr::simulation {

// How a request ended for its client.
enum class Ending : uint8_t {
  kServed,
  kError,     // no key, or the error of one
  kOwnFault,  // the request was wrong
  kLeft,      // its client went away
};

struct KeyCount {
  uint64_t attempts = 0, served = 0;
};

struct Counts {
  uint64_t requests = 0, served = 0, errors = 0, own_faults = 0, left = 0;
  uint64_t attempts = 0;
  uint64_t wasted = 0;  // attempts that failed, though not by the request's fault
  absl::Duration wait_p50, wait_p99;
  std::vector<KeyCount> keys;  // by KeyIndex
};

// Counts requests one by one. Take() is the end.
class Counter {
 public:
  void Call(core::KeyIndex key, core::Outcome outcome);
  void Finish(Ending ending, absl::Duration waited);
  Counts Take();

 private:
  Counts run_;
  std::vector<absl::Duration> waits_;
};

}  // namespace ccr::simulation
