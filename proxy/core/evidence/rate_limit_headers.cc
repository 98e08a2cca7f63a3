#include "proxy/core/evidence/rate_limit_headers.h"

#include <algorithm>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "proxy/core/ascii.h"
#include "proxy/core/evidence/reset_time.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kUnified = "anthropic-ratelimit-unified-";

// "100", also as "100;w=60" or "100, 100;w=60": the digits it begins with.
std::optional<uint64_t> ParseCount(std::string_view value) {
  value = TrimBlanks(value);
  value = value.substr(0, value.find_first_not_of("0123456789"));
  uint64_t count = 0;
  if (!absl::SimpleAtoi(ToAbsl(value), &count)) return std::nullopt;
  return count;
}

// The name of a limit: `before` and `after` are of one limit for its two or three headers.
struct LimitName {
  enum class Part { kLimit, kRemaining, kReset };

  Part part = Part::kLimit;
  std::string_view before, after;

  bool SameLimit(const LimitName& other) const {
    return SameWithoutCase(before, other.before) && SameWithoutCase(after, other.after);
  }
};

std::optional<LimitName::Part> LimitPart(std::string_view word) {
  if (SameWithoutCase(word, "limit")) return LimitName::Part::kLimit;
  if (SameWithoutCase(word, "remaining")) return LimitName::Part::kRemaining;
  if (SameWithoutCase(word, "reset")) return LimitName::Part::kReset;
  return std::nullopt;
}

std::optional<LimitName> ParseLimitName(std::string_view name) {
  size_t begin = name.npos;
  for (const std::string_view word : {"ratelimit-", "rate-limit-"}) {
    for (size_t at = 0; begin == name.npos && at + word.size() < name.size(); ++at)
      if (SameWithoutCase(name.substr(at, word.size()), word)) begin = at + word.size();
  }
  while (begin < name.size()) {
    const size_t end = std::min(name.find('-', begin), name.size());
    if (const auto part = LimitPart(name.substr(begin, end - begin))) {
      const std::string_view after = name.substr(end);
      return LimitName{*part, name.substr(0, begin), SameWithoutCase(after, "-after") ? std::string_view() : after};
    }
    begin = end + 1;
  }
  return std::nullopt;
}

// Nothing where the limit is of something else, images for example.
std::optional<RateLimit::Unit> LimitUnit(const LimitName& name) {
  const auto has = [&name](std::string_view word) {
    return ContainsWithoutCase(name.before, word) || ContainsWithoutCase(name.after, word);
  };
  if (has("token")) {
    if (has("input") || has("prompt")) return RateLimit::Unit::kInputTokens;
    if (has("output") || has("generated") || has("completion")) return RateLimit::Unit::kOutputTokens;
    return RateLimit::Unit::kTokens;
  }
  const bool plain = name.after.empty() && absl::EndsWithIgnoreCase(ToAbsl(name.before), "limit-");
  if (has("req") || plain) return RateLimit::Unit::kRequests;
  for (const std::string_view period : {"second", "minute", "hour", "day", "month"})
    if (has(period)) return RateLimit::Unit::kRequests;
  return std::nullopt;
}

// The next member of a list: what stands before a comma that is in no string, and that comma.
std::string_view TakeMember(std::string_view* list, char end) {
  bool quoted = false;
  size_t at = 0;
  for (; at < list->size() && (quoted || (*list)[at] != end); ++at) {
    if ((*list)[at] == '"') quoted = !quoted;
    if ((*list)[at] == '\\' && quoted) ++at;
  }
  const std::string_view member = TrimBlanks(list->substr(0, at));
  list->remove_prefix(std::min(at + 1, list->size()));
  return member;
}

std::string_view Unquoted(std::string_view text) {
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
}

// Quotas as the IETF's draft tells them from its eighth version on, a list of structured fields (RFC 8941):
// RateLimit: "default";r=7;t=30 and RateLimit-Policy: "default";q=100;w=60. r is what remains, t the seconds until it is
// restored, q the limit, qu its unit, of requests where there is none.
class QuotaList {
 public:
  void Read(std::string_view list, absl::Time now) {
    while (!list.empty()) {
      std::string_view member = TakeMember(&list, ',');
      Quota* const quota = Find(Unquoted(TakeMember(&member, ';')));
      if (quota == nullptr) return;
      while (!member.empty()) Parameter(TakeMember(&member, ';'), now, quota);
    }
  }

  // Of a unit of which nothing is known in another form.
  void AddTo(std::vector<RateLimit>* limits) const {
    const size_t known = limits->size();
    for (const Quota& quota : quotas_) {
      const auto same = [&quota](const RateLimit& limit) { return limit.unit == quota.limit.unit; };
      if (!quota.counts || !quota.limit.remaining || limits->size() == kMaxRateLimits) continue;
      if (std::any_of(limits->begin(), limits->begin() + static_cast<std::ptrdiff_t>(known), same)) continue;
      limits->push_back(quota.limit);
    }
  }

 private:
  struct Quota {
    std::string_view name;
    bool counts = true;  // requests or tokens
    RateLimit limit = {};
  };

  Quota* Find(std::string_view name) {
    for (Quota& quota : quotas_)
      if (quota.name == name) return &quota;
    if (quotas_.size() == kMaxRateLimits) return nullptr;
    Quota& quota = quotas_.emplace_back(Quota{.name = name});
    if (ContainsWithoutCase(name, "token")) quota.limit.unit = RateLimit::Unit::kTokens;
    return &quota;
  }

  static void Parameter(std::string_view parameter, absl::Time now, Quota* quota) {
    const size_t equals = parameter.find('=');
    if (equals == parameter.npos) return;
    const std::string_view name = TrimBlanks(parameter.substr(0, equals));
    const std::string_view value = TrimBlanks(parameter.substr(equals + 1));
    if (name == "r") quota->limit.remaining = ParseCount(value);
    if (name == "q") quota->limit.limit = ParseCount(value);
    if (name == "t") quota->limit.reset = ParseReset(value, now);
    if (name != "qu") return;
    const bool tokens = ContainsWithoutCase(value, "token");
    quota->counts = tokens || Unquoted(value) == "requests";
    if (tokens) quota->limit.unit = RateLimit::Unit::kTokens;
  }

  absl::InlinedVector<Quota, 2> quotas_;
};

class LimitsReader {
 public:
  explicit LimitsReader(absl::Time now) : now_(now) {}

  void Read(std::string_view name, std::string_view value) {
    if (name.empty()) return;
    switch (name[0] | 0x20) {
      case 'a':
        if (!absl::StartsWithIgnoreCase(ToAbsl(name), ToAbsl(kUnified))) return Limit(name, value);
        return Window(name.substr(kUnified.size()), value);
      case 'r':
        if (SameWithoutCase(name, "retry-after")) return (void)(retry_after_ = ParseReset(value, now_));
        if (SameWithoutCase(name, "retry-after-ms"))
          return (void)(retry_after_ms_ = ParseReset(value, now_, absl::Milliseconds(1)));
        if (SameWithoutCase(name, "ratelimit") || SameWithoutCase(name, "ratelimit-policy"))
          return quotas_.Read(value, now_);
        return Limit(name, value);
      case 'x':
        return Limit(name, value);
      default:
        return;
    }
  }

  HeaderLimits Take() {
    HeaderLimits seen;
    seen.retry_after = retry_after_ms_ ? retry_after_ms_ : retry_after_;
    std::erase_if(limits_, [](const RateLimit& limit) { return !limit.limit && !limit.remaining && !limit.reset; });
    quotas_.AddTo(&limits_);
    seen.limits = std::move(limits_);
    if (!rejected_) return seen;
    seen.window_rejected = true;
    seen.window_reset = reset_;
    bool any = false;
    bool any_general = false;
    for (const NamedWindow& window : windows_) {
      if (!window.rejected) continue;
      any = true;
      any_general |= !window.of_model;
      seen.window_reset = Later(seen.window_reset, window.reset);
    }
    seen.model_window = any ? !any_general : model_claim_;
    return seen;
  }

 private:
  struct NamedWindow {
    std::string_view name;
    bool rejected = false;
    bool of_model = false;
    std::optional<absl::Duration> reset;
  };

  void Limit(std::string_view name, std::string_view value) {
    const std::optional<LimitName> parsed = ParseLimitName(name);
    if (!parsed) return;
    RateLimit* limit = Find(*parsed);
    if (limit == nullptr) return;
    switch (parsed->part) {
      case LimitName::Part::kLimit:
        limit->limit = ParseCount(value);
        break;
      case LimitName::Part::kRemaining:
        limit->remaining = ParseCount(value);
        break;
      case LimitName::Part::kReset:
        limit->reset = ParseReset(value, now_);
        break;
    }
  }

  RateLimit* Find(const LimitName& name) {
    for (size_t i = 0; i < names_.size(); ++i)
      if (names_[i].SameLimit(name)) return &limits_[i];
    const std::optional<RateLimit::Unit> unit = LimitUnit(name);
    if (!unit || names_.size() == kMaxRateLimits) return nullptr;
    names_.push_back(name);
    limits_.push_back({*unit, {}, {}, {}});
    return &limits_.back();
  }

  // `name` without kUnified: "status", "reset", "5h-status", "7d_opus-reset", "representative-claim".
  void Window(std::string_view name, std::string_view value) {
    if (SameWithoutCase(name, "status")) return (void)(rejected_ = SameWithoutCase(TrimBlanks(value), "rejected"));
    if (SameWithoutCase(name, "reset")) return (void)(reset_ = ParseReset(value, now_));
    if (SameWithoutCase(name, "representative-claim")) return (void)(model_claim_ = IsOfModel(TrimBlanks(value)));
    const size_t dash = name.rfind('-');
    if (dash == name.npos || ContainsWithoutCase(name, "overage") || ContainsWithoutCase(name, "fallback")) return;
    const std::string_view part = name.substr(dash + 1);
    NamedWindow* window = FindWindow(name.substr(0, dash));
    if (window == nullptr) return;
    if (SameWithoutCase(part, "status")) window->rejected = SameWithoutCase(TrimBlanks(value), "rejected");
    if (SameWithoutCase(part, "reset")) window->reset = ParseReset(value, now_);
  }

  NamedWindow* FindWindow(std::string_view name) {
    for (NamedWindow& window : windows_)
      if (SameWithoutCase(window.name, name)) return &window;
    if (windows_.size() == kMaxRateLimits) return nullptr;
    return &windows_.emplace_back(NamedWindow{name, false, IsOfModel(name), {}});
  }

  // "7d_opus", "7d-sonnet", "seven_day_opus"; not "5h", "seven_day".
  static bool IsOfModel(std::string_view window) {
    for (size_t begin = 0; begin < window.size();) {
      const size_t end = std::min(window.find_first_of("-_", begin), window.size());
      const std::string_view word = window.substr(begin, end - begin);
      const bool of_time = (!word.empty() && absl::ascii_isdigit(static_cast<unsigned char>(word[0]))) ||
                           SameWithoutCase(word, "five") || SameWithoutCase(word, "seven") ||
                           SameWithoutCase(word, "one") || SameWithoutCase(word, "hour") ||
                           SameWithoutCase(word, "day") || SameWithoutCase(word, "week") ||
                           SameWithoutCase(word, "month");
      if (!of_time) return true;
      begin = end + 1;
    }
    return false;
  }

  const absl::Time now_;
  std::optional<absl::Duration> retry_after_, retry_after_ms_;
  std::vector<RateLimit> limits_;
  QuotaList quotas_;                         // views of the headers
  absl::InlinedVector<LimitName, 4> names_;  // of limits_, views of the headers

  bool rejected_ = false;
  bool model_claim_ = false;
  std::optional<absl::Duration> reset_;
  absl::InlinedVector<NamedWindow, 4> windows_;
};

}  // namespace

HeaderLimits ReadLimits(const Headers& headers, absl::Time now) {
  LimitsReader reader(now);
  for (const auto& [name, value] : headers) reader.Read(name, value);
  return reader.Take();
}

std::optional<absl::Duration> ResetOfExhausted(const std::vector<RateLimit>& limits) {
  std::optional<absl::Duration> exhausted, unknown;
  bool any_exhausted = false;
  for (const RateLimit& limit : limits) {
    if (limit.remaining == 0) {
      any_exhausted = true;
      exhausted = Later(exhausted, limit.reset);
    } else if (!limit.remaining) {
      unknown = Later(unknown, limit.reset);
    }
  }
  return any_exhausted ? exhausted : unknown;
}

}  // namespace ccr::proxy
