// Leases over one stream to the broker: the LeaseSource of one worker.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "client/lib/broker_target.h"
#include "proxy/bridge/routing_feed.h"
#include "proxy/ports/lease_source.h"

namespace ccr::client {
class LeaseStream;
}

namespace ccr::proxy {

// What one loop turn asks for leaves as one message. What nobody waits for, most reports and the progress of leases
// that are no trials, takes the next one, within kReportDelay.
//
// Belongs to the loop, which outlives it. gRPC's threads never come here: the stream posts what they bring to the loop,
// and once it is stopped drops what it has posted, so no callback runs after the end. Back-pressure: none here; calls
// are bounded by the requests in progress, and reports that nobody waits for by the stream (max_queued_reports).
class BrokerBridge final : public LeaseSource {
 public:
  // How long its end waits for the broker to take the last reports.
  static constexpr absl::Duration kFarewell = absl::Seconds(1);
  static constexpr std::chrono::milliseconds kReportDelay{2};

  struct Options {
    client::BrokerTarget broker;                    // checked
    std::string client;                             // who this is, for the broker's logs
    std::function<void(bool connected)> on_change;  // of the connection, on the loop; may be empty
    absl::Duration broker_wait = absl::Seconds(5);  // how long calls wait for a broker that is away
  };

  BrokerBridge(boost::asio::io_context& loop, const Options& options, std::shared_ptr<const RoutingSlot> routing);
  ~BrokerBridge() override;

  CallId Acquire(LeaseRequest request, LeaseCallback done) override;
  CallId Report(ReportRequest request, ReportCallback done) override;
  void Progress(ProgressRequest request) override;
  void Cancel(CallId call) override;
  bool connected() const override;
  std::shared_ptr<const RoutingTable> routing() const override { return routing_->table; }

 private:
  void FlushThisTurn();
  void FlushSoon();

  boost::asio::io_context& loop_;
  const std::shared_ptr<const RoutingSlot> routing_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for the flush that is scheduled; on the loop
  bool flush_scheduled_ = false;
  bool report_waits_ = false;  // or a progress; until report_timer_ fires, if nothing takes it before
  boost::asio::steady_timer report_timer_;
  std::unique_ptr<client::LeaseStream> stream_;
};

}  // namespace ccr::proxy
