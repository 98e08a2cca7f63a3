#include "tests/bench/rotation/provider.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ccr::rotation {
namespace {

constexpr absl::Duration kRefusing = absl::Milliseconds(60);
constexpr absl::Duration kFailing = absl::Milliseconds(300);
constexpr absl::Duration kNotConnecting = absl::Milliseconds(5);

double CostOf(const LimitSpec& spec, double tokens) {
  return spec.unit == LimitSpec::Unit::kTokens ? tokens : 1;
}

std::string Whole(double number) {
  return absl::StrCat(static_cast<int64_t>(number));
}

std::string Error(const std::string& type, const std::string& code, const std::string& message) {
  return absl::StrCat(R"({"error":{"message":")", message, R"(","type":")", type, R"(","code":")", code, R"("}})");
}

// "7m12s", "1.5s", "850ms", as OpenAI writes them.
std::string InWords(absl::Duration wait) {
  if (wait < absl::Seconds(1)) return absl::StrCat(absl::ToInt64Milliseconds(wait + absl::Microseconds(999)), "ms");
  const int64_t minutes = absl::ToInt64Minutes(wait);
  const std::string seconds = absl::StrFormat("%.3fs", absl::ToDoubleSeconds(wait - absl::Minutes(minutes)) + 0.0005);
  return minutes > 0 ? absl::StrCat(minutes, "m", seconds) : seconds;
}

int64_t CeilSeconds(absl::Duration wait) {
  return absl::ToInt64Seconds(absl::Ceil(wait, absl::Seconds(1)));
}

}  // namespace

Provider::Provider(const Scenario& scenario) : scenario_(scenario) {
  for (size_t i = 0; i < scenario.fleet.keys.size(); ++i) {
    Key key{.limits = {}, .random = Random(scenario.seed * 1'000'003 + i)};
    for (const LimitSpec& spec : scenario.fleet.keys[i].limits) key.limits.push_back(MakeLimit(spec, scenario.start));
    keys_.push_back(std::move(key));
  }
}

bool Provider::Applies(const LimitSpec& spec, size_t model) const {
  return spec.model.empty() || spec.model == scenario_.fleet.traffic.models[model];
}

absl::Time Provider::RoomAt(size_t key, size_t model, double tokens, absl::Time now) {
  const std::vector<LimitSpec>& specs = scenario_.fleet.keys[key].limits;
  absl::Time at = now;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (Applies(specs[i], model)) at = std::max(at, keys_[key].limits[i]->RoomAt(CostOf(specs[i], tokens), now));
  }
  return at;
}

void Provider::Take(size_t key, size_t model, double tokens, absl::Time now) {
  const std::vector<LimitSpec>& specs = scenario_.fleet.keys[key].limits;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (Applies(specs[i], model)) keys_[key].limits[i]->Take(CostOf(specs[i], tokens), now);
  }
}

void Provider::OnEnded(size_t key, size_t model) {
  const std::vector<LimitSpec>& specs = scenario_.fleet.keys[key].limits;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (Applies(specs[i], model)) keys_[key].limits[i]->GiveBack();
  }
}

void Provider::LetOthersCall(size_t key, absl::Time now) {
  const std::vector<absl::Time>& times = scenario_.other_users[key];
  const double tokens = scenario_.fleet.traffic.mean_tokens;
  for (size_t& next = keys_[key].other_users; next < times.size() && times[next] <= now; ++next) {
    if (RoomAt(key, 0, tokens, times[next]) > times[next]) continue;
    Take(key, 0, tokens, times[next]);
    OnEnded(key, 0);
  }
}

bool Provider::IsDead(size_t key, absl::Time now) const {
  Fault fault{};
  return Suffers(scenario_.fleet.keys[key].spells, now - scenario_.start, &fault) && fault == Fault::kAuth;
}

absl::Time Provider::GoodAt(size_t key, const Request& request, absl::Time now) {
  LetOthersCall(key, now);
  for (const std::vector<Spell>* spells : {&scenario_.fleet.outages, &scenario_.fleet.keys[key].spells}) {
    for (const Spell& spell : *spells) {
      const absl::Duration since = now - scenario_.start;
      if (since >= spell.from && since < spell.until) return scenario_.start + spell.until;
    }
  }
  return RoomAt(key, request.model, request.tokens(), now);
}

double Provider::Left(size_t key, size_t model, absl::Time now) {
  const std::vector<LimitSpec>& specs = scenario_.fleet.keys[key].limits;
  double left = 1;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (!Applies(specs[i], model)) continue;
    if (const auto told = keys_[key].limits[i]->Tell(now)) left = std::min(left, told->remaining / told->limit);
  }
  return left;
}

int Provider::Probe(size_t key, absl::Time now) const {
  Fault fault{};
  if (Suffers(scenario_.fleet.outages, now - scenario_.start, &fault)) return Failed(key, fault).status;
  return IsDead(key, now) ? 401 : 200;
}

Reply Provider::Call(size_t key, const Request& request, absl::Time now) {
  const KeyModel& model = scenario_.fleet.keys[key];
  LetOthersCall(key, now);
  Fault fault{};
  if (Suffers(scenario_.fleet.outages, now - scenario_.start, &fault)) return Failed(key, fault);
  if (Suffers(model.spells, now - scenario_.start, &fault)) return Failed(key, fault);
  const absl::Time room = RoomAt(key, request.model, request.tokens(), now);
  if (room > now) return Refused(key, request, room, now);
  Take(key, request.model, request.tokens(), now);
  if (keys_[key].random.Chance(model.flaky)) {
    OnEnded(key, request.model);
    return Failed(key, Fault::kServer);
  }
  Reply reply{
      .status = 200, .first_byte = request.first_byte * model.slowness, .total = request.total * model.slowness};
  if (request.stream && keys_[key].random.Chance(model.cut)) {
    reply.cut = true;
    reply.total = (reply.first_byte + reply.total) / 2;
  }
  TellLimits(key, request.model, now, &reply);
  return reply;
}

Reply Provider::Failed(size_t /*key*/, Fault fault) const {
  Reply reply{.first_byte = kFailing, .total = kFailing};
  switch (fault) {
    case Fault::kAuth:
      reply.status = 401;
      reply.first_byte = reply.total = kRefusing;
      reply.body = Error("invalid_request_error", "invalid_api_key", "Incorrect API key provided.");
      break;
    case Fault::kQuota:
      reply.status = 429;
      reply.first_byte = reply.total = kRefusing;
      reply.body = Error("insufficient_quota", "insufficient_quota", "You exceeded your current quota.");
      break;
    case Fault::kServer:
      reply.status = 500;
      reply.body = Error("server_error", "", "The server had an error.");
      break;
    case Fault::kOverloaded:
      reply.status = 503;
      reply.body = Error("overloaded_error", "", "The engine is overloaded.");
      break;
    case Fault::kConnect:
      reply.first_byte = reply.total = kNotConnecting;
      break;
  }
  return reply;
}

Reply Provider::Refused(size_t key, const Request& request, absl::Time room, absl::Time now) {
  const KeyModel& model = scenario_.fleet.keys[key];
  bool only_concurrency = true, of_model = false;
  for (size_t i = 0; i < model.limits.size(); ++i) {
    const LimitSpec& spec = model.limits[i];
    if (!Applies(spec, request.model)) continue;
    if (keys_[key].limits[i]->RoomAt(CostOf(spec, request.tokens()), now) <= now) continue;
    keys_[key].limits[i]->Refuse(now);
    only_concurrency = only_concurrency && spec.kind == LimitSpec::Kind::kConcurrency;
    of_model = of_model || !spec.model.empty();
  }
  room = std::max(room, RoomAt(key, request.model, request.tokens(), now));  // a bucket that holds is pushed back

  Reply reply{.status = 429, .first_byte = kRefusing, .total = kRefusing, .room_at = room};
  std::string hint;
  if (!only_concurrency && model.retry_after != RetryAfter::kAbsent && room < absl::InfiniteFuture()) {
    // The answer takes its time, and the caller counts from its arrival.
    const absl::Duration wait = std::max(room - now - kRefusing, absl::ZeroDuration());
    if (model.retry_after == RetryAfter::kExact) {
      const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1)));
      reply.headers.emplace_back("retry-after-ms", absl::StrCat(ms));
      reply.rest_until = now + kRefusing + absl::Milliseconds(ms);
    } else {
      reply.headers.emplace_back("retry-after", absl::StrCat(CeilSeconds(wait)));
      reply.rest_until = now + kRefusing + absl::Seconds(CeilSeconds(wait));
    }
    hint = absl::StrCat(" Please try again in ", InWords(reply.rest_until - now - kRefusing), ".");
  }
  const std::string scope = of_model ? absl::StrCat(" for ", scenario_.fleet.traffic.models[request.model]) : "";
  reply.body = Error("rate_limit_error", "rate_limit_exceeded", absl::StrCat("Rate limit reached", scope, ".", hint));
  TellLimits(key, request.model, now, &reply);
  return reply;
}

void Provider::TellLimits(size_t key, size_t model, absl::Time now, Reply* reply) {
  const KeyModel& owner = scenario_.fleet.keys[key];
  const auto tell = [&](std::string name, std::string value) {
    reply->headers.emplace_back(std::move(name), std::move(value));
  };
  for (size_t i = 0; i < owner.limits.size() && owner.headers != Headers::kNone; ++i) {
    const LimitSpec& spec = owner.limits[i];
    if (!Applies(spec, model) || spec.window > absl::Hours(1)) continue;
    const std::optional<Limit::Told> told = keys_[key].limits[i]->Tell(now);
    if (!told) continue;
    // The provider writes the head when it answers, and what it tells is of that moment.
    const absl::Time full = now + told->reset;
    const std::string unit = spec.unit == LimitSpec::Unit::kTokens ? "tokens" : "requests";
    if (owner.headers == Headers::kOpenAi) {
      tell(absl::StrCat("x-ratelimit-limit-", unit), Whole(told->limit));
      tell(absl::StrCat("x-ratelimit-remaining-", unit), Whole(told->remaining));
      tell(absl::StrCat("x-ratelimit-reset-", unit), InWords(told->reset));
    } else if (owner.headers == Headers::kAnthropic) {
      const absl::Time second = absl::FromUnixSeconds(CeilSeconds(full - absl::UnixEpoch()));
      tell(absl::StrCat("anthropic-ratelimit-", unit, "-limit"), Whole(told->limit));
      tell(absl::StrCat("anthropic-ratelimit-", unit, "-remaining"), Whole(told->remaining));
      tell(absl::StrCat("anthropic-ratelimit-", unit, "-reset"),
           absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", second, absl::UTCTimeZone()));
    } else if (spec.unit == LimitSpec::Unit::kRequests) {
      tell("x-ratelimit-limit", Whole(told->limit));
      tell("x-ratelimit-remaining", Whole(told->remaining));
      tell("x-ratelimit-reset", absl::StrCat(absl::ToUnixMillis(
                                    absl::Ceil(full - absl::UnixEpoch(), absl::Milliseconds(1)) + absl::UnixEpoch())));
    }
  }
}

}  // namespace ccr::rotation
