#include "client/cli/simulate/simulate_view.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/text.h"
#include "google/protobuf/util/time_util.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
namespace json = boost::json;
using google::protobuf::util::TimeUtil;

constexpr size_t kNameWidth = 32;  // a longer name is cut
constexpr size_t kIndentWidth = 2;
constexpr size_t kColumnGap = 3;

using Row = std::vector<std::string>;  // the first cell names it

absl::Time TimeOf(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixNanos(TimeUtil::TimestampToNanoseconds(timestamp));
}

std::string Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? "-" : absl::StrFormat("%.1f%%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string WithPercent(uint64_t part, uint64_t whole) {
  return absl::StrCat(part, part == 0 ? "" : absl::StrCat("  ", Percent(part, whole)));
}

std::string Wait(uint64_t ms) {
  if (ms == 0) return "0";
  return ms < 10'000 ? absl::StrCat(ms, " ms") : FormatWait(absl::Milliseconds(ms));
}

template <typename Cell>
Row RowOf(std::string name, const std::vector<const v1::SimulatedRun*>& runs, const Cell& cell) {
  Row row{std::move(name)};
  for (const v1::SimulatedRun* run : runs) row.push_back(cell(*run));
  return row;
}

std::string ShareOf(const std::string& key, const v1::SimulatedRun& run) {
  for (const v1::SimulatedKey& one : run.keys()) {
    if (one.name() == key) return Percent(one.attempts(), run.attempts());
  }
  return "-";
}

// Of all keys that have a part in one of the runs.
void AddKeys(const std::vector<const v1::SimulatedRun*>& runs, std::vector<Row>* rows) {
  std::vector<std::string> names;
  for (const v1::SimulatedRun* run : runs) {
    for (const v1::SimulatedKey& key : run->keys()) {
      const bool unused = run == runs.front() && key.attempts() == 0;
      if (!unused && std::find(names.begin(), names.end(), key.name()) == names.end()) names.push_back(key.name());
    }
  }
  for (const std::string& name : names) {
    rows->push_back(RowOf(Fit(name, kNameWidth), runs, [&](const auto& run) { return ShareOf(name, run); }));
  }
}

std::string Aligned(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string out;
  for (const Row& row : rows) {
    out.append(kIndentWidth, ' ');
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - DisplayWidth(row[i]), ' ');
      if (i > 0) out.append(kColumnGap, ' ');
      absl::StrAppend(&out, i == 0 ? row[i] : padding, i == 0 ? padding : row[i]);
    }
    out += '\n';
  }
  return out;
}

std::string Block(const v1::PoolSimulation& pool, absl::TimeZone zone) {
  std::vector<const v1::SimulatedRun*> runs = {&pool.recorded(), &pool.configured()};
  if (pool.has_proposed()) runs.push_back(&pool.proposed());
  std::vector<Row> rows = {{"", "RECORDED", "AS CONFIGURED", "PROPOSED"}};
  rows.front().resize(runs.size() + 1);
  rows.push_back(RowOf("strategy", runs, [](const auto& run) { return run.strategy(); }));
  rows.push_back(RowOf("requests", runs, [](const auto& run) { return absl::StrCat(run.requests()); }));
  rows.push_back(RowOf("served", runs, [](const auto& run) { return WithPercent(run.served(), run.requests()); }));
  rows.push_back(RowOf("errors", runs, [](const auto& run) { return WithPercent(run.errors(), run.requests()); }));
  rows.push_back(RowOf("own faults", runs, [](const auto& run) { return absl::StrCat(run.own_faults()); }));
  rows.push_back(RowOf("clients left", runs, [](const auto& run) { return absl::StrCat(run.left()); }));
  rows.push_back(RowOf("attempts", runs, [](const auto& run) { return absl::StrCat(run.attempts()); }));
  rows.push_back(RowOf("wasted", runs, [](const auto& run) { return WithPercent(run.wasted(), run.attempts()); }));
  rows.push_back(RowOf("wait p50", runs, [](const auto& run) { return Wait(run.wait_p50_ms()); }));
  rows.push_back(RowOf("wait p99", runs, [](const auto& run) { return Wait(run.wait_p99_ms()); }));
  AddKeys(runs, &rows);
  const absl::Time from = TimeOf(pool.from()), until = TimeOf(pool.until());
  return absl::StrCat(Fit(pool.provider(), kNameWidth), "   ", pool.truncated() ? "the last " : "",
                      pool.recorded().requests(), pool.recorded().requests() == 1 ? " request, " : " requests, ",
                      absl::FormatTime("%Y-%m-%d %H:%M:%S", from, zone), " to ",
                      absl::FormatTime("%H:%M:%S", until, zone), "\n", Aligned(rows));
}

json::value RunOrNull(bool there, const v1::SimulatedRun& run) {
  if (!there) return nullptr;
  json::array keys;
  for (const v1::SimulatedKey& key : run.keys()) {
    keys.push_back(json::object{{"name", key.name()}, {"attempts", key.attempts()}, {"served", key.served()}});
  }
  return json::object{
      {"strategy", run.strategy()},       {"requests", run.requests()},     {"served", run.served()},
      {"errors", run.errors()},           {"own_faults", run.own_faults()}, {"left", run.left()},
      {"attempts", run.attempts()},       {"wasted", run.wasted()},         {"wait_p50_ms", run.wait_p50_ms()},
      {"wait_p99_ms", run.wait_p99_ms()}, {"keys", std::move(keys)}};
}

}  // namespace

std::string SimulationTable(const v1::SimulateResponse& response, absl::TimeZone zone) {
  std::string out;
  for (const v1::PoolSimulation& pool : response.pools()) {
    absl::StrAppend(&out, out.empty() ? "" : "\n", Block(pool, zone));
  }
  return out;
}

std::string SimulationJson(const v1::SimulateResponse& response) {
  json::array pools;
  for (const v1::PoolSimulation& pool : response.pools()) {
    pools.push_back(json::object{{"provider", pool.provider()},
                                 {"from", TimeUtil::ToString(pool.from())},
                                 {"until", TimeUtil::ToString(pool.until())},
                                 {"truncated", pool.truncated()},
                                 {"recorded", RunOrNull(pool.has_recorded(), pool.recorded())},
                                 {"configured", RunOrNull(pool.has_configured(), pool.configured())},
                                 {"proposed", RunOrNull(pool.has_proposed(), pool.proposed())}});
  }
  return json::serialize(json::object{{"pools", std::move(pools)}});
}

}  // namespace ccr::cli
