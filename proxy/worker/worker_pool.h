// All workers of a proxy.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/base/address.h"
#include "proxy/worker/worker.h"

namespace ccr::proxy {

class WorkerPool {
 public:
  // Listens on `address` with `count` workers and starts them. Unavailable when the address is taken.
  static absl::StatusOr<std::unique_ptr<WorkerPool>> Start(const HostPort& address, size_t count, WorkerShared& shared,
                                                           const LeaseSourceFactory& make_leases);
  // Ends what still runs.
  ~WorkerPool() = default;

  HostPort address() const { return address_; }  // really bound
  // Once: takes no new work and waits until all connections have ended; false when they have not within `bound`.
  bool Drain(absl::Duration bound);

 private:
  WorkerPool() = default;

  HostPort address_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace ccr::proxy
