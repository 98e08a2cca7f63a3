#include "broker/service/simulation/recorder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "broker/base/absl_text.h"

namespace ccr::simulation {
namespace {

constexpr absl::Duration kLongestWindow = absl::Seconds(90);

uint64_t TagOf(const core::LeaseId& id) {
  return id.random_low;
}

uint32_t Narrow(uint64_t number) {
  return static_cast<uint32_t>(std::min<uint64_t>(number, kUntold - 1));
}

uint32_t Millis(absl::Duration time) {
  return Narrow(static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Milliseconds(time))));
}

uint32_t Micros(absl::Duration time) {
  return Narrow(static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Microseconds(time))));
}

core::KeyIndex KeyOf(const core::LeaseResult& result) {
  const auto* grant = std::get_if<core::Grant>(&result);
  return grant == nullptr ? core::kNoKey : grant->key;
}

void TellLimit(const core::RateLimits& limits, Ended* end) {
  for (const core::RateLimit& limit : limits) {
    const bool told = limit.limit && limit.remaining && limit.reset && *limit.reset <= kLongestWindow;
    if (!told || limit.unit != core::RateLimit::Unit::kRequests) continue;
    end->limit = Narrow(*limit.limit);
    end->remaining = Narrow(*limit.remaining);
    end->reset_ms = Millis(*limit.reset);
    return;
  }
}

Ended EndOf(const core::Evidence& evidence, const core::Decision& decision) {
  Ended end;
  end.first_byte_us = Micros(evidence.first_byte);
  end.total_us = Micros(evidence.total);
  if (evidence.retry_after) end.retry_after_ms = Millis(*evidence.retry_after);
  end.tokens = Narrow(evidence.input_tokens + evidence.output_tokens);
  TellLimit(evidence.rate_limits, &end);
  end.http_status = static_cast<uint16_t>(decision.http_status);
  end.outcome = decision.outcome;
  end.own_fault = evidence.caller_fault;
  return end;
}

}  // namespace

void Recorder::OnAsked(const core::Pool::LeaseArgs& args, absl::Duration max_wait,
                       const std::optional<core::LeaseResult>& result, absl::Time now) {
  if (!on()) return;
  const uint16_t model = NumberOf(args.model);
  Entry& entry = Add(now);
  entry.lease = TagOf(args.id);
  entry.key = result ? KeyOf(*result) : core::kNoKey;
  entry.what = Asked{TagOf(args.retry_of),          args.session, Millis(max_wait),
                     Narrow(args.estimated_tokens), model,        !result.has_value()};
}

void Recorder::OnAnswered(const core::LeaseId& lease, const core::LeaseResult& result, absl::Time now) {
  if (!on()) return;
  Entry& entry = Add(now);
  entry.lease = TagOf(lease);
  entry.key = KeyOf(result);
  entry.what = Answered{};
}

void Recorder::OnLeft(const core::LeaseId& lease, absl::Time now) {
  if (!on()) return;
  Entry& entry = Add(now);
  entry.lease = TagOf(lease);
  entry.what = Left{};
}

void Recorder::OnEnded(const core::Report& report, const core::Decision& decision, absl::Time now) {
  if (!on() || decision.disposition != core::Disposition::kApplied) return;
  Entry& entry = Add(now);
  entry.lease = TagOf(report.id);
  entry.key = decision.key;
  entry.what = EndOf(report.evidence, decision);
}

void Recorder::OnProbed(core::KeyIndex key, const core::Evidence& evidence, absl::Time now) {
  if (!on()) return;
  Entry& entry = Add(now);
  entry.key = key;
  entry.what = Probed{static_cast<uint16_t>(evidence.http_status)};
}

Record Recorder::Copy(absl::Time now) const {
  Record record;
  record.since = now - kAge;
  record.models = models_;
  record.truncated = truncated_;
  record.chunks.assign(full_.begin(), full_.end());
  if (last_ != nullptr && !last_->empty()) record.chunks.push_back(std::make_shared<const Chunk>(*last_));
  return record;
}

Entry& Recorder::Add(absl::Time now) {
  if (last_ == nullptr || last_->size() == kChunk) BeginChunk(now);
  Entry& entry = last_->emplace_back();
  entry.unix_ns = absl::ToUnixNanos(now);
  return entry;
}

void Recorder::BeginChunk(absl::Time now) {
  if (last_ != nullptr) full_.push_back(std::move(last_));
  const size_t most = std::max<size_t>(1, budget_->OfOne() / (kChunk * sizeof(Entry)));
  while (!full_.empty() && (full_.size() + 1 > most || full_.front()->back().at() < now - kAge)) {
    full_.pop_front();
    truncated_ = true;
  }
  last_ = std::make_shared<Chunk>();
  last_->reserve(kChunk);
}

uint16_t Recorder::NumberOf(std::string_view model) {
  if (models_[last_model_] == model) return last_model_;
  const auto known = numbers_.find(ToAbsl(model));
  if (known != numbers_.end()) return last_model_ = known->second;
  if (model.empty() || models_.size() >= kMaxModels) return last_model_ = 0;
  last_model_ = static_cast<uint16_t>(models_.size());
  models_.emplace_back(model);
  numbers_.emplace(model, last_model_);
  return last_model_;
}

}  // namespace ccr::simulation
