// The two services of the contract over one BrokerService.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/adapters/grpc/event_hub.h"
#include "broker/adapters/grpc/gate.h"
#include "broker/adapters/grpc/lease_stream.h"
#include "broker/adapters/grpc/watches.h"
#include "broker/adapters/grpc/work_queue.h"
#include "broker/config/key_sources.h"
#include "broker/service/broker_service.h"
#include "ccr/broker/v1/key_admin.grpc.pb.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"

namespace ccr {

// Ends a call at once.
grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, const grpc::Status& status);

class KeyBrokerService final : public ccr::broker::v1::KeyBroker::CallbackService {
 public:
  KeyBrokerService(BrokerService* service, const Gate* gate) : service_(service), gate_(gate) {}

  grpc::ServerUnaryReactor* Lease(grpc::CallbackServerContext* context, const ccr::broker::v1::LeaseRequest* request,
                                  ccr::broker::v1::LeaseResponse* response) override;
  grpc::ServerUnaryReactor* Report(grpc::CallbackServerContext* context, const ccr::broker::v1::ReportRequest* request,
                                   ccr::broker::v1::ReportResponse* response) override;
  grpc::ServerUnaryReactor* Progress(grpc::CallbackServerContext* context,
                                     const ccr::broker::v1::ProgressRequest* request,
                                     ccr::broker::v1::ProgressResponse* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context, const ccr::broker::v1::RenewRequest* request,
                                  ccr::broker::v1::RenewResponse* response) override;
  grpc::ServerBidiReactor<ccr::broker::v1::LeaseStreamRequest, ccr::broker::v1::LeaseStreamResponse>* LeaseStream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<ccr::broker::v1::RoutingTable>* WatchRouting(
      grpc::CallbackServerContext* context, const ccr::broker::v1::WatchRoutingRequest* request) override;

  LeaseStreamSet& streams() { return streams_; }

 private:
  static constexpr int kMaxWatches = 1024;

  BrokerService* const service_;
  const Gate* const gate_;
  LeaseStreamSet streams_;
  WatchSlots watches_{kMaxWatches};
};

class KeyAdminService final : public ccr::broker::v1::KeyAdmin::CallbackService {
 public:
  // `reload` may be null: then Reload is not implemented. So may `source_problems`: then there are none.
  KeyAdminService(BrokerService* service, const Gate* gate, EventHub* events, std::string config_path,
                  std::function<void(ReloadDone)> reload,
                  std::function<std::vector<KeySources::Problem>()> source_problems)
      : service_(service),
        gate_(gate),
        events_(events),
        config_path_(std::move(config_path)),
        reload_(std::move(reload)),
        source_problems_(std::move(source_problems)) {}

  static constexpr int kMaxWatches = 64;
  static constexpr int kMaxSourceProblems = 100;

  grpc::ServerUnaryReactor* ListPools(grpc::CallbackServerContext* context,
                                      const ccr::broker::v1::ListPoolsRequest* request,
                                      ccr::broker::v1::ListPoolsResponse* response) override;
  grpc::ServerWriteReactor<ccr::broker::v1::Event>* WatchEvents(
      grpc::CallbackServerContext* context, const ccr::broker::v1::WatchEventsRequest* request) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const ccr::broker::v1::GetStatusRequest* request,
                                      ccr::broker::v1::BrokerStatus* response) override;
  grpc::ServerUnaryReactor* Reload(grpc::CallbackServerContext* context, const ccr::broker::v1::ReloadRequest* request,
                                   ccr::broker::v1::ReloadVerdict* response) override;
  grpc::ServerUnaryReactor* Simulate(grpc::CallbackServerContext* context,
                                     const ccr::broker::v1::SimulateRequest* request,
                                     ccr::broker::v1::SimulateResponse* response) override;

  grpc::ServerUnaryReactor* DisableKey(grpc::CallbackServerContext* context,
                                       const ccr::broker::v1::DisableKeyRequest* request,
                                       ccr::broker::v1::KeyChange* response) override;
  grpc::ServerUnaryReactor* EnableKey(grpc::CallbackServerContext* context, const ccr::broker::v1::KeyRef* request,
                                      ccr::broker::v1::KeyChange* response) override;
  grpc::ServerUnaryReactor* ResetKey(grpc::CallbackServerContext* context, const ccr::broker::v1::KeyRef* request,
                                     ccr::broker::v1::KeyChange* response) override;
  grpc::ServerUnaryReactor* ProbeKey(grpc::CallbackServerContext* context, const ccr::broker::v1::KeyRef* request,
                                     ccr::broker::v1::ProbeKeyResponse* response) override;
  grpc::ServerUnaryReactor* AddKeys(grpc::CallbackServerContext* context,
                                    const ccr::broker::v1::AddKeysRequest* request,
                                    ccr::broker::v1::AddKeysResponse* response) override;
  grpc::ServerUnaryReactor* RemoveKey(grpc::CallbackServerContext* context, const ccr::broker::v1::KeyRef* request,
                                      ccr::broker::v1::RemoveKeyResponse* response) override;
  grpc::ServerUnaryReactor* ChangePool(grpc::CallbackServerContext* context,
                                       const ccr::broker::v1::ChangePoolRequest* request,
                                       ccr::broker::v1::ChangePoolResponse* response) override;
  grpc::ServerUnaryReactor* GetKeyHistory(grpc::CallbackServerContext* context, const ccr::broker::v1::KeyRef* request,
                                          ccr::broker::v1::KeyHistory* response) override;

 private:
  static constexpr size_t kMaxChanges = 64;  // that wait
  static constexpr size_t kMaxHistory = 200;

  template <typename Request>
  grpc::ServerUnaryReactor* Change(grpc::CallbackServerContext* context, std::string_view call, const Request& request,
                                   std::function<absl::Status(const Caller& by)> work);
  void Tell(std::string_view change, const Caller& by, std::string_view pool, std::string_view key,
            const absl::Status& status);

  BrokerService* const service_;
  const Gate* const gate_;
  EventHub* const events_;
  const std::string config_path_;
  const std::function<void(ReloadDone)> reload_;
  const std::function<std::vector<KeySources::Problem>()> source_problems_;
  WatchSlots watches_{kMaxWatches};
  WorkQueue changes_{kMaxChanges};
};

}  // namespace ccr
