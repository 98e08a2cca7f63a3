// A broker in memory: keys in order, the outcome policy in short, every report remembered.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "proxy/core/retry_plan.h"
#include "proxy/ports/lease_source.h"

namespace ccr::proxy::testing {

// What the test sees and sets, over the lives of all lease sources. Thread-safe.
class FakeBroker {
 public:
  struct Report {
    std::string key;
    Evidence evidence;
    bool asked_for_next = false;
    int status = 0;  // that it stands for
  };

  std::shared_ptr<const RoutingTable> table() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return table_;
  }
  void SetTable(std::optional<RoutingTable> table) {
    const std::lock_guard<std::mutex> lock(mutex_);
    table_ = table ? std::make_shared<const RoutingTable>(*std::move(table)) : nullptr;
  }
  void SetKeys(std::vector<std::string> keys) {
    const std::lock_guard<std::mutex> lock(mutex_);
    keys_ = std::move(keys);
  }
  void Heal() {  // all keys are in rotation again
    const std::lock_guard<std::mutex> lock(mutex_);
    out_.clear();
  }
  // Every lease is refused with this from now on.
  void Refuse(LeaseFailure failure) {
    const std::lock_guard<std::mutex> lock(mutex_);
    refusal_ = std::move(failure);
  }
  void RefusePool(const std::string& pool, LeaseFailure failure) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pool_refusals_[pool] = std::move(failure);
  }
  void SetCredentialHeader(std::string name) {  // in place of the format's own
    const std::lock_guard<std::mutex> lock(mutex_);
    credential_header_ = std::move(name);
  }
  void SetExhausted(bool exhausted) {  // no key did better, every report hears
    const std::lock_guard<std::mutex> lock(mutex_);
    exhausted_ = exhausted;
  }
  void SetSilent(bool silent) {  // leases are not answered at all
    const std::lock_guard<std::mutex> lock(mutex_);
    silent_ = silent;
  }
  std::vector<Report> reports() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return reports_;
  }
  struct Begun {
    std::string key;
    int status = 0;
    std::vector<RateLimit> rate_limits;
  };
  std::vector<Begun> begun() const {  // leases that progressed
    const std::lock_guard<std::mutex> lock(mutex_);
    return begun_;
  }
  size_t in_flight() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return leases_.size();
  }
  size_t cancelled_calls() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return cancelled_;
  }
  std::vector<LeaseRequest> lease_requests() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

 private:
  friend class FakeLeaseSource;

  bool silent() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return silent_;
  }
  void CountCancel() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++cancelled_;
  }

  void Begin(const ProgressRequest& request) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto lease = leases_.find(request.lease_id);
    if (lease != leases_.end()) begun_.push_back({lease->second, request.http_status, request.rate_limits});
  }

  LeaseAnswer Grant(const LeaseRequest& request) {
    const std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(request);
    if (refusal_) return {std::nullopt, *refusal_};
    if (const auto it = pool_refusals_.find(request.pool); it != pool_refusals_.end())
      return {std::nullopt, it->second};
    for (size_t i = 0; i < keys_.size(); ++i) {
      const std::string key = keys_[next_++ % keys_.size()];
      const bool excluded = std::count(request.exclude.begin(), request.exclude.end(), "fp-" + key) > 0;
      if (excluded || out_.count(key) > 0) continue;
      return {MakeLease(request, key), {}};
    }
    const bool all = std::all_of(keys_.begin(), keys_.end(), [&request](const std::string& key) {
      return std::count(request.exclude.begin(), request.exclude.end(), "fp-" + key) > 0;
    });
    if (all) return {std::nullopt, {absl::ResourceExhaustedError("none"), std::nullopt}};
    return {std::nullopt, {absl::ResourceExhaustedError("none"), absl::Milliseconds(2500)}};
  }

  Lease MakeLease(const LeaseRequest& request, const std::string& key) {
    Lease lease;
    lease.id = "lease-" + std::to_string(++last_id_);
    lease.key_name = key;
    lease.key_fingerprint = "fp-" + key;
    const Provider* provider = table_->FindProvider(request.pool);
    if (provider->format == Format::kChat) {
      lease.credential_header = "authorization";
      lease.credential_prefix = "Bearer ";
    } else {
      lease.credential_header = provider->format == Format::kAnthropic ? "x-api-key" : "x-goog-api-key";
    }
    if (!credential_header_.empty()) lease.credential_header = credential_header_;
    lease.credential = Secret(key);
    lease.base_url = provider->base_url;
    leases_[lease.id] = key;
    return lease;
  }

  ReportAnswer Judge(const ReportRequest& request) {
    ReportAnswer answer;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto lease = leases_.find(request.lease_id);
      const std::string key = lease == leases_.end() ? "(unknown lease)" : lease->second;
      if (lease != leases_.end()) leases_.erase(lease);
      reports_.push_back({key, request.evidence, request.next.has_value(), 0});
      answer.http_status = StatusOf(request.evidence);
      std::tie(answer.outcome, answer.advice) = Classify(request, answer.http_status);
      answer.exhausted = exhausted_;
      reports_.back().status = answer.http_status;
      if (answer.outcome == "auth" || answer.outcome == "quota" || answer.outcome == "rate_limited") out_.insert(key);
    }
    if (request.next && answer.advice != Advice::kRelay) {
      LeaseRequest next = *request.next;
      const auto all = reports();
      next.exclude.push_back("fp-" + all.back().key);
      answer.next = Grant(next);
    }
    return answer;
  }

  static int StatusOf(const Evidence& evidence) {
    if (!evidence.error_in_answer) return evidence.http_status;
    int number = 0;
    if (absl::SimpleAtoi(evidence.error_code, &number) && number >= 400 && number < 600) return number;
    static const std::map<std::string, int> kWords = {
        {"overloaded_error", 529}, {"rate_limit_error", 429},      {"api_error", 500},
        {"invalid_api_key", 401},  {"invalid_request_error", 400},
    };
    for (const std::string& word : {evidence.error_code, evidence.error_type})
      if (const auto known = kWords.find(word); known != kWords.end()) return known->second;
    return 502;
  }

  static std::pair<std::string, Advice> Classify(const ReportRequest& request, int status) {
    const Evidence& evidence = request.evidence;
    if (evidence.client_cancelled || evidence.caller_fault) return {"neutral", Advice::kRelay};
    if (status == 401 || evidence.error_code == "API_KEY_INVALID") return {"auth", Advice::kRotate};
    if (status == 402 || evidence.error_code == "insufficient_quota") return {"quota", Advice::kRotate};
    if (status == 403)
      return {"permission", request.earlier_refusals + 1 >= RetryPlan::kMaxRefusals ? Advice::kRelay : Advice::kRotate};
    if (status == 429) return {"rate_limited", Advice::kRotate};
    if (status == 503 || status == 529)
      return {"overloaded", request.earlier_overloads > 0 ? Advice::kRelay : Advice::kRetry};
    if (status >= 500 || evidence.transport_error != TransportError::kNone || evidence.incomplete)
      return {"upstream_failure", Advice::kRetry};
    return {status < 400 ? "success" : "caller_fault", Advice::kRelay};
  }

  mutable std::mutex mutex_;
  std::string credential_header_;
  std::shared_ptr<const RoutingTable> table_;
  std::vector<std::string> keys_;
  std::set<std::string> out_;  // keys that are out of rotation
  std::optional<LeaseFailure> refusal_;
  std::map<std::string, LeaseFailure> pool_refusals_;
  bool silent_ = false;
  bool exhausted_ = false;
  size_t next_ = 0;
  uint64_t last_id_ = 0;
  size_t cancelled_ = 0;
  std::map<std::string, std::string> leases_;  // in flight: id -> key
  std::vector<Report> reports_;
  std::vector<Begun> begun_;
  std::vector<LeaseRequest> requests_;
};

class FakeLeaseSource final : public LeaseSource {
 public:
  FakeLeaseSource(boost::asio::io_context& loop, FakeBroker& broker) : loop_(loop), broker_(broker) {}

  CallId Acquire(LeaseRequest request, LeaseCallback done) override {
    const CallId call = ++last_call_;
    calls_.insert(call);
    if (broker_.silent()) return call;
    boost::asio::post(loop_, [this, call, request = std::move(request), done = std::move(done)] {
      if (calls_.erase(call) > 0) done(broker_.Grant(request));
    });
    return call;
  }
  CallId Report(ReportRequest request, ReportCallback done) override {
    const CallId call = ++last_call_;
    if (!done) return broker_.Judge(request), call;
    calls_.insert(call);
    boost::asio::post(loop_, [this, call, request = std::move(request), done = std::move(done)] {
      if (calls_.erase(call) > 0) done(broker_.Judge(request));
    });
    return call;
  }
  void Progress(ProgressRequest request) override {
    boost::asio::post(loop_, [this, request = std::move(request)] { broker_.Begin(request); });
  }
  void Cancel(CallId call) override {
    calls_.erase(call);
    broker_.CountCancel();
  }
  bool connected() const override { return broker_.table() != nullptr; }
  std::shared_ptr<const RoutingTable> routing() const override { return broker_.table(); }

 private:
  boost::asio::io_context& loop_;
  FakeBroker& broker_;
  std::set<CallId> calls_;
  CallId last_call_ = 0;
};

}  // namespace ccr::proxy::testing
