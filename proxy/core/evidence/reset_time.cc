#include "proxy/core/evidence/reset_time.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "proxy/core/ascii.h"

namespace ccr::proxy {
namespace {

constexpr double kLeastEpoch = 1e9;
constexpr double kLeastEpochMs = 1e11;
constexpr absl::Duration kMaxPast = absl::Hours(24);  // of an epoch; what is longer ago is none

// From a word that tells of waiting to the time it speaks of.
constexpr size_t kMaxDistance = 64;

absl::Duration Bounded(absl::Duration wait) {
  return std::clamp(wait, absl::ZeroDuration(), kMaxResetWait);
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLetter(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c));
}

// Reads a text from its beginning. What has another form is left where it was.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  char next() const { return rest_.empty() ? '\0' : rest_.front(); }
  void Skip(std::string_view any_of) { rest_.remove_prefix(std::min(rest_.find_first_not_of(any_of), rest_.size())); }
  bool Take(std::string_view text) {
    const bool same = SameWithoutCase(rest_.substr(0, text.size()), text);
    if (same) rest_.remove_prefix(text.size());
    return same;
  }

  // Exactly `digits` of them.
  std::optional<int> Digits(size_t digits) {
    if (rest_.size() < digits || !std::all_of(rest_.begin(), rest_.begin() + digits, IsDigit)) return std::nullopt;
    int number = 0;
    for (; digits > 0; --digits) {
      number = number * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return number;
  }

  // 7, 7.25, .5; a point that ends a sentence stays.
  std::optional<double> Number() {
    size_t end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (end + 1 < rest_.size() && rest_[end] == '.' && IsDigit(rest_[end + 1]))
      end = std::min(rest_.find_first_not_of("0123456789", end + 1), rest_.size());
    double number = 0;
    if (end == 0 || !absl::SimpleAtod(ToAbsl(rest_.substr(0, end)), &number)) return std::nullopt;
    rest_.remove_prefix(end);
    return number;
  }

  std::string_view Letters() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), IsLetter);
    const std::string_view letters = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
    rest_.remove_prefix(letters.size());
    return letters;
  }

 private:
  std::string_view rest_;
};

std::optional<absl::Duration> TimeUnit(std::string_view word) {
  struct Unit {
    std::string_view word;
    absl::Duration unit;
  };
  static constexpr std::array<Unit, 27> kUnits = {{
      {"ns", absl::Nanoseconds(1)},
      {"us", absl::Microseconds(1)},
      {"ms", absl::Milliseconds(1)},
      {"msec", absl::Milliseconds(1)},
      {"millisecond", absl::Milliseconds(1)},
      {"milliseconds", absl::Milliseconds(1)},
      {"s", absl::Seconds(1)},
      {"sec", absl::Seconds(1)},
      {"secs", absl::Seconds(1)},
      {"second", absl::Seconds(1)},
      {"seconds", absl::Seconds(1)},
      {"m", absl::Minutes(1)},
      {"min", absl::Minutes(1)},
      {"mins", absl::Minutes(1)},
      {"minute", absl::Minutes(1)},
      {"minutes", absl::Minutes(1)},
      {"h", absl::Hours(1)},
      {"hr", absl::Hours(1)},
      {"hrs", absl::Hours(1)},
      {"hour", absl::Hours(1)},
      {"hours", absl::Hours(1)},
      {"d", absl::Hours(24)},
      {"day", absl::Hours(24)},
      {"days", absl::Hours(24)},
      {"w", absl::Hours(24 * 7)},
      {"week", absl::Hours(24 * 7)},
      {"weeks", absl::Hours(24 * 7)},
  }};
  const auto* unit =
      std::find_if(kUnits.begin(), kUnits.end(), [word](const Unit& u) { return SameWithoutCase(u.word, word); });
  if (unit == kUnits.end()) return std::nullopt;
  return unit->unit;
}

std::optional<absl::Duration> ReadDuration(Reader* reader) {
  std::optional<absl::Duration> sum;
  for (Reader at = *reader;; *reader = at) {
    if (sum) {
      at.Skip(" ,");
      if (at.Take("and")) at.Skip(" ");
    }
    const std::optional<double> number = at.Number();
    if (!number) return sum;
    at.Skip(" ");
    const std::optional<absl::Duration> unit = at.Take("\xC2\xB5s") ? absl::Microseconds(1) : TimeUnit(at.Letters());
    if (!unit) return sum;
    sum = sum.value_or(absl::ZeroDuration()) + *number * *unit;
  }
}

// "Z", "UTC", "GMT", "+08:00", "UTC+8"; nothing is UTC.
absl::Duration ReadZone(Reader* reader) {
  Reader at = *reader;
  at.Skip(" (");
  const bool named = at.Take("UTC") || at.Take("GMT") || at.Take("Z");
  if (named) *reader = at;
  const bool east = at.next() == '+';
  if (!east && at.next() != '-') return absl::ZeroDuration();
  at.Skip("+-");
  std::optional<int> hours = at.Digits(2);
  if (!hours) hours = at.Digits(1);
  if (!hours || *hours > 14) return absl::ZeroDuration();
  at.Skip(":");
  const absl::Duration offset = absl::Hours(*hours) + absl::Minutes(at.Digits(2).value_or(0));
  *reader = at;
  return east ? offset : -offset;
}

// "02:00", "02:00:00.5", with what parts it from the date before.
std::optional<absl::Duration> ReadTimeOfDay(Reader* reader) {
  Reader at = *reader;
  if (!at.Take("T")) {
    at.Skip(" ,");
    if (at.Take("at")) at.Skip(" ");
  }
  const std::optional<int> hour = at.Digits(2);
  if (!hour || *hour > 24 || !at.Take(":")) return std::nullopt;
  const std::optional<int> minute = at.Digits(2);
  if (!minute || *minute > 59) return std::nullopt;
  *reader = at;
  double second = 0;
  if (at.Take(":")) {
    second = at.Number().value_or(0);
    *reader = at;
  }
  return absl::Hours(*hour) + absl::Minutes(*minute) + absl::Seconds(std::min(second, 60.0));
}

// 2026-12-01 or 2026/12/01, and a time of that day if there is one.
std::optional<absl::Time> ReadMoment(Reader* reader) {
  Reader at = *reader;
  const std::optional<int> year = at.Digits(4);
  const char dash = at.next();
  if (!year || (dash != '-' && dash != '/')) return std::nullopt;
  at.Take({&dash, 1});
  const std::optional<int> month = at.Digits(2);
  if (!month || *month < 1 || *month > 12 || !at.Take({&dash, 1})) return std::nullopt;
  const std::optional<int> day = at.Digits(2);
  if (!day || *day < 1 || *day > 31 || IsDigit(at.next())) return std::nullopt;
  absl::Time moment = absl::FromCivil(absl::CivilDay(*year, *month, *day), absl::UTCTimeZone());
  *reader = at;
  if (const auto time = ReadTimeOfDay(&at)) {
    moment += *time;
    moment -= ReadZone(&at);
    *reader = at;
  }
  return moment;
}

std::optional<absl::Time> ParseHttpDate(std::string_view text) {
  static constexpr std::array<const char*, 3> kForms = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                                        "%a %b %e %H:%M:%S %Y"};
  for (const char* form : kForms) {
    absl::Time date;
    if (absl::ParseTime(form, ToAbsl(text), &date, nullptr)) return date;
  }
  return std::nullopt;
}

absl::Duration BySize(double number, absl::Time now, absl::Duration unit) {
  if (number < kLeastEpoch) return Bounded(number * unit);
  const bool ms = number >= kLeastEpochMs;
  const absl::Time moment = absl::UnixEpoch() + number * (ms ? absl::Milliseconds(1) : absl::Seconds(1));
  return Bounded(moment < now - kMaxPast ? number * unit : moment - now);
}

// A moment, an epoch or a duration at the beginning of `text`, which goes on.
std::optional<absl::Duration> ReadReset(std::string_view text, absl::Time now) {
  Reader reader(text);
  if (const auto moment = ReadMoment(&reader)) return Bounded(*moment - now);
  if (const auto duration = ReadDuration(&reader)) return Bounded(*duration);
  const std::optional<double> number = reader.Number();
  if (!number || *number < kLeastEpoch || IsLetter(reader.next())) return std::nullopt;
  return BySize(*number, now, absl::Seconds(1));
}

// What follows is not when, but how often.
bool EndsWithRate(std::string_view text) {
  text = TrimBlanks(text);
  return text.ends_with("every") || text.ends_with("per") || text.ends_with("each");
}

// The first time in `text`, the lower-cased rest of a sentence behind a word of waiting.
std::optional<absl::Duration> FirstReset(std::string_view text, absl::Time now) {
  const size_t end = std::min(text.size(), kMaxDistance);
  for (size_t at = 0; at < end; ++at) {
    const bool sentence_ends = text[at] == '.' && (at + 1 == text.size() || text[at + 1] == ' ');
    if (sentence_ends || text[at] == '\n') break;
    if (!IsDigit(text[at]) || (at > 0 && absl::ascii_isalnum(static_cast<unsigned char>(text[at - 1])))) continue;
    if (EndsWithRate(text.substr(0, at))) break;
    if (const auto wait = ReadReset(text.substr(at), now)) return wait;
  }
  return std::nullopt;
}

// Clocks change at two in the morning: on the second Sunday of March (then UTC-8), on the first of November (UTC-7).
absl::Duration PacificOffset(absl::Time time) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::civil_year_t year = absl::ToCivilYear(time - absl::Hours(8), utc).year();
  const auto sunday = [year, utc](int month, int day, int hour) {
    const absl::CivilDay first = absl::NextWeekday(absl::CivilDay(year, month, day) - 1, absl::Weekday::sunday);
    return absl::FromCivil(first, utc) + absl::Hours(hour);
  };
  const bool summer = time >= sunday(3, 8, 10) && time < sunday(11, 1, 9);
  return absl::Hours(summer ? -7 : -8);
}

}  // namespace

std::optional<absl::Duration> ParseReset(std::string_view text, absl::Time now, absl::Duration unit) {
  text = TrimBlanks(text);
  Reader reader(text);
  if (const auto moment = ReadMoment(&reader); moment && reader.done()) return Bounded(*moment - now);
  reader = Reader(text);
  if (const auto duration = ReadDuration(&reader); duration && reader.done()) return Bounded(*duration);
  reader = Reader(text);
  if (const auto number = reader.Number(); number && reader.done()) return BySize(*number, now, unit);
  if (const auto date = ParseHttpDate(text)) return Bounded(*date - now);
  return std::nullopt;
}

std::optional<absl::Duration> FindReset(std::string_view sentence, absl::Time now) {
  static constexpr std::array<std::string_view, 11> kWords = {
      "again",     "retry", "reset",   "regain",  "wait ",          "until",
      "available", "renew", "refresh", "restore", "limit reached|",
  };
  const std::string lower = absl::AsciiStrToLower(ToAbsl(sentence));
  std::optional<absl::Duration> latest;
  for (const std::string_view word : kWords) {
    for (size_t at = lower.find(word); at != lower.npos; at = lower.find(word, at + 1)) {
      const auto wait = FirstReset(std::string_view(lower).substr(at + word.size()), now);
      latest = Later(latest, wait);
    }
  }
  return latest;
}

std::optional<absl::Duration> Later(std::optional<absl::Duration> a, std::optional<absl::Duration> b) {
  return a && b ? std::max(*a, *b) : (a ? a : b);
}

absl::Duration UntilPacificMidnight(absl::Time now) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::Duration offset = PacificOffset(now);
  const absl::Time midnight = absl::FromCivil(absl::ToCivilDay(now + offset, utc) + 1, utc);
  return midnight - PacificOffset(midnight - offset) - now;
}

}  // namespace ccr::proxy
