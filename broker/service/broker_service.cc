#include "broker/service/broker_service.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/config/key_names.h"
#include "broker/core/strategies/strategy.h"
#include "broker/service/lease_ids.h"

namespace ccr {
namespace {

LeaseAnswer Failed(absl::Status status) {
  LeaseAnswer answer;
  answer.status = std::move(status);
  return answer;
}

constexpr absl::Duration kCheckpointInterval = absl::Seconds(10);

absl::Status ShuttingDown() {
  return absl::UnavailableError("the broker is shutting down; reconnect");
}

std::shared_ptr<Routing> MakeRouting(Config config) {
  auto routing = std::make_shared<Routing>();
  if (!config.client_token.empty()) {
    routing->client_token_sha256 = Sha256(config.client_token.Reveal());
    config.client_token = Secret();
  }
  routing->config = std::move(config);
  return routing;
}

}  // namespace

BrokerService::BrokerService(Options options)
    : journal_(options.store, options.observers),
      record_(options.record_bytes),
      env_{options.clock,
           &journal_,
           std::move(options.observers),
           std::move(options.wake),
           NewEpoch(),
           {},
           options.prober != nullptr ? options.prober : &no_prober_,
           &record_},
      fingerprinter_(std::move(options.fingerprint_salt)),
      started_at_(options.clock->Now()),
      directory_(std::make_shared<PoolDirectory>(std::vector<std::shared_ptr<ManagedPool>>())) {
  journal_.Start();
}

BrokerService::~BrokerService() {
  simulations_.End();
  journal_.Stop();
}

void BrokerService::NameKeys(Config* config) const {
  ccr::NameKeys(fingerprinter_, config);
}

absl::Status BrokerService::Apply(Config config) {
  NameKeys(&config);
  MutexLock apply_lock(apply_mutex_);
  absl::StatusOr<Journal::Remembered> remembered = journal_.Load();
  if (!remembered.ok()) return remembered.status();
  master_keys_ = config.broker.master_keys;
  LayOver(&config, std::move(remembered->changes));
  const std::shared_ptr<const PoolDirectory> before = directory();
  const auto after = std::make_shared<const PoolDirectory>(BuildPools(&config, std::move(remembered->keys)));
  record_.Share(after->pools().size());
  stream_grace_ns_ = absl::ToInt64Nanoseconds(config.broker.stream_grace);
  // The directory changes first, so that nobody new finds a pool that retires; those who found it before are refused by
  // the pool itself. Proxies hear last, when every pool that they are told of is there.
  {
    MutexLock lock(mutex_);
    directory_ = after;
  }
  for (const auto& pool : before->pools()) {
    if (after->Find(pool->number()) != nullptr) continue;
    pool->Retire();
    pool->Save(absl::InfinitePast());  // for the day it comes back
  }
  for (const auto& pool : after->pools()) pool->Announce();
  routing_.Publish(MakeRouting(std::move(config)));
  return absl::OkStatus();
}

std::vector<std::shared_ptr<ManagedPool>> BrokerService::BuildPools(Config* config, std::vector<KeyRecord> records) {
  absl::flat_hash_map<std::string, RememberedKeys> remembered;
  for (KeyRecord& record : records)
    remembered[record.pool].insert_or_assign(std::move(record.fingerprint),
                                             RememberedKey{record.state, std::move(record.error)});
  const std::shared_ptr<const PoolDirectory> before = directory();
  std::vector<std::shared_ptr<ManagedPool>> pools;
  for (ProviderConfig& provider : config->providers) {
    PoolPlan plan = PlanPool(&provider, *config, fingerprinter_);
    overlay_.SetOut(plan.spec.name, Now(), &plan.spec.keys);
    const RememberedKeys& keys = remembered[plan.spec.name];
    const ManagedPool* known = before->Find(std::string_view(provider.name));
    if (known == nullptr) {
      pools.push_back(std::make_shared<ManagedPool>(next_number_++, std::move(plan), keys, &env_));
      continue;
    }
    pools.push_back(*std::find_if(before->pools().begin(), before->pools().end(),
                                  [known](const auto& pool) { return pool.get() == known; }));
    pools.back()->Reconfigure(std::move(plan), keys);
  }
  return pools;
}

std::optional<LeaseAnswer> BrokerService::Lease(const LeaseParams& params, WaitStart start) {
  if (draining_.load(std::memory_order_relaxed)) return Failed(ShuttingDown());
  const auto pools = directory();
  ManagedPool* pool = pools->Find(params.pool);
  if (pool == nullptr) return Failed(absl::NotFoundError(absl::StrCat("no pool '", ToAbsl(params.pool), "'")));
  return pool->Lease(params, start);
}

bool BrokerService::CancelWait(const core::LeaseId& id) {
  const auto pools = directory();
  ManagedPool* pool = pools->Find(id.pool);
  return pool != nullptr && pool->CancelWait(id);
}

std::vector<ManagedPool*> BrokerService::Candidates(const PoolDirectory& directory, const core::LeaseId& id) const {
  std::vector<ManagedPool*> candidates;
  for (const auto& pool : directory.pools()) {
    if (id.epoch != env_.epoch || pool->number() == id.pool) candidates.push_back(pool.get());
  }
  return candidates;
}

ReportAnswer BrokerService::Report(const core::Report& report) {
  const auto pools = directory();
  if (report.id.epoch == env_.epoch) {
    ManagedPool* pool = pools->Find(report.id.pool);
    if (pool != nullptr) return pool->Apply(report);
  }
  ReportAnswer answer;
  answer.decision.disposition = core::Disposition::kLate;
  for (ManagedPool* pool : Candidates(*pools, report.id)) {
    answer = pool->Apply(report);
    if (answer.decision.disposition != core::Disposition::kLate) break;
  }
  return answer;
}

std::optional<LeaseAnswer> BrokerService::LeaseNext(const LeaseParams& params, const ReportAnswer& report,
                                                    WaitStart start) {
  if (report.pool == nullptr || report.decision.key == core::kNoKey) return Lease(params, start);
  absl::InlinedVector<std::string_view, 8> exclude(params.exclude.begin(), params.exclude.end());
  exclude.push_back(report.pool->keys[report.decision.key].fingerprint);
  LeaseParams same = params;
  same.retry_of = report.decision.lease;
  LeaseParams other = same;
  other.exclude = exclude;
  if (report.decision.advice != core::Advice::kRetry) return Lease(other, start);
  other.max_wait = absl::ZeroDuration();
  std::optional<LeaseAnswer> answer = Lease(other, start);
  if (answer->status.ok() || !answer->refused.has_value()) return answer;
  return Lease(same, start);
}

bool BrokerService::Progress(const core::LeaseId& id, const core::Beginning& beginning) {
  const auto pools = directory();
  for (ManagedPool* pool : Candidates(*pools, id)) {
    if (pool->Progress(id, beginning)) return true;
  }
  return false;
}

std::optional<absl::Duration> BrokerService::Renew(const core::LeaseId& id) {
  const auto pools = directory();
  for (ManagedPool* pool : Candidates(*pools, id)) {
    if (pool->Renew(id)) return pool->info()->lease_ttl;
  }
  return std::nullopt;
}

std::optional<std::string> BrokerService::PoolOf(const core::LeaseId& id) const {
  const auto pools = directory();
  for (ManagedPool* pool : Candidates(*pools, id)) {
    if (id.epoch == env_.epoch || pool->Holds(id)) return pool->info()->pool;
  }
  return std::nullopt;
}

bool BrokerService::Release(const core::LeaseId& id) {
  const auto pools = directory();
  for (ManagedPool* pool : Candidates(*pools, id)) {
    if (pool->Release(id)) return true;
  }
  return false;
}

BrokerService::OpenedStream BrokerService::OpenStream(std::string_view token, absl::Span<const HeldLease> held) {
  const StreamRegistry::Opened opened = streams_.Open(token);
  const auto pools = directory();
  OpenedStream stream;
  stream.owner = opened.owner;
  for (size_t i = 0; i < held.size(); ++i) {
    ManagedPool* pool = pools->Find(held[i].pool);
    if (pool == nullptr || !pool->Reassert(held[i].id, opened.owner, held[i].fingerprint)) stream.lost.push_back(i);
  }
  if (opened.previous == core::kNoOwner) return stream;
  for (const auto& pool : pools->pools()) {
    pool->Orphan(opened.previous, Now());
    pool->Sweep();
  }
  return stream;
}

void BrokerService::CloseStream(core::OwnerId owner) {
  const absl::Time deadline = Now() + stream_grace();
  streams_.Close(owner);
  const auto pools = directory();
  for (const auto& pool : pools->pools()) pool->Orphan(owner, deadline);
}

std::vector<PoolStatus> BrokerService::ListPools() {
  std::vector<PoolStatus> statuses;
  const auto pools = directory();
  for (const auto& pool : pools->pools()) statuses.push_back(pool->Status());
  return statuses;
}

std::optional<PoolStatus> BrokerService::GetPool(std::string_view name) {
  const auto pools = directory();
  ManagedPool* pool = pools->Find(name);
  if (pool == nullptr) return std::nullopt;
  return pool->Status();
}

void BrokerService::Simulate(SimulationParams params, std::function<void(absl::StatusOr<Simulations>)> done) {
  const auto work = [this, params = std::move(params), done](const simulation::Worker::Stop& stop) {
    return [done, result = SimulateNow(params, stop)] { done(result); };
  };
  if (simulations_.Start(work)) return;
  done(draining_ ? ShuttingDown()
                 : absl::ResourceExhaustedError("another simulation is under way; try again when it is done"));
}

absl::StatusOr<BrokerService::Simulations> BrokerService::SimulateNow(const SimulationParams& params,
                                                                      const std::function<bool()>& stop) {
  const auto known = [](const std::string& strategy) { return core::MakeStrategy(strategy).status(); };
  if (!params.strategy.empty() && !known(params.strategy).ok()) return known(params.strategy);
  const auto pools = directory();
  if (!params.pool.empty() && pools->Find(params.pool) == nullptr) {
    return absl::NotFoundError(absl::StrCat("no pool '", params.pool, "'"));
  }
  absl::flat_hash_map<const ManagedPool*, const simulation::Proposal*> proposals;
  for (const simulation::Proposal& proposal : params.proposals) {
    if (!known(proposal.spec.strategy).ok()) return known(proposal.spec.strategy);
    const ManagedPool* const pool = pools->Find(std::string_view(proposal.spec.name));
    if (pool != nullptr && !proposal.spec.keys.empty()) proposals[pool] = &proposal;
  }
  Simulations simulations;
  size_t meant = 0;
  for (const auto& pool : pools->pools()) {
    const auto proposal = proposals.find(pool.get());
    const bool named = params.pool.empty() || pool.get() == pools->Find(params.pool);
    if (!named || (proposal == proposals.end() && !params.proposals.empty())) continue;
    ++meant;
    auto simulation = simulation::Simulate(PastOf(pool.get()), params.strategy,
                                           proposal == proposals.end() ? nullptr : proposal->second, stop);
    if (stop()) return ShuttingDown();
    if (simulation.has_value()) simulations.push_back(*std::move(simulation));
  }
  if (!simulations.empty()) return simulations;
  if (meant == 0)
    return absl::InvalidArgumentError("the configuration to compare with has no provider of the broker's");
  return absl::FailedPreconditionError(
      absl::StrCat("nothing is recorded", params.pool.empty() ? "" : " of ", params.pool,
                   " yet: the broker records requests from its start on, in memory; ask again when some have ended"));
}

simulation::PoolPast BrokerService::PastOf(ManagedPool* pool) const {
  simulation::PoolPast past;
  past.record = pool->Past();
  PoolStatus status = pool->Status();
  past.spec = status.info->rules;
  past.keys = status.info->keys;
  for (const core::KeySnapshot& state : status.snapshot.keys) {
    past.spec.keys.push_back(past.keys[state.key]);
    past.past.push_back(state.key);
  }
  past.states = std::move(status.snapshot.keys);
  for (const ProviderConfig& provider : routing_.current()->config.providers) {
    if (provider.name == past.spec.name) past.retries = {provider.retry_on_failure, provider.max_retries};
  }
  return past;
}

absl::Time BrokerService::Sweep() {
  absl::Time next = absl::InfiniteFuture();
  const auto pools = directory();
  for (const auto& pool : pools->pools()) next = std::min(next, pool->Sweep());
  return next;
}

void BrokerService::BeginDrain() {
  draining_ = true;  // before the pools close: a reload may add one meanwhile, and it must grant nothing either
  const auto pools = directory();
  for (const auto& pool : pools->pools()) pool->Close(ShuttingDown());
  simulations_.End();
}

absl::Time BrokerService::Checkpoint() {
  const absl::Time now = Now();
  absl::Time since;
  {
    MutexLock lock(mutex_);
    since = std::exchange(last_checkpoint_, now);
  }
  Save(since);
  journal_.Retry();
  journal_.Settle().IgnoreError();  // kept and told by the journal
  return now + kCheckpointInterval;
}

absl::Status BrokerService::Flush() {
  absl::Time since;
  {
    MutexLock lock(mutex_);
    since = last_checkpoint_;
  }
  Save(since);
  return journal_.Settle();
}

void BrokerService::Save(absl::Time since) {
  const auto pools = directory();
  for (const auto& pool : pools->pools()) pool->Save(since);
}

void BrokerService::RecordReload(ReloadReport report) {
  MutexLock lock(mutex_);
  ++(report.accepted ? reloads_.succeeded : reloads_.failed);
  reloads_.last_succeeded = report.accepted;
  last_reload_ = std::move(report);
}

std::optional<ReloadReport> BrokerService::last_reload() const {
  MutexLock lock(mutex_);
  return last_reload_;
}

BrokerService::ReloadCounts BrokerService::reloads() const {
  MutexLock lock(mutex_);
  return reloads_;
}

std::shared_ptr<const PoolDirectory> BrokerService::directory() const {
  MutexLock lock(mutex_);
  return directory_;
}

}  // namespace ccr
