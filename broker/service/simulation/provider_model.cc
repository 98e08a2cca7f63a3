#include "broker/service/simulation/provider_model.h"

#include <algorithm>

namespace ccr::simulation {
namespace {

using core::Outcome;

// As the core classifies them: what a provider would say for that outcome.
core::Evidence EvidenceFor(Outcome outcome, int status) {
  core::Evidence evidence;
  switch (outcome) {
    case Outcome::kSuccess:
      evidence.http_status = 200;
      break;
    case Outcome::kAuth:
      evidence.http_status = 401;
      break;
    case Outcome::kPermission:
      evidence.http_status = 403;
      break;
    case Outcome::kQuota:
      evidence.http_status = 429;
      evidence.error_code = "insufficient_quota";
      break;
    case Outcome::kRateLimited:
      evidence.http_status = 429;
      evidence.error_code = "rate_limit_exceeded";
      break;
    case Outcome::kOverloaded:
      evidence.http_status = 529;
      break;
    case Outcome::kUpstreamFailure:
      if (status >= 500) {
        evidence.http_status = status == 503 || status == 529 ? 500 : status;
      } else {
        evidence.transport_error = core::TransportError::kRead;
      }
      break;
    case Outcome::kCallerFault:
      evidence.http_status = status >= 400 && status <= 499 ? status : 422;
      break;
    case Outcome::kNeutral:
      evidence.client_cancelled = true;
      break;
  }
  return evidence;
}

// In [0, 1), the same for the same numbers (splitmix64).
double Draw(uint64_t request, uint64_t key, uint64_t attempt) {
  uint64_t x = request * 0x9E3779B97F4A7C15u + (attempt << 32) + key + 1;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1.0p-53;
}

const Attempt* SuccessOf(const PastRequest& request) {
  const bool served = !request.attempts.empty() && request.attempts.back().outcome == Outcome::kSuccess;
  return served ? &request.attempts.back() : nullptr;
}

uint64_t TokensOf(const PastRequest& request) {
  const Attempt* const success = SuccessOf(request);
  return success != nullptr && success->tokens > 0 ? success->tokens : request.estimated_tokens;
}

}  // namespace

absl::Time MinuteWindow::RoomAt(uint64_t amount, uint64_t limit, absl::Time now) {
  Forget(now);
  uint64_t left = sum_;
  absl::Time at = now;
  for (const auto& [when, taken] : taken_) {
    if (left == 0 || left + amount <= limit) break;
    left -= taken;
    at = when + kMinute;
  }
  return at;
}

void MinuteWindow::Take(uint64_t amount, absl::Time now) {
  taken_.emplace_back(now, amount);
  sum_ += amount;
}

void MinuteWindow::Forget(absl::Time now) {
  for (; !taken_.empty() && taken_.front().first + kMinute <= now; taken_.pop_front()) sum_ -= taken_.front().second;
}

ProviderModel::ProviderModel(const History* history, const PoolFacts* facts, absl::Span<const core::KeyIndex> past)
    : history_(history), facts_(facts) {
  for (const core::KeyIndex key : past) keys_.emplace_back().facts = &FactsOf(key);
}

const KeyFacts& ProviderModel::FactsOf(core::KeyIndex past) const {
  return past < facts_->keys.size() ? facts_->keys[past] : facts_->unknown;
}

const CallLimit& ProviderModel::Key::LimitOf(uint16_t model) const {
  const auto own = facts->of_models.find(model);
  return own == facts->of_models.end() ? facts->limit : own->second;
}

LimitMeter& ProviderModel::Key::CallsOf(uint16_t model) {
  return calls.try_emplace(facts->of_models.empty() ? 0 : model, LimitOf(model)).first->second;
}

const Spell* ProviderModel::SpellAt(absl::Span<const Spell> spells, size_t* next, absl::Time now) {
  while (*next < spells.size() && spells[*next].until <= now) ++*next;
  return *next < spells.size() && spells[*next].from <= now ? &spells[*next] : nullptr;
}

Reply ProviderModel::Call(core::KeyIndex index, size_t number, uint32_t attempt, absl::Time now) {
  Key& key = keys_[index];
  const PastRequest& request = history_->requests[number];
  ++key.in_flight;
  if (const Spell* spell = SpellAt(facts_->overloads, &overload_, now)) return Fail(*spell, now);
  if (const Spell* spell = SpellAt(key.facts->spells, &key.spell, now)) return Fail(*spell, now);
  if (key.facts->max_in_flight > 0 && key.in_flight > key.facts->max_in_flight) return Refuse(key, now, now);
  const uint64_t tokens = TokensOf(request);
  LimitMeter& calls = key.CallsOf(request.model);
  absl::Time room = calls.RoomAt(now);
  if (key.facts->tpm > 0) room = std::max(room, key.tokens.RoomAt(tokens, key.facts->tpm, now));
  const double drawn = Draw(number, index, attempt);
  Reply reply;
  if (room > now) {
    reply = Refuse(key, room, now);
  } else if (drawn < key.facts->flaky) {
    reply = Fail({now, now, Outcome::kUpstreamFailure, 500, false}, now);
  } else {
    const bool cut = drawn < key.facts->flaky + key.facts->cut;
    calls.Take(now);
    if (key.facts->tpm > 0) key.tokens.Take(tokens, now);
    reply = Serve(key, request);
    reply.taken = true;
    if (cut && reply.outcome == Outcome::kSuccess) Cut(&reply);
  }
  if (key.facts->tells_limit) TellLimit(key.LimitOf(request.model), calls, now, &reply.evidence);
  return reply;
}

Reply ProviderModel::Fail(const Spell& spell, absl::Time now) const {
  Reply reply{spell.outcome, EvidenceFor(spell.outcome, spell.http_status), facts_->failure};
  if (spell.told) reply.evidence.retry_after = std::max(spell.until - now - facts_->failure, absl::ZeroDuration());
  return reply;
}

Reply ProviderModel::Refuse(const Key& key, absl::Time room, absl::Time now) const {
  Reply reply{Outcome::kRateLimited, EvidenceFor(Outcome::kRateLimited, 429), facts_->failure};
  if (key.facts->tells_return && room > now && room < absl::InfiniteFuture()) {
    reply.evidence.retry_after = std::max(room - now - facts_->failure, absl::ZeroDuration());
  }
  return reply;
}

Reply ProviderModel::Serve(const Key& key, const PastRequest& request) const {
  const Attempt* const last = request.attempts.empty() ? nullptr : &request.attempts.back();
  const bool own_fault = request.ending == Ending::kOwnFault && last != nullptr;
  const bool unended = request.ending == Ending::kLeft && last != nullptr;
  Reply reply{own_fault ? Outcome::kCallerFault : Outcome::kSuccess, {}, facts_->total};
  reply.evidence = EvidenceFor(reply.outcome, own_fault ? last->http_status : 200);
  absl::Duration first_byte = facts_->first_byte;
  double factor = key.facts->slowness;
  if (own_fault || unended || SuccessOf(request) != nullptr) {
    first_byte = last->first_byte;
    reply.end = last->ended - last->granted;
    factor /= FactsOf(last->key).slowness;
  }
  reply.evidence.first_byte = first_byte * factor;
  *reply.end *= factor;
  reply.evidence.total = *reply.end;
  if (unended) reply.end.reset();
  if (reply.outcome == Outcome::kSuccess) reply.evidence.output_tokens = TokensOf(request);
  return reply;
}

void ProviderModel::Cut(Reply* reply) {
  reply->outcome = Outcome::kUpstreamFailure;
  reply->evidence.incomplete = true;
  reply->evidence.transport_error = core::TransportError::kRead;
  if (reply->end) *reply->end = (reply->evidence.first_byte + *reply->end) / 2;
}

void ProviderModel::TellLimit(const CallLimit& limit, LimitMeter& calls, absl::Time now, core::Evidence* evidence) {
  if (limit.kind == CallLimit::Kind::kNone) return;
  const double left = std::max(0.0, limit.most - calls.Used(now));
  evidence->rate_limits.push_back({core::RateLimit::Unit::kRequests, static_cast<uint64_t>(limit.most),
                                   static_cast<uint64_t>(left), calls.FullIn(now)});
}

void ProviderModel::Ended(core::KeyIndex key, size_t request, const Reply& reply) {
  --keys_[key].in_flight;
  if (reply.taken) keys_[key].CallsOf(history_->requests[request].model).Ended();
}

core::Evidence ProviderModel::Probe(core::KeyIndex key, absl::Time now) {
  const Spell* spell = SpellAt(facts_->overloads, &overload_, now);
  if (spell == nullptr) spell = SpellAt(keys_[key].facts->spells, &keys_[key].spell, now);
  const bool limit = spell == nullptr || spell->outcome == Outcome::kQuota || spell->outcome == Outcome::kRateLimited;
  return limit ? EvidenceFor(Outcome::kSuccess, 200) : EvidenceFor(spell->outcome, spell->http_status);
}

}  // namespace ccr::simulation
