#include "broker/adapters/grpc/access.h"

#include <openssl/crypto.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/base/absl_text.h"
#include "broker/base/secret.h"

namespace ccr {
namespace {

enum class Right { kOpen, kLease, kObserve, kAdmin };

struct Rule {
  std::string_view call;
  Right right;
};

// Every call of the server has a rule; one without is refused. A name that ends in '/' stands for a whole service.
constexpr Rule kRules[] = {
    {"/ccr.broker.v1.KeyBroker/Lease", Right::kLease},
    {"/ccr.broker.v1.KeyBroker/Report", Right::kLease},
    {"/ccr.broker.v1.KeyBroker/Renew", Right::kLease},
    {"/ccr.broker.v1.KeyBroker/Progress", Right::kLease},
    {"/ccr.broker.v1.KeyBroker/LeaseStream", Right::kLease},
    {"/ccr.broker.v1.KeyBroker/WatchRouting", Right::kLease},
    {"/ccr.broker.v1.KeyAdmin/ListPools", Right::kObserve},
    {"/ccr.broker.v1.KeyAdmin/WatchEvents", Right::kObserve},
    {"/ccr.broker.v1.KeyAdmin/GetStatus", Right::kObserve},
    {"/ccr.broker.v1.KeyAdmin/Simulate", Right::kObserve},
    {"/ccr.broker.v1.KeyAdmin/GetKeyHistory", Right::kObserve},
    {"/ccr.broker.v1.KeyAdmin/Reload", Right::kAdmin},
    {"/ccr.broker.v1.KeyAdmin/DisableKey", Right::kAdmin},
    {"/ccr.broker.v1.KeyAdmin/EnableKey", Right::kAdmin},
    {"/ccr.broker.v1.KeyAdmin/ResetKey", Right::kAdmin},
    {"/ccr.broker.v1.KeyAdmin/ProbeKey", Right::kAdmin},
    {"/ccr.broker.v1.KeyAdmin/AddKeys", Right::kAdmin},
    {"/ccr.broker.v1.KeyAdmin/RemoveKey", Right::kAdmin},
    {"/ccr.broker.v1.KeyAdmin/ChangePool", Right::kAdmin},
    {"/grpc.health.v1.Health/", Right::kOpen},
    {"/grpc.reflection.v1alpha.ServerReflection/", Right::kObserve},
};

const Rule* FindRule(std::string_view call) {
  for (const Rule& rule : kRules) {
    if (rule.call.back() == '/' ? call.starts_with(rule.call) : call == rule.call) return &rule;
  }
  return nullptr;
}

bool Grants(Role role, Right right) {
  return role == Role::kAdmin || right == Right::kOpen || (role == Role::kLease && right == Right::kLease) ||
         (role == Role::kObserve && right == Right::kObserve);
}

const char* RolesFor(Right right) {
  if (right == Right::kLease) return "lease or admin";
  return right == Right::kObserve ? "observe or admin" : "admin";
}

std::shared_ptr<const Caller> MakeCaller(const IdentityConfig& identity) {
  return std::make_shared<const Caller>(identity.name, identity.role, identity.pools);
}

std::shared_ptr<const Caller> Everything(std::string name) {
  return std::make_shared<Caller>(std::move(name), Role::kAdmin, std::vector<std::string>());
}

}  // namespace

Caller::Caller(std::string name, Role role, const std::vector<std::string>& pools)
    : name_(std::move(name)), role_(role) {
  for (const std::string& pool : pools) pools_.insert(absl::AsciiStrToLower(pool));
}

bool Caller::MayUse(std::string_view pool) const {
  return pools_.empty() || pools_.contains(absl::AsciiStrToLower(ToAbsl(pool)));
}

Access::Access(const std::vector<IdentityConfig>& identities) : any_identity_(!identities.empty()) {
  for (const IdentityConfig& identity : identities) {
    auto caller = MakeCaller(identity);
    if (!identity.certificate.empty()) certificates_[identity.certificate] = caller;
    if (identity.uid && *identity.uid != 0 && *identity.uid != geteuid()) uids_[*identity.uid] = caller;
  }
  SetTokens(identities);
}

void Access::SetTokens(const std::vector<IdentityConfig>& identities) {
  if (!identities.empty()) any_identity_ = true;
  auto tokens = std::make_shared<Tokens>();
  for (const IdentityConfig& identity : identities) {
    if (!identity.token_sha256.empty()) tokens->emplace_back(identity.token_sha256, MakeCaller(identity));
  }
  MutexLock lock(mutex_);
  tokens_ = std::move(tokens);
}

std::shared_ptr<const Access::Tokens> Access::tokens() const {
  MutexLock lock(mutex_);
  return tokens_;
}

bool Access::Admits(uid_t uid) const {
  return uid == 0 || uid == geteuid() || uids_.contains(uid);
}

absl::StatusOr<std::shared_ptr<const Caller>> Access::Identify(const Proof& proof) const {
  if (const auto tokens = this->tokens(); proof.token && !tokens->empty()) {
    const std::string hash = Sha256(*proof.token);
    std::shared_ptr<const Caller> caller;
    for (const auto& [known, whose] : *tokens) {
      if (CRYPTO_memcmp(hash.data(), known.data(), hash.size()) == 0) caller = whose;
    }
    if (caller != nullptr) return caller;
    return absl::UnauthenticatedError("the token is not one of Broker.identities");
  }
  if (proof.verified) {
    for (const std::string& name : proof.certificate_names) {
      const auto known = certificates_.find(name);
      if (known != certificates_.end()) return known->second;
    }
    if (certificates_.empty()) return Everything("a certificate of client_ca");
    return absl::UnauthenticatedError(absl::StrCat("no entry of Broker.identities is for a certificate of ",
                                                   absl::StrJoin(proof.certificate_names, ", ")));
  }
  if (proof.uid) {
    const auto known = uids_.find(*proof.uid);
    if (known != uids_.end()) return known->second;
    if (Admits(*proof.uid)) return Everything(absl::StrCat("uid ", *proof.uid));
    return absl::UnauthenticatedError(absl::StrCat("no entry of Broker.identities is for uid ", *proof.uid));
  }
  if (!any_identity_) return Everything("anybody");
  return absl::UnauthenticatedError(
      "a token is needed: name its file with --broker-token-file, or send it as "
      "authorization: Bearer TOKEN");
}

absl::Status Access::Authorize(const Caller& caller, std::string_view call) {
  const Rule* rule = FindRule(call);
  const Right right = rule == nullptr ? Right::kAdmin : rule->right;
  if (rule != nullptr && Grants(caller.role(), right)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(caller.name(), " has the role ", ToAbsl(RoleName(caller.role())),
                                                  ", and ", ToAbsl(call), " takes ", RolesFor(right)));
}

bool Access::IsOpen(std::string_view call) {
  const Rule* rule = FindRule(call);
  return rule != nullptr && rule->right == Right::kOpen;
}

bool Access::HasRule(std::string_view call) {
  return FindRule(call) != nullptr;
}

}  // namespace ccr
