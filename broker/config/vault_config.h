// "Broker.vault": the server that {vault: "PATH#FIELD"} means.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace ccr {

// Of Vault or OpenBao. Files are read at each login: they may be replaced.
struct VaultConfig {
  enum class Login { kToken, kAppRole, kKubernetes };

  std::string address;                         // http or https, without a path
  std::string name_space;                      // "namespace"; empty = none
  std::string ca_file;                         // empty = the system's authorities
  absl::Duration refresh = absl::Seconds(60);  // how often a secret without a lease is read; ms in the file
  Login login = Login::kToken;
  std::string mount;           // of the login method: "approle", "kubernetes"
  std::string token_file;      // kToken
  std::string role_id;         // kAppRole
  std::string secret_id_file;  // kAppRole
  std::string role;            // kKubernetes
  std::string jwt_file;        // kKubernetes

  bool operator==(const VaultConfig&) const = default;
};

}  // namespace ccr
