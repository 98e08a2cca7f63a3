// A lease stream in front of a broker that does as it is told.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "client/lib/broker_channel.h"
#include "client/lib/broker_status.h"
#include "client/lib/lease_stream.h"
#include "google/rpc/error_details.pb.h"
#include "tests/client/lib_fake_broker.h"

namespace ccr::client {

using LeaseResult = absl::StatusOr<v1::LeaseResponse>;
using ReportResult = absl::StatusOr<v1::ReportResponse>;

inline v1::LeaseRequest LeaseOf(const std::string& pool) {
  v1::LeaseRequest request;
  request.set_pool(pool);
  return request;
}

inline v1::ReportRequest ReportOf(const std::string& lease_id) {
  v1::ReportRequest request;
  request.set_lease_id(lease_id);
  request.mutable_evidence()->set_http_status(200);
  return request;
}

inline v1::ProgressRequest ProgressOf(const std::string& lease_id) {
  v1::ProgressRequest request;
  request.set_lease_id(lease_id);
  request.set_http_status(200);
  request.set_first_byte_ms(5);
  return request;
}

inline void Grant(FakeBroker::Response& response, uint64_t id, const std::string& lease_id, uint64_t ttl_ms = 0) {
  auto* result = response.add_results();
  result->set_correlation_id(id);
  result->mutable_lease()->set_lease_id(lease_id);
  result->mutable_lease()->set_pool("p");
  result->mutable_lease()->set_key_fingerprint("fp-" + lease_id);
  result->mutable_lease()->set_ttl_ms(ttl_ms);
}

inline void Applied(FakeBroker::Response& response, uint64_t id) {
  auto* result = response.add_results();
  result->set_correlation_id(id);
  result->mutable_report()->set_disposition(v1::ReportResponse::APPLIED);
}

inline std::string UnixAddress(const std::string& name) {
  return "unix:" + ::testing::TempDir() + "ccr-" + std::to_string(getpid()) + "-" + name;
}

class LeaseStreamTest : public ::testing::Test {
 protected:
  void Open(const std::string& address) {
    options_.client = "test";
    options_.session_token = "0123456789abcdef";
    options_.executor = [this](std::function<void()> task) { loop_.Post(std::move(task)); };
    options_.on_state = [this](bool connected) { states_.push_back(connected); };
    options_.min_backoff = absl::Milliseconds(5);
    stream_ = std::make_unique<LeaseStream>(MakeBrokerChannel({address}), options_);
    stream_->Start();
  }

  void OpenConnected() {
    broker_ = std::make_unique<FakeBroker>();
    Open(broker_->address());
    ASSERT_TRUE(loop_.RunUntil([&] { return stream_->connected(); }));
  }

  void AwaitOperations(size_t count) {
    ASSERT_TRUE(loop_.RunUntil([&] { return broker_->operations().size() >= count; }));
  }

  // Takes a lease and answers it.
  void TakeLease(const std::string& lease_id, uint64_t ttl_ms = 0) {
    const size_t before = broker_->operations().size();
    bool granted = false;
    const auto id = stream_->Lease(LeaseOf("p"), [&](LeaseResult lease) { granted = lease.ok(); });
    stream_->Flush();
    AwaitOperations(before + 1);
    FakeBroker::Response response;
    Grant(response, id, lease_id, ttl_ms);
    broker_->Send(response);
    ASSERT_TRUE(loop_.RunUntil([&] { return granted; }));
  }

  LeaseStream::Options options_;
  TestLoop loop_;
  std::vector<bool> states_;
  std::unique_ptr<FakeBroker> broker_;
  std::unique_ptr<LeaseStream> stream_;
};

}  // namespace ccr::client
