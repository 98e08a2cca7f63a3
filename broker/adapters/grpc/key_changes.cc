#include "broker/adapters/grpc/key_changes.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/adapters/grpc/convert.h"
#include "broker/adapters/grpc/errors.h"
#include "broker/base/absl_text.h"
#include "broker/base/closest_name.h"
#include "broker/config/limits.h"

namespace ccr {
namespace {

constexpr size_t kMaxNameBytes = 256;
constexpr int kMaxNewKeys = 10'000;
constexpr int kMaxModels = 1'000;
constexpr uint64_t kMaxMillis = static_cast<uint64_t>(kWeekMillis) * 53;  // of an absence

std::optional<google::rpc::Status> CheckRef(const v1::KeyRef& key, const std::string& prefix) {
  if (key.pool().empty()) return BadField(prefix + "pool", "name a provider");
  if (key.key().empty()) return BadField(prefix + "key", "name a key, or give its fingerprint");
  for (const std::string* name : {&key.pool(), &key.key()}) {
    if (name->size() > kMaxNameBytes) {
      return BadField(prefix + (name == &key.pool() ? "pool" : "key"),
                      absl::StrCat("longer than ", kMaxNameBytes, " bytes"));
    }
  }
  return std::nullopt;
}

std::optional<google::rpc::Status> CheckRange(const std::string& field, uint64_t value, Range range) {
  if (static_cast<double>(value) <= range.max) return std::nullopt;
  return BadField(field, absl::StrCat("more than ", range.max));
}

std::optional<google::rpc::Status> CheckKey(const v1::NewKey& key, const std::string& prefix) {
  if (!std::isfinite(key.weight()) || key.weight() < 0 || key.weight() > kWeightRange.max)
    return BadField(prefix + "weight", absl::StrCat("must be 0 to ", kWeightRange.max));
  if (auto error = CheckRange(prefix + "max_concurrent", key.max_concurrent(), kLimitRange)) return error;
  if (auto error = CheckRange(prefix + "limits.rpm", key.limits().rpm(), kLimitRange)) return error;
  if (auto error = CheckRange(prefix + "limits.tpm", key.limits().tpm(), kTokenLimitRange)) return error;
  if (auto error = CheckRange(prefix + "limits.rpd", key.limits().rpd(), kLimitRange)) return error;
  if (auto error = CheckRange(prefix + "limits.tpd", key.limits().tpd(), kTokenLimitRange)) return error;
  if (key.models_size() > kMaxModels) return BadField(prefix + "models", absl::StrCat("more than ", kMaxModels));
  return std::nullopt;
}

}  // namespace

std::optional<google::rpc::Status> Check(const v1::KeyRef& request) {
  return CheckRef(request, "");
}

std::optional<google::rpc::Status> Check(const v1::DisableKeyRequest& request) {
  if (auto error = CheckRef(request.key(), "key.")) return error;
  if (request.for_ms() > kMaxMillis) return BadField("for_ms", "more than a year: leave it out to disable for good");
  return std::nullopt;
}

std::optional<google::rpc::Status> Check(const v1::AddKeysRequest& request) {
  if (request.pool().empty()) return BadField("pool", "name a provider");
  if (request.pool().size() > kMaxNameBytes)
    return BadField("pool", absl::StrCat("longer than ", kMaxNameBytes, " bytes"));
  if (request.keys_size() == 0) return BadField("keys", "is empty");
  if (request.keys_size() > kMaxNewKeys)
    return BadField("keys", absl::StrCat("more than ", kMaxNewKeys, ": send them in several calls"));
  for (int i = 0; i < request.keys_size(); ++i) {
    if (auto error = CheckKey(request.keys(i), absl::StrCat("keys[", i, "]."))) return error;
  }
  return std::nullopt;
}

std::optional<google::rpc::Status> Check(const v1::ChangePoolRequest& request) {
  if (request.pool().empty()) return BadField("pool", "name a provider");
  if (request.pool().size() > kMaxNameBytes)
    return BadField("pool", absl::StrCat("longer than ", kMaxNameBytes, " bytes"));
  if (request.has_strategy()) {
    bool known = false;
    for (const std::string_view word : StrategyWords()) known |= word == request.strategy();
    const std::string_view near = ClosestName(request.strategy(), StrategyWords());
    if (!known) {
      return BadField("strategy", absl::StrCat("is not one of ",
                                               absl::StrJoin(StrategyWords(), ", ",
                                                             [](std::string* out, std::string_view word) {
                                                               absl::StrAppend(out, ToAbsl(word));
                                                             }),
                                               near.empty() ? "" : absl::StrCat("; did you mean ", ToAbsl(near), "?")));
    }
  }
  if (auto error = CheckRange("max_concurrent", request.max_concurrent(), kLimitRange)) return error;
  if (auto error = CheckRange("rpm", request.rpm(), kLimitRange)) return error;
  if (auto error = CheckRange("tpm", request.tpm(), kTokenLimitRange)) return error;
  if (auto error = CheckRange("rpd", request.rpd(), kLimitRange)) return error;
  if (auto error = CheckRange("tpd", request.tpd(), kTokenLimitRange)) return error;
  if (auto error = CheckRange("max_wait_ms", request.max_wait_ms(), kMillisOrNone)) return error;
  if (request.has_max_waiting() && (request.max_waiting() == 0 || request.max_waiting() > 1'000'000))
    return BadField("max_waiting", "must be 1 to 1000000: for nobody to wait set max_wait_ms to 0");
  return std::nullopt;
}

BrokerService::KeyRef ToCore(const v1::KeyRef& request) {
  return {request.pool(), request.key()};
}

std::vector<KeyConfig> TakeKeys(v1::AddKeysRequest* request) {
  std::vector<KeyConfig> keys;
  for (v1::NewKey& key : *request->mutable_keys()) {
    KeyConfig& config = keys.emplace_back();
    config.name = key.name();
    config.secret = Secret(std::string_view(key.secret()));
    WipeText(key.mutable_secret());
    config.weight = key.weight() > 0 ? key.weight() : 1;
    config.max_concurrent = key.max_concurrent();
    config.limits = {key.limits().rpm(), key.limits().tpm(), key.limits().rpd(), key.limits().tpd()};
    config.models.assign(key.models().begin(), key.models().end());
  }
  return keys;
}

PoolChange ToCore(const v1::ChangePoolRequest& request) {
  PoolChange change;
  if (request.has_strategy()) change.strategy = request.strategy();
  if (request.has_session_affinity()) change.session_affinity = request.session_affinity();
  if (request.has_max_concurrent()) change.max_concurrent = request.max_concurrent();
  if (request.has_rpm()) change.rpm = request.rpm();
  if (request.has_tpm()) change.tpm = request.tpm();
  if (request.has_rpd()) change.rpd = request.rpd();
  if (request.has_tpd()) change.tpd = request.tpd();
  if (request.has_max_wait_ms()) change.max_wait = FromMilliseconds(request.max_wait_ms());
  if (request.has_max_waiting()) change.max_waiting = request.max_waiting();
  return change;
}

void Fill(const PoolStatus& status, v1::KeyChange* out) {
  v1::PoolStatus pool;
  Fill(status, &pool);
  out->set_provider(pool.provider());
  if (pool.keys_size() > 0) out->mutable_key()->Swap(pool.mutable_keys(0));
}

void Fill(const std::vector<BrokerService::AddedKey>& keys, v1::AddKeysResponse* out) {
  using Outcome = BrokerService::AddedKey::Outcome;
  for (const BrokerService::AddedKey& key : keys) {
    v1::AddedKey* const added = out->add_keys();
    added->set_outcome(key.outcome == Outcome::kAdded   ? v1::AddedKey::ADDED
                       : key.outcome == Outcome::kKnown ? v1::AddedKey::KNOWN
                                                        : v1::AddedKey::INVALID);
    added->set_name(key.name);
    added->set_fingerprint(key.fingerprint);
    added->set_message(key.message);
  }
}

void Fill(const ManagedPool::Probed& probed, v1::ProbeKeyResponse* out) {
  const core::Evidence& evidence = probed.evidence;
  out->set_outcome(ToProto(probed.outcome));
  out->set_http_status(evidence.http_status);
  out->set_detail(evidence.message.empty() ? evidence.detail : evidence.message);
  out->set_took_ms(static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Milliseconds(probed.took))));
}

}  // namespace ccr
