#include "tests/bench/rotation/summary.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ccr::rotation {
namespace {

constexpr absl::Duration kCached = absl::Minutes(5);  // that a provider keeps a prompt

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

double Ratio(size_t part, size_t whole, double none = 0) {
  return whole == 0 ? none : static_cast<double>(part) / static_cast<double>(whole);
}

// Best: each request of a session but its first, when the one before is not too long ago. Hits: the key that served it
// had served the session lately.
double CacheShare(const Scenario& scenario, const Run& run) {
  std::map<uint64_t, absl::Time> last_arrival;
  std::map<std::pair<uint64_t, size_t>, absl::Time> last_served;
  size_t best = 0, hits = 0;
  for (size_t i = 0; i < run.requests.size(); ++i) {
    const Request& request = scenario.requests[i];
    const RequestRecord& record = run.requests[i];
    if (request.session == 0 || record.fate != Fate::kServed) continue;
    const auto before = last_arrival.find(request.session);
    if (before != last_arrival.end() && request.arrival - before->second < kCached) ++best;
    last_arrival[request.session] = request.arrival;
    const auto served = last_served.find({request.session, record.key});
    if (served != last_served.end() && request.arrival - served->second < kCached) ++hits;
    last_served[{request.session, record.key}] = request.arrival;
  }
  return Ratio(hits, best, 1);
}

double Fairness(const Scenario& scenario, const Run& run) {
  std::vector<size_t> served(scenario.fleet.keys.size());
  for (const RequestRecord& record : run.requests) {
    if (record.fate == Fate::kServed) ++served[record.key];
  }
  std::map<std::string, std::pair<size_t, size_t>> groups;  // least, most
  for (size_t key = 0; key < served.size(); ++key) {
    const std::string& group = scenario.fleet.keys[key].group;
    if (group.empty()) continue;
    const auto [at, is_new] = groups.try_emplace(group, served[key], served[key]);
    at->second = {std::min(at->second.first, served[key]), std::max(at->second.second, served[key])};
  }
  double worst = 1;
  for (const auto& [group, range] : groups) {
    worst = std::max(worst, static_cast<double>(range.second) / static_cast<double>(std::max<size_t>(range.first, 1)));
  }
  return worst;
}

}  // namespace

Summary Summarize(const Scenario& scenario, const Run& run, size_t bound) {
  Summary out{.fleet = scenario.fleet.name, .policy = run.policy};
  out.requests = run.requests.size();
  out.bound = bound;
  out.calls = run.calls.size();
  out.probes = run.probes;
  std::vector<double> waits, returns;
  for (const RequestRecord& record : run.requests) {
    switch (record.fate) {
      case Fate::kServed:
        ++out.served;
        waits.push_back(absl::ToDoubleSeconds(record.wait));
        break;
      case Fate::kRefused:
        ++out.refusals;
        break;
      case Fate::kRelayed:
        ++out.relayed;
        break;
      case Fate::kCut:
        ++out.cut;
        break;
      case Fate::kGaveUp:
        ++out.gave_up;
        break;
    }
  }
  size_t wasted = 0, refused = 0;
  for (const CallRecord& call : run.calls) {
    wasted += call.good() ? 0 : 1;
    refused += call.status == 429 || call.status == 401 ? 1 : 0;
    out.known_dead += call.known_dead ? 1 : 0;
    out.in_rest += call.in_announced_rest ? 1 : 0;
  }
  for (const ReturnRecord& back : run.returns) {
    const double seconds = absl::ToDoubleSeconds(back.ready - back.well);
    if (back.dead) out.back_dead_max = std::max(out.back_dead_max, seconds);
    if (!back.dead) returns.push_back(seconds);
  }
  out.goodput = Ratio(out.served, bound, 1);
  out.errors = Ratio(out.requests - out.served, out.requests);
  out.avoidable = out.served < bound ? Ratio(bound - out.served, out.requests) : 0;
  out.wasted = Ratio(wasted, out.calls);
  out.refused = Ratio(refused, out.calls);
  out.wait_p50 = Percentile(waits, 0.5);
  out.wait_p99 = Percentile(waits, 0.99);
  out.cache = CacheShare(scenario, run);
  out.fairness = Fairness(scenario, run);
  out.back_p99 = Percentile(returns, 0.99);
  out.back_max = Percentile(returns, 1);
  return out;
}

std::string TableHead() {
  return absl::StrFormat("%-12s %-6s %6s %7s %6s %6s %6s %6s %5s %5s %6s %6s %6s %5s %6s %6s\n", "fleet", "policy",
                         "reqs", "goodput", "err%", "avoid%", "waste%", "refus%", "dead", "rest", "w50 s", "w99 s",
                         "cache", "fair", "bk99 s", "bkmax");
}

std::string TableRow(const Summary& s) {
  return absl::StrFormat("%-12s %-6s %6d %7.3f %6.2f %6.2f %6.2f %6.2f %5d %5d %6.2f %6.2f %6.2f %5.2f %6.1f %6.1f\n",
                         s.fleet, s.policy, s.requests, s.goodput, s.errors * 100, s.avoidable * 100, s.wasted * 100,
                         s.refused * 100, s.known_dead, s.in_rest, s.wait_p50, s.wait_p99, s.cache, s.fairness,
                         s.back_p99, s.back_max);
}

std::string ToJson(const Summary& s) {
  return absl::StrFormat(
      R"({"fleet":"%s","policy":"%s","requests":%d,"bound":%d,"served":%d,"goodput":%.4f,"errors":%.5f,"avoidable":%.5f,)"
      R"("calls":%d,"wasted":%.5f,"refused":%.5f,"known_dead":%d,"in_rest":%d,"wait_p50":%.4f,"wait_p99":%.4f,)"
      R"("cache":%.4f,"fairness":%.3f,"back_p99":%.3f,"back_max":%.3f,"back_dead_max":%.3f,"cut":%d,"relayed":%d,"refusals":%d,)"
      R"("gave_up":%d,"probes":%d})",
      s.fleet, s.policy, s.requests, s.bound, s.served, s.goodput, s.errors, s.avoidable, s.calls, s.wasted, s.refused,
      s.known_dead, s.in_rest, s.wait_p50, s.wait_p99, s.cache, s.fairness, s.back_p99, s.back_max, s.back_dead_max,
      s.cut, s.relayed, s.refusals, s.gave_up, s.probes);
}

}  // namespace ccr::rotation
