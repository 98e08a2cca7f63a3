#include "broker/config/identities.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/closest_name.h"

namespace ccr {
namespace {

constexpr size_t kMaxIdentities = 1000;
constexpr size_t kMinTokenBytes = 16;
constexpr Range kUids{0, std::numeric_limits<uint32_t>::max() - 1.0};

void ReadToken(MapReader* fields, const KeyFiles& files, IdentityConfig* identity) {
  const Place place = fields->At("token");
  const std::optional<Secret> token = ReadSecret(*fields->Find("token"), place, files, &fields->Problems());
  if (!token) return;
  if (token->Reveal().size() < kMinTokenBytes) {
    fields->Problems().Error(place, absl::StrCat("is shorter than ", kMinTokenBytes,
                                                 " characters and could be guessed: use openssl rand -hex 24"));
  }
  identity->token_sha256 = Sha256(token->Reveal());
}

void ReadRole(MapReader* fields, IdentityConfig* identity) {
  std::string role;
  if (fields->Find("role") == nullptr) {
    fields->Problems().Error(fields->Here(), "the role is missing: write role: lease, observe or admin");
    return;
  }
  fields->OneOf("role", {"lease", "observe", "admin"}, &role);
  for (const Role known : {Role::kLease, Role::kObserve, Role::kAdmin}) {
    if (role == RoleName(known)) identity->role = known;
  }
}

void ReadPools(MapReader* fields, const std::vector<ProviderConfig>& providers, IdentityConfig* identity) {
  if (fields->Find("pools") == nullptr) return;
  const Place place = fields->At("pools");
  if (!fields->TextList("pools", &identity->pools)) return;
  if (identity->role != Role::kLease) {
    fields->Problems().Error(place, "only the role lease is bound to pools: remove them, or write role: lease");
  }
  if (identity->pools.empty()) fields->Problems().Error(place, "is empty: name providers, or leave it out for all");
  std::vector<std::string_view> names;
  for (const ProviderConfig& provider : providers) names.push_back(provider.name);
  for (const std::string& pool : identity->pools) {
    const auto same = [&pool](std::string_view name) { return absl::EqualsIgnoreCase(ToAbsl(name), pool); };
    if (std::any_of(names.begin(), names.end(), same)) continue;
    const std::string_view nearest = ClosestName(pool, names);
    fields->Problems().Error(
        place, absl::StrCat("there is no provider '", pool, "'",
                            nearest.empty() ? "" : absl::StrCat(": did you mean ", ToAbsl(nearest), "?")));
  }
}

IdentityConfig ReadIdentity(MapReader* fields, const KeyFiles& files, const std::vector<ProviderConfig>& providers,
                            size_t number) {
  IdentityConfig identity;
  identity.name = absl::StrCat("identity-", number);
  fields->Text("name", &identity.name);
  ReadRole(fields, &identity);
  ReadPools(fields, providers, &identity);
  int known_by = 0;
  for (const char* name : {"token", "uid", "certificate"}) known_by += fields->Find(name) != nullptr ? 1 : 0;
  if (known_by != 1) {
    fields->Problems().Error(fields->Here(), "an identity is known by exactly one of token, uid and certificate");
  }
  if (fields->Find("token") != nullptr) ReadToken(fields, files, &identity);
  if (fields->Find("uid") != nullptr) {
    uint32_t uid = 0;
    fields->Whole("uid", kUids, &uid);
    identity.uid = uid;
  }
  if (fields->Text("certificate", &identity.certificate) && known_by == 1 && fields->Find("certificate") != nullptr &&
      identity.certificate.empty()) {
    fields->Problems().Error(fields->At("certificate"), "is empty: write a certificate's common or alternative name");
  }
  fields->Done();
  return identity;
}

// What an identity is known by, told apart by its first letter.
std::string Proof(const IdentityConfig& identity) {
  if (!identity.token_sha256.empty()) return "t" + identity.token_sha256;
  if (identity.uid) return absl::StrCat("u", *identity.uid);
  return identity.certificate.empty() ? "" : "c" + identity.certificate;
}

}  // namespace

std::vector<IdentityConfig> ReadIdentities(MapReader* broker, const KeyFiles& files,
                                           const std::vector<ProviderConfig>& providers) {
  std::vector<IdentityConfig> identities;
  const Node* list = broker->List("identities");
  if (list == nullptr) return identities;
  const Place place = broker->At("identities");
  ProblemList& problems = broker->Problems();
  if (list->items.size() > kMaxIdentities) {
    problems.Error(place, absl::StrCat("holds more than ", kMaxIdentities, " entries"));
    return identities;
  }
  std::map<std::string, size_t> names, proofs;
  for (size_t i = 0; i < list->items.size(); ++i) {
    const Node& node = list->items[i];
    const Place here = place.Item(i, node.line);
    if (node.kind != Node::Kind::kMap) {
      problems.Error(here, "must be a map: {name: ..., role: ..., token: {file: PATH}}");
      continue;
    }
    MapReader fields(node, here, &problems);
    IdentityConfig identity = ReadIdentity(&fields, files, providers, i + 1);
    if (!names.emplace(identity.name, i).second) problems.Error(here, "two identities have this name: rename one");
    const std::string proof = Proof(identity);
    if (!proof.empty() && !proofs.emplace(proof, i).second) {
      problems.Error(here, absl::StrCat("is known by the same as identities[", proofs[proof], "]: remove one"));
    }
    identities.push_back(std::move(identity));
  }
  return identities;
}

}  // namespace ccr
