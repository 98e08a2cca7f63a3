// A lease that cannot be forgotten.
#pragma once

#include <functional>
#include <string>

#include "broker/base/secret.h"
#include "ccr/broker/v1/key_broker.pb.h"

namespace ccr::client {

namespace v1 = ::ccr::broker::v1;

// Moves the key out of the message; no copy stays behind in it.
Secret TakeSecret(v1::LeaseResponse& lease);

// Owns one lease and reports it exactly once: through Success or Failure, or else, when it ends, as a fault of the
// caller, which counts for nothing. The key is wiped with the guard. Not thread-safe.
class LeaseGuard {
 public:
  using Reporter = std::function<void(const v1::ReportRequest&)>;

  LeaseGuard(v1::LeaseResponse lease, Reporter reporter);
  ~LeaseGuard();
  LeaseGuard(LeaseGuard&& other) noexcept;
  LeaseGuard& operator=(LeaseGuard&& other) noexcept;

  // Everything the broker said but the key, which is in secret().
  const v1::LeaseResponse& lease() const { return lease_; }
  const Secret& secret() const { return secret_; }

  // The first of these calls counts, later ones do nothing.
  void Success();
  void Failure(v1::Evidence evidence);

 private:
  v1::LeaseResponse lease_;
  Secret secret_;
  Reporter reporter_;  // empty once reported
};

}  // namespace ccr::client
