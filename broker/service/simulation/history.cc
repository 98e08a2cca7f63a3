#include "broker/service/simulation/history.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace ccr::simulation {
namespace {

// Follows the leases of the record, entry by entry.
class Reader {
 public:
  explicit Reader(const Record& record) { history_.truncated = record.truncated; }

  void Take(const Entry& entry) {
    std::visit([&](const auto& what) { On(entry, what); }, entry.what);
  }

  History Done(size_t most) {
    std::vector<PastRequest>& done = history_.requests;
    for (Open& open : requests_) {
      if (open.over) done.push_back(std::move(open.request));
    }
    if (done.size() > most) {
      done.erase(done.begin(), done.end() - static_cast<std::ptrdiff_t>(most));
      history_.truncated = true;
    }
    if (!done.empty()) {
      history_.from = done.front().arrival;
      history_.until = done.back().arrival;
    }
    return std::move(history_);
  }

 private:
  struct Open {
    PastRequest request;
    bool over = false;  // as far as is known: another lease may follow
  };
  struct Lease {
    size_t request = 0;
    absl::Time since;  // asked for, then granted
  };

  void On(const Entry& entry, const Asked& asked) {
    const size_t request = RequestOf(entry, asked);
    if (request == requests_.size()) return;
    if (asked.waits || entry.key != core::kNoKey) leases_[entry.lease] = {request, entry.at()};
    // Refused: what it had before is its end, be that nothing.
    requests_[request].over = !asked.waits && entry.key == core::kNoKey;
  }

  // The size of requests_ when its beginning is not in the record.
  size_t RequestOf(const Entry& entry, const Asked& asked) {
    if (asked.before != 0) {
      const auto known = ended_.find(asked.before);
      if (known == ended_.end()) return requests_.size();
      return known->second;
    }
    PastRequest request;
    request.arrival = entry.at();
    request.session = asked.session;
    request.model = asked.model;
    request.estimated_tokens = asked.tokens;
    request.max_wait = absl::Milliseconds(asked.max_wait_ms);
    requests_.push_back({std::move(request)});
    return requests_.size() - 1;
  }

  void On(const Entry& entry, const Answered& /*answered*/) {
    const auto lease = leases_.find(entry.lease);
    if (lease == leases_.end()) return;
    Open& open = requests_[lease->second.request];
    open.request.waited += entry.at() - lease->second.since;
    lease->second.since = entry.at();
    open.over = entry.key == core::kNoKey;
    if (open.over) leases_.erase(lease);
  }

  void On(const Entry& entry, const Left& /*left*/) {
    const auto lease = leases_.find(entry.lease);
    if (lease == leases_.end()) return;
    Open& open = requests_[lease->second.request];
    open.request.left = entry.at() - open.request.arrival;
    open.request.ending = Ending::kLeft;
    open.over = true;
    leases_.erase(lease);
  }

  void On(const Entry& entry, const Ended& ended) {
    const auto lease = leases_.find(entry.lease);
    if (lease == leases_.end()) return;
    const size_t number = lease->second.request;
    Open& open = requests_[number];
    open.over = true;
    ended_[entry.lease] = number;
    const absl::Time granted = lease->second.since;
    leases_.erase(lease);
    if (ended.own_fault && ended.total_us == 0) return;  // given back unused
    Attempt& attempt = open.request.attempts.emplace_back();
    attempt.key = entry.key;
    attempt.granted = granted;
    attempt.ended = entry.at();
    attempt.first_byte = absl::Microseconds(ended.first_byte_us);
    if (ended.retry_after_ms != kUntold) attempt.retry_after = absl::Milliseconds(ended.retry_after_ms);
    attempt.tokens = ended.tokens;
    if (ended.limit > 0) {
      attempt.limit = ToldLimit{granted, static_cast<double>(ended.limit), static_cast<double>(ended.remaining),
                                absl::Milliseconds(ended.reset_ms)};
    }
    attempt.http_status = ended.http_status;
    attempt.outcome = ended.outcome;
    open.request.ending = EndingOf(ended.outcome);
    if (ended.outcome == core::Outcome::kNeutral) open.request.left = entry.at() - open.request.arrival;
  }

  void On(const Entry& entry, const Probed& probed) {
    history_.probes.push_back({entry.at(), entry.key, probed.http_status});
  }

  static Ending EndingOf(core::Outcome outcome) {
    switch (outcome) {
      case core::Outcome::kSuccess:
        return Ending::kServed;
      case core::Outcome::kCallerFault:
        return Ending::kOwnFault;
      case core::Outcome::kNeutral:
        return Ending::kLeft;
      default:
        return Ending::kError;
    }
  }

  History history_;
  std::vector<Open> requests_;
  absl::flat_hash_map<uint64_t, Lease> leases_;  // in flight or waited for
  absl::flat_hash_map<uint64_t, size_t> ended_;  // reported: the request of each
};

}  // namespace

History Read(const Record& record, size_t most) {
  Reader reader(record);
  const int64_t since = absl::ToUnixNanos(record.since);
  for (const auto& chunk : record.chunks) {
    for (const Entry& entry : *chunk) {
      if (entry.unix_ns >= since) reader.Take(entry);
    }
  }
  History history = reader.Done(most);
  history.models = record.models;
  return history;
}

Counts Recorded(const History& history) {
  Counter counter;
  for (const PastRequest& request : history.requests) {
    for (const Attempt& attempt : request.attempts) counter.Call(attempt.key, attempt.outcome);
    counter.Finish(request.ending, request.waited);
  }
  return counter.Take();
}

}  // namespace ccr::simulation
