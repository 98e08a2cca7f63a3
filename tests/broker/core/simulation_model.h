// What a simulated world knows of a pool without asking it, and the invariants it holds the pool to.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/pacing/backoff.h"
#include "broker/core/pool.h"
#include "broker/core/verdict/outcome.h"

namespace ccr::core {

// Kept apart from the code under test on purpose: leases by id, grants by time, deadlines as transitions told them.
class SimulationModel {
 public:
  struct Lease {
    LeaseId id;
    std::string fingerprint;
    OwnerId owner = kNoOwner;
    absl::Time expires;
    uint64_t order = 0;  // of its grant; 0 = reasserted after a restart
    bool key_trial = false;
    bool circuit_trial = false;
    SessionHash session = kNoSession;
    absl::Time trial_until;
    bool progressed = false;
    uint64_t request = 0;
    bool undecided = true;
    std::string model = {};
    uint64_t tokens = 0;  // estimated
    absl::Time granted = absl::InfinitePast();
  };
  // After a rest: so many undecided leases of those granted since.
  struct Climb {
    uint32_t limit = 0;  // 0 = any number
    uint64_t since = 0;

    void Start(uint32_t at_once, uint64_t order) { *this = {at_once, order}; }
    void OnSuccess(const Lease& lease) {
      if (limit > 0 && lease.order > since) limit = 2 * limit < 64 ? 2 * limit : 0;
    }
    bool Counts(const Lease& lease) const { return lease.undecided && lease.order > since; }
  };
  struct Session {
    std::string fingerprint;
    absl::Time succeeded;
    bool assumed = false;  // its first lease was granted, none has succeeded
  };
  // A lease as it was asked for, and what was said of its session.
  struct Asked {
    OwnerId owner = kNoOwner;
    SessionHash session = kNoSession;
    std::vector<std::string> excluded;
    uint64_t request = 0;
    Affinity affinity = Affinity::kNotAsked;
    std::string model = {};
    uint64_t tokens = 0;
  };
  struct Use {
    absl::Time time;
    uint64_t tokens;
  };
  struct Key {
    KeyState state = KeyState::kActive;
    bool auth = false;
    bool probing = false;
    bool control = false;  // it is probed although it works
    bool may_try = false;  // a probe was answered since its last trial
    bool suspect = false;  // an auth failure was reported, and no probe was answered since
    bool rests = false;    // as a suspect
    absl::Time until = absl::InfinitePast();
    uint64_t begun = 0;  // order at the begin of the last cooldown or disable
    std::deque<absl::Time> grants;
    std::map<uint64_t, Use> uses;  // by order of the lease; what is counted when it is settled, from 1 << 32 on
    std::map<std::string, absl::Time> holds;  // as it was told
    std::set<std::string> laned;              // models that were refused alone
    Climb climb;
    absl::Time began;      // of the last cooldown
    bool limited = false;  // it is for a limit
    bool spared = false;   // it failed, and no cooldown is set, so others may come first at any time
    bool paced = false;    // a 429 told when it is back, so it may be held back at any time
  };

  SimulationModel(const PoolSpec& spec, absl::Time now) { Configure(spec, now); }

  const std::string& violation() const { return violation_; }
  bool broken() const { return !violation_.empty(); }
  void Fail(const std::string& what) {
    if (violation_.empty()) violation_ = what;
  }
  void Expect(bool holds, const char* what) {
    if (!holds) Fail(what);
  }

  // Keys that come back may have ended their cooldown while they were removed.
  void Configure(const PoolSpec& spec, absl::Time now) {
    const bool access_changed = spec.access != spec_.access;
    spec_ = spec;
    for (const KeySpec& key : spec.keys) EndCooldown(keys_[key.fingerprint], now);
    if (access_changed) OnAccessChanged(now);
    for (auto& [fingerprint, key] : keys_) key.probing = key.probing && SpecOf(fingerprint) != nullptr;
    std::erase_if(sessions_, [&](const auto& entry) {
      return !spec_.session_affinity || SpecOf(entry.second.fingerprint) == nullptr;
    });
  }

  // A new run at `now`: the store remembers the keys, leases must be reasserted. What was granted before is stale for
  // keys that are not ACTIVE.
  void Restart(absl::Time now) {
    leases_.clear();
    sessions_.clear();
    acquired = reported = expired = 0;
    circuit_ = CircuitState::kClosed;
    order_ = 1;
    restarted_ = now;
    for (auto& [fingerprint, key] : keys_) {
      EndCooldown(key, now);
      key.probing = key.suspect = false;
      key.climb = {};
      std::map<uint64_t, Use> uses;  // of leases that have no numbers any more
      for (const auto& [order, use] : key.uses) uses[++settlements_] = use;
      key.uses = uses;
      key.begun = key.state == KeyState::kActive ? 0 : 1;
      key.began = now;
    }
    Forget();
    grants_.clear();  // the store remembers those of the keys that are left
    for (const auto& [fingerprint, key] : keys_) grants_.insert(grants_.end(), key.grants.begin(), key.grants.end());
    std::sort(grants_.begin(), grants_.end());
  }

  // Ends leases and trials whose time is over.
  void Advance(absl::Time now) {
    for (auto it = leases_.begin(); it != leases_.end();) {
      Lease& lease = it->second;
      if (lease.trial_until <= now) lease.key_trial = lease.circuit_trial = lease.undecided = false;
      if (lease.expires > now) {
        ++it;
        continue;
      }
      ++expired;
      ForgetAssumed(lease);
      it = leases_.erase(it);
    }
  }

  void OnGrant(const Grant& grant, const std::string& fingerprint, const Asked& asked, absl::Time now) {
    Key& key = keys_[fingerprint];
    const KeySpec* spec = SpecOf(fingerprint);
    if (spec == nullptr) return Fail("2: lease of a key that was removed");
    const bool key_trial = key.state == KeyState::kDisabled;
    const bool circuit_trial = circuit_ != CircuitState::kClosed;
    Expect(key.state != KeyState::kCooling || key.until <= now, "2: lease inside a cooldown");
    Expect(!key_trial || (key.auth ? key.may_try : key.until <= now), "2: lease of a disabled key");
    if (key_trial) key.may_try = false;
    Expect(!circuit_trial || circuit_until_ <= now, "2: lease while the circuit is open");
    Expect(spec->max_concurrent == 0 || InFlight(fingerprint) < spec->max_concurrent, "2: above max_concurrent");
    Expect(spec_.max_concurrent == 0 || leases_.size() < spec_.max_concurrent, "2: above the pool's max_concurrent");
    Expect(spec->limits.rpm == 0 || Recent(&key.grants, now, absl::Seconds(60)) < spec->limits.rpm, "2: above rpm");
    Expect(spec_.limits.rpm == 0 || Recent(&grants_, now, absl::Seconds(60)) < spec_.limits.rpm,
           "2: above the pool's rpm");
    const auto hold = key.holds.find(asked.model);
    Expect(hold == key.holds.end() || hold->second <= now, "2: lease of a model inside its hold");
    const uint64_t used = UsedTokens(key, now);
    Expect(spec->limits.tpm == 0 || used == 0 || used + asked.tokens <= spec->limits.tpm, "2: above tpm");
    Expect(!IsClimbFull(key.climb, fingerprint), "2: more leases than a key that comes back may have");
    CheckAffinity(fingerprint, asked, key_trial || circuit_trial, now);
    for (const auto& [id, lease] : leases_) {
      Expect(!key_trial || !lease.key_trial || lease.fingerprint != fingerprint, "6: two trials of a key");
      Expect(!circuit_trial || !lease.circuit_trial, "6: two trials of the circuit");
    }
    Expect(grant.trial == (key_trial || circuit_trial), "6: a trial must say that it is one");
    Expect(leases_.count(Number(grant.id)) == 0, "1: lease id granted twice");
    const SessionHash session = spec_.session_affinity ? asked.session : kNoSession;
    leases_[Number(grant.id)] = {
        grant.id,      fingerprint,        asked.owner, now + spec_.lease_ttl,  ++order_,
        key_trial,     circuit_trial,      session,     now + spec_.trial_time, /*progressed=*/false,
        asked.request, /*undecided=*/true, asked.model, asked.tokens,           now};
    key.uses[order_] = {now, asked.tokens};
    if (session != kNoSession && !IsKnown(session, now)) sessions_[session] = {fingerprint, now, true};
    key.grants.push_back(now);
    grants_.push_back(now);
    ++acquired;
  }

  void OnReasserted(Lease lease, OwnerId owner, absl::Time now) {
    lease.owner = owner;
    lease.expires = now + spec_.lease_ttl;
    const bool is_new = leases_.count(Number(lease.id)) == 0;
    if (is_new) {
      ++acquired;
      lease.order = 0;
      lease.key_trial = lease.circuit_trial = lease.progressed = lease.undecided = false;
      lease.session = kNoSession;
    }
    leases_[Number(lease.id)] = lease;
  }

  // A transition that is no grant. `trial` and `probe`: this step reports the success of such a one.
  void OnTransition(const Transition& t, const std::string& fingerprint, bool trial, bool probe, absl::Time now) {
    switch (t.type) {
      case Transition::Type::kCooling:
        return OnCooling(keys_[fingerprint], fingerprint, t, now);
      case Transition::Type::kDisabled:
        return OnDisabled(keys_[fingerprint], fingerprint, t, trial);
      case Transition::Type::kRecovered:
        return OnRecovered(keys_[fingerprint], t, trial, probe, now);
      case Transition::Type::kCircuitOpened:
        circuit_ = CircuitState::kOpen;
        circuit_until_ = t.available_at;
        circuit_for_auth_ = t.reason == "auth_everywhere";
        circuit_opened_ = order_ + 1;
        for (auto& [id, lease] : leases_) lease.circuit_trial = false;  // nobody wants their verdict any more
        awaits_circuit_ = false;
        return;
      case Transition::Type::kCircuitClosed:
        Expect(trial, "6: the circuit closed without its trial's success");
        circuit_ = CircuitState::kClosed;
        return;
      default:
        return;
    }
  }

  void OnProbeStarted(const std::string& fingerprint, absl::Time now) {
    Key& key = keys_[fingerprint];
    const bool disabled = key.state == KeyState::kDisabled && key.auth;
    if (!disabled && !key.suspect) {  // a control, or for an outage: a key that works is probed, one of each at a time
      Expect(key.state == KeyState::kActive, "2: a probe of a key that needs none");
      const auto is_control = [](const auto& entry) { return entry.second.control; };
      const auto controls = std::count_if(keys_.begin(), keys_.end(), is_control);
      Expect(controls == 0 || (controls == 1 && circuit_ != CircuitState::kClosed), "6: two controls");
      key.control = true;
    }
    Expect(!disabled || key.until <= now, "2: a probe before its time");
    Expect(!key.probing, "6: two probes of a key");
    key.probing = true;
  }
  // It may say nothing, of its key or of all: then one lease may try each.
  void OnProbeEnded(const std::string& fingerprint) {
    keys_[fingerprint].probing = keys_[fingerprint].control = false;
    for (auto& [name, key] : keys_) key.may_try = true;
  }

  // Before its end: so many tokens were used.
  void OnUsed(const Lease& lease, uint64_t used, absl::Time now) {
    Key& key = keys_[lease.fingerprint];
    const auto use = key.uses.find(lease.order);
    if (lease.order == 0 || use == key.uses.end()) return;
    if (used < lease.tokens) use->second.tokens = used;
    if (used > lease.tokens) key.uses[++settlements_] = {now, used - lease.tokens};
  }
  void OnModelRefused(const Lease& lease) { keys_[lease.fingerprint].laned.insert(lease.model); }
  bool IsLaned(const std::string& fingerprint, const std::string& model) {
    return keys_[fingerprint].laned.contains(model) || keys_[fingerprint].paced;
  }
  bool CountsTokens(const std::string& fingerprint) const {
    const KeySpec* const spec = SpecOf(fingerprint);
    return spec == nullptr || spec->limits.tpm > 0;
  }

  // A 429 with Retry-After was reported.
  void OnPaced(const Lease& lease) { keys_[lease.fingerprint].paced = true; }

  // A failure was reported of a key that has no cooldown.
  void OnSpared(const Lease& lease) { keys_[lease.fingerprint].spared = true; }

  // A refusal by auth or permission was reported; before its transitions.
  void OnRefusal(const Lease& lease, bool auth) {
    refused_[lease.request].insert(lease.fingerprint);
    keys_[lease.fingerprint].suspect |= auth;
  }
  // While these hold, a key may be disabled for auth: refused within that request, which is being served; or by its
  // probe.
  void Serves(uint64_t request) { served_ = request; }
  void Refuses(const std::string& probed) { probe_refuses_ = probed; }
  uint32_t active() {
    return static_cast<uint32_t>(std::count_if(spec_.keys.begin(), spec_.keys.end(), [&](const KeySpec& spec) {
      return keys_[spec.fingerprint].state == KeyState::kActive;
    }));
  }

  // A good answer has begun.
  void OnProgress(const LeaseId& id, absl::Time now) {
    Lease& lease = leases_.at(Number(id));
    OnSuccess(lease, now);
    lease.progressed = true;
    lease.key_trial = lease.circuit_trial = lease.undecided = false;
  }

  // A lease that is still out has succeeded.
  void OnSuccess(const Lease& lease, absl::Time now) {
    keys_[lease.fingerprint].climb.OnSuccess(lease);
    if (lease.session == kNoSession || !spec_.session_affinity || SpecOf(lease.fingerprint) == nullptr) return;
    sessions_[lease.session] = {lease.fingerprint, now};
  }

  void End(const LeaseId& id, bool by_report, bool success = false) {
    if (!success) ForgetAssumed(leases_.at(Number(id)));
    leases_.erase(Number(id));
    ++(by_report ? reported : expired);
  }

  // The model of the lease whose success this step tells, if any.
  void Succeeds(const std::string& model) { succeeded_ = model; }

  // After every step.
  void Check(const PoolSnapshot& snapshot, absl::Time now) {
    Expect(!awaits_circuit_, "3: failures given back, but the circuit did not open");
    Expect(snapshot.acquired == acquired && snapshot.reported == reported && snapshot.expired == expired,
           "1: counters differ from the record");
    Expect(snapshot.acquired == snapshot.reported + snapshot.expired + snapshot.in_flight, "1: leases do not add up");
    Expect(snapshot.in_flight == leases_.size(), "1: in flight differs from the record");
    std::erase_if(sessions_, [now](const auto& entry) { return now - entry.second.succeeded >= absl::Hours(1); });
    Expect(snapshot.sessions == sessions_.size(), "affinity: the sessions differ from the record");
    for (size_t i = 0; i < spec_.keys.size(); ++i) {
      const std::string& fingerprint = spec_.keys[i].fingerprint;
      Key& key = keys_[fingerprint];
      const auto before = std::exchange(key.holds, {});
      for (const ModelHold& told : snapshot.keys[i].holds) key.holds[told.model] = told.until;
      for (const auto& [model, until] : before) {
        Expect(until <= now || key.holds.contains(model) || succeeded_ == model, "3: a hold ended early");
        Expect(!key.holds.contains(model) || key.holds[model] >= until, "3: a hold shrank");
      }
      Expect(snapshot.keys[i].in_flight == InFlight(fingerprint), "1: a key's in flight differs from the record");
      Expect(snapshot.keys[i].state == key.state, "3: a key's state changed without a transition");
      Expect(key.state == KeyState::kActive || snapshot.keys[i].available_at == key.until,
             "3: a deadline changed without a transition");
      Expect(key.state != KeyState::kCooling || key.until > now, "3: a cooldown outlasts its deadline");
    }
  }

  // A refusal is honest only when no key could surely be leased. The minute after a restart may count grants longer.
  void OnRefusal(const Refusal& refusal, const std::vector<std::string>& excluded, const std::string& model,
                 bool queue_empty, absl::Time now) {
    Expect(refusal.retry_at > now, "a refusal must name a later time");
    if (queue_empty) Expect(!IsSurelyServed(excluded, model, now), "refused though a key was free");
  }

  bool IsSurelyServed(const std::vector<std::string>& excluded, const std::string& model, absl::Time now) {
    if ((circuit_ != CircuitState::kClosed && !AwaitsTrial(now))) return false;
    if (spec_.max_concurrent > 0 && leases_.size() >= spec_.max_concurrent) return false;
    const bool settled = now - restarted_ > absl::Seconds(61);
    if (spec_.limits.rpm > 0 && (!settled || Recent(&grants_, now, absl::Seconds(61)) >= spec_.limits.rpm)) {
      return false;
    }
    return std::any_of(spec_.keys.begin(), spec_.keys.end(),
                       [&](const KeySpec& spec) { return IsSurelyFree(spec, excluded, model, now); });
  }

  // Whatever its limits; a trial may be due.
  bool AnyPerhapsFree(const std::vector<std::string>& excluded, absl::Time now) {
    return std::any_of(spec_.keys.begin(), spec_.keys.end(), [&](const KeySpec& spec) {
      const Key& key = keys_[spec.fingerprint];
      return key.until <= now && std::find(excluded.begin(), excluded.end(), spec.fingerprint) == excluded.end();
    });
  }

  const Lease* Find(const LeaseId& id) const {
    const auto it = leases_.find(Number(id));
    return it == leases_.end() ? nullptr : &it->second;
  }
  std::map<std::pair<uint32_t, uint64_t>, Lease>& leases() { return leases_; }
  // Whether the lease's verdict ends a disable, or opens or closes the circuit: it was granted since, as a trial.
  bool IsKeyTrial(const Lease& lease) {
    const Key& key = keys_[lease.fingerprint];
    return key.state == KeyState::kDisabled && !IsStale(lease);
  }
  bool IsCircuitTrial(const Lease& lease) const {
    return circuit_ != CircuitState::kClosed && lease.order >= circuit_opened_;
  }
  CircuitState circuit() const { return circuit_; }
  const Key& key(const std::string& fingerprint) { return keys_[fingerprint]; }
  bool IsStale(const Lease& lease) { return lease.order < keys_[lease.fingerprint].begun; }
  bool AnyWithoutAuth() {
    return std::any_of(spec_.keys.begin(), spec_.keys.end(),
                       [&](const KeySpec& spec) { return !keys_[spec.fingerprint].auth; });
  }

  uint64_t acquired = 0, reported = 0, expired = 0;

 private:
  static constexpr uint32_t kFew = 4;

  static std::pair<uint32_t, uint64_t> Number(const LeaseId& id) { return {id.epoch, id.random_low}; }

  const KeySpec* SpecOf(const std::string& fingerprint) const {
    for (const KeySpec& key : spec_.keys) {
      if (key.fingerprint == fingerprint) return &key;
    }
    return nullptr;
  }

  bool IsKnown(SessionHash session, absl::Time now) const {
    const auto known = sessions_.find(session);
    return known != sessions_.end() && now - known->second.succeeded < absl::Hours(1);
  }

  void ForgetAssumed(const Lease& lease) {
    const auto known = sessions_.find(lease.session);
    if (known == sessions_.end() || known->second.fingerprint != lease.fingerprint) return;
    if (known->second.assumed) sessions_.erase(known);
  }

  // The circuit is half-open, and no trial holds up the next.
  bool AwaitsTrial(absl::Time now) const {
    return circuit_until_ <= now &&
           std::none_of(leases_.begin(), leases_.end(), [](const auto& entry) { return entry.second.circuit_trial; });
  }

  // The minute after a restart may count grants longer.
  bool IsSurelyFree(const KeySpec& spec, const std::vector<std::string>& excluded, const std::string& model,
                    absl::Time now) {
    Key& key = keys_[spec.fingerprint];
    const bool settled = now - restarted_ > absl::Seconds(61);
    const bool out = std::find(excluded.begin(), excluded.end(), spec.fingerprint) != excluded.end();
    const bool busy = spec.max_concurrent > 0 && InFlight(spec.fingerprint) >= spec.max_concurrent;
    const bool rated =
        spec.limits.rpm > 0 && (!settled || Recent(&key.grants, now, absl::Seconds(61)) >= spec.limits.rpm);
    return !out && !busy && !rated && !key.paced && !key.laned.contains(model) && spec.limits.tpm == 0 &&
           key.state == KeyState::kActive && !IsClimbFull(key.climb, spec.fingerprint);
  }

  // Before the lease of `fingerprint` is counted.
  void CheckAffinity(const std::string& fingerprint, const Asked& asked, bool trial, absl::Time now) {
    const auto known = sessions_.find(asked.session);
    const bool is_known = IsKnown(asked.session, now);
    const bool is_asked = asked.session != kNoSession && spec_.session_affinity;
    Expect(is_asked == (asked.affinity != Affinity::kNotAsked), "affinity: asked or not");
    if (!is_asked) return;
    Expect(is_known == (asked.affinity != Affinity::kNone), "affinity: a session is known or not");
    if (!is_known) return;
    const std::string& last = known->second.fingerprint;
    const bool within = IsWithinShare(last) || InFlight(last) < kFew;
    const auto is_excluded = std::find(asked.excluded.begin(), asked.excluded.end(), last) != asked.excluded.end();
    switch (asked.affinity) {
      case Affinity::kHit:
        Expect(fingerprint == last, "affinity: a hit is the key of the last success");
        Expect(within, "affinity: above a quarter more than the fair share");
        Expect(trial || SpecOf(last)->weight > 0 ||
                   std::none_of(spec_.keys.begin(), spec_.keys.end(),
                                [&](const KeySpec& spec) {
                                  return spec.weight > 0 && IsSurelyFree(spec, asked.excluded, asked.model, now) &&
                                         !keys_[spec.fingerprint].spared;
                                }),
               "affinity: a key of weight 0 though another was free");
        Expect(!is_excluded && keys_[last].state != KeyState::kDisabled, "affinity: an excluded key, or one on trial");
        return;
      case Affinity::kOverShare:
        Expect(!within, "affinity: over its share, it says, but is not");
        return;
      default:
        if (SpecOf(last)->weight > 0 && !trial) {
          Expect(keys_[last].spared || !IsSurelyFree(*SpecOf(last), asked.excluded, asked.model, now),
                 "affinity: moved though the key was free");
        }
    }
  }

  // in_flight + 1 <= ceil(1.25 * (all + 1) * share): of the ACTIVE keys with a weight, or of those without.
  bool IsWithinShare(const std::string& fingerprint) {
    const KeySpec& mine = *SpecOf(fingerprint);
    double weights = 0, all = 0;
    for (const KeySpec& spec : spec_.keys) {
      if ((spec.weight > 0) != (mine.weight > 0) || keys_[spec.fingerprint].state != KeyState::kActive) continue;
      weights += spec_.strategy == "weighted" && spec.weight > 0 ? spec.weight : 1;
      all += InFlight(spec.fingerprint);
    }
    const double weight = spec_.strategy == "weighted" && mine.weight > 0 ? mine.weight : 1;
    return InFlight(fingerprint) + 1 <= std::ceil(1.25 * (all + 1) * weight / weights - 1e-9);
  }

  bool IsClimbFull(const Climb& climb, const std::string& fingerprint) const {
    return climb.limit > 0 && std::count_if(leases_.begin(), leases_.end(), [&](const auto& entry) {
                                return entry.second.fingerprint == fingerprint && climb.Counts(entry.second);
                              }) >= climb.limit;
  }

  uint32_t InFlight(const std::string& fingerprint) const {
    return static_cast<uint32_t>(std::count_if(
        leases_.begin(), leases_.end(), [&](const auto& entry) { return entry.second.fingerprint == fingerprint; }));
  }

  // In the last minute; a bucket longer is what the pool counts.
  static uint64_t UsedTokens(Key& key, absl::Time now) {
    std::erase_if(key.uses, [now](const auto& entry) { return entry.second.time < now - absl::Minutes(1); });
    uint64_t sum = 0;
    for (const auto& [order, use] : key.uses) sum += use.tokens;
    return sum;
  }

  static size_t Recent(std::deque<absl::Time>* grants, absl::Time now, absl::Duration window) {
    while (!grants->empty() && grants->front() < now - absl::Seconds(62)) grants->pop_front();
    return static_cast<size_t>(
        std::count_if(grants->begin(), grants->end(), [&](absl::Time grant) { return grant >= now - window; }));
  }

  // Whether it comes back step by step.
  static bool Climbs(const Key& key) { return !key.paced || !key.limited || key.until - key.began > kPacedRest; }

  void EndCooldown(Key& key, absl::Time now) {
    if (key.state == KeyState::kCooling && key.until <= now) {
      key.state = KeyState::kActive;
      if (Climbs(key)) key.climb.Start(1, order_);
    }
    if (key.state == KeyState::kActive) key.until = absl::InfinitePast();
  }

  // Removed keys are remembered by the run, but not by what the simulation restores.
  void Forget() {
    std::erase_if(keys_, [&](const auto& entry) { return SpecOf(entry.first) == nullptr; });
  }

  bool IsLastAvailable(const std::string& fingerprint) {
    return SpecOf(fingerprint) != nullptr &&
           std::none_of(spec_.keys.begin(), spec_.keys.end(), [&](const KeySpec& spec) {
             return spec.fingerprint != fingerprint && keys_[spec.fingerprint].state == KeyState::kActive;
           });
  }

  void Begin(Key& key, KeyState state, absl::Time until) {
    if (key.state != state || state == KeyState::kDisabled) key.begun = order_ + 1;
    key.state = state;
    key.until = until;
  }

  // What the provider said of a key's right to ask counts no more.
  void OnAccessChanged(absl::Time now) {
    for (auto& [fingerprint, key] : keys_) {
      if (key.auth) key.until = now;
      if (!key.rests || key.state != KeyState::kCooling || SpecOf(fingerprint) != nullptr) continue;
      key.state = KeyState::kActive;
      key.until = absl::InfinitePast();
      key.rests = false;
    }
    if (circuit_ == CircuitState::kClosed || !circuit_for_auth_) return;
    circuit_until_ = now;
    circuit_opened_ = order_ + 1;
    for (auto& [id, lease] : leases_) lease.circuit_trial = false;
  }

  void OnCooling(Key& key, const std::string& fingerprint, const Transition& t, absl::Time now) {
    const bool refusal = t.outcome == Outcome::kAuth || t.outcome == Outcome::kPermission;
    Expect(!refusal || !IsLastAvailable(fingerprint), "9: a refusal cools the last key");
    key.rests = t.reason == "auth_suspected" || t.reason == "permission_suspected";
    Expect(key.state != KeyState::kDisabled, "3: a disabled key cools");
    Expect(t.available_at > now && t.available_at >= key.until, "3: a cooldown shrank");
    Expect(t.outcome != Outcome::kUpstreamFailure || !IsLastAvailable(fingerprint), "8: an outage cools the last key");
    if (key.state == KeyState::kActive) key.began = now;
    key.limited = MeansLimit(t.reason);
    Begin(key, KeyState::kCooling, t.available_at);
  }

  void OnDisabled(Key& key, const std::string& fingerprint, const Transition& t, bool trial) {
    const bool hastened = trial && t.outcome == Outcome::kNeutral && key.state == KeyState::kDisabled && !key.auth;
    Expect(hastened || t.available_at >= key.until, "3: a disabled key's deadline shrank");
    Expect(t.outcome != Outcome::kUpstreamFailure || key.state == KeyState::kDisabled || !IsLastAvailable(fingerprint),
           "8: an outage disables the last key");
    if (t.reason == "auth" && !key.auth) {
      Expect(probe_refuses_ == fingerprint || (served_ != 0 && refused_[served_].contains(fingerprint)),
             "9: disabled for auth without a probe's word and without a success of the same request");
    }
    const bool refusal = t.outcome == Outcome::kAuth || t.outcome == Outcome::kPermission;
    const bool limited = t.outcome == Outcome::kRateLimited || t.outcome == Outcome::kQuota ||
                         (refusal && t.reason != "auth" && served_ == 0);
    const bool prolonged = hastened || (key.state == KeyState::kDisabled && (key.auth || limited));
    const uint64_t begun = key.begun;
    Begin(key, KeyState::kDisabled, t.available_at);
    if (prolonged) key.begun = begun;
    key.auth = t.reason == "auth";
  }

  void OnRecovered(Key& key, const Transition& t, bool trial, bool probe, absl::Time now) {
    if (t.reason == "cooldown_over") {
      Expect(key.state == KeyState::kCooling && key.until <= now, "3: a cooldown ended early");
    } else if (t.reason == "circuit_opened") {
      awaits_circuit_ = true;
    } else if (t.reason == "acquitted" && t.outcome == Outcome::kUpstreamFailure) {
      Expect(!key.auth && !key.rests, "3: a failure is taken back that did not begin this rest");
    } else if (t.reason == "acquitted" || t.reason == "access_changed") {
      Expect(key.state == KeyState::kCooling && key.rests, "3: a cooldown ended early that is no suspect's rest");
    } else if (key.state == KeyState::kCooling) {
      Expect(key.rests && t.reason == "probe_succeeded" && probe, "3: a suspect recovered without a probe");
    } else {
      Expect(key.state == KeyState::kDisabled && (t.reason == "probe_succeeded" ? probe : trial),
             "3: a key recovered without trial or probe");
    }
    const bool by_probe = t.reason == "probe_succeeded" && key.state == KeyState::kDisabled;
    if ((t.reason == "cooldown_over" && Climbs(key)) || by_probe) key.climb.Start(1, order_);
    if (t.reason == "trial_succeeded") key.climb.Start(2, order_);
    key.state = KeyState::kActive;
    key.auth = key.rests = false;
    key.until = absl::InfinitePast();
  }

  PoolSpec spec_;
  std::map<std::string, Key> keys_;
  std::map<std::pair<uint32_t, uint64_t>, Lease> leases_;
  std::deque<absl::Time> grants_;
  std::map<SessionHash, Session> sessions_;
  CircuitState circuit_ = CircuitState::kClosed;
  absl::Time circuit_until_;
  bool circuit_for_auth_ = false;
  std::map<uint64_t, std::set<std::string>> refused_;  // by request
  uint64_t served_ = 0;
  std::string probe_refuses_;
  std::string succeeded_;
  uint64_t settlements_ = uint64_t{1} << 32;
  uint64_t circuit_opened_ = 0;  // order at the last opening
  bool awaits_circuit_ = false;
  uint64_t order_ = 1;
  absl::Time restarted_ = absl::InfinitePast();
  std::string violation_;
};

}  // namespace ccr::core
