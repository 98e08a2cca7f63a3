#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/rotation/fleets.h"

namespace ccr::rotation {
namespace {

std::string InWords(const LimitSpec& limit) {
  const std::string unit = limit.unit == LimitSpec::Unit::kTokens ? " tokens" : "";
  const std::string of = limit.model.empty() ? "" : " of " + limit.model;
  switch (limit.kind) {
    case LimitSpec::Kind::kBucket:
      return absl::StrFormat("%.3g%s/min, %.3g at once%s%s", limit.rate * 60, unit, limit.amount,
                             limit.holds ? ", holds" : "", of);
    case LimitSpec::Kind::kFixedWindow:
      return absl::StrFormat("%.3g%s each %s%s", limit.amount, unit, absl::FormatDuration(limit.window), of);
    case LimitSpec::Kind::kSliding:
      return absl::StrFormat("%.3g%s in any %s%s", limit.amount, unit, absl::FormatDuration(limit.window), of);
    case LimitSpec::Kind::kConcurrency:
      return absl::StrFormat("%.3g in parallel%s", limit.amount, of);
  }
  return {};
}

std::string InWords(const Spell& spell) {
  static constexpr const char* kFaults[] = {"401", "quota", "500", "503", "no connection"};
  const std::string until = spell.until >= absl::Hours(24) ? "the end" : absl::FormatDuration(spell.until);
  return absl::StrCat(kFaults[static_cast<int>(spell.fault)], " from ", absl::FormatDuration(spell.from), " to ",
                      until);
}

template <typename List>
std::string Joined(const List& list) {
  std::string out;
  for (const auto& item : list) absl::StrAppend(&out, out.empty() ? "" : " + ", InWords(item));
  return out.empty() ? "none" : out;
}

std::string Traits(const KeyModel& key) {
  static constexpr const char* kHeaders[] = {"none", "openai", "anthropic", "epoch"};
  static constexpr const char* kRetry[] = {"absent", "rounded", "exact"};
  std::string out = absl::StrCat("; headers ", kHeaders[static_cast<int>(key.headers)], ", Retry-After ",
                                 kRetry[static_cast<int>(key.retry_after)]);
  if (!key.spells.empty()) absl::StrAppend(&out, "; ", Joined(key.spells));
  if (key.slowness != 1) absl::StrAppend(&out, absl::StrFormat("; %.1f times as slow", key.slowness));
  if (key.flaky > 0) absl::StrAppend(&out, absl::StrFormat("; %.0f %% 500", key.flaky * 100));
  if (key.cut > 0) absl::StrAppend(&out, absl::StrFormat("; %.0f %% cut", key.cut * 100));
  if (key.other_user > 0) absl::StrAppend(&out, absl::StrFormat("; another user, %.1f/min", key.other_user * 60));
  return out;
}

}  // namespace

std::string Describe(const Fleet& fleet) {
  const TrafficSpec& traffic = fleet.traffic;
  std::string out = absl::StrFormat(
      "%s: %s\n  load %.2f of %.2f/s for %s, bursts of %.1f, %.0f %% in sessions, answers of %s%s, %d models; outages: "
      "%s\n",
      fleet.name, fleet.about, traffic.load, Capacity(fleet), absl::FormatDuration(traffic.length), traffic.burst,
      traffic.sessions * 100, absl::FormatDuration(absl::Trunc(traffic.seconds, absl::Milliseconds(1))),
      traffic.steady ? " each" : "", traffic.models.size(), Joined(fleet.outages));
  for (const KeyModel& key : fleet.keys) {
    absl::StrAppend(&out, "  ", key.name, ": ", Joined(key.limits), Traits(key), "\n");
  }
  return out;
}

}  // namespace ccr::rotation
