#include "proxy/bridge/broker_bridge.h"

#include <boost/asio/post.hpp>
#include <random>
#include <utility>

#include "absl/strings/escaping.h"
#include "broker/base/secret.h"
#include "client/lib/broker_channel.h"
#include "client/lib/lease_stream.h"
#include "proxy/bridge/convert.h"

namespace ccr::proxy {
namespace {

client::LeaseStream::Options StreamOptions(boost::asio::io_context& loop, const BrokerBridge::Options& options) {
  client::LeaseStream::Options stream;
  stream.client = options.client;
  stream.session_token = absl::BytesToHexString(RandomBytes(32));
  stream.executor = [&loop](std::function<void()> task) { boost::asio::post(loop, std::move(task)); };
  stream.on_state = options.on_change;
  stream.hold = options.broker_wait;
  stream.jitter_seed = std::random_device()();
  return stream;
}

}  // namespace

BrokerBridge::BrokerBridge(boost::asio::io_context& loop, const Options& options,
                           std::shared_ptr<const RoutingSlot> routing)
    : loop_(loop),
      routing_(std::move(routing)),
      report_timer_(loop),
      stream_(std::make_unique<client::LeaseStream>(client::MakeBrokerChannel(options.broker),
                                                    StreamOptions(loop, options))) {
  stream_->Start();
}

BrokerBridge::~BrokerBridge() {
  *alive_ = false;  // a flush may be posted still, or the timer's handler
  stream_->Stop(kFarewell);
}

bool BrokerBridge::connected() const {
  return stream_->connected();
}

LeaseSource::CallId BrokerBridge::Acquire(LeaseRequest request, LeaseCallback done) {
  FlushThisTurn();
  return stream_->Lease(ToMessage(request), [done = std::move(done)](absl::StatusOr<v1::LeaseResponse> response) {
    done(ToLeaseAnswer(std::move(response)));
  });
}

LeaseSource::CallId BrokerBridge::Report(ReportRequest request, ReportCallback done) {
  if (!done) {
    FlushSoon();
    return stream_->Report(ToMessage(request), nullptr);
  }
  FlushThisTurn();
  return stream_->Report(ToMessage(request), [done = std::move(done)](absl::StatusOr<v1::ReportResponse> response) {
    done(ToReportAnswer(std::move(response)));
  });
}

void BrokerBridge::Progress(ProgressRequest request) {
  if (request.trial) {
    FlushThisTurn();
  } else {
    FlushSoon();
  }
  stream_->Progress(ToMessage(std::move(request)));
}

void BrokerBridge::Cancel(CallId call) {
  FlushThisTurn();
  stream_->Cancel(call);
}

void BrokerBridge::FlushThisTurn() {
  if (std::exchange(flush_scheduled_, true)) return;
  boost::asio::post(loop_, [this, alive = alive_] {
    if (!*alive) return;
    flush_scheduled_ = false;
    stream_->Flush();
  });
}

void BrokerBridge::FlushSoon() {
  if (flush_scheduled_ || stream_->answer_due() || std::exchange(report_waits_, true)) return;
  report_timer_.expires_after(kReportDelay);
  report_timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (error || !*alive) return;
    report_waits_ = false;
    stream_->Flush();
  });
}

}  // namespace ccr::proxy
