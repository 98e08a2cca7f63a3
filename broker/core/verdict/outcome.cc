#include "broker/core/verdict/outcome.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "broker/core/verdict/provider_words.h"

namespace ccr::core {
namespace {

constexpr std::string_view kPlainReasons[] = {
    "rate_limited", kModelAbsent, "overloaded",    "incomplete_response", "no_answer",          "http_invalid",
    "failure",      "auth",       "failures",      kAuthSuspected,        kPermissionSuspected, "rule_rate_limited",
    "rule_quota",   "rule_auth",  "rule_upstream", kQuotaWindow,
};
constexpr TransportError kTransportErrors[] = {
    TransportError::kConnect,     TransportError::kConnectTimeout,
    TransportError::kSend,        TransportError::kFirstByteTimeout,
    TransportError::kIdleTimeout, TransportError::kRead,
    TransportError::kName,        TransportError::kRefused,
    TransportError::kTls,         TransportError::kProxy,
};

constexpr int kUnknownErrorStatus = 502;
constexpr int kLowestStatus = 100;
constexpr int kHighestStatus = 599;
constexpr size_t kHttpReasonSize = 8;  // "http_NNN"
using HttpReasons = std::array<std::array<char, kHttpReasonSize>, kHighestStatus - kLowestStatus + 1>;

constexpr HttpReasons MakeHttpReasons() {
  HttpReasons reasons{};
  for (int status = kLowestStatus; status <= kHighestStatus; ++status) {
    auto digit = [](int value) { return static_cast<char>('0' + value % 10); };
    reasons[status - kLowestStatus] = {'h', 't', 't', 'p', '_', digit(status / 100), digit(status / 10), digit(status)};
  }
  return reasons;
}

constexpr HttpReasons kHttpReasons = MakeHttpReasons();

std::string_view HttpReason(int status) {
  if (status < kLowestStatus || status > kHighestStatus) return "http_invalid";
  return {kHttpReasons[status - kLowestStatus].data(), kHttpReasonSize};
}

Verdict WithoutStatus(const Evidence& evidence) {
  if (evidence.transport_error != TransportError::kNone) {
    return {Outcome::kUpstreamFailure, ToString(evidence.transport_error)};
  }
  if (!evidence.success.has_value()) return {Outcome::kNeutral, "no_evidence"};
  return *evidence.success ? Verdict{Outcome::kSuccess, "success"} : Verdict{Outcome::kUpstreamFailure, "failure"};
}

Verdict Certain(Outcome outcome, std::string_view reason, int status) {
  return {outcome, reason, status};
}

Verdict InDoubt(Outcome outcome, std::string_view reason, int status, Doubt doubt, Outcome if_key,
                std::string_view key_reason) {
  return {outcome, reason, status, doubt, if_key, key_reason};
}

// A key's own fault that only its request's end proves.
Verdict Suspected(Outcome outcome, std::string_view reason, int status) {
  return InDoubt(outcome, reason, status, Doubt::kKey, outcome, reason);
}

Verdict ByRule(const ErrorRule& rule, int status) {
  switch (rule.as) {
    case Outcome::kQuota:
      return Certain(rule.as, "rule_quota", status);
    case Outcome::kAuth:
      return Suspected(rule.as, "rule_auth", status);
    case Outcome::kRateLimited:
      return Certain(rule.as, "rule_rate_limited", status);
    case Outcome::kOverloaded:
      return Certain(rule.as, "overloaded", status);
    case Outcome::kUpstreamFailure:
      return Certain(rule.as, "rule_upstream", status);
    default:
      return Certain(Outcome::kCallerFault, HttpReason(status), status);
  }
}

bool Matches(const ErrorRule& rule, const Evidence& evidence, int status) {
  if (rule.status != 0 && rule.status != status && rule.status != evidence.http_status) return false;
  if (!rule.code.empty() && rule.code != evidence.error_code && rule.code != evidence.error_type) return false;
  return rule.match.empty() || ContainsWords(evidence.message, rule.match);
}

struct Known {
  Meaning meaning = Meaning::kNothing;
  std::string_view reason;
  int status = 0;
};

// What is known for certain of an error by its number, code, type or the beginning of its message.
Known Find(const Evidence& evidence, int status) {
  Known known;
  if (const NumberWord* number = FindNumber(evidence)) return {number->meaning, number->reason, number->status};
  if (const CodeWord* word = FindCode(evidence)) known = {word->meaning, word->reason, word->status};
  if (known.meaning != Meaning::kNothing) return known;
  const Phrase* const phrase = FindPhrase(evidence.message, status);
  if (phrase != nullptr && phrase->begins) {
    known.meaning = phrase->meaning;
    known.reason = phrase->reason;
  }
  return known;
}

Verdict ByMeaning(const Known& known, int status) {
  const std::string_view reason = known.reason.empty() ? HttpReason(status) : known.reason;
  switch (known.meaning) {
    case Meaning::kThisRequest:
      return InDoubt(Outcome::kCallerFault, reason, status, Doubt::kThisRequest, Outcome::kCallerFault, reason);
    case Meaning::kUnbooked:
      return InDoubt(Outcome::kCallerFault, reason, status, Doubt::kUnbooked, Outcome::kCallerFault, reason);
    case Meaning::kModel:
      return InDoubt(Outcome::kCallerFault, reason, status, Doubt::kModel, Outcome::kPermission, kModelAbsent);
    case Meaning::kAuth:
      return Suspected(Outcome::kAuth, reason, status);
    case Meaning::kPermission:
      return Suspected(Outcome::kPermission, reason, status);
    case Meaning::kQuota:
      return Certain(Outcome::kQuota, reason, status);
    case Meaning::kRateLimited:
      return Certain(Outcome::kRateLimited, "rate_limited", status);
    case Meaning::kOverloaded:
      return Certain(Outcome::kOverloaded, "overloaded", status);
    case Meaning::kUpstream:
      return Certain(Outcome::kUpstreamFailure, reason, status);
    case Meaning::kRequest:
    case Meaning::kNothing:
      break;
  }
  return Certain(Outcome::kCallerFault, reason, status);
}

// The class of a key's fault by words anywhere in the message; `otherwise` without any.
Verdict ByWords(const Evidence& evidence, int status, Outcome outcome, Outcome otherwise) {
  const Phrase* const phrase = FindPhrase(evidence.message, status);
  Outcome if_key = otherwise;
  std::string_view reason = HttpReason(status);
  if (phrase != nullptr && (phrase->meaning == Meaning::kQuota || phrase->meaning == Meaning::kAuth)) {
    if_key = phrase->meaning == Meaning::kQuota ? Outcome::kQuota : Outcome::kAuth;
    reason = phrase->reason;
  }
  const bool refusal = outcome == Outcome::kAuth || outcome == Outcome::kPermission;
  return InDoubt(refusal && if_key == Outcome::kAuth ? if_key : outcome, refusal ? reason : HttpReason(status), status,
                 Doubt::kKey, if_key, reason);
}

bool SaysWhen(const Evidence& evidence) {
  return evidence.retry_after.has_value() || std::any_of(evidence.rate_limits.begin(), evidence.rate_limits.end(),
                                                         [](const RateLimit& limit) { return limit.remaining == 0; });
}

Verdict TooMany(const Evidence& evidence, int status) {
  const Phrase* const phrase = FindPhrase(evidence.message, status);
  if (phrase != nullptr && phrase->meaning == Meaning::kQuota) return Certain(Outcome::kQuota, phrase->reason, status);
  if (SaysWhen(evidence) || evidence.message.empty() || SpeaksOfRate(evidence.message)) {
    return Certain(Outcome::kRateLimited, "rate_limited", status);
  }
  return Suspected(Outcome::kRateLimited, "rate_limited", status);
}

Verdict ClientError(const Evidence& evidence, int status) {
  const Known known = Find(evidence, status);
  if (known.meaning != Meaning::kNothing) return ByMeaning(known, status);
  if (evidence.quota_window && status != 400) return Certain(Outcome::kQuota, "usage_limit_reached", status);
  switch (status) {
    case 400:
      return ByWords(evidence, status, Outcome::kCallerFault, Outcome::kPermission);
    case 401:
      return ByWords(evidence, status, Outcome::kAuth, Outcome::kAuth);
    case 402:
      return Certain(Outcome::kQuota, HttpReason(status), status);
    case 403:
      return ByWords(evidence, status, Outcome::kPermission, Outcome::kPermission);
    case 404:
      if (evidence.foreign_path) break;
      return InDoubt(Outcome::kCallerFault, HttpReason(status), status, Doubt::kModel, Outcome::kPermission,
                     kModelAbsent);
    case 408:
      return Certain(Outcome::kUpstreamFailure, HttpReason(status), status);
    case 429:
      return TooMany(evidence, status);
    default:
      break;
  }
  return Certain(Outcome::kCallerFault, HttpReason(status), status);
}

Verdict ServerError(const Evidence& evidence, int status) {
  const Known known = Find(evidence, status);
  if (known.meaning == Meaning::kOverloaded || known.meaning == Meaning::kQuota || known.meaning == Meaning::kAuth) {
    return ByMeaning(known, status);
  }
  if (status == 529 || status == 503) return Certain(Outcome::kOverloaded, "overloaded", status);
  return Certain(Outcome::kUpstreamFailure, HttpReason(status), status);
}

constexpr bool IsErrorStatus(int status) {
  return status >= 400 && status <= 599;
}

// With which a provider says otherwise what it said inside a 2xx; 0 when it said nothing.
int StatusInAnswer(const Evidence& evidence) {
  int number = 0;
  if (absl::SimpleAtoi(evidence.error_code, &number) && IsErrorStatus(number)) return number;
  if (const NumberWord* known = FindNumber(evidence)) return known->status;
  if (const CodeWord* known = FindCode(evidence)) return known->status;
  const Phrase* const phrase = FindPhrase(evidence.message, 402);
  if (phrase != nullptr && phrase->begins) return phrase->meaning == Meaning::kAuth ? 401 : 402;
  return evidence.error_code.empty() && evidence.error_type.empty() ? 0 : kUnknownErrorStatus;
}

Verdict WithStatus(const Evidence& evidence, int status, absl::Span<const ErrorRule> rules) {
  if (IsErrorStatus(status)) {
    for (const ErrorRule& rule : rules) {
      if (Matches(rule, evidence, status)) return ByRule(rule, status);
    }
  }
  if (status >= 300 && status < 400) return Certain(Outcome::kNeutral, HttpReason(status), status);
  if (status >= 400 && status < 500) return ClientError(evidence, status);
  if (status >= 500 && status < 600) return ServerError(evidence, status);
  return Certain(Outcome::kUpstreamFailure, HttpReason(status), status);
}

Verdict Ok(const Evidence& evidence, absl::Span<const ErrorRule> rules) {
  const int status = evidence.http_status;
  if (evidence.transport_error != TransportError::kNone) {
    return Certain(Outcome::kUpstreamFailure, ToString(evidence.transport_error), status);
  }
  if (evidence.error_in_answer) {
    const int stands_for = StatusInAnswer(evidence);
    if (stands_for != 0 || !rules.empty()) {
      const Verdict verdict = WithStatus(evidence, stands_for != 0 ? stands_for : kUnknownErrorStatus, rules);
      if (stands_for != 0 || verdict.reason != HttpReason(kUnknownErrorStatus)) return verdict;
    }
    return Certain(Outcome::kUpstreamFailure, "no_answer", kUnknownErrorStatus);
  }
  if (!evidence.incomplete) return Certain(Outcome::kSuccess, "success", status);
  const CodeWord* const word = FindCode(evidence);
  if (word != nullptr && word->meaning == Meaning::kOverloaded) {
    return Certain(Outcome::kOverloaded, "overloaded", status);
  }
  return Certain(Outcome::kUpstreamFailure, "incomplete_response", status);
}

}  // namespace

Verdict Classify(const Evidence& evidence, absl::Span<const ErrorRule> rules) {
  if (evidence.client_cancelled) return {Outcome::kNeutral, "client_cancelled"};
  if (evidence.caller_fault) return {Outcome::kNeutral, "caller_fault"};
  const int status = evidence.http_status;
  if (status == 0) return WithoutStatus(evidence);
  if (status >= 200 && status < 300) return Ok(evidence, rules);
  return WithStatus(evidence, status, rules);
}

bool IsOfHost(TransportError error) {
  switch (error) {
    case TransportError::kConnect:
    case TransportError::kConnectTimeout:
    case TransportError::kName:
    case TransportError::kRefused:
    case TransportError::kTls:
    case TransportError::kProxy:
      return true;
    default:
      return false;
  }
}

bool MeansLimit(std::string_view reason) {
  if (reason == "rate_limited" || reason == "rule_rate_limited" || reason == "rule_quota") return true;
  if (reason == HttpReason(402)) return true;
  const auto means = [reason](const auto& known) { return known.meaning == Meaning::kQuota && known.reason == reason; };
  return absl::c_any_of(CodeWords(), means) || absl::c_any_of(NumberWords(), means) || absl::c_any_of(Phrases(), means);
}

std::string_view StaticReason(std::string_view reason) {
  for (std::string_view known : kPlainReasons) {
    if (known == reason) return known;
  }
  for (const auto& known : kHttpReasons) {
    if (std::string_view(known.data(), kHttpReasonSize) == reason) return {known.data(), kHttpReasonSize};
  }
  std::string_view found;
  const auto look = [&](const auto& words) {
    for (const auto& known : words) {
      if (!known.reason.empty() && known.reason == reason) found = known.reason;
    }
  };
  look(CodeWords());
  look(NumberWords());
  look(Phrases());
  if (!found.empty()) return found;
  for (TransportError known : kTransportErrors) {
    if (ToString(known) == reason) return ToString(known);
  }
  return "restored";
}

}  // namespace ccr::core
