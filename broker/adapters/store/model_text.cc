#include "broker/adapters/store/model_text.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/core/verdict/outcome.h"

namespace ccr {
namespace {

constexpr double kMillionth = 1e-6;
constexpr double kMost = 1e12;

// What is left of the text, word by word.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  std::string_view Next() {
    const size_t end = rest_.find(' ');
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
    return word;
  }
  template <typename Number>
  bool Next(Number* number) {
    return absl::SimpleAtoi(ToAbsl(Next()), number);
  }
  bool NextModel(std::string* model) {
    const size_t colon = rest_.find(':');
    size_t size = 0;
    if (colon == rest_.npos || !absl::SimpleAtoi(ToAbsl(rest_.substr(0, colon)), &size)) return false;
    rest_.remove_prefix(colon + 1);
    if (size == 0 || size > rest_.size()) return false;
    *model = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

 private:
  std::string_view rest_;
};

bool ReadHold(Words* words, core::KeySnapshot* key) {
  int64_t until = 0;
  core::ModelHold hold;
  if (!words->Next(&until)) return false;
  hold.until = absl::FromUnixNanos(until);
  hold.reason = core::StaticReason(words->Next());
  if (!words->NextModel(&hold.model)) return false;
  key->holds.push_back(std::move(hold));
  return true;
}

bool ReadPace(Words* words, core::KeySnapshot* key) {
  uint64_t rate = 0, depth = 0;
  core::ModelPace pace;
  if (!words->Next(&rate) || !words->Next(&depth) || !words->Next(&pace.learned.max_in_flight)) return false;
  pace.learned.rate = FromMillionths(rate);
  pace.learned.depth = FromMillionths(depth);
  if (!words->NextModel(&pace.model)) return false;
  key->paces.push_back(std::move(pace));
  return true;
}

template <typename List, typename Write>
void WriteSome(const List& list, const Write& write) {
  size_t left = kMaxStoredModels;
  for (const auto& item : list) {
    if (item.model.empty() || item.model.size() > kMaxStoredModelName) continue;
    if (left-- == 0) return;
    write(item);
  }
}

}  // namespace

std::string ModelText(const core::KeySnapshot& key) {
  std::string text;
  WriteSome(key.holds, [&text](const core::ModelHold& hold) {
    absl::StrAppend(&text, "h ", absl::ToUnixNanos(hold.until), " ", ToAbsl(hold.reason), " ", hold.model.size(), ":",
                    hold.model);
  });
  WriteSome(key.paces, [&text](const core::ModelPace& pace) {
    absl::StrAppend(&text, "p ", InMillionths(pace.learned.rate), " ", InMillionths(pace.learned.depth), " ",
                    pace.learned.max_in_flight, " ", pace.model.size(), ":", pace.model);
  });
  return text;
}

bool ReadModels(std::string_view text, core::KeySnapshot* key) {
  core::KeySnapshot read;
  for (Words words(text); !words.done();) {
    const std::string_view kind = words.Next();
    const bool good = kind == "h" ? ReadHold(&words, &read) : kind == "p" && ReadPace(&words, &read);
    if (!good) return false;
  }
  key->holds = std::move(read.holds);
  key->paces = std::move(read.paces);
  return true;
}

uint64_t InMillionths(double value) {
  return static_cast<uint64_t>(std::llround(std::clamp(value, 0.0, kMost) / kMillionth));
}

double FromMillionths(uint64_t millionths) {
  return kMillionth * static_cast<double>(millionths);
}

}  // namespace ccr
