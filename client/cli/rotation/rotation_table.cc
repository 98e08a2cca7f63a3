#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/cli/rotation/rotation_view.h"
#include "client/cli/text.h"
#include "google/protobuf/util/time_util.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
using google::protobuf::Timestamp;

constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kIndent = "  ";
constexpr size_t kGap = 2;  // between two columns
constexpr size_t kShortestName = 6;

// Without "ESC [ ... m".
std::string WithoutColors(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b') {
      plain += text[i];
      continue;
    }
    i = std::min(text.find('m', i), text.size() - 1);
  }
  return plain;
}

std::string Paint(const std::string& text, std::string_view color, bool on) {
  return on ? absl::StrCat(std::string(color), text, std::string(kReset)) : text;
}

// Why an active key would not be granted now.
std::string Hindrance(const v1::KeyStatus& key, const v1::PoolStatus& pool) {
  if (key.available() || key.state() != v1::KEY_STATE_ACTIVE) return "";
  if (key.max_concurrent() > 0 && key.in_flight() >= key.max_concurrent()) return "max_concurrent";
  const v1::Limits& limits = key.limits();
  const v1::Limits& used = key.used();
  if (key.rpm() > 0 && key.rpm_used() >= key.rpm()) return "rpm";
  if (limits.tpm() > 0 && used.tpm() >= limits.tpm()) return "tpm";
  if (limits.rpd() > 0 && used.rpd() >= limits.rpd()) return "rpd";
  if (limits.tpd() > 0 && used.tpd() >= limits.tpd()) return "tpd";
  if (pool.circuit().state() > v1::CircuitStatus::CLOSED) return "circuit";
  return key.has_pace() ? "pace" : "";
}

// "57/min, room 3", what was learned of the key's limits.
std::string Pace(const v1::KeyStatus& key) {
  if (!key.has_pace()) return "-";
  const v1::Pace& pace = key.pace();
  if (pace.rpm() <= 0) return absl::StrCat("at most ", pace.max_in_flight());
  const int decimals = pace.rpm() < 10 ? 1 : 0;
  return absl::StrFormat("%.*f/min, room %.0f", decimals, pace.rpm(), std::floor(pace.room()));
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string Since(bool present, const Timestamp& timestamp, absl::Time now) {
  return present ? FormatAgo(now - ToTime(timestamp)) : "never";
}

std::string SuccessRate(const v1::KeyStatus& key) {
  const uint64_t judged = key.successes() + key.failures();
  if (judged == 0) return "-";
  const double percent = 100.0 * static_cast<double>(key.successes()) / static_cast<double>(judged);
  return key.failures() == 0 ? "100%" : absl::StrFormat("%.1f%%", std::min(percent, 99.9));
}

std::string Latency(double ms) {
  if (ms <= 0) return "-";
  return ms < 10000 ? absl::StrFormat("%.0f ms", ms) : absl::StrFormat("%.1f s", ms / 1000);
}

std::string OfLimit(uint32_t used, uint32_t limit) {
  return limit == 0 ? absl::StrCat(used) : absl::StrCat(used, "/", limit);
}

std::string Weight(double weight) {
  return absl::StrFormat("%g", weight);
}

using Cell = std::string (*)(const v1::KeyStatus& key, const v1::PoolStatus& pool, absl::Time now);

struct Column {
  std::string_view title;
  bool right;  // aligned
  int rank;    // 0 stays always; the highest leaves a narrow terminal first
  bool only_wide;
  Cell cell;
};

constexpr size_t kNameColumn = 0;
constexpr size_t kStateColumn = 1;

const Column kColumns[] = {
    {"KEY", false, 0, false, [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) { return key.name(); }},
    {"STATE", false, 0, false,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) { return StateName(key.state()); }},
    {"REASON", false, 2, false,
     [](const v1::KeyStatus& key, const v1::PoolStatus& pool, absl::Time) { return OrDash(ReasonOf(key, pool)); }},
    {"BACK IN", true, 1, false,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time now) { return BackIn(key, now); }},
    {"FAILURES", true, 3, false,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) {
       return OfLimit(key.consecutive_failures(), key.max_failures());
     }},
    {"IN FLIGHT", true, 5, false,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) {
       return OfLimit(key.in_flight(), key.max_concurrent());
     }},
    {"USES", true, 4, false,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) { return std::to_string(key.uses()); }},
    {"SUCCESS", true, 6, false,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) { return SuccessRate(key); }},
    {"LATENCY", true, 8, false,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) { return Latency(key.latency_ms()); }},
    {"LAST USED", true, 7, false,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time now) {
       return Since(key.has_last_used(), key.last_used(), now);
     }},
    {"RPM", true, 9, true,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) { return OfLimit(key.rpm_used(), key.rpm()); }},
    {"PACE", true, 12, true, [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) { return Pace(key); }},
    {"WEIGHT", true, 10, true,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) { return Weight(key.weight()); }},
    {"FINGERPRINT", false, 11, true,
     [](const v1::KeyStatus& key, const v1::PoolStatus&, absl::Time) { return OrDash(key.fingerprint()); }},
};
constexpr size_t kColumnCount = std::size(kColumns);

using Row = std::vector<std::string>;  // a cell for each of kColumns

// Widths of the columns over all pools, so that the tables line up. 0 = the column is left out.
using Layout = std::vector<size_t>;

size_t LineWidth(const Layout& layout) {
  const auto shown = static_cast<size_t>(std::count_if(layout.begin(), layout.end(), [](size_t w) { return w > 0; }));
  return kIndent.size() + std::accumulate(layout.begin(), layout.end(), size_t{0}) + kGap * (shown - 1);
}

void NarrowTo(size_t width, Layout& layout) {
  while (LineWidth(layout) > width) {
    std::optional<size_t> victim;
    for (size_t i = 0; i < kColumnCount; ++i) {
      const bool candidate = layout[i] > 0 && kColumns[i].rank > 0;
      if (candidate && (!victim || kColumns[i].rank > kColumns[*victim].rank)) victim = i;
    }
    if (!victim) break;
    layout[*victim] = 0;
  }
  const size_t line = LineWidth(layout);
  if (line <= width) return;
  const size_t excess = line - width;
  layout[kNameColumn] = std::max(kShortestName, layout[kNameColumn] - std::min(excess, layout[kNameColumn]));
}

Layout MakeLayout(const std::vector<std::vector<Row>>& tables, const ViewOptions& options) {
  Layout layout(kColumnCount);
  for (size_t i = 0; i < kColumnCount; ++i) {
    if (kColumns[i].only_wide && !options.wide) continue;
    layout[i] = kColumns[i].title.size();
    for (const std::vector<Row>& table : tables) {
      for (const Row& row : table) layout[i] = std::max(layout[i], DisplayWidth(row[i]));
    }
  }
  if (options.width > 0 && !options.wide) NarrowTo(options.width, layout);
  return layout;
}

std::string_view StateColor(v1::KeyState state) {
  if (state == v1::KEY_STATE_ACTIVE) return kGreen;
  return state == v1::KEY_STATE_COOLING ? kYellow : kRed;
}

std::string Line(const Row& row, const Layout& layout, std::string_view state_color) {
  std::string line(kIndent);
  std::string gap;  // padding that is due before the next cell; never at the end of a line
  for (size_t i = 0; i < kColumnCount; ++i) {
    if (layout[i] == 0) continue;
    const std::string text = Fit(row[i], layout[i]);
    const std::string padding(layout[i] - std::min(layout[i], DisplayWidth(text)), ' ');
    const bool painted = i == kStateColumn && !state_color.empty();
    absl::StrAppend(&line, gap, kColumns[i].right ? padding : "", Paint(text, state_color, painted));
    gap = (kColumns[i].right ? "" : padding) + std::string(kGap, ' ');
  }
  return line + "\n";
}

std::string Circuit(const v1::PoolStatus& pool, absl::Time now) {
  const v1::CircuitStatus& circuit = pool.circuit();
  const std::string why = circuit.reason().empty() ? "" : circuit.reason() + ", ";
  if (circuit.state() == v1::CircuitStatus::HALF_OPEN) {
    return absl::StrCat(", circuit half-open (", why, "one trial at a time)");
  }
  if (circuit.state() != v1::CircuitStatus::OPEN) return "";
  if (!circuit.has_retry_at()) return ", circuit open";
  return absl::StrCat(", circuit open (", why, "trial in ", FormatWait(ToTime(circuit.retry_at()) - now), ")");
}

std::string Header(const v1::PoolStatus& pool, const ViewOptions& options) {
  std::string facts =
      absl::StrCat(", ", pool.available_keys(), "/", pool.total_keys(), " available", Circuit(pool, options.now));
  for (const v1::KeyState state : {v1::KEY_STATE_COOLING, v1::KEY_STATE_DISABLED}) {
    const auto in_state = [state](const v1::KeyStatus& key) { return key.state() == state; };
    const auto count = std::count_if(pool.keys().begin(), pool.keys().end(), in_state);
    if (count > 0) absl::StrAppend(&facts, ", ", count, " ", StateName(state));
  }
  if (pool.waiting() > 0) absl::StrAppend(&facts, ", ", pool.waiting(), " waiting");
  const std::string strategy = pool.enabled() ? pool.strategy() : "rotation off";
  const std::string whole = absl::StrCat(pool.provider(), ": ", strategy, facts);
  const bool cut = options.width > 0 && !options.wide;
  const std::string line = Fit(whole, cut ? options.width : DisplayWidth(whole));
  return Paint(line, pool.available_keys() == 0 ? kRed : kBold, options.color) + "\n";
}

std::vector<Row> Rows(const v1::PoolStatus& pool, absl::Time now) {
  std::vector<Row> rows;
  for (const v1::KeyStatus& key : pool.keys()) {
    Row& row = rows.emplace_back();
    for (const Column& column : kColumns) row.push_back(column.cell(key, pool, now));
  }
  return rows;
}

// 0 for what needs a look first.
int Ease(const v1::KeyStatus& key) {
  if (key.state() == v1::KEY_STATE_DISABLED) return 0;
  if (key.state() == v1::KEY_STATE_COOLING) return 1;
  return key.available() ? 3 : 2;
}

std::vector<int> Order(const v1::PoolStatus& pool, bool trouble_first) {
  std::vector<int> order(static_cast<size_t>(pool.keys_size()));
  std::iota(order.begin(), order.end(), 0);
  if (!trouble_first) return order;
  std::stable_sort(order.begin(), order.end(),
                   [&pool](int a, int b) { return Ease(pool.keys(a)) < Ease(pool.keys(b)); });
  return order;
}

bool HasServedSinceItsError(const v1::KeyStatus& key) {
  if (!key.has_last_success()) return false;
  return !key.has_last_error_at() || ToTime(key.last_success()) >= ToTime(key.last_error_at());
}

// A line below a key in trouble.
std::string LastError(const v1::KeyStatus& key, const ViewOptions& options) {
  const bool in_trouble = key.state() != v1::KEY_STATE_ACTIVE || !HasServedSinceItsError(key);
  if (key.last_error().empty() || (!in_trouble && !options.wide)) return "";
  std::string line = absl::StrCat("    last error: ", key.last_error());
  if (key.has_last_error_at()) absl::StrAppend(&line, ", ", Since(true, key.last_error_at(), options.now));
  if (!key.last_error_request_id().empty()) absl::StrAppend(&line, ", request ", key.last_error_request_id());
  const bool cut = options.width > 0 && !options.wide;
  return Fit(line, cut ? options.width : DisplayWidth(line)) + "\n";
}

// A line below a disabled key that no probe brings back.
std::string NextTry(const v1::KeyStatus& key, const ViewOptions& options) {
  if (key.tried_by() != v1::KeyStatus::REQUEST || !key.has_available_at()) return "";
  const absl::Duration wait = ToTime(key.available_at()) - options.now;
  const std::string when =
      wait > absl::ZeroDuration() ? absl::StrCat("a request in ", FormatWait(wait)) : "the next request";
  const std::string line = absl::StrCat("    tried by ", when, ", then at growing intervals");
  const bool cut = options.width > 0 && !options.wide;
  return Fit(line, cut ? options.width : DisplayWidth(line)) + "\n";
}

// A line for each model that the key does not serve now.
std::string Holds(const v1::KeyStatus& key, const ViewOptions& options) {
  std::string lines;
  for (const v1::ModelHold& hold : key.holds()) {
    const std::string line = absl::StrCat("    resting for ", hold.model(), ", back in ",
                                          FormatWait(ToTime(hold.until()) - options.now), ": ", hold.reason());
    const bool cut = options.width > 0 && !options.wide;
    lines += Fit(line, cut ? options.width : DisplayWidth(line)) + "\n";
  }
  return lines;
}

}  // namespace

absl::Time ToTime(const Timestamp& timestamp) {
  return absl::FromUnixNanos(google::protobuf::util::TimeUtil::TimestampToNanoseconds(timestamp));
}

absl::Time NowOf(const v1::ListPoolsResponse& response) {
  return response.has_now() ? ToTime(response.now()) : absl::Now();
}

std::string Window(const std::string& text, size_t width, size_t height, size_t* offset) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  const auto rows = [width](const std::string& line) {
    const size_t columns = std::max<size_t>(1, DisplayWidth(WithoutColors(line)));
    return width == 0 ? 1 : (columns + width - 1) / width;
  };
  size_t all = 0;
  for (const std::string& line : lines) all += rows(line);
  if (all <= height) *offset = 0;
  const size_t room = all <= height || height == 0 ? height : height - 1;
  // The last offset with which the end is in sight.
  size_t last = lines.size();
  for (size_t used = 0; last > 0 && used + rows(lines[last - 1]) <= room; --last) used += rows(lines[last - 1]);
  *offset = std::min(*offset, last);
  std::string out;
  size_t end = *offset;
  for (size_t used = 0; end < lines.size() && used + rows(lines[end]) <= room; ++end) {
    used += rows(lines[end]);
    absl::StrAppend(&out, lines[end], "\n");
  }
  if (all <= height) return out;
  const std::string more = absl::StrCat(*offset, " lines above, ", lines.size() - end, " more below");
  return out + Fit(more, width == 0 ? more.size() : width);
}

std::string ReasonOf(const v1::KeyStatus& key, const v1::PoolStatus& pool) {
  return key.reason().empty() ? Hindrance(key, pool) : key.reason();
}

std::string BackIn(const v1::KeyStatus& key, absl::Time now) {
  return key.has_available_at() ? FormatWait(ToTime(key.available_at()) - now) : "-";
}

std::string RotationTable(const v1::ListPoolsResponse& response, const ViewOptions& options) {
  std::vector<std::vector<Row>> tables;
  for (const v1::PoolStatus& pool : response.pools()) tables.push_back(Rows(pool, options.now));
  const Layout layout = MakeLayout(tables, options);
  Row titles;
  for (const Column& column : kColumns) titles.emplace_back(column.title);

  std::string text;
  if (options.watched && response.pools_size() > 1) {
    for (const v1::PoolStatus& pool : response.pools()) text += Header(pool, options);
    text += "\n";
  }
  for (int i = 0; i < response.pools_size(); ++i) {
    const v1::PoolStatus& pool = response.pools(i);
    absl::StrAppend(&text, i > 0 ? "\n" : "", Header(pool, options), Line(titles, layout, ""));
    for (const int k : Order(pool, options.watched)) {
      const std::string_view color = options.color ? StateColor(pool.keys(k).state()) : "";
      text += Line(tables[static_cast<size_t>(i)][static_cast<size_t>(k)], layout, color) +
              NextTry(pool.keys(k), options) + Holds(pool.keys(k), options) + LastError(pool.keys(k), options);
    }
  }
  return text.empty() ? "no providers\n" : text;
}

std::string EventLine(const v1::Event& event, absl::TimeZone zone) {
  const absl::Time time = ToTime(event.time());
  std::string line = absl::StrCat(absl::FormatTime("%H:%M:%S", time, zone), " ", event.pool());
  if (!event.key_name().empty()) absl::StrAppend(&line, " ", event.key_name());
  absl::StrAppend(&line, " ", EventName(event.type()));
  if (event.outcome() != v1::OUTCOME_UNSPECIFIED) absl::StrAppend(&line, " ", OutcomeName(event.outcome()));
  if (!event.reason().empty()) absl::StrAppend(&line, " (", event.reason(), ")");
  if (event.has_available_at()) absl::StrAppend(&line, ", back in ", FormatWait(ToTime(event.available_at()) - time));
  if (!event.request_id().empty()) absl::StrAppend(&line, ", request ", event.request_id());
  if (event.count() > 0) absl::StrAppend(&line, ", ", event.count(), " events");
  return Fit(line, DisplayWidth(line));
}

}  // namespace ccr::cli
