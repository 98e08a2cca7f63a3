// The folder of the broker's durable state.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/base/secret.h"

namespace ccr {

// Held by one process at a time, as two brokers would overwrite what the other knows of the keys: by a lock (flock) on
// DIR/lock, which ends with the process, however that ends. Move-only.
class StateDir {
 public:
  // Makes the folder (mode 0700, parents too) when it is missing and takes it. Who holds it may be a broker that is
  // about to end: waits up to `patience` for that, blocking. FailedPrecondition when it is still held then;
  // PermissionDenied when other users can write to the folder; Unavailable or what the salt file says; each names the
  // path.
  static absl::StatusOr<StateDir> Open(const std::string& path, absl::Duration patience);
  ~StateDir();
  StateDir(StateDir&& other) noexcept : lock_(std::exchange(other.lock_, -1)), salt_(std::move(other.salt_)) {}
  StateDir& operator=(StateDir&&) = delete;

  // The salt of fingerprints that lives in the folder.
  const Secret& salt() const { return salt_; }

 private:
  StateDir(int lock, Secret salt) : lock_(lock), salt_(std::move(salt)) {}

  int lock_;
  Secret salt_;
};

}  // namespace ccr
