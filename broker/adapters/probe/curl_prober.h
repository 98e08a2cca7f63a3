// Probes over HTTP.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "broker/base/mutex.h"
#include "broker/ports/key_prober.h"

namespace ccr {

// One thread that drives libcurl: at most `max_at_once` probes run, the others wait their turn. TLS is verified, no
// redirect is followed; of an error's body the type, code and message are told, where it has at most 64 KiB. Thread-safe.
class CurlProber final : public KeyProber {
 public:
  struct Options {
    size_t max_at_once = 4;
    absl::Duration connect_timeout = absl::Seconds(10);
    absl::Duration total_timeout = absl::Seconds(20);
    std::string ca_file;  // empty: the system's
  };

  explicit CurlProber(Options options);
  ~CurlProber() override;

  void Start(KeyProbe probe, Done done) override;
  // Ends the probes under way; their `done` is not called any more.
  void Stop();

 private:
  struct Waiting {
    KeyProbe probe;
    Done done;
  };
  class Transfer;

  void Run();
  bool BeginWaiting();  // false when it is time to stop
  bool EndDone();       // whether there was any

  const Options options_;
  void* const multi_;                               // CURLM; of the thread, but for its wake-up
  std::vector<std::unique_ptr<Transfer>> running_;  // of the thread
  Mutex mutex_;
  bool stopping_ CCR_GUARDED_BY(mutex_) = false;
  std::deque<Waiting> waiting_ CCR_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace ccr
