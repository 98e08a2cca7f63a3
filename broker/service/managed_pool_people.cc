// What people do to the keys of a pool.
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/core/verdict/outcome.h"
#include "broker/service/managed_pool.h"

namespace ccr {

bool ManagedPool::TakeOut(std::string_view fingerprint, absl::Time until) {
  Effects effects;
  {
    MutexLock lock(mutex_);
    const core::KeyIndex key = pool_.Find(fingerprint);
    if (key == core::kNoKey) return false;
    pool_.TakeOut(key, until, core::kOutByOperator, env_->clock->Now());
    effects = Leave();
  }
  Perform(std::move(effects));
  return true;
}

bool ManagedPool::Reset(std::string_view fingerprint) {
  Effects effects;
  {
    MutexLock lock(mutex_);
    const core::KeyIndex key = pool_.Find(fingerprint);
    if (key == core::kNoKey) return false;
    pool_.Reset(key, env_->clock->Now());
    doubted_errors_.erase(key);
    last_errors_[key] = LastError();
    effects = Leave();
  }
  Perform(std::move(effects));
  return true;
}

absl::Status ManagedPool::Probe(std::string_view fingerprint, std::function<void(const Probed&)> done) {
  KeyProbe probe;
  std::string key;
  {
    MutexLock lock(mutex_);
    const core::KeyIndex index = pool_.Find(fingerprint);
    if (index == core::kNoKey) return absl::NotFoundError(absl::StrCat("no such key in pool '", info_->pool, "'"));
    if (info_->probe.url.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("nothing is known that pool '", info_->pool,
                       "' could be asked about a key: set probe: {url: ...} of this provider, as its models endpoint"));
    }
    probe = ProbeOf(index);
    key = info_->keys[index].fingerprint;
    ++probing_;
  }
  env_->prober->Start(std::move(probe), [pool = weak_from_this(), key, began = env_->clock->Now(),
                                         done = std::move(done)](const core::Evidence& evidence) {
    Probed probed{core::Outcome::kNeutral, evidence, absl::ZeroDuration()};
    if (const auto self = pool.lock()) {
      probed.outcome = core::Classify(evidence, self->info()->rules.error_rules).outcome;
      probed.took = self->env_->clock->Now() - began;
      self->OnProbed(key, evidence);
    }
    done(probed);
  });
  return absl::OkStatus();
}

std::optional<Secret> ManagedPool::SecretOf(std::string_view fingerprint) const {
  MutexLock lock(mutex_);
  const core::KeyIndex key = pool_.Find(fingerprint);
  if (key == core::kNoKey || key >= info_->secrets.size() || info_->secrets[key].empty()) return std::nullopt;
  return info_->secrets[key].Clone();
}

std::vector<core::KeySpec> ManagedPool::Keys() {
  MutexLock lock(mutex_);
  std::vector<core::KeySpec> keys;
  for (const core::KeyIndex key : pool_.order()) keys.push_back(pool_.key(key));
  return keys;
}

PoolPlan ManagedPool::Plan() {
  MutexLock lock(mutex_);
  return CopyPlan(*info_, pool_.order());
}

std::optional<PoolStatus> ManagedPool::StatusOf(std::string_view fingerprint) {
  MutexLock lock(mutex_);
  const core::KeyIndex key = pool_.Find(fingerprint);
  if (key == core::kNoKey) return std::nullopt;
  PoolStatus status;
  status.info = info_;
  status.snapshot = pool_.Outline(env_->clock->Now());
  status.snapshot.keys.push_back(*pool_.Describe(key));
  status.snapshot.available = status.snapshot.keys.back().available;
  status.last_errors.push_back(last_errors_[key]);
  return status;
}

}  // namespace ccr
