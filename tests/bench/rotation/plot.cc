#include "tests/bench/rotation/plot.h"

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ccr::rotation {
namespace {

constexpr double kLeft = 130, kRight = 170, kTop = 64, kWidth = 1400, kLane = 40, kGap = 6, kWaitingHeight = 80;

constexpr const char* kServed = "#2a9d55";
constexpr const char* kRefused = "#d62828";
constexpr const char* kFailed = "#f08c00";
constexpr const char* kCut = "#8e44ad";
constexpr const char* kResting = "#c9ced6";
constexpr const char* kDisabled = "#7d8590";
constexpr const char* kIll = "#fde2e2";

class Picture {
 public:
  Picture(const Scenario& scenario, const Run& run, const Summary& summary)
      : scenario_(scenario),
        run_(run),
        summary_(summary),
        length_(absl::ToDoubleSeconds(scenario.fleet.traffic.length)),
        bottom_(kTop + static_cast<double>(scenario.fleet.keys.size()) * (kLane + kGap)) {}

  std::string Draw() {
    Head();
    for (size_t key = 0; key < scenario_.fleet.keys.size(); ++key) Lane(key);
    Calls();
    Errors();
    Waiting();
    Axis();
    return out_ + "</svg>\n";
  }

 private:
  double X(absl::Time at) const {
    const double seconds = absl::ToDoubleSeconds(at - scenario_.start);
    return kLeft + std::clamp(seconds / length_, 0.0, 1.0) * kWidth;
  }
  static double Y(size_t key) { return kTop + static_cast<double>(key) * (kLane + kGap); }

  void Rect(double x, double y, double width, double height, const char* color, double opacity = 1) {
    absl::StrAppend(&out_,
                    absl::StrFormat(R"(<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" opacity="%.2f"/>)"
                                    "\n",
                                    x, y, std::max(width, 0.0), height, color, opacity));
  }
  void Text(double x, double y, const std::string& text, const char* anchor = "start", int size = 12) {
    absl::StrAppend(&out_, absl::StrFormat(R"(<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s">%s</text>)"
                                           "\n",
                                           x, y, size, anchor, text));
  }

  void Head() {
    const double height = bottom_ + kLane + kWaitingHeight + 60;
    out_ = absl::StrFormat(
        R"(<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" font-family="sans-serif">)"
        "\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        kLeft + kWidth + kRight, height);
    Text(kLeft, 20, absl::StrFormat("%s under %s: %s", scenario_.fleet.name, run_.policy, scenario_.fleet.about),
         "start", 15);
    Text(kLeft, 38,
         absl::StrFormat("%d requests, served %d of %d possible (%.3f), client errors %.2f %%, wasted calls %.2f %%",
                         summary_.requests, summary_.served, summary_.bound, summary_.goodput, summary_.errors * 100,
                         summary_.wasted * 100));
    double x = kLeft;
    for (const auto& [color, word] : {std::pair{kServed, "served"},
                                      {kRefused, "refused"},
                                      {kFailed, "failed"},
                                      {kCut, "cut"},
                                      {kResting, "kept out"},
                                      {kDisabled, "disabled"},
                                      {kIll, "cannot serve"}}) {
      Rect(x, 46, 12, 12, color);
      Text(x + 16, 56, word);
      x += 100;
    }
  }

  void Lane(size_t key) {
    const double y = Y(key);
    Rect(kLeft, y, kWidth, kLane, "#f6f8fa");
    for (const std::vector<Spell>* spells : {&scenario_.fleet.outages, &scenario_.fleet.keys[key].spells}) {
      for (const Spell& spell : *spells) {
        const double from = X(scenario_.start + spell.from), until = X(scenario_.start + spell.until);
        Rect(from, y, until - from, kLane, kIll);
      }
    }
    std::set<std::pair<int, int>> drawn;
    for (const RestRecord& rest : run_.rests) {
      if (rest.key != key) continue;
      const double from = X(rest.from), until = X(rest.until);
      if (!drawn.emplace(static_cast<int>(from), static_cast<int>(until)).second) continue;
      Rect(from, y + kLane * 0.35, until - from, kLane * 0.3, rest.disabled ? kDisabled : kResting);
    }
    Text(kLeft - 8, y + kLane / 2 + 4, scenario_.fleet.keys[key].name, "end");
  }

  // Good calls in the upper third, the others in the lower: what is wasted stands out.
  void Calls() {
    std::vector<std::pair<size_t, size_t>> counts(scenario_.fleet.keys.size());
    std::set<std::tuple<size_t, const char*, int>> drawn;  // one mark for each half pixel is enough
    for (const CallRecord& call : run_.calls) {
      const double x = X(call.start), y = Y(call.key);
      ++(call.good() ? counts[call.key].first : counts[call.key].second);
      const bool refused = call.status == 429 || call.status == 401;
      const char* const color = call.good() ? kServed : call.status == 200 ? kCut : refused ? kRefused : kFailed;
      if (!drawn.emplace(call.key, color, static_cast<int>(x * 2)).second) continue;
      Rect(x, call.good() ? y + 1 : y + kLane * 0.67, color == kCut ? 2 : 1, kLane * 0.32, color, 0.7);
    }
    for (size_t key = 0; key < counts.size(); ++key) {
      Text(kLeft + kWidth + 8, Y(key) + kLane / 2 + 4,
           absl::StrCat(counts[key].first, " served, ", counts[key].second, " not"));
    }
  }

  void Errors() {
    Rect(kLeft, bottom_, kWidth, kLane * 0.6, "#f6f8fa");
    Text(kLeft - 8, bottom_ + 16, "client errors", "end");
    size_t errors = 0;
    for (size_t i = 0; i < run_.requests.size(); ++i) {
      if (run_.requests[i].fate == Fate::kServed) continue;
      ++errors;
      Rect(X(scenario_.requests[i].arrival), bottom_ + 1, 1, kLane * 0.6 - 2, kRefused, 0.7);
    }
    Text(kLeft + kWidth + 8, bottom_ + 16, absl::StrCat(errors, " of ", run_.requests.size()));
  }

  void Waiting() {
    const double base = bottom_ + kLane + kWaitingHeight;
    size_t most = 1;
    for (const WaitingSample& sample : run_.waiting) most = std::max(most, sample.waiting);
    Rect(kLeft, base - kWaitingHeight, kWidth, kWaitingHeight, "#f6f8fa");
    std::string path = absl::StrFormat("M%.1f %.1f", kLeft, base);
    for (const WaitingSample& sample : run_.waiting) {
      const double height = kWaitingHeight * static_cast<double>(sample.waiting) / static_cast<double>(most);
      absl::StrAppend(&path, absl::StrFormat("H%.1fV%.1f", X(sample.at), base - height));
    }
    absl::StrAppend(&out_, absl::StrFormat(R"(<path d="%sH%.1fV%.1fZ" fill="#5b8def"/>)"
                                           "\n",
                                           path, kLeft + kWidth, base));
    Text(kLeft - 8, base - kWaitingHeight / 2, "waiting", "end");
    Text(kLeft + kWidth + 8, base - kWaitingHeight + 12, absl::StrCat("at most ", run_.waiting.empty() ? 0 : most));
  }

  void Axis() {
    const double y = bottom_ + kLane + kWaitingHeight + 16;
    const double step = length_ > 1200 ? 600 : 60;
    for (double at = 0; at <= length_; at += step) {
      const double x = kLeft + at / length_ * kWidth;
      Rect(x, kTop, 0.5, y - kTop - 12, "#555", 0.4);
      Text(x, y, absl::StrFormat("%.0f min", at / 60), "middle");
    }
  }

  const Scenario& scenario_;
  const Run& run_;
  const Summary& summary_;
  const double length_, bottom_;
  std::string out_;
};

}  // namespace

std::string Plot(const Scenario& scenario, const Run& run, const Summary& summary) {
  return Picture(scenario, run, summary).Draw();
}

}  // namespace ccr::rotation
