// The forms in which providers say when a key is back.
#pragma once

#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace ccr::proxy {

// What is later than this, by whatever words, is this: the longest windows of quotas are a year.
inline constexpr absl::Duration kMaxResetWait = absl::Hours(400 * 24);

// All of these give the time from `now`, from 0 to kMaxResetWait; nothing when the text has another form.

// `text` whole, blanks around it aside:
//   a number, decimals too   by its size: below 10^9 in units of `unit`, from there an epoch in seconds, from 10^11 in
//                            milliseconds, unless that is more than a day ago
//   a duration               7m12s, 850ms, 2m59.56s, "1 hour 5 minutes"
//   a moment                 an HTTP date (RFC 9110, 5.6.7), RFC 3339, "2026-12-01 02:00:00 UTC" (UTC without a zone)
// Signs, exponents, "nan" and "inf" are no numbers.
std::optional<absl::Duration> ParseReset(std::string_view text, absl::Time now, absl::Duration unit = absl::Seconds(1));

// Of a sentence: the latest moment or duration behind words that tell of waiting or coming back, in the same sentence
// and near to them. "Please try again in 7m12s", "Limit resets at 2026-12-01 02:00:00", "You will regain access on
// 2026-12-01 at 00:00 UTC".
std::optional<absl::Duration> FindReset(std::string_view sentence, absl::Time now);

// The later of those that there are.
std::optional<absl::Duration> Later(std::optional<absl::Duration> a, std::optional<absl::Duration> b);

// Until the next midnight in California, where Google's days end.
absl::Duration UntilPacificMidnight(absl::Time now);

}  // namespace ccr::proxy
