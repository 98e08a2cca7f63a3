// The aggregate behind Pool.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/key.h"
#include "broker/core/lease_table.h"
#include "broker/core/model_table.h"
#include "broker/core/pacing/limit_scope.h"
#include "broker/core/pool.h"
#include "broker/core/roster.h"
#include "broker/core/session_table.h"
#include "broker/core/usage.h"
#include "broker/core/verdict/circuit.h"
#include "broker/core/verdict/inquiry.h"
#include "broker/core/verdict/outage_watch.h"
#include "broker/core/verdict/outcome.h"
#include "broker/core/verdict/trial_pace.h"
#include "broker/core/wait_queue.h"

namespace ccr::core {

// Ties keys, leases, queue and circuit. Every method first calls Advance, which does what is due; what changes a key
// ends with Settle. The public methods are Pool's.
//
// Laws: acquired_ = reported_ + expired_ + leases_.size(); the keys' in-flight counts add up to leases_.size();
// a lease is granted only while the gate is open (circuit, max_concurrent and rpm of the pool) and to a key that stands
// ready (Roster).
class Pool::Impl {
 public:
  Impl(PoolSpec spec, absl::Time now);

  void Reconfigure(PoolSpec spec, absl::Time now);
  bool Number(Reconfiguration* change, size_t limit, absl::Time now);
  bool Adopt(Reconfiguration* change, size_t limit, absl::Time now);
  void Restore(std::string_view fingerprint, const KeySnapshot& state, absl::Time now);
  void Restore(KeyIndex index, const KeySnapshot& state, absl::Time now);
  LeaseResult Lease(const LeaseArgs& args, absl::Time now, absl::BitGenRef random);
  std::optional<LeaseResult> Wait(const LeaseArgs& args, absl::Duration max_wait, absl::Time now,
                                  absl::BitGenRef random);
  bool CancelWait(const LeaseId& id, absl::Time now);
  void Poll(absl::Time now, absl::BitGenRef random, std::vector<Answer>* answers);
  absl::Time NextDue() const;
  Decision Apply(const Report& report, absl::Time now, absl::BitGenRef random);
  bool Progress(const LeaseId& id, const Beginning& beginning, absl::Time now, absl::BitGenRef random);
  bool Renew(const LeaseId& id, absl::Time now);
  bool Holds(const LeaseId& id) const { return leases_.Find(id) != nullptr; }
  bool Release(const LeaseId& id, absl::Time now);
  void Orphan(OwnerId owner, absl::Time deadline, absl::Time now);
  bool Reassert(const LeaseId& id, OwnerId owner, std::string_view fingerprint, absl::Time now);
  void OnProbe(KeyIndex key, const Evidence& evidence, absl::Time now, absl::BitGenRef random);
  void TakeProbes(uint32_t limit, absl::Time now, std::vector<KeyIndex>* keys);
  absl::Time NextProbe() const { return control_due_ ? now_ : std::min(roster_.NextProbe(), outage_.due()); }
  PoolSnapshot Snapshot(absl::Time now);
  PoolSnapshot Outline(absl::Time now);
  absl::Span<const KeyIndex> order() const { return roster_.order(); }
  std::optional<KeySnapshot> Describe(KeyIndex index);
  std::optional<KeySnapshot> DescribeUnderneath(KeyIndex index);
  void TakeOut(KeyIndex index, absl::Time until, std::string_view reason, absl::Time now);
  void Reset(KeyIndex index, absl::Time now);
  void TakeTransitions(std::vector<Transition>* out);

  KeyIndex Find(std::string_view fingerprint) const { return roster_.Find(fingerprint); }
  const KeySpec& key(KeyIndex index) const { return roster_.key(index).spec(); }
  const PoolSpec& spec() const { return spec_; }

 private:
  KeySnapshot DescribeKey(KeyIndex index, bool gate_open);

  static constexpr size_t kWakes = 512;  // returns of keys and lanes in one step

  // Time.
  void Advance(absl::Time now);
  void WakeKeys();  // first: keys settle again when their leases expire
  void ExpireLeases();
  void EndOverdueTrials();
  void CountUse(absl::Time when, uint32_t grants, uint64_t tokens);
  Moment Now() const { return {now_, sequence_}; }

  // Granting.
  struct Request {
    LeaseId id;
    OwnerId owner;
    absl::Span<const KeyIndex> excluded;
    SessionHash session;
    uint64_t inquiry;
    absl::Time since;
    ModelId model;
    uint64_t tokens;  // estimated; 0 = not known
  };
  Request RequestOf(const LeaseArgs& args, uint64_t inquiry);
  Opening Gate(ModelId model, uint64_t tokens);  // for a request of that
  // Unless others come first. Not `may_wait`: a key that lacks room by an estimate is better than none.
  std::optional<Grant> GrantNow(const Request& request, bool may_wait, absl::BitGenRef random);
  static Request RequestOf(const Waiter& waiter);
  Roster::Choice Choose(const Request& request, bool may_wait, KeyIndex preferred, absl::BitGenRef random);
  std::optional<Grant> TryGrant(const Request& request, bool may_wait, absl::BitGenRef random);
  Refusal Refuse(Refusal::Why why, const Opening& opening);  // the roster considers the request
  Refusal::Why WhyNone(ModelId model) const;
  Opening OpensAt(const Request& request, absl::BitGenRef random);  // the roster considers it from then on
  static bool IsHopeless(const Opening& opening, absl::Time deadline) {
    return opening.at > deadline && !opening.any_time;
  }
  const Waiter* FirstToGo(absl::BitGenRef random);  // of those who wait
  bool ServeNext(absl::BitGenRef random, std::vector<Answer>* answers);
  bool GiveUpNext(absl::BitGenRef random, std::vector<Answer>* answers);  // a waiter that waits in vain
  // Of a waiter that has left the queue: the last that is tried for it, else the refusal.
  void Dismiss(const Waiter& waiter, Refusal::Why why, absl::BitGenRef random, std::vector<Answer>* answers);

  // Ending.
  void End(const LeaseRecord& lease, absl::Duration latency);
  void Decide(const LeaseRecord& lease);  // it has begun, ended or no more time for that
  // What paces the lease's key and lane hears of it: once when it has begun, once when it has ended.
  void PaceBegun(const LeaseRecord& lease, const RateLimits& limits);
  void PaceEnded(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence);
  void PaceUnknown(const LeaseRecord& lease);
  template <typename Tell>
  void ForEachPacer(const LeaseRecord& lease, const Tell& tell) {
    if (Pacer* const pacer = roster_.key(lease.key).pacer()) tell(*pacer);
    const Lane* const lane = roster_.FindLane(lease.key, lease.model);
    if (lane == nullptr || lane->pacer == nullptr) return;
    tell(*lane->pacer);
    roster_.SettleLane(lease.key, lease.model, now_);
  }
  void SettleTokens(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence);
  void EndTrial(const LeaseRecord& lease);
  void EndUnreported(const LeaseRecord& lease, std::string_view reason);

  // Judging: what the evidence of an ended lease does.
  void Judge(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence, absl::BitGenRef random);
  Key::Event JudgeKey(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence,
                      absl::BitGenRef random);
  // Whether a refusal for a limit is of the lease's model alone.
  bool IsOfModel(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence) const;
  // Whether the lease was granted while another model of its key rested for a limit, and still does.
  bool AnotherModelRests(const LeaseRecord& lease);
  Key::Event JudgeLimit(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence);
  // The key serves all but the lease's model until the refusal is over.
  void HoldLane(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence);
  Key::Event JudgeSuccess(const LeaseRecord& lease, absl::Duration first_byte);  // once for a lease
  // `of_host`: the host was not reached, which is no key's fault.
  Key::Event JudgeUpstreamFailure(const LeaseRecord& lease, std::string_view reason, bool of_host,
                                  absl::BitGenRef random);
  uint32_t CountClosed(ModelId model) const;  // active keys that may not serve the model now, others than resting ones
  void HastenTrials(const Ticket& ticket);    // one of the keys that failures disabled is well again
  bool FailsAlone(const LeaseRecord& lease);  // no other key has failed its model since that succeeded
  uint32_t CountActive(ModelId model) const;  // keys that may serve the model
  auto ActiveFor(ModelId model) const {
    return [this, model](KeyIndex index) {
      return roster_.key(index).state() == KeyState::kActive && !roster_.lanes().IsClosed(index, model);
    };
  }
  bool IsOfKnownOutage(const LeaseRecord& lease) const;
  static Ticket TicketOf(const LeaseRecord& lease) { return {lease.sequence}; }
  void TellReport(KeyIndex key, const Verdict& verdict, const Evidence& evidence);
  bool MayServe(ModelId model) const;  // what keys refuse as overloaded
  void JudgeOverload(const LeaseRecord& lease, const Evidence& evidence, absl::BitGenRef random);
  void OpenCircuit(std::string_view reason, std::optional<absl::Duration> retry_after, absl::BitGenRef random);

  // Judging what cannot be judged before the request is over (pool_refusal.cc).
  Advice JudgeRefusal(const LeaseRecord& lease, const Verdict& verdict, const Report& report, absl::BitGenRef random);
  Advice JudgeDoubt(const LeaseRecord& lease, const Verdict& verdict, const Report& report, absl::BitGenRef random);
  Inquiry& InquiryOf(const LeaseRecord& lease);  // opens one where there is none
  // Whether keys have said it that work otherwise, or as many as may be asked.
  bool IsOfRequest(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence, Inquiry* inquiry);
  // Whether keys that work otherwise failed the same request upstream: the failures are taken back then.
  bool IsShared(const LeaseRecord& lease, Inquiry* inquiry);
  bool AnotherIsNear(const Inquiry& inquiry, KeyIndex last, ModelId model);
  void Punish(const Suspicion& suspicion, absl::BitGenRef random);  // it was the key
  // The circuit is open for that model.
  bool IsShut(ModelId model) const { return circuit_.state() == CircuitState::kOpen && circuit_.HoldsBack(model); }
  bool IsOldRefusal(const LeaseRecord& lease) const;
  void Suspect(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence, Inquiry* inquiry,
               absl::BitGenRef random);
  void CountRefusal(const Circuit::Failure& failure, absl::BitGenRef random);
  void FollowInquiry(const LeaseRecord& lease, Outcome outcome, Advice advice, absl::BitGenRef random);
  void Convict(Inquiry& inquiry, absl::BitGenRef random);  // another key served the request
  void Acquit(Inquiry& inquiry, absl::BitGenRef random);   // no key served it
  void Acquit(uint64_t number, absl::BitGenRef random);    // nothing when it is closed
  void AcquitKey(const Suspicion& suspicion);
  // Whether the answer to a key's probe tells nothing of the key.
  bool SaysNothing(KeyIndex key, const Verdict& verdict);
  bool Serves(KeyIndex key) const;  // it works, as far as its last requests tell
  void OnControl(Outcome outcome);
  KeyIndex NextToProbe();  // kNoKey: none is due
  KeyIndex OneForOutage() const;
  void OnOutageProbe(Outcome outcome);
  bool ForgetRefusals(Reconfiguration* change, size_t limit);

  // Telling.
  Transition& Tell(Transition::Type type, KeyIndex key, std::string_view reason);
  void TellEvent(KeyIndex key, Key::Event event, Outcome outcome, std::string_view recovery);
  void TellState(KeyIndex key, Key::Event event, Outcome outcome, std::string_view recovery);

  PoolSpec spec_;
  absl::Time now_;
  Roster roster_;
  LeaseTable leases_;
  WaitQueue queue_;
  LimitScope limit_scope_;
  Circuit circuit_;
  InquiryTable inquiries_;
  absl::Time ask_all_from_ = absl::InfinitePast();  // see kAskAllGap
  uint32_t asked_all_in_vain_ = 0;                  // in a row
  absl::Time last_success_ = absl::InfinitePast();  // of any key, with the present access
  uint64_t refusals_count_from_ = 0;                // refusals of leases before that one are of an earlier access
  // Whether a refused probe tells of its key, with the present access: not where keys that serve are refused as well. When
  // a probe is refused and it is not known yet, the key that served last is probed too, as a control.
  std::optional<bool> probes_tell_;
  KeyIndex last_served_ = kNoKey;
  struct FailingModel {
    KeyIndex first = kNoKey;  // that failed upstream since the model's last success
    bool several = false;     // others did as well
  };
  std::vector<FailingModel> failing_;  // by model
  OutageWatch outage_;                 // law: nothing is watched while the circuit is closed
  KeyIndex outage_key_ = kNoKey;       // whose probe is in flight for it
  KeyIndex control_ = kNoKey;
  bool control_due_ = false;
  SessionTable sessions_;  // law: empty without session_affinity; every key in it is present
  Usage usage_;
  absl::Time limits_allow_at_ = absl::InfinitePast();  // law: the smallest request is within the pool's limits then
  absl::Time waiters_due_ = absl::InfiniteFuture();  // law: no waiter that was looked at can go before, but by an event
  uint64_t sequence_ = 0;                            // grants of this run; leases carry their number
  std::optional<uint32_t> epoch_;                    // of this run: that of the first grant
  absl::Time back_at_ = absl::InfinitePast();        // when the 429 that is judged is over, as its pacer says
  TrialPace trials_;
  std::vector<KeyIndex> avoided_;  // of the request that is considered
  uint64_t acquired_ = 0, reported_ = 0, expired_ = 0;
  std::vector<Transition> transitions_;
};

}  // namespace ccr::core
