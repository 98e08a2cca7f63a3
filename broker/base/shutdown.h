// Turns signals into calls on an ordinary thread.
#pragma once

#include <functional>
#include <thread>

namespace ccr {

// Construct it first thing in main, before any thread starts: it blocks the signals in the calling thread, and threads
// inherit that. SIGPIPE is ignored.
//   SIGTERM, SIGINT: the first calls on_drain, the second ends the process at once (status 130).
//   SIGHUP: calls on_reload; not any more once on_drain was called.
// on_drain must only start the drain and return, or the second signal is not seen.
// The callbacks run on the watcher's own thread, one at a time, and only after Run().
class SignalWatcher {
 public:
  SignalWatcher();
  ~SignalWatcher();  // stops watching
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  void Run(std::function<void()> on_drain, std::function<void()> on_reload);

 private:
  std::thread thread_;
};

}  // namespace ccr
