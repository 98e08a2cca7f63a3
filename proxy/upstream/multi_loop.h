// A curl multi handle that lives on an asio loop.
#pragma once

#include <curl/curl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proxy/upstream/lazy_timer.h"

namespace ccr::proxy {

// Waits for curl's sockets and timer, and lets curl work when they are ready. A socket stays registered with the loop
// until curl closes it, so that a kept connection costs no registration per request. Belongs to one loop.
class MultiLoop {
 public:
  // `after_work` runs whenever curl may have finished transfers: read them off with NextDone. It may add and remove.
  MultiLoop(boost::asio::io_context& loop, size_t max_idle_connections, std::function<void()> after_work);
  ~MultiLoop();  // all transfers must be removed
  MultiLoop(const MultiLoop&) = delete;
  MultiLoop& operator=(const MultiLoop&) = delete;

  void Adopt(CURL* easy);          // once per handle, before its first Add
  bool Add(CURL* easy);            // starts it, from the next loop turn on; false when curl refuses
  void Remove(CURL* easy);         // not while working()
  void Unpause(CURL* easy);        // not while working(); may call the handle's callbacks
  CURL* NextDone(CURLcode* code);  // a handle that has ended, to be removed; nullptr when there is none

  // The connection that carries the request which curl is about to send, by its ends, as curl tells them.
  struct Line {
    int socket = -1;    // -1: unknown
    bool kept = false;  // has carried one before
  };
  bool IsOpen(int socket) const {
    return socket >= 0 && static_cast<size_t>(socket) < sockets_.size() && sockets_[socket] != nullptr;
  }
  Line Claim(const char* local_ip, int local_port, const char* remote_ip, int remote_port);

  // True inside of curl's callbacks, where curl must not be called.
  bool working() const { return working_; }
  // The errno of the latest socket that was to be opened; 0 when it was.
  int open_error() const { return open_error_; }

 private:
  struct Socket;

  static int OnSocket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);
  static curl_socket_t OnOpen(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int OnClose(void* self, curl_socket_t fd);

  std::shared_ptr<Socket>& At(curl_socket_t fd);
  void Watch(const std::shared_ptr<Socket>& socket);
  void Wait(const std::shared_ptr<Socket>& socket, int direction);
  void Release(curl_socket_t fd);
  void OnTimeout();
  void KickSoon();
  void Work(curl_socket_t fd, int events);

  boost::asio::io_context& loop_;
  const std::function<void()> after_work_;
  CURLM* const multi_;
  LazyTimer timer_;
  SteadyTime due_ = SteadyTime::max();  // when curl wants to be called
  bool kicked_ = false;                 // a call is posted
  bool working_ = false;
  int open_error_ = 0;
  std::vector<std::shared_ptr<Socket>> sockets_;  // by file descriptor
  std::vector<curl_socket_t> unclaimed_;
  absl::flat_hash_map<std::string, curl_socket_t> claimed_;  // by their ends
  std::shared_ptr<MultiLoop*> self_;                         // what a handler that outlives us finds out by
};

}  // namespace ccr::proxy
