// One routing table for all workers.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/mutex.h"
#include "client/lib/broker_target.h"
#include "proxy/core/routing_table.h"

namespace ccr::client {
class RoutingWatch;
}

namespace ccr::proxy {

// The newest table as one loop sees it: written and read on that loop only.
struct RoutingSlot {
  std::shared_ptr<const RoutingTable> table;
};

// Follows the broker's table and hands it to every subscribed loop. Thread-safe. End it before the loops.
class RoutingFeed {
 public:
  using OnTable = std::function<void(const RoutingTable& table)>;
  // `broker` is a checked one. `on_table` hears of each table first, on a thread of the feed.
  RoutingFeed(const client::BrokerTarget& broker, std::string client, OnTable on_table);
  ~RoutingFeed();

  std::shared_ptr<const RoutingSlot> Subscribe(boost::asio::io_context& loop);

 private:
  struct Subscriber {
    boost::asio::io_context* loop;
    std::shared_ptr<RoutingSlot> slot;
  };
  void Publish(std::shared_ptr<const RoutingTable> table);
  static void Post(const Subscriber& subscriber, std::shared_ptr<const RoutingTable> table);

  const OnTable on_table_;
  Mutex mutex_;
  std::shared_ptr<const RoutingTable> table_ CCR_GUARDED_BY(mutex_);
  std::vector<Subscriber> subscribers_ CCR_GUARDED_BY(mutex_);
  std::unique_ptr<client::RoutingWatch> watch_;  // the last: its thread calls Publish
};

}  // namespace ccr::proxy
