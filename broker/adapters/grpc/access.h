// Who may make which call: pure rules over what is known of a caller.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/base/mutex.h"
#include "broker/config/identity.h"

namespace ccr {

// Somebody who was recognised. Immutable.
class Caller {
 public:
  Caller(std::string name, Role role, const std::vector<std::string>& pools);

  const std::string& name() const { return name_; }
  Role role() const { return role_; }
  bool everywhere() const { return pools_.empty(); }  // not bound to pools
  bool MayUse(std::string_view pool) const;           // compared without case

 private:
  const std::string name_;
  const Role role_;
  absl::flat_hash_set<std::string> pools_;  // in lower case
};

// What a connection and a call show of who is there.
struct Proof {
  std::optional<uid_t> uid;                    // of the process at the other end of a unix socket
  bool verified = false;                       // a certificate that our authority signed
  std::vector<std::string> certificate_names;  // its common name and alternative names
  std::optional<std::string> token;            // "authorization: Bearer TOKEN"
};

// The rules. A token that is shown decides, then the certificate, then the uid. Without any identity to the contrary
//   - over a unix socket, this user and root may do everything and nobody else may connect,
//   - a certificate of our authority may do everything unless identities name certificates,
//   - over TCP that asks for neither, everybody may do everything; with any identity, or once there was one, nobody.
// Thread-safe.
class Access {
 public:
  explicit Access(const std::vector<IdentityConfig>& identities);

  // From now on those of `identities` that are known by a token are the ones that are. Who was recognised stays so until
  // the call or stream ends; uids and certificates stay as they are.
  void SetTokens(const std::vector<IdentityConfig>& identities) CCR_EXCLUDES(mutex_);

  // Whether a process of that user may connect to a unix socket at all.
  bool Admits(uid_t uid) const;
  // Users beside this one and root.
  size_t foreign_uids() const { return uids_.size(); }

  // Unauthenticated says what to show.
  absl::StatusOr<std::shared_ptr<const Caller>> Identify(const Proof& proof) const;

  // PermissionDenied names the caller, its role and the call ("/package.Service/Method"), also when no rule is written
  // for the call.
  static absl::Status Authorize(const Caller& caller, std::string_view call);
  static bool HasRule(std::string_view call);
  // Whether everybody may make the call who could connect.
  static bool IsOpen(std::string_view call);

 private:
  using Callers = absl::flat_hash_map<std::string, std::shared_ptr<const Caller>>;

  using Tokens = std::vector<std::pair<std::string, std::shared_ptr<const Caller>>>;  // by SHA-256

  std::shared_ptr<const Tokens> tokens() const CCR_EXCLUDES(mutex_);

  Callers certificates_;
  absl::flat_hash_map<uid_t, std::shared_ptr<const Caller>> uids_;
  mutable Mutex mutex_;
  std::shared_ptr<const Tokens> tokens_ CCR_GUARDED_BY(mutex_);  // never null
  std::atomic<bool> any_identity_;
};

}  // namespace ccr
