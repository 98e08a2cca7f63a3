// What happened when a policy met a scenario.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

struct CallRecord {
  size_t key = 0, request = 0;
  absl::Time start, end;
  int status = 0;
  bool cut = false;
  bool cancelled = false;
  bool known_dead = false;         // somebody had learned before that the key is dead
  bool in_announced_rest = false;  // an earlier answer asked to stay away for longer

  bool good() const { return status == 200 && !cut && !cancelled; }
};

enum class Fate {
  kServed,
  kRefused /* no key, at once or after waiting */,
  kRelayed /* an error of the provider */,
  kCut,
  kGaveUp
};

struct RequestRecord {
  Fate fate = Fate::kGaveUp;
  int status = 0;  // of the client's answer; 0 = none
  size_t calls = 0;
  absl::Duration wait;  // from arrival to the call that served it
  size_t key = 0;       // that served it
};

// A key was out, and then used again or at least ready to be.
struct ReturnRecord {
  size_t key = 0;
  absl::Time well, ready;
  bool dead = false;  // it had answered 401: only another try shows that it lives
};

struct RestRecord {  // for the plot: the policy keeps the key out
  size_t key = 0;
  absl::Time from, until;
  bool disabled = false;
};

struct WaitingSample {
  absl::Time at;
  size_t waiting = 0;
};

struct Run {
  std::string policy;
  std::vector<CallRecord> calls;
  std::vector<RequestRecord> requests;  // as in the scenario
  std::vector<ReturnRecord> returns;
  std::vector<RestRecord> rests;
  std::vector<WaitingSample> waiting;
  size_t probes = 0;
};

}  // namespace ccr::rotation
