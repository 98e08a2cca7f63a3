#include "proxy/bridge/routing_feed.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "client/lib/broker_channel.h"
#include "client/lib/routing_watch.h"
#include "proxy/bridge/convert.h"

namespace ccr::proxy {

RoutingFeed::RoutingFeed(const client::BrokerTarget& broker, std::string client, OnTable on_table)
    : on_table_(std::move(on_table)) {
  watch_ =
      std::make_unique<client::RoutingWatch>(client::MakeBrokerChannel(broker), std::move(client),
                                             [this](const v1::RoutingTable& table) { Publish(ToRoutingTable(table)); });
}

RoutingFeed::~RoutingFeed() = default;

std::shared_ptr<const RoutingSlot> RoutingFeed::Subscribe(boost::asio::io_context& loop) {
  const MutexLock lock(mutex_);
  const Subscriber& subscriber = subscribers_.emplace_back(Subscriber{&loop, std::make_shared<RoutingSlot>()});
  if (table_ != nullptr) Post(subscriber, table_);
  return subscriber.slot;
}

void RoutingFeed::Publish(std::shared_ptr<const RoutingTable> table) {
  on_table_(*table);
  const MutexLock lock(mutex_);  // while posting, too: a loop must not get an older table after a newer one
  table_ = std::move(table);
  for (const Subscriber& subscriber : subscribers_) Post(subscriber, table_);
}

void RoutingFeed::Post(const Subscriber& subscriber, std::shared_ptr<const RoutingTable> table) {
  boost::asio::post(*subscriber.loop,
                    [slot = subscriber.slot, table = std::move(table)]() mutable { slot->table = std::move(table); });
}

}  // namespace ccr::proxy
