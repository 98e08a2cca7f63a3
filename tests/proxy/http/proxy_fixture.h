// A proxy of one worker between a TestClient, a FakeBroker and a FakeUpstream.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "broker/base/secret.h"
#include "fake_lease_source.h"
#include "fake_upstream.h"
#include "prometheus/text_serializer.h"
#include "proxy/worker/worker_pool.h"
#include "test_client.h"

namespace ccr::proxy::testing {

inline constexpr std::string_view kChatBody = R"({"model":"gpt-x","messages":[{"role":"user","content":"hi"}]})";
inline constexpr std::string_view kChatStream =
    R"({"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"hi"}]})";
inline constexpr std::string_view kChatAnswer =
    R"({"id":"1","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":7,"completion_tokens":5}})";

// Nothing more than what the formats promise.
inline constexpr std::string_view kBareAnswer = R"({"choices":[{}],"content":[],"data":[]})";

inline std::string JsonAnswer(int status, std::string_view body, std::string_view headers = "") {
  return Answer(status, "content-type: application/json; charset=utf-8\r\n" + std::string(headers), body);
}

inline std::string GoodAnswer() {
  return JsonAnswer(200, kChatAnswer);
}

// Waits until `condition` holds; false after a minute.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// The machine's clock, and ahead of it as told. Thread-safe.
class SkippingClock final : public Clock {
 public:
  absl::Time Now() const override { return clock_.Now() + absl::Nanoseconds(skipped_.load()); }
  void Skip(absl::Duration time) { skipped_ += absl::ToInt64Nanoseconds(time); }

 private:
  const MonotonicWallClock clock_;
  std::atomic<int64_t> skipped_{0};
};

class ProxyFixture : public ::testing::Test {
 protected:
  // `script` is the provider "one", which speaks OpenAI and lists gpt-x. "claude" is the same server in Anthropic's
  // format.
  void StartUpstream(FakeUpstream::Script script) {
    upstream_ = std::make_unique<FakeUpstream>(std::move(script));
    Provider one;
    one.name = "one";
    one.base_url = upstream_->Url("/v1/chat/completions");
    one.models = {"gpt-x"};
    Provider claude;
    claude.name = "claude";
    claude.format = Format::kAnthropic;
    claude.base_url = upstream_->Url("/v1/messages");
    claude.models = {"claude-s"};
    table_.providers = {one, claude};
    broker_.SetKeys({"canary-key-a1", "canary-key-b2", "canary-key-c3"});
  }
  void StartProxy(size_t workers = 1) {
    if (with_table_) broker_.SetTable(table_);
    auto pool = WorkerPool::Start({"127.0.0.1", 0}, workers, shared_, [this](boost::asio::io_context& loop) {
      return std::make_unique<FakeLeaseSource>(loop, broker_);
    });
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
  }
  // A provider that answers every request the same.
  void Start(std::string answer) {
    StartUpstream([answer = std::move(answer)](Peer& peer, const std::string&) { return peer.Send(answer); });
    StartProxy();
  }
  uint16_t port() const { return pool_->address().port; }
  Response Ask(std::string_view request) { return TestClient(port()).Ask(request); }
  Response Chat() { return Ask(Post("/v1/chat/completions", kChatBody)); }
  std::string Metrics() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  prometheus::Registry registry_;
  ProxyMetrics metrics_{registry_};
  SkippingClock clock_;
  WorkerShared shared_{metrics_, clock_, "127.0.0.1", {}, {}, {}, {}};
  RoutingTable table_;
  bool with_table_ = true;
  FakeBroker broker_;
  // What a test and its script tell each other; scripts run until upstream_ ends, which is after the test's body.
  std::atomic<bool> release_{false};
  std::atomic<bool> finish_{false};
  std::atomic<bool> cancelled_{false};
  std::atomic<size_t> sent_{0};
  std::unique_ptr<FakeUpstream> upstream_;
  std::unique_ptr<WorkerPool> pool_;
};

}  // namespace ccr::proxy::testing
