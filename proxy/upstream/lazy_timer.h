// One timer for many deadlines.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace ccr::proxy {

using SteadyTime = std::chrono::steady_clock::time_point;

// Calls a function at the earliest moment asked for. Asking for a later moment than the one that is set costs nothing,
// and there is no way to take a request back: the function looks at the clock, does what is due and asks again for the
// rest. Belongs to one loop; not called any more once destroyed.
class LazyTimer {
 public:
  LazyTimer(boost::asio::io_context& loop, std::function<void()> function);

  void CallBy(SteadyTime time);

 private:
  boost::asio::steady_timer timer_;
  std::function<void()> function_;
  SteadyTime set_ = SteadyTime::max();
  std::shared_ptr<LazyTimer*> self_;  // what a handler that outlives us finds out by
};

}  // namespace ccr::proxy
