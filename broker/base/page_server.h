// An HTTP/1.1 server of one page, for scrapers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "broker/base/address.h"

namespace ccr {

// Answers GET and HEAD of one path from one thread of its own, and closes the connection after the answer. Nobody can
// keep others waiting: each connection has a deadline, and when there are too many, the oldest goes. When the process
// has no descriptor left, one is kept for a scrape. Thread-safe.
class PageServer {
 public:
  struct Options {
    HostPort listen;
    std::string path;
    std::string content_type;
    size_t max_connections = 64;
    size_t max_answers = 4;                         // pages in memory
    std::chrono::milliseconds deadline{15 * 1000};  // from the connection to the last byte
  };
  static constexpr size_t kMaxHeadBytes = 8192;

  // `render` makes the page, on the server's thread. An error of the system when the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<PageServer>> Start(Options options, std::function<std::string()> render);
  ~PageServer();  // waits for nothing but a `render` under way
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  const HostPort& address() const;  // the port really bound

 private:
  class Loop;
  explicit PageServer(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace ccr
