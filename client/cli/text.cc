#include "client/cli/text.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace ccr::cli {
namespace {

bool IsContinuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

std::string TwoUnits(int64_t seconds) {
  constexpr int64_t kMinute = 60;
  constexpr int64_t kHour = 60 * kMinute;
  constexpr int64_t kDay = 24 * kHour;
  if (seconds < kMinute) return absl::StrFormat("%ds", seconds);
  if (seconds < kHour) return absl::StrFormat("%dm %02ds", seconds / kMinute, seconds % kMinute);
  if (seconds < kDay) return absl::StrFormat("%dh %02dm", seconds / kHour, seconds % kHour / kMinute);
  return absl::StrFormat("%dd %02dh", seconds / kDay, seconds % kDay / kHour);
}

// Optimal string alignment distance (Damerau-Levenshtein, no substring edited twice).
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({replaced, cost[i - 1][j] + 1, cost[i][j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string FormatWait(absl::Duration wait) {
  if (wait <= absl::ZeroDuration()) return "0s";
  if (wait < absl::Seconds(1)) {
    const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1)));
    if (ms < 1000) return absl::StrFormat("%d ms", ms);
  }
  return TwoUnits(absl::ToInt64Seconds(absl::Ceil(wait, absl::Seconds(1))));
}

std::string FormatAgo(absl::Duration age) {
  if (age < absl::Seconds(1)) return "now";
  return TwoUnits(absl::ToInt64Seconds(age)) + " ago";
}

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char byte) { return !IsContinuation(byte); }));
}

std::string Fit(std::string_view text, size_t width) {
  const bool cut = DisplayWidth(text) > width;
  if (cut && width == 0) return "";
  const size_t kept = cut ? width - 1 : width;
  std::string fitted;
  size_t columns = 0;
  for (const char byte : text) {
    if (!IsContinuation(byte) && ++columns > kept) break;
    const auto code = static_cast<unsigned char>(byte);
    fitted += code < 0x20 || code == 0x7F ? '?' : byte;
  }
  return cut ? fitted + "…" : fitted;
}

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr size_t kFarthest = 2;
  std::string nearest;
  size_t best = kFarthest + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance >= best || distance >= candidate.size()) continue;
    best = distance;
    nearest = candidate;
  }
  return nearest;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace ccr::cli
