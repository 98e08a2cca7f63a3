// The leases that a LeaseStream holds, and what the broker is to be told of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ccr/broker/v1/key_broker.pb.h"

namespace ccr::client {

namespace v1 = ::ccr::broker::v1;

// A lease is here from its grant until its report is answered, over any number of connections. Not thread-safe; no
// clock.
class HeldLeases {
 public:
  using Time = std::chrono::steady_clock::time_point;  // max() = never

  size_t size() const { return leases_.size(); }
  // Returns when it is to be renewed: after half its ttl.
  Time Add(const v1::LeaseResponse& lease, Time now);
  void Remove(const std::string& lease_id) { leases_.erase(lease_id); }

  // Renews the leases that are due, in messages added to `out`. Returns when the next one is. O(size).
  Time Renew(Time now, v1::LeaseStreamRequest* out);
  // For a new connection: names them all.
  void Reassert(v1::Hello* hello) const;

  // A good answer has begun. It is told once for each connection until the lease's report is made, which says more.
  // Nothing for a lease that is not held.
  void SetProgress(v1::ProgressRequest progress);
  void EndProgress(const std::string& lease_id);
  // Adds what is not told yet to `out`.
  void TellProgress(v1::LeaseStreamRequest* out);
  void ForgetUntold() { untold_.clear(); }  // there is no connection; Retell will come
  void Retell();                            // on a new connection

 private:
  struct Lease {
    std::string pool;
    std::string key_fingerprint;
    std::chrono::nanoseconds renewal;  // between two of them; max() = none
    Time renew_at;
    std::optional<v1::ProgressRequest> progress;
  };

  absl::flat_hash_map<std::string, Lease> leases_;  // by id
  std::vector<std::string> untold_;                 // ids; may name others than those with progress
};

}  // namespace ccr::client
