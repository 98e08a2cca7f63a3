// The provider of a scenario: answers calls as its keys' limits and misfortunes have it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/rotation/random.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

// What one call comes to. The head arrives after `first_byte`, the end after `total`.
struct Reply {
  int status = 0;    // 0 = no connection
  bool cut = false;  // of a 200: the stream ends early
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // of an error
  absl::Duration first_byte, total;
  // For the bench, not told to the caller: when a refused call would have been good, if no fault befalls the key.
  absl::Time room_at = absl::InfinitePast();
  // An explicit moment until which the caller was asked to stay away; InfinitePast when there was none.
  absl::Time rest_until = absl::InfinitePast();
};

// Keeps the true state of all keys. Calls come in the order of time. Not thread-safe.
class Provider {
 public:
  explicit Provider(const Scenario& scenario);

  Reply Call(size_t key, const Request& request, absl::Time now);
  // A call that was answered with 200 has ended, or its caller has gone.
  void OnEnded(size_t key, size_t model);
  // The status of its list of models.
  int Probe(size_t key, absl::Time now) const;
  // For who may see: when a call would be good, but for chance, and which share of its limits the key has left.
  absl::Time GoodAt(size_t key, const Request& request, absl::Time now);
  double Left(size_t key, size_t model, absl::Time now);
  bool IsDead(size_t key, absl::Time now) const;  // answers 401

 private:
  struct Key {
    std::vector<std::unique_ptr<Limit>> limits;
    size_t other_users = 0;  // so many of the times are over
    Random random;
  };
  bool Applies(const LimitSpec& spec, size_t model) const;
  absl::Time RoomAt(size_t key, size_t model, double tokens, absl::Time now);
  void Take(size_t key, size_t model, double tokens, absl::Time now);
  void LetOthersCall(size_t key, absl::Time now);
  Reply Failed(size_t key, Fault fault) const;
  Reply Refused(size_t key, const Request& request, absl::Time room, absl::Time now);
  void TellLimits(size_t key, size_t model, absl::Time now, Reply* reply);

  const Scenario& scenario_;
  std::vector<Key> keys_;
};

}  // namespace ccr::rotation
