// One login at Vault or OpenBao, and what is read with it.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/adapters/sources/http_call.h"
#include "broker/adapters/sources/vault_answer.h"
#include "broker/base/clock.h"
#include "broker/base/mutex.h"
#include "broker/config/secret_source.h"
#include "broker/config/vault_config.h"

namespace ccr {

// Logs in when it must: at first, when the token is refused, or cannot be renewed; renews the token and the leases of
// secrets after two thirds of their time. A token file that has changed is a new login. Thread-safe: the server is asked
// by one thread at a time.
class VaultClient {
 public:
  // `ca_file` is who is trusted where the configuration names none; empty = the system's.
  VaultClient(VaultConfig config, std::string ca_file, const Clock* clock, const StopEvent* stop);

  const VaultConfig& config() const { return config_; }

  // The secret as it is now, or as it is still leased, and when to ask again. Messages continue the secret's name.
  absl::StatusOr<SecretReading> Read(const std::string& path, const std::string& field);

 private:
  struct Held {
    Secret value;
    VaultLease lease;
    absl::Duration granted;  // by the first answer
    absl::Time renew_at;
  };

  absl::StatusOr<SecretReading> ReadLocked(const std::string& path, const std::string& field) CCR_REQUIRES(mutex_);
  // A token that is good as far as is known.
  absl::Status HaveToken() CCR_REQUIRES(mutex_);
  absl::Status LogIn() CCR_REQUIRES(mutex_);
  absl::Status TakeTokenFile() CCR_REQUIRES(mutex_);
  absl::Status RenewToken() CCR_REQUIRES(mutex_);
  void Keep(VaultToken token) CCR_REQUIRES(mutex_);
  // True when the lease goes on for long enough.
  absl::StatusOr<bool> RenewLease(Held* held) CCR_REQUIRES(mutex_);
  absl::StatusOr<SecretReading> Fetch(const std::string& path, const std::string& field) CCR_REQUIRES(mutex_);
  SecretReading Reading(const Secret& value, absl::Time again) CCR_REQUIRES(mutex_);
  // The body of a 2xx. `path` begins after "/v1/"; a GET when `body` is empty.
  absl::StatusOr<Secret> Ask(const std::string& path, Secret body) CCR_REQUIRES(mutex_);

  const VaultConfig config_;
  const std::string ca_file_;
  const Clock* const clock_;
  const StopEvent* const stop_;
  Mutex mutex_;
  Secret token_ CCR_GUARDED_BY(mutex_);  // empty: not logged in
  Secret from_file_ CCR_GUARDED_BY(mutex_);
  VaultLease token_lease_ CCR_GUARDED_BY(mutex_);
  absl::Time renew_token_at_ CCR_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  // A server that has just given no answer is not asked for the other secrets.
  absl::Status silence_ CCR_GUARDED_BY(mutex_);
  absl::Time silent_until_ CCR_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::map<std::string, Held> held_ CCR_GUARDED_BY(mutex_);  // leased secrets, by path and field
};

}  // namespace ccr
