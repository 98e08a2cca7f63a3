// A provider on loopback that says exactly the bytes it is told to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ccr::proxy::testing {

// One connection, as a script sees it.
class Peer {
 public:
  explicit Peer(int fd, const std::atomic<bool>& stopping) : fd_(fd), stopping_(stopping) {}
  ~Peer() { close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!Ready(POLLOUT)) return false;
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Empty at the end of the connection, or of the test.
  std::string Receive() {
    char buffer[16384];
    if (!Ready(POLLIN)) return {};
    const ssize_t size = recv(fd_, buffer, sizeof buffer, 0);
    return size > 0 ? std::string(buffer, static_cast<size_t>(size)) : std::string();
  }
  // Until the other side has closed.
  bool WaitClosed() {
    while (!stopping_)
      if (Receive().empty()) return !stopping_;
    return false;
  }
  // Until the test sets it, or ends.
  void WaitFor(const std::atomic<bool>& flag) const {
    while (!flag && !stopping_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  bool stopping() const { return stopping_; }

 private:
  bool Ready(short events) {
    while (!stopping_) {
      pollfd entry{fd_, events, 0};
      if (poll(&entry, 1, 10) > 0) return true;
    }
    return false;
  }

  const int fd_;
  const std::atomic<bool>& stopping_;
};

class FakeUpstream {
 public:
  // Answers one request; false ends the connection.
  using Script = std::function<bool(Peer& peer, const std::string& request)>;

  explicit FakeUpstream(Script script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    listen(listener_, 64);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { AcceptLoop(); });
  }
  ~FakeUpstream() {
    stopping_ = true;
    acceptor_.join();
    for (std::thread& session : sessions_) session.join();
    close(listener_);
  }

  std::string Url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  // Head and body of each, as they came.
  std::vector<std::string> requests() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }
  size_t CountWith(std::string_view text) const {
    const auto all = requests();
    return static_cast<size_t>(std::count_if(
        all.begin(), all.end(), [&](const std::string& request) { return request.find(text) != std::string::npos; }));
  }

 private:
  void AcceptLoop() {
    while (!stopping_) {
      pollfd entry{listener_, POLLIN, 0};
      if (poll(&entry, 1, 10) <= 0) continue;
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd >= 0) sessions_.emplace_back([this, fd] { Serve(fd); });
    }
  }

  void Serve(int fd) {
    Peer peer(fd, stopping_);
    std::string buffer;
    for (;;) {
      const std::string request = ReadRequest(peer, &buffer);
      if (request.empty()) return;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        requests_.push_back(request);
      }
      if (!script_(peer, request)) return;
    }
  }

  static size_t BodySize(const std::string& head) {
    std::string lower = head;
    std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
    const size_t at = lower.find("\r\ncontent-length:");
    return at == std::string::npos ? 0 : std::stoul(lower.substr(at + 17));
  }

  static std::string ReadRequest(Peer& peer, std::string* buffer) {
    for (;;) {
      const size_t end = buffer->find("\r\n\r\n");
      if (end != std::string::npos) {
        const size_t size = end + 4 + BodySize(buffer->substr(0, end + 2));
        if (buffer->size() >= size) {
          std::string request = buffer->substr(0, size);
          buffer->erase(0, size);
          return request;
        }
      }
      const std::string more = peer.Receive();
      if (more.empty()) return {};
      *buffer += more;
    }
  }

  const Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<std::thread> sessions_;
  std::thread acceptor_;
};

inline std::string Answer(int status, std::string_view headers, std::string_view body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + std::string(headers) +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
inline std::string Chunk(std::string_view bytes) {
  char size[16];
  snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + std::string(bytes) + "\r\n";
}
inline constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

}  // namespace ccr::proxy::testing
