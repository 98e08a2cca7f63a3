// A broker behind a real gRPC server in this process, on any free port.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/adapters/grpc/event_hub.h"
#include "broker/adapters/grpc/server.h"
#include "broker/adapters/store/memory_store.h"
#include "broker/base/mutex.h"
#include "broker/service/broker_service.h"
#include "broker/service/sweeper.h"
#include "ccr/broker/v1/key_admin.grpc.pb.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/grpcpp.h"

namespace ccr {

namespace v1 = ::ccr::broker::v1;

inline bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

inline ProviderConfig Provider(const std::string& name, const std::vector<std::string>& keys) {
  ProviderConfig provider;
  provider.name = name;
  provider.base_url = "http://127.0.0.1:9/" + name;
  provider.format = ProviderFormat::kAnthropic;
  provider.auth_header = "x-api-key";
  provider.models = {"model-1"};
  for (const std::string& key : keys) {
    KeyConfig config;
    config.name = "name-of-" + key;
    config.secret = Secret("canary-key-" + key);
    provider.keys.push_back(std::move(config));
  }
  return provider;
}

template <typename... Providers>
Config Configuration(Providers... providers) {
  Config config;
  config.broker.stream_grace = absl::Minutes(1);
  (config.providers.push_back(std::move(providers)), ...);
  return config;
}

// One run of a broker. The store outlives it, as a disk would.
class RunningBroker {
 public:
  RunningBroker(KeyStore* store, Config config, const std::string& listen = "127.0.0.1:0",
                std::vector<IdentityConfig> identities = {})
      : sweeper_(&clock_),
        service_(
            {&clock_, store, {&events_}, Secret(std::string(32, 's')), [this](absl::Time t) { sweeper_.WakeBy(t); }}) {
    EXPECT_TRUE(service_.Apply(std::move(config)).ok());
    EXPECT_TRUE(service_.Settle().ok());  // watchers hear only of what comes
    sweeper_.Start([this] { return service_.Sweep(); });
    const auto reload = [this](const ReloadDone& done) { done(Reload()); };
    auto server =
        GrpcServer::Start({{listen}, "/etc/config.json", {}, std::move(identities), reload}, &service_, &events_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    broker_ = v1::KeyBroker::NewStub(channel_);
    admin_ = v1::KeyAdmin::NewStub(channel_);
  }
  ~RunningBroker() {
    server_.reset();
    sweeper_.Stop();
  }

  BrokerService& service() { return service_; }
  // What Reload is answered with.
  void OnReload(std::function<ReloadReport()> report) {
    const MutexLock lock(mutex_);
    on_reload_ = std::move(report);
  }
  GrpcServer& server() { return *server_; }
  v1::KeyBroker::Stub& broker() { return *broker_; }
  v1::KeyAdmin::Stub& admin() { return *admin_; }
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }

  v1::PoolStatus Pool(const std::string& name) {
    grpc::ClientContext context;
    v1::ListPoolsRequest request;
    v1::ListPoolsResponse response;
    request.set_pool(name);
    const grpc::Status status = admin_->ListPools(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.pools_size() == 1 ? response.pools(0) : v1::PoolStatus();
  }
  std::pair<grpc::Status, v1::LeaseResponse> Lease(const v1::LeaseRequest& request) {
    grpc::ClientContext context;
    v1::LeaseResponse response;
    const grpc::Status status = broker_->Lease(&context, request, &response);
    return {status, response};
  }
  v1::LeaseResponse LeaseOk(const std::string& pool) {
    v1::LeaseRequest request;
    request.set_pool(pool);
    auto [status, response] = Lease(request);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  std::pair<grpc::Status, v1::ReportResponse> Report(const v1::ReportRequest& request) {
    grpc::ClientContext context;
    v1::ReportResponse response;
    const grpc::Status status = broker_->Report(&context, request, &response);
    return {status, response};
  }

 private:
  MonotonicWallClock clock_;
  ReloadReport Reload() {
    const MutexLock lock(mutex_);
    return on_reload_();
  }

  Mutex mutex_;
  std::function<ReloadReport()> on_reload_ CCR_GUARDED_BY(mutex_) = [] { return ReloadReport(); };
  EventHub events_;
  Sweeper sweeper_;
  BrokerService service_;
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::KeyBroker::Stub> broker_;
  std::unique_ptr<v1::KeyAdmin::Stub> admin_;
};

inline v1::ReportRequest ReportOf(const std::string& lease_id, uint32_t status) {
  v1::ReportRequest request;
  request.set_lease_id(lease_id);
  request.mutable_evidence()->set_http_status(status);
  return request;
}

// The detail of that type in an error's trailer.
template <typename Detail>
std::optional<Detail> FindDetail(const google::rpc::Status& status) {
  Detail detail;
  for (const auto& any : status.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

template <typename Detail>
std::optional<Detail> FindDetail(const grpc::Status& status) {
  google::rpc::Status parsed;
  if (!parsed.ParseFromString(status.error_details())) return std::nullopt;
  return FindDetail<Detail>(parsed);
}

// The client's end of one LeaseStream.
class StreamClient {
 public:
  using Held = std::vector<v1::LeaseResponse>;

  StreamClient(RunningBroker& broker, const std::string& token, const Held& held = {})
      : stream_(broker.broker().LeaseStream(&context_)) {
    v1::LeaseStreamRequest request;
    request.mutable_hello()->set_client("test");
    request.mutable_hello()->set_session_token(token);
    for (const v1::LeaseResponse& lease : held) {
      v1::HeldLease* out = request.mutable_hello()->add_held();
      out->set_lease_id(lease.lease_id());
      out->set_pool(lease.pool());
      out->set_key_fingerprint(lease.key_fingerprint());
    }
    EXPECT_TRUE(stream_->Write(request));
    v1::LeaseStreamResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    EXPECT_TRUE(response.has_hello_ack());
    ack_ = response.hello_ack();
  }
  ~StreamClient() { Break(); }

  const v1::HelloAck& ack() const { return ack_; }
  void Send(const v1::LeaseStreamRequest& request) { EXPECT_TRUE(stream_->Write(request)); }
  void EndWrites() { EXPECT_TRUE(stream_->WritesDone()); }
  bool Read(v1::LeaseStreamResponse* response) { return stream_->Read(response); }
  // The next `count` results, in the order of their arrival.
  std::vector<v1::Result> ReadResults(size_t count) {
    std::vector<v1::Result> results;
    v1::LeaseStreamResponse response;
    while (results.size() < count && stream_->Read(&response)) {
      for (const v1::Result& result : response.results()) results.push_back(result);
    }
    EXPECT_EQ(results.size(), count);
    return results;
  }
  v1::LeaseResponse Lease(const std::string& pool) {
    v1::LeaseStreamRequest request;
    request.add_operations()->mutable_lease()->set_pool(pool);
    Send(request);
    return ReadResults(1).at(0).lease();
  }
  // As when the connection is cut.
  void Break() {
    if (stream_ == nullptr) return;
    context_.TryCancel();
    stream_->Finish();
    stream_.reset();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::LeaseStreamRequest, v1::LeaseStreamResponse>> stream_;
  v1::HelloAck ack_;
};

}  // namespace ccr
