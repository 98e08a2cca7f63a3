// A provider that does exactly what a test says, byte for byte, on real sockets.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace ccr::proxy {

// The server's end of one connection; blocking, with a bound of a minute on everything.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  virtual ~Peer() = default;

  // One request: its head, and its body if it has Content-Length. Empty when the connection has ended.
  std::string ReadRequest() {
    size_t end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadMore()) return {};
    }
    const size_t size = end + 4 + ContentLength(buffer_.substr(0, end));
    while (buffer_.size() < size) {
      if (!ReadMore()) return {};
    }
    std::string request = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return request;
  }

  // True when all was written. With `stalled`, sets that once nothing has gone out for 200 ms.
  bool Write(std::string_view bytes, std::atomic<bool>* stalled = nullptr) {
    while (!bytes.empty()) {
      if (stalled != nullptr && !Ready(POLLOUT, 200)) *stalled = true;
      const ssize_t sent = Send(bytes);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Reads `size` bytes, and leaves what follows; false when the connection has ended before.
  bool Skip(size_t size) {
    while (buffer_.size() < size) {
      if (!ReadMore()) return false;
    }
    buffer_.erase(0, size);
    return true;
  }

  // Waits for the client to close, at most a minute.
  bool WaitForEnd() {
    while (ReadMore()) {
    }
    return ended_;
  }

 protected:
  virtual ssize_t Send(std::string_view bytes) { return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  virtual ssize_t Receive(char* to, size_t size) { return recv(fd_, to, size, 0); }
  virtual bool HasPending() const { return false; }  // received, and not in the socket any more

 private:
  static size_t ContentLength(const std::string& head) {
    const size_t at = head.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::strtoull(head.c_str() + at + 16, nullptr, 10);
  }

  bool Ready(short event, int timeout_ms) const {
    pollfd p{fd_, event, 0};
    return poll(&p, 1, timeout_ms) > 0;
  }

  bool ReadMore() {
    if (!HasPending() && !Ready(POLLIN, 60'000)) return false;
    char chunk[65536];
    const ssize_t bytes = Receive(chunk, sizeof chunk);
    ended_ = bytes <= 0;
    if (!ended_) buffer_.append(chunk, static_cast<size_t>(bytes));
    return !ended_;
  }

  const int fd_;
  std::string buffer_;
  bool ended_ = false;
};

// Runs `script` on a thread of its own for each connection, and closes the connection when the script returns.
class ScriptedServer {
 public:
  using Script = std::function<void(Peer&)>;
  using MakePeer = std::function<std::unique_ptr<Peer>(int fd)>;  // nullptr: closed

  explicit ScriptedServer(
      Script script, MakePeer make_peer = [](int fd) { return std::make_unique<Peer>(fd); })
      : script_(std::move(script)), make_peer_(std::move(make_peer)), listener_(Listen(256, &port_)) {
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~ScriptedServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    close(listener_);
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (auto& thread : threads_) thread.join();
  }

  std::string Url(const std::string& path = "/") const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  int port() const { return port_; }
  int connections() const { return connections_; }

  // A listening socket on a free loopback port.
  static int Listen(int backlog, int* port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    listen(fd, backlog);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    *port = ntohs(address.sin_port);
    return fd;
  }

 private:
  void Accept() {
    for (int fd = accept(listener_, nullptr, nullptr); fd >= 0; fd = accept(listener_, nullptr, nullptr)) {
      ++connections_;
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      threads_.emplace_back([this, fd] {
        if (const std::unique_ptr<Peer> peer = make_peer_(fd)) script_(*peer);
        const std::lock_guard guard(mutex_);
        std::erase(open_, fd);
        close(fd);
      });
    }
  }

  const Script script_;
  const MakePeer make_peer_;
  int port_ = 0;
  const int listener_;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<int> open_;             // guarded by mutex_
  std::vector<std::thread> threads_;  // by the acceptor, then by the destructor
  std::thread acceptor_;
};

}  // namespace ccr::proxy
