#include "broker/base/shutdown.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

namespace ccr {
namespace {

// The destructor's own wake-up call to the watcher thread.
constexpr int kStopSignal = SIGUSR2;
constexpr int kInterruptedStatus = 130;

sigset_t WatchedSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, kStopSignal}) sigaddset(&set, number);
  return set;
}

void Watch(const std::function<void()>& on_drain, const std::function<void()>& on_reload) {
  const sigset_t set = WatchedSignals();
  bool draining = false;
  for (int number = 0; sigwait(&set, &number) == 0;) {
    if (number == kStopSignal) return;
    if (number == SIGHUP) {
      if (!draining) on_reload();
    } else if (std::exchange(draining, true)) {
      _exit(kInterruptedStatus);
    } else {
      on_drain();
    }
  }
}

}  // namespace

SignalWatcher::SignalWatcher() {
  const sigset_t set = WatchedSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

SignalWatcher::~SignalWatcher() {
  if (!thread_.joinable()) return;
  pthread_kill(thread_.native_handle(), kStopSignal);
  thread_.join();
}

void SignalWatcher::Run(std::function<void()> on_drain, std::function<void()> on_reload) {
  thread_ = std::thread([drain = std::move(on_drain), reload = std::move(on_reload)] { Watch(drain, reload); });
}

}  // namespace ccr
