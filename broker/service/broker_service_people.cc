// What people change while the broker runs.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/closest_name.h"
#include "broker/base/log.h"
#include "broker/config/key_names.h"
#include "broker/config/keys.h"
#include "broker/core/strategies/strategy.h"
#include "broker/service/broker_service.h"

namespace ccr {
namespace {

constexpr absl::Duration kCommitTime = absl::Seconds(10);

std::string DidYouMean(std::string_view name, const std::vector<std::string_view>& names) {
  const std::string_view near = ClosestName(name, names);
  return near.empty() ? "" : absl::StrCat("; did you mean '", ToAbsl(near), "'?");
}

bool LooksLikeFingerprint(const std::string& name) {
  return name.size() == 16 && std::all_of(name.begin(), name.end(), [](char c) { return absl::ascii_isxdigit(c); });
}

core::KeySpec SpecOf(const KeyConfig& key, const std::string& fingerprint, absl::Duration probe_interval) {
  return {.name = key.name,
          .fingerprint = fingerprint,
          .weight = key.weight,
          .max_failures = key.max_failures,
          .cooldown = key.cooldown,
          .max_concurrent = key.max_concurrent,
          .limits = {key.limits.rpm, key.limits.tpm, key.limits.rpd, key.limits.tpd},
          .models = key.models,
          .probe_interval = probe_interval};
}

}  // namespace

void BrokerService::LayOver(Config* config, std::vector<ChangeRecord> changes) {
  for (const ChangeRecord& change : changes) {
    if (const absl::Status taken = overlay_.Take(change); !taken.ok())
      Log(LogLevel::kError, "change_left_out", {{"why", std::string(taken.message())}});
  }
  Journal::Entry entry;
  const auto pools = directory();
  std::vector<std::string> all_problems;
  for (ProviderConfig& provider : config->providers) {
    std::vector<ChangeRecord> records;
    std::vector<std::string> problems;
    const auto sealer = [this]() CCR_REQUIRES(apply_mutex_) -> MasterKeys::SealerResult {
      if (master_keys_ == nullptr) return absl::FailedPreconditionError("the configuration has no master key");
      return master_keys_->ToOpen();
    };
    const ManagedPool* const pool = pools->Find(std::string_view(provider.name));
    const auto held = [pool](const std::string& key) { return pool == nullptr ? std::nullopt : pool->SecretOf(key); };
    overlay_.LayOver(&provider, fingerprinter_, sealer, held, &records, &problems);
    for (std::string& problem : problems) {
      Log(LogLevel::kError, "change_in_danger", {{"why", problem}});
      all_problems.push_back(std::move(problem));
    }
    for (ChangeRecord& record : records) {
      Log(LogLevel::kInfo, record.content.empty() ? "change_overtaken" : "key_sealed_anew",
          {{"provider", record.pool}, {"change", record.kind}, {"key", record.id}});
      entry.records.emplace_back(std::move(record));
    }
  }
  {
    MutexLock lock(mutex_);
    change_problems_ = std::move(all_problems);
  }
  if (entry.records.empty()) return;
  entry.pool = std::make_shared<PoolNames>();
  journal_.Add(std::move(entry));
}

std::vector<std::string> BrokerService::change_problems() const {
  MutexLock lock(mutex_);
  return change_problems_;
}

absl::StatusOr<std::shared_ptr<ManagedPool>> BrokerService::FindPool(const std::string& name) const {
  const auto pools = directory();
  const ManagedPool* const known = pools->Find(std::string_view(name));
  std::vector<std::string> names;
  for (const auto& pool : pools->pools()) {
    if (pool.get() == known) return pool;
    names.push_back(pool->info()->pool);
  }
  return absl::NotFoundError(absl::StrCat("no provider '", name, "'", DidYouMean(name, {names.begin(), names.end()})));
}

absl::StatusOr<BrokerService::FoundKey> BrokerService::FindKey(const KeyRef& ref) const {
  absl::StatusOr<std::shared_ptr<ManagedPool>> pool = FindPool(ref.pool);
  if (!pool.ok()) return pool.status();
  std::vector<core::KeySpec> keys = (*pool)->Keys();
  for (core::KeySpec& key : keys) {
    if (key.name == ref.key || key.fingerprint == ref.key) return FoundKey{*std::move(pool), std::move(key)};
  }
  std::vector<std::string_view> names;
  for (const core::KeySpec& key : keys) names.push_back(key.name);
  return absl::NotFoundError(absl::StrCat("provider '", ref.pool, "' has no key with the name or fingerprint '",
                                          ref.key, "'", DidYouMean(ref.key, names)));
}

void BrokerService::Note(const ManagedPool& pool, std::vector<ChangeRecord> changes) {
  Journal::Entry entry;
  entry.pool = pool.info();
  for (ChangeRecord& change : changes) {
    overlay_.Take(change).IgnoreError();  // it is one of ours
    entry.records.emplace_back(std::move(change));
  }
  journal_.Add(std::move(entry));
}

absl::Status BrokerService::Committed() {
  const absl::Status settled = journal_.Settle(kCommitTime);
  if (settled.ok()) return settled;
  return absl::UnavailableError(
      absl::StrCat("the change is in effect, but not on disk yet, and is lost if the broker ends "
                   "before it is: ",
                   settled.message()));
}

absl::StatusOr<PoolStatus> BrokerService::StatusOf(const FoundKey& found) {
  if (const absl::Status committed = Committed(); !committed.ok()) return committed;
  std::optional<PoolStatus> status = found.pool->StatusOf(found.key.fingerprint);
  if (!status.has_value()) return absl::NotFoundError("the key has left the configuration meanwhile");
  return *std::move(status);
}

absl::StatusOr<PoolStatus> BrokerService::SwitchKey(const FoundKey& found, bool enabled, absl::Time until) {
  const std::string& pool = found.pool->info()->pool;
  // The record says what the file does not.
  const bool as_in_file = enabled && !overlay_.FileHasOut(pool, found.key);
  Note(*found.pool, {as_in_file ? Overlay::Nothing(pool, Overlay::kSwitch, found.key.fingerprint)
                                : overlay_.Switch(pool, found.key, enabled, until)});
  found.pool->TakeOut(found.key.fingerprint, enabled ? absl::InfinitePast() : until);
  return StatusOf(found);
}

absl::StatusOr<PoolStatus> BrokerService::DisableKey(const KeyRef& ref, absl::Duration at_most) {
  if (at_most <= absl::ZeroDuration()) return absl::InvalidArgumentError("disable it for a time that is not zero");
  MutexLock lock(apply_mutex_);
  const absl::StatusOr<FoundKey> found = FindKey(ref);
  if (!found.ok()) return found.status();
  if (found->key.out_reason == core::kOutByConfiguration &&
      overlay_.FileHasOut(found->pool->info()->pool, found->key)) {
    return absl::FailedPreconditionError("the configuration file has it disabled already (enabled: false)");
  }
  return SwitchKey(*found, false, at_most == absl::InfiniteDuration() ? absl::InfiniteFuture() : Now() + at_most);
}

absl::StatusOr<PoolStatus> BrokerService::EnableKey(const KeyRef& ref) {
  MutexLock lock(apply_mutex_);
  const absl::StatusOr<FoundKey> found = FindKey(ref);
  if (!found.ok()) return found.status();
  absl::StatusOr<PoolStatus> status = SwitchKey(*found, true, absl::InfinitePast());
  if (!status.ok() || status->snapshot.keys[0].state != core::KeyState::kDisabled) return status;
  found->pool->Reset(found->key.fingerprint);
  return StatusOf(*found);
}

absl::StatusOr<PoolStatus> BrokerService::ResetKey(const KeyRef& ref) {
  MutexLock lock(apply_mutex_);
  const absl::StatusOr<FoundKey> found = FindKey(ref);
  if (!found.ok()) return found.status();
  found->pool->Reset(found->key.fingerprint);
  return StatusOf(*found);
}

absl::StatusOr<PoolStatus> BrokerService::GetKey(const KeyRef& ref) const {
  const absl::StatusOr<FoundKey> found = FindKey(ref);
  if (!found.ok()) return found.status();
  std::optional<PoolStatus> status = found->pool->StatusOf(found->key.fingerprint);
  if (!status.has_value()) return absl::NotFoundError("the key has left the configuration meanwhile");
  return *std::move(status);
}

absl::Status BrokerService::ProbeKey(const KeyRef& ref, std::function<void(const ManagedPool::Probed&)> done) {
  const absl::StatusOr<FoundKey> found = FindKey(ref);
  if (!found.ok()) return found.status();
  return found->pool->Probe(found->key.fingerprint, std::move(done));
}

absl::Status BrokerService::RemoveKey(const KeyRef& ref) {
  MutexLock lock(apply_mutex_);
  const absl::StatusOr<FoundKey> found = FindKey(ref);
  if (!found.ok()) return found.status();
  const std::string pool = found->pool->info()->pool;
  const std::string& fingerprint = found->key.fingerprint;
  PoolPlan plan = found->pool->Plan();
  if (plan.spec.keys.size() == 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("it is the last key of '", pool, "': add another one first, or disable it"));
  }
  for (size_t i = 0; i < plan.spec.keys.size(); ++i) {
    if (plan.spec.keys[i].fingerprint != fingerprint) continue;
    plan.spec.keys.erase(plan.spec.keys.begin() + static_cast<ptrdiff_t>(i));
    plan.secrets.erase(plan.secrets.begin() + static_cast<ptrdiff_t>(i));
    break;
  }
  std::vector<ChangeRecord> changes;
  if (overlay_.IsAdded(pool, fingerprint)) {
    changes.push_back(Overlay::Nothing(pool, Overlay::kKey, fingerprint));
  } else {
    changes.push_back(overlay_.Gone(pool, found->key));
  }
  changes.push_back(Overlay::Nothing(pool, Overlay::kSwitch, fingerprint));
  Note(*found->pool, std::move(changes));
  overlay_.SetOut(pool, Now(), &plan.spec.keys);
  found->pool->Reconfigure(std::move(plan), {});
  found->pool->Announce();
  return Committed();
}

absl::StatusOr<std::vector<BrokerService::AddedKey>> BrokerService::AddKeys(const std::string& pool,
                                                                            std::vector<KeyConfig> keys, bool dry_run) {
  MutexLock lock(apply_mutex_);
  const absl::StatusOr<std::shared_ptr<ManagedPool>> found = FindPool(pool);
  if (!found.ok()) return found.status();
  if (master_keys_ == nullptr) return absl::FailedPreconditionError("the configuration has no master key");
  if (const absl::Status there = master_keys_->ToOpen().status(); absl::IsNotFound(there) && overlay_.HasAdded()) {
    return absl::FailedPreconditionError(
        absl::StrCat(there.message(),
                     ": it is what keys that were added before are sealed with; put it back, or remove those keys"));
  }
  const MasterKeys::SealerResult sealer = master_keys_->ToSeal();
  if (!sealer.ok()) return sealer.status();
  const std::string name = (*found)->info()->pool;
  PoolPlan plan = (*found)->Plan();
  const absl::Duration probe_interval = plan.spec.keys[0].probe_interval;
  absl::flat_hash_map<std::string, std::string> known;  // names by fingerprint
  absl::flat_hash_set<std::string> names;
  for (const core::KeySpec& key : plan.spec.keys) {
    known.emplace(key.fingerprint, key.name);
    names.insert(key.name);
  }
  const auto taken = [&](const std::string& key) { return names.contains(key); };
  std::vector<AddedKey> answers;
  std::vector<ChangeRecord> changes;
  for (KeyConfig& key : keys) {
    AddedKey& answer = answers.emplace_back();
    answer.name = key.name;
    answer.outcome = AddedKey::Outcome::kInvalid;
    if (answer.message = KeyProblem(key.secret.Reveal()); !answer.message.empty()) continue;
    answer.fingerprint = fingerprinter_.Of(key.secret);
    if (const auto same = known.find(answer.fingerprint); same != known.end()) {
      answer.outcome = AddedKey::Outcome::kKnown;
      answer.message = absl::StrCat("'", same->second, "' is this key already");
      answer.name = same->second;
      continue;
    }
    if (plan.spec.keys.size() == kMaxProviderKeys) {
      answer.message = absl::StrCat("'", name, "' has ", kMaxProviderKeys, " keys, and no provider may have more");
      continue;
    }
    if (key.name.empty()) key.name = NewKeyName(answer.fingerprint, taken);
    if (answer.message = KeyNameProblem(key); !answer.message.empty()) continue;
    if (LooksLikeFingerprint(key.name)) {
      answer.message = "a name of 16 hexadecimal digits could be taken for a fingerprint: choose another";
      continue;
    }
    if (!names.insert(key.name).second) {
      answer.message = absl::StrCat("there is a key '", key.name, "' already: choose another name");
      continue;
    }
    const std::string sealed = (*sealer)->Seal(key.secret, Overlay::ContextOf(name, answer.fingerprint));
    answer.name = key.name;
    answer.outcome = AddedKey::Outcome::kAdded;
    known.emplace(answer.fingerprint, key.name);
    changes.push_back(Overlay::Added(name, answer.fingerprint, key, sealed));
    plan.spec.keys.push_back(SpecOf(key, answer.fingerprint, probe_interval));
    plan.secrets.push_back(std::move(key.secret));
  }
  if (dry_run || changes.empty()) return answers;
  Note(**found, std::move(changes));
  overlay_.SetOut(name, Now(), &plan.spec.keys);
  (*found)->Reconfigure(std::move(plan), {});
  (*found)->Announce();
  if (const absl::Status committed = Committed(); !committed.ok()) return committed;
  return answers;
}

absl::StatusOr<PoolStatus> BrokerService::ChangePool(const std::string& pool, const PoolChange& change) {
  if (change.strategy) {
    if (const auto strategy = core::MakeStrategy(*change.strategy); !strategy.ok()) return strategy.status();
  }
  MutexLock lock(apply_mutex_);
  const absl::StatusOr<std::shared_ptr<ManagedPool>> found = FindPool(pool);
  if (!found.ok()) return found.status();
  const std::string name = (*found)->info()->pool;
  PoolPlan plan = (*found)->Plan();
  change.ApplyTo(&plan.spec);
  change.ApplyTo(&plan.rules);
  Note(**found, {overlay_.Settings(name, change)});
  overlay_.SetOut(name, Now(), &plan.spec.keys);
  (*found)->Reconfigure(std::move(plan), {});
  (*found)->Announce();
  if (const absl::Status committed = Committed(); !committed.ok()) return committed;
  return (*found)->Status();
}

}  // namespace ccr
