#include "proxy/upstream/lazy_timer.h"

#include <utility>

namespace ccr::proxy {

LazyTimer::LazyTimer(boost::asio::io_context& loop, std::function<void()> function)
    : timer_(loop), function_(std::move(function)), self_(std::make_shared<LazyTimer*>(this)) {}

void LazyTimer::CallBy(SteadyTime time) {
  if (time >= set_) return;
  set_ = time;
  timer_.expires_at(time);
  timer_.async_wait([weak = std::weak_ptr<LazyTimer*>(self_), time](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || self == nullptr || (*self)->set_ != time) return;
    (*self)->set_ = SteadyTime::max();
    (*self)->function_();
  });
}

}  // namespace ccr::proxy
