// What clients send on LeaseStream, over calls without a network: two streams of two clients on one broker, with
// writes, ends, reconnects and time in any order. Every lease is accounted for after each step, and none is left at the
// end.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/adapters/grpc/lease_stream.h"
#include "broker/base/log.h"
#include "tests/broker/service/fixture.h"
#include "tests/fuzz/fuzz.h"
#include "tests/integration/fake_calls.h"

namespace ccr::fuzz {
namespace {

namespace v1 = ccr::broker::v1;

constexpr absl::Duration kGrace = absl::Seconds(5);
constexpr absl::Duration kTtl = absl::Seconds(60);

// The steps of an input. 0 behind its end.
class Steps {
 public:
  explicit Steps(std::string_view text) : text_(text) {}
  bool done() const { return text_.empty(); }
  uint8_t Next() { return text_.empty() ? uint8_t{0} : static_cast<uint8_t>(Take(1)[0]); }
  std::string Take(size_t size) {
    std::string taken(text_.substr(0, size));
    text_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view text_;
};

Config Pools(uint8_t choice) {
  ProviderConfig queued = MakeProvider("queued", {"q"});
  queued.max_concurrent = 1;
  queued.queue.max_wait = absl::Seconds(20);
  ProviderConfig plain = MakeProvider("p", {"a", "b", "c"});
  plain.keys.resize(choice % 3 + 1U);
  Config config = MakeConfig(std::move(plain));
  if (choice % 4 != 3) config.providers.push_back(std::move(queued));
  config.broker.stream_grace = kGrace;
  config.broker.lease_ttl = kTtl;
  return config;
}

// A client and its stream: what a gRPC call would let happen, and nothing else.
class Client {
 public:
  Client(BrokerService* service, LeaseStreamSet* streams, std::shared_ptr<const Caller> caller, std::string token)
      : service_(service), streams_(streams), caller_(std::move(caller)), token_(std::move(token)) {
    Open();
  }
  ~Client() { End(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Step(Steps& steps) {
    switch (steps.Next() % 8) {
      case 0:
        return Deliver(Greeting(steps));
      case 1: {
        v1::LeaseStreamRequest request;
        return (void)request.ParseFromString(steps.Take(steps.Next())), Deliver(request);
      }
      case 2:
        return EndWrite(steps.Next() % 8 != 0);
      case 3:
        return Close(steps.Next() % 2 == 0);
      case 4:
        return End(), Open();
      default:
        return Deliver(Operations(steps));
    }
  }

  // The stream is over, and what was under way on it.
  void End() {
    Close(/*cancel=*/true);
    while (call_->writing()) EndWrite(false);
    (void)service_->Settle();
    call_->End();
  }

 private:
  void Open() {
    call_ = std::make_unique<FakeStreamCall>(LeaseStream::Start(service_, streams_, caller_));
    read_ = 0;
    cancelled_ = false;
  }

  void Deliver(const v1::LeaseStreamRequest& request) {
    if (call_->reading()) call_->Deliver(request);
    (void)service_->Settle();
    Learn();
  }

  void EndWrite(bool ok) {
    if (call_->writing()) call_->EndWrite(ok && !cancelled_);
    Learn();
  }

  void Close(bool cancel) {
    if (cancel && !std::exchange(cancelled_, true)) call_->Cancel();
    if (call_->reading()) call_->Close();
  }

  void Learn() {
    for (; read_ < call_->written().size(); ++read_) {
      for (const v1::Result& result : call_->written()[read_].results()) {
        if (result.has_lease()) leases_.push_back(result.lease());
        if (result.report().has_next()) leases_.push_back(result.report().next());
      }
    }
  }

  v1::LeaseResponse Lease(Steps& steps) const {
    const uint8_t choice = steps.Next();
    if (choice == 0 || leases_.empty()) return {};
    return leases_[leases_.size() - 1 - (choice - 1U) % leases_.size()];
  }

  v1::LeaseStreamRequest Greeting(Steps& steps) const {
    v1::LeaseStreamRequest request = Operations(steps);
    request.mutable_hello()->set_session_token(token_);
    for (size_t i = steps.Next() % 8; i > 0; --i) {
      const v1::LeaseResponse lease = Lease(steps);
      v1::HeldLease* held = request.mutable_hello()->add_held();
      held->set_lease_id(lease.lease_id());
      held->set_pool(lease.pool());
      held->set_key_fingerprint(lease.key_fingerprint());
    }
    return request;
  }

  v1::LeaseStreamRequest Operations(Steps& steps) const {
    v1::LeaseStreamRequest request;
    for (size_t i = steps.Next() % 4 + 1U; i > 0; --i) FillOperation(steps, request.add_operations());
    return request;
  }

  void FillOperation(Steps& steps, v1::Operation* operation) const {
    operation->set_correlation_id(steps.Next() % 16);
    switch (steps.Next() % 8) {
      case 0:
        return FillReport(steps, operation->mutable_report());
      case 1:
        FillReport(steps, operation->mutable_report());
        return FillLease(steps, operation->mutable_report()->mutable_next());
      case 2:
        return operation->mutable_renew()->set_lease_id(Lease(steps).lease_id());
      case 3:
        operation->mutable_progress()->set_lease_id(Lease(steps).lease_id());
        return operation->mutable_progress()->set_http_status(200U + steps.Next() % 4 * 100U);
      case 4:
        return operation->mutable_cancel()->set_correlation_id(steps.Next() % 16);
      case 5:
        return (void)operation->ParseFromString(steps.Take(steps.Next()));
      default:
        return FillLease(steps, operation->mutable_lease());
    }
  }

  void FillLease(Steps& steps, v1::LeaseRequest* request) const {
    static constexpr std::array<const char*, 4> kPools = {"p", "queued", "P", "none"};
    const uint8_t choice = steps.Next();
    request->set_pool(kPools[choice % 4]);
    request->set_max_wait_ms(choice / 4 % 4 * 4000U);
    if (choice / 16 % 2 != 0) request->set_session("s" + std::to_string(choice / 32));
    if (choice / 32 % 2 != 0) request->add_exclude(Lease(steps).key_fingerprint());
    if (choice / 64 % 2 != 0) request->set_retry_of(Lease(steps).lease_id());
  }

  void FillReport(Steps& steps, v1::ReportRequest* request) const {
    static constexpr std::array<uint32_t, 8> kStatuses = {200, 401, 403, 429, 500, 503, 529, 0};
    request->set_lease_id(Lease(steps).lease_id());
    const uint8_t choice = steps.Next();
    request->mutable_evidence()->set_http_status(kStatuses[choice % 8]);
    if (choice / 8 % 8 == 1) request->mutable_evidence()->ParseFromString(steps.Take(steps.Next()));
  }

  BrokerService* const service_;
  LeaseStreamSet* const streams_;
  const std::shared_ptr<const Caller> caller_;
  const std::string token_;
  std::unique_ptr<FakeStreamCall> call_;
  std::vector<v1::LeaseResponse> leases_;  // all that were ever sent
  size_t read_ = 0;                        // messages
  bool cancelled_ = false;
};

void CheckPools(BrokerService& service) {
  for (const PoolStatus& pool : service.ListPools()) {
    const core::PoolSnapshot& is = pool.snapshot;
    Require(is.acquired == is.reported + is.expired + is.in_flight, "leases do not add up");
  }
}

void CheckNothingIsLeft(BrokerService& service) {
  Require(service.streams() == 0, "a stream is left");
  for (const PoolStatus& pool : service.ListPools()) {
    Require(pool.snapshot.in_flight == 0, "a lease is left");
    Require(pool.snapshot.waiting == 0, "a waiter is left");
  }
}

void Run(std::string_view text, uint8_t choice) {
  ManualClock clock;
  MemoryStore store;
  BrokerService service({&clock, &store, {}, TestSalt(), [](absl::Time) {}});
  Require(service.Apply(Pools(0)).ok(), "the configuration is refused");
  LeaseStreamSet streams;
  const auto anybody = std::make_shared<const Caller>("anybody", Role::kAdmin, std::vector<std::string>());
  const auto bound = std::make_shared<const Caller>("bound", Role::kLease, std::vector<std::string>{"p"});
  {
    Client one(&service, &streams, anybody, "session-token-0001");
    Client two(&service, &streams, choice % 2 == 0 ? anybody : bound,
               choice / 2 % 2 == 0 ? "session-token-0001" : "session-token-0002");
    for (Steps steps(text); !steps.done(); CheckPools(service)) {
      const uint8_t who = steps.Next();
      if (who % 8 == 7) {
        clock.Advance(absl::Seconds(steps.Next() % 32));
        (void)service.Sweep();
      } else if (who == 6) {
        Require(service.Apply(Pools(steps.Next())).ok(), "the configuration is refused");
      } else if (who == 14) {
        streams.GoAway();
      } else {
        (who % 2 == 0 ? one : two).Step(steps);
      }
      (void)service.Settle();
    }
  }
  for (int i = 0; i < 3; ++i) {
    clock.Advance(kTtl + kGrace);
    (void)service.Sweep();
  }
  (void)service.Settle();
  CheckPools(service);
  CheckNothingIsLeft(service);
}

}  // namespace
}  // namespace ccr::fuzz

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  ccr::InitLog(ccr::LogFormat::kText, ccr::LogLevel::kOff);
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ccr::fuzz::Input input(data, size);
  ccr::fuzz::Run(input.text, input.choice);
  return 0;
}
