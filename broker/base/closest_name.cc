#include "broker/base/closest_name.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "broker/base/absl_text.h"

namespace ccr {
namespace {

// Levenshtein's edit distance.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string_view ClosestName(std::string_view text, const std::vector<std::string_view>& names) {
  if (text.size() > 64) return {};
  std::string_view best;
  size_t best_distance = text.size() <= 3 ? 2 : 3;
  for (const std::string_view name : names) {
    const size_t distance = EditDistance(absl::AsciiStrToLower(ToAbsl(text)), absl::AsciiStrToLower(ToAbsl(name)));
    if (distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace ccr
