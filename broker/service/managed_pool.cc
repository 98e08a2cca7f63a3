#include "broker/service/managed_pool.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "broker/base/log.h"
#include "broker/service/lease_ids.h"
#include "broker/service/pool_texts.h"

namespace ccr {
namespace {

constexpr uint32_t kMaxProbesAtOnce = 2;

absl::BitGenRef Random() {
  thread_local absl::InsecureBitGen generator;
  return generator;
}

LeaseAnswer Refused(absl::Status status) {
  LeaseAnswer answer;
  answer.status = std::move(status);
  return answer;
}

bool SpeaksAgainstKey(core::Outcome outcome) {
  return outcome != core::Outcome::kSuccess && outcome != core::Outcome::kCallerFault &&
         outcome != core::Outcome::kNeutral;
}

bool IsOfRequest(core::Transition::Type type) {
  using Type = core::Transition::Type;
  switch (type) {
    case Type::kFailure:
    case Type::kCooling:
    case Type::kDisabled:
      return true;
    case Type::kLeased:
    case Type::kSuccess:
    case Type::kQueued:
      return LogEnabled(LogLevel::kDebug);
    default:
      return false;
  }
}

bool IsDurable(core::Transition::Type type) {
  using Type = core::Transition::Type;
  return type == Type::kFailure || type == Type::kCooling || type == Type::kDisabled || type == Type::kRecovered;
}

}  // namespace

ManagedPool::ManagedPool(uint32_t number, PoolPlan plan, const RememberedKeys& remembered, const Environment* env)
    : number_(number),
      env_(env),
      pool_({}, env->clock->Now()),
      recorder_(env->record),
      info_(std::make_shared<PoolInfo>()) {
  core::Reconfiguration change(std::move(plan.spec));
  while (!Number(&change, remembered)) {
  }
  SetInfo(MakeInfo(PoolInfo(), change, &plan));
  MutexLock lock(mutex_);
  while (!pool_.Adopt(&change, kStep, env_->clock->Now())) {
  }
}

void ManagedPool::SetInfo(std::shared_ptr<const PoolInfo> info) {
  MutexLock lock(mutex_);
  Publish(/*removed=*/false);  // under the names until now
  announce_ = true;
  info_.swap(info);
}

void ManagedPool::Announce() {
  Sweep();
}

void ManagedPool::Retire() {
  End(absl::NotFoundError(absl::StrCat("pool '", info()->pool, "' left the configuration")), /*removed=*/true);
}

void ManagedPool::Close(const absl::Status& status) {
  End(status, /*removed=*/false);
}

void ManagedPool::End(const absl::Status& status, bool removed) {
  absl::flat_hash_map<core::LeaseId, Waiter> waiters;
  Effects effects;
  {
    MutexLock lock(mutex_);
    closed_ = status;
    waiters.swap(waiters_);  // before Leave, which would grant keys to those who are refused here
    const absl::Time now = env_->clock->Now();
    for (const auto& [id, waiter] : waiters) {
      pool_.CancelWait(id, now);
      recorder_.OnLeft(id, now);
    }
    effects = Leave(removed);
  }
  for (auto& [id, waiter] : waiters) effects.answers.emplace_back(std::move(waiter.done), Refused(status));
  Perform(std::move(effects));
}

std::optional<LeaseAnswer> ManagedPool::Lease(const LeaseParams& params, WaitStart start) {
  const core::SessionHash session = env_->sessions.Of(params.session);
  std::optional<LeaseAnswer> answer;
  Effects effects;
  {
    MutexLock lock(mutex_);
    request_id_ = params.request_id;
    answer = LeaseLocked(params, session, start);
    effects = Leave();
  }
  Perform(std::move(effects));
  if (answer.has_value()) TellRefusal(*answer);
  return answer;
}

std::optional<LeaseAnswer> ManagedPool::LeaseLocked(const LeaseParams& params, core::SessionHash session,
                                                    WaitStart start) {
  if (closed_.has_value()) return Refused(*closed_);
  const absl::Time now = env_->clock->Now();
  absl::InlinedVector<core::KeyIndex, 8> excluded;
  for (std::string_view fingerprint : params.exclude) {
    const core::KeyIndex key = pool_.Find(fingerprint);
    if (key != core::kNoKey) excluded.push_back(key);
  }
  const core::Pool::LeaseArgs args{
      NewLeaseId(env_->epoch, number_), params.owner, excluded, session, params.retry_of, params.model,
      params.estimated_tokens};
  const bool waits = params.max_wait > absl::ZeroDuration() && pool_.spec().queue_wait > absl::ZeroDuration();
  std::optional<core::LeaseResult> result;
  if (waits) {
    result = pool_.Wait(args, params.max_wait, now, Random());
  } else {
    result = pool_.Lease(args, now, Random());
  }
  recorder_.OnAsked(args, params.max_wait, result, now);
  if (result.has_value()) return ToAnswer(*result, now);
  // Under the same lock as Wait: nothing can have answered yet, and Leave finds the waiter.
  waiters_.emplace(args.id, Waiter{params.owner, start(args.id)});
  return std::nullopt;
}

LeaseAnswer ManagedPool::ToAnswer(const core::LeaseResult& result, absl::Time now) const {
  LeaseAnswer answer;
  answer.pool = info_;
  if (const auto* grant = std::get_if<core::Grant>(&result)) {
    answer.grant = *grant;
    return answer;
  }
  const auto& refusal = std::get<core::Refusal>(result);
  answer.refused = refusal.why;
  answer.retry_after = std::max(refusal.retry_at - now, absl::ZeroDuration());
  answer.status = RefusalStatus(info_->pool, refusal, answer.retry_after);
  return answer;
}

bool ManagedPool::CancelWait(const core::LeaseId& id) {
  Effects effects;
  {
    MutexLock lock(mutex_);
    if (waiters_.erase(id) == 0) return false;
    const absl::Time now = env_->clock->Now();
    pool_.CancelWait(id, now);
    recorder_.OnLeft(id, now);
    effects = Leave();
  }
  Perform(std::move(effects));
  return true;
}

ReportAnswer ManagedPool::Apply(const core::Report& report) {
  ReportAnswer answer;
  Effects effects;
  {
    MutexLock lock(mutex_);
    request_id_ = report.request_id;
    const absl::Time now = env_->clock->Now();
    answer.decision = pool_.Apply(report, now, Random());
    recorder_.OnEnded(report, answer.decision, now);
    answer.pool = info_;
    NoteError(report, answer.decision);
    effects = Leave();
    if (SpeaksAgainstKey(answer.decision.outcome)) answer.commit = effects.commit;
  }
  Perform(std::move(effects));
  for (Observer* observer : env_->observers) observer->OnAnswer(*answer.pool, answer.decision);
  return answer;
}

void ManagedPool::NoteError(const core::Report& report, const core::Decision& decision) {
  const bool in_doubt = decision.outcome == core::Outcome::kCallerFault && decision.advice == core::Advice::kRotate;
  if (decision.disposition != core::Disposition::kApplied || decision.key >= last_errors_.size()) return;
  if (!in_doubt && !SpeaksAgainstKey(decision.outcome)) return;
  const std::string& theirs = report.evidence.provider_request_id;
  LastError error{DescribeFailure(report.evidence), theirs.empty() ? report.request_id : theirs, env_->clock->Now()};
  if (in_doubt) {
    doubted_errors_[decision.key] = std::move(error);
    return;
  }
  doubted_errors_.erase(decision.key);
  last_errors_[decision.key] = std::move(error);
}

void ManagedPool::NoteConvictions() {
  if (doubted_errors_.empty()) return;
  for (const core::Transition& transition : transitions_) {
    using Type = core::Transition::Type;
    if (transition.type != Type::kCooling && transition.type != Type::kDisabled) continue;
    if (auto doubted = doubted_errors_.extract(transition.key)) {
      last_errors_[transition.key] = std::move(doubted.mapped());
    }
  }
}

bool ManagedPool::Progress(const core::LeaseId& id, const core::Beginning& beginning) {
  bool applied = false;
  Effects effects;
  {
    MutexLock lock(mutex_);
    applied = pool_.Progress(id, beginning, env_->clock->Now(), Random());
    effects = Leave();
  }
  Perform(std::move(effects));
  return applied;
}

bool ManagedPool::Renew(const core::LeaseId& id) {
  MutexLock lock(mutex_);
  return pool_.Renew(id, env_->clock->Now());
}

bool ManagedPool::Holds(const core::LeaseId& id) {
  MutexLock lock(mutex_);
  return pool_.Holds(id);
}

bool ManagedPool::Release(const core::LeaseId& id) {
  bool released = false;
  Effects effects;
  {
    MutexLock lock(mutex_);
    const absl::Time now = env_->clock->Now();
    released = pool_.Release(id, now);
    if (released) recorder_.OnLeft(id, now);
    effects = Leave();
  }
  Perform(std::move(effects));
  return released;
}

void ManagedPool::Orphan(core::OwnerId owner, absl::Time deadline) {
  Effects effects;
  {
    MutexLock lock(mutex_);
    // The callbacks go with the lock held: what they own must not come back here when it ends.
    const absl::Time now = env_->clock->Now();
    absl::erase_if(waiters_, [this, owner, now](const auto& entry) CCR_REQUIRES(mutex_) {
      if (entry.second.owner != owner) return false;
      recorder_.OnLeft(entry.first, now);
      return true;
    });
    pool_.Orphan(owner, deadline, now);
    effects = Leave();
  }
  Perform(std::move(effects));
}

bool ManagedPool::Reassert(const core::LeaseId& id, core::OwnerId owner, std::string_view fingerprint) {
  bool taken = false;
  Effects effects;
  {
    MutexLock lock(mutex_);
    taken = pool_.Reassert(id, owner, fingerprint, env_->clock->Now());
    effects = Leave();
  }
  Perform(std::move(effects));
  return taken;
}

absl::Time ManagedPool::Sweep() {
  Effects effects;
  {
    MutexLock lock(mutex_);
    poll_answers_.clear();
    pool_.Poll(env_->clock->Now(), Random(), &poll_answers_);
    effects = Leave();
  }
  const absl::Time next_due = effects.next_due;
  Perform(std::move(effects));
  return next_due;
}

simulation::Record ManagedPool::Past() {
  MutexLock lock(mutex_);
  return recorder_.Copy(env_->clock->Now());
}

std::shared_ptr<const PoolInfo> ManagedPool::info() const {
  MutexLock lock(mutex_);
  return info_;
}

ManagedPool::Effects ManagedPool::Leave(bool removed) {
  Effects effects;
  const absl::Time now = env_->clock->Now();
  if (!waiters_.empty()) pool_.Poll(now, Random(), &poll_answers_);
  for (const core::Pool::Answer& answer : poll_answers_) {
    auto waiter = waiters_.extract(answer.id);
    recorder_.OnAnswered(answer.id, answer.result, now);
    if (!waiter.empty()) effects.answers.emplace_back(std::move(waiter.mapped().done), ToAnswer(answer.result, now));
  }
  poll_answers_.clear();
  TakeProbes(now, &effects);
  effects.next_due = pool_.NextDue();
  if (probing_ < kMaxProbesAtOnce && !retired_) effects.next_due = std::min(effects.next_due, pool_.NextProbe());
  effects.commit = Publish(removed);
  return effects;
}

void ManagedPool::TakeProbes(absl::Time now, Effects* effects) {
  if (retired_ || probing_ >= kMaxProbesAtOnce || pool_.NextProbe() > now) return;
  probe_keys_.clear();
  pool_.TakeProbes(kMaxProbesAtOnce - probing_, now, &probe_keys_);
  for (const core::KeyIndex key : probe_keys_) {
    effects->probes.emplace_back(info_->keys[key].fingerprint, ProbeOf(key));
    ++probing_;
  }
}

KeyProbe ManagedPool::ProbeOf(core::KeyIndex key) const {
  return {info_->probe.url,        info_->probe.headers,        info_->auth_header,
          info_->auth_prefix,      info_->secrets[key].Clone(), info_->probe.proxy_url,
          info_->probe.authorities};
}

void ManagedPool::OnProbed(const std::string& fingerprint, const core::Evidence& evidence) {
  Effects effects;
  {
    MutexLock lock(mutex_);
    --probing_;
    const core::KeyIndex key = pool_.Find(fingerprint);
    const absl::Time now = env_->clock->Now();
    doubted_errors_.erase(key);  // what its probe does is not for that
    if (key != core::kNoKey) pool_.OnProbe(key, evidence, now, Random());
    if (key != core::kNoKey) recorder_.OnProbed(key, evidence, now);
    effects = Leave();
  }
  Perform(std::move(effects));
}

Journal::Position ManagedPool::Publish(bool removed) {
  pool_.TakeTransitions(&transitions_);
  NoteConvictions();
  const std::string request_id = std::exchange(request_id_, {});
  for (core::Transition& transition : transitions_) {
    if (!request_id.empty() && IsOfRequest(transition.type)) transition.request_id = request_id;
  }
  if (retired_) return Journal::kNowhere;
  const bool added = std::exchange(announce_, false);
  retired_ = removed;
  if (transitions_.empty() && !added && !removed) return Journal::kNowhere;
  Journal::Entry entry{info_, added, removed, transitions_, ChangedKeys()};
  const bool durable = !entry.records.empty();
  const Journal::Position position = env_->journal->Add(std::move(entry));
  return durable ? position : Journal::kNowhere;
}

std::vector<Record> ManagedPool::ChangedKeys() {
  absl::InlinedVector<core::KeyIndex, 8> changed;
  for (const core::Transition& transition : transitions_) {
    if (IsDurable(transition.type) && transition.key != core::kNoKey) changed.push_back(transition.key);
  }
  std::sort(changed.begin(), changed.end());
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  std::vector<Record> records;
  for (const core::KeyIndex key : changed) {
    const std::optional<core::KeySnapshot> state = pool_.DescribeUnderneath(key);
    if (state.has_value())
      records.emplace_back(KeyRecord{info_->pool, info_->keys[key].fingerprint, *state, last_errors_[key]});
  }
  return records;
}

void ManagedPool::Perform(Effects effects) {
  if (env_->wake != nullptr && effects.next_due != absl::InfiniteFuture()) env_->wake(effects.next_due);
  for (auto& [key, probe] : effects.probes) {
    // A probe may outlive the pool, which a reload may remove.
    auto done = [pool = weak_from_this(), fingerprint = key](const core::Evidence& evidence) {
      if (const auto self = pool.lock()) self->OnProbed(fingerprint, evidence);
    };
    env_->prober->Start(std::move(probe), std::move(done));
  }
  for (auto& [done, answer] : effects.answers) {
    TellRefusal(answer);
    done(std::move(answer));
  }
}

void ManagedPool::TellRefusal(const LeaseAnswer& answer) {
  if (!answer.refused.has_value()) return;
  for (Observer* observer : env_->observers) observer->OnAnswer(*answer.pool, *answer.refused);
}

}  // namespace ccr
