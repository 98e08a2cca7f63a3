// Who may talk to the broker, as the configuration says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ccr {

// What an identity may do: take and report leases; look at pools, keys and events; everything.
enum class Role { kLease, kObserve, kAdmin };

constexpr std::string_view RoleName(Role role) {
  if (role == Role::kLease) return "lease";
  return role == Role::kObserve ? "observe" : "admin";
}

// One entry of "Broker.identities". It is known by exactly one of token, uid and certificate.
struct IdentityConfig {
  std::string name;
  Role role = Role::kLease;
  std::vector<std::string> pools;  // of role lease: providers' names; empty = all
  std::string token_sha256;        // 32 bytes; the token itself is not kept
  std::optional<uint32_t> uid;     // of a process on this machine, over a unix socket
  std::string certificate;         // common name or alternative name of a client's certificate
};

}  // namespace ccr
