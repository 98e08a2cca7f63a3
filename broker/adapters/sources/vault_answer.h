// What Vault's and OpenBao's HTTP API answers, read.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/base/secret.h"

namespace ccr {

struct VaultLease {
  std::string id;           // empty: there is no lease
  absl::Duration duration;  // 0: without end
  bool renewable = false;
};

struct VaultSecret {
  Secret value;
  VaultLease lease;
};

struct VaultToken {
  Secret token;  // empty where the answer does not repeat it
  VaultLease lease;
};

// The text in `field` of a secret: of KV version 1 or 2, or of any engine that gives texts. NotFound names the fields.
absl::StatusOr<VaultSecret> ReadVaultSecret(const Secret& body, const std::string& field);
// Of a login, of a renewal of the token (both in "auth"), or of what the token says of itself (in "data").
absl::StatusOr<VaultToken> ReadVaultToken(const Secret& body);
// Of the renewal of a lease.
absl::StatusOr<VaultLease> ReadVaultLease(const Secret& body);

// What an answer of another status than 2xx means; `path` is what was asked for. Unavailable: it may go well later.
absl::Status VaultFailure(int status, const Secret& body, std::string_view path);

}  // namespace ccr
