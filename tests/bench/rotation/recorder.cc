#include "tests/bench/rotation/recorder.h"

#include <algorithm>
#include <utility>

namespace ccr::rotation {

Recorder::Recorder(const Scenario& scenario, absl::Duration news_travel)
    : scenario_(scenario),
      news_travel_(news_travel),
      provider_(scenario),
      keys_(scenario.fleet.keys.size()),
      refused_by_(scenario.requests.size()) {
  run_.requests.resize(scenario.requests.size());
  for (KeyView& key : keys_) key.rests.resize(scenario.fleet.traffic.models.size());
}

Recorder::Call Recorder::Begin(size_t request, size_t key, absl::Time now) {
  const Request& asked = scenario_.requests[request];
  KeyView& view = keys_[key];
  CallRecord record{.key = key, .request = request, .start = now};
  record.known_dead = now >= view.known_dead && provider_.IsDead(key, now);
  record.in_announced_rest = now >= view.rests[asked.model].known && now < view.rests[asked.model].until;
  if (view.out && now >= view.well) {
    run_.returns.push_back({key, view.well, now, view.out_dead});
    view.out = false;
  }
  Reply reply = provider_.Call(key, asked, now);
  record.status = reply.status;
  record.cut = reply.cut;
  record.end = now + reply.total;
  RequestRecord& outcome = run_.requests[request];
  ++outcome.calls;
  outcome.wait = now - asked.arrival;
  outcome.key = key;
  run_.calls.push_back(record);
  return {run_.calls.size() - 1, std::move(reply)};
}

void Recorder::End(const Call& call, absl::Time now) {
  const CallRecord& record = run_.calls[call.number];
  KeyView& view = keys_[record.key];
  const size_t model = scenario_.requests[record.request].model;
  run_.calls[call.number].end = now;
  if (record.status == 200) {
    provider_.OnEnded(record.key, model);
    if (!record.good()) return;
    view.known_dead = absl::InfiniteFuture();
    for (size_t refused : refused_by_[record.request]) {
      if (refused != record.key) keys_[refused].known_dead = std::min(keys_[refused].known_dead, now + news_travel_);
    }
    return;
  }
  if (record.status == 401) refused_by_[record.request].push_back(record.key);
  if (call.reply.rest_until > view.rests[model].until) view.rests[model] = {now + news_travel_, call.reply.rest_until};
  NoteFault(record.key, record.request, call.reply, now);
}

// From when on the key, by all that the provider knows, would serve again.
void Recorder::NoteFault(size_t key, size_t request, const Reply& reply, absl::Time now) {
  KeyView& view = keys_[key];
  absl::Time well = absl::InfinitePast();
  for (const std::vector<Spell>* spells : {&scenario_.fleet.outages, &scenario_.fleet.keys[key].spells}) {
    for (const Spell& spell : *spells) {
      if (now - reply.total >= scenario_.start + spell.from && now - reply.total < scenario_.start + spell.until) {
        well = std::max(well, scenario_.start + spell.until);
      }
    }
  }
  const bool of_limit = well == absl::InfinitePast() && reply.status == 429;
  if (of_limit) well = std::max(reply.room_at, reply.rest_until);
  if (well == absl::InfinitePast() || well >= scenario_.end()) return;
  view.well = view.out ? std::max(view.well, well) : well;
  view.out = true;
  view.out_dead = reply.status == 401;
  view.refused = of_limit ? std::optional(request) : std::nullopt;
}

void Recorder::Cancel(const Call& call, absl::Time now) {
  CallRecord& record = run_.calls[call.number];
  record.cancelled = true;
  record.end = now;
  if (record.status == 200) provider_.OnEnded(record.key, scenario_.requests[record.request].model);
}

void Recorder::Probed(size_t key, int status, absl::Time now) {
  ++run_.probes;
  if (status == 401) keys_[key].known_dead = std::min(keys_[key].known_dead, now + news_travel_);
  if (status == 200) keys_[key].known_dead = absl::InfiniteFuture();
}

void Recorder::Finish(size_t request, Fate fate, int status) {
  run_.requests[request].fate = fate;
  run_.requests[request].status = status;
}

void Recorder::Waiting(size_t waiting, absl::Time now) {
  if (run_.waiting.empty() || run_.waiting.back().waiting != waiting) run_.waiting.push_back({now, waiting});
}

void Recorder::LookForReturns(absl::Time now, const std::function<bool(size_t key)>& ready) {
  for (size_t key = 0; key < keys_.size(); ++key) {
    KeyView& view = keys_[key];
    if (!view.out || now < view.well) continue;
    // Calls in flight, and other users, may have taken the room that there was to be.
    const absl::Time good = view.refused ? provider_.GoodAt(key, scenario_.requests[*view.refused], now) : now;
    if (good > now) view.well = good;
    if (good > now || !ready(key)) continue;
    run_.returns.push_back({key, view.well, now, view.out_dead});
    view.out = false;
  }
}

Run Recorder::Take(std::string policy) {
  for (size_t key = 0; key < keys_.size(); ++key) {
    if (keys_[key].out && keys_[key].well < scenario_.end())
      run_.returns.push_back({key, keys_[key].well, scenario_.end(), keys_[key].out_dead});
  }
  run_.policy = std::move(policy);
  return std::move(run_);
}

}  // namespace ccr::rotation
