// Secrets of Vault and OpenBao.
#pragma once

#include <list>
#include <string>

#include "broker/adapters/sources/vault_client.h"
#include "broker/base/clock.h"
#include "broker/base/mutex.h"
#include "broker/base/stop_event.h"
#include "broker/config/secret_source.h"

namespace ccr {

// Keeps a login for each Broker.vault that it meets, of the latest four. A request has 10 s. Thread-safe.
class VaultReader final : public SecretReader {
 public:
  // `clock` must outlive it. `ca_file`: as VaultClient.
  VaultReader(const Clock* clock, std::string ca_file) : clock_(clock), ca_file_(std::move(ca_file)) {}

  absl::StatusOr<SecretReading> Read(const SecretSource& source) override;
  void Stop() override { stop_.Set(); }

 private:
  std::shared_ptr<VaultClient> ClientOf(const VaultConfig& config);

  const Clock* const clock_;
  const std::string ca_file_;
  StopEvent stop_;
  Mutex mutex_;
  std::list<std::shared_ptr<VaultClient>> clients_ CCR_GUARDED_BY(mutex_);  // the latest used is the first
};

}  // namespace ccr
