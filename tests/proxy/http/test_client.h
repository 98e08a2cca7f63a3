// A client of raw bytes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace ccr::proxy::testing {

// For what must happen, on a slow and busy machine too; only a failure takes so long.
inline constexpr std::chrono::milliseconds kPatience = std::chrono::minutes(1);

struct Response {
  int status = 0;    // 0 = none came
  std::string head;  // status line and headers, in lower case
  std::string body;  // without chunk framing
  bool complete = false;

  bool Has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

class TestClient {
 public:
  explicit TestClient(uint16_t port, int receive_buffer = 0) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~TestClient() { Close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool connected() const { return connected_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Some bytes, at most `limit` of them; empty at the end of the connection or after a minute.
  std::string Receive(size_t limit = 65536) {
    std::string bytes(limit, '\0');
    pollfd entry{fd_, POLLIN, 0};
    if (poll(&entry, 1, static_cast<int>(kPatience.count())) <= 0) return {};
    const ssize_t size = recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
    return bytes;
  }
  // Whether the other side closes within `bound` without another byte.
  bool IsClosed(std::chrono::milliseconds bound = kPatience) {
    char byte = 0;
    return buffer_.empty() && !IsSilent(bound) && recv(fd_, &byte, 1, 0) <= 0;
  }
  // Whether nothing comes for so long, not even the end.
  bool IsSilent(std::chrono::milliseconds time) {
    pollfd entry{fd_, POLLIN, 0};
    return poll(&entry, 1, static_cast<int>(time.count())) == 0;
  }
  // Whether anything comes within `bound`, the end of the connection too.
  bool IsReadable(std::chrono::milliseconds bound) {
    pollfd entry{fd_, POLLIN, 0};
    return !buffer_.empty() || poll(&entry, 1, static_cast<int>(bound.count())) > 0;
  }
  // Receives until `text` has come; false at the end of the connection.
  bool ReceiveUntil(std::string_view text) {
    while (buffer_.find(text) == std::string::npos)
      if (!More()) return false;
    return true;
  }
  // The next response; `head_only` when it answers HEAD.
  Response Read(bool head_only = false) {
    Response response;
    if (!ReceiveUntil("\r\n\r\n")) return response;
    const size_t end = buffer_.find("\r\n\r\n") + 4;
    response.head = buffer_.substr(0, end);
    buffer_.erase(0, end);
    std::transform(response.head.begin(), response.head.end(), response.head.begin(), ::tolower);
    response.status = std::stoi(response.head.substr(9, 3));
    if (response.status == 100) return Read(head_only);
    if (head_only || response.status == 204) {
      response.complete = true;
    } else if (response.Has("transfer-encoding: chunked")) {
      response.complete = ReadChunks(&response.body);
    } else if (const size_t at = response.head.find("content-length: "); at != std::string::npos) {
      response.complete = ReadBytes(std::stoul(response.head.substr(at + 16)), &response.body);
    } else {
      while (More()) continue;
      response.body = std::exchange(buffer_, {});
      response.complete = true;
    }
    return response;
  }
  Response Ask(std::string_view request, bool head_only = false) {
    Send(request);
    return Read(head_only);
  }

 private:
  bool More() {
    const std::string bytes = Receive();
    buffer_ += bytes;
    return !bytes.empty();
  }
  bool ReadBytes(size_t size, std::string* body) {
    while (buffer_.size() < size && More()) continue;
    const size_t taken = std::min(size, buffer_.size());
    *body += buffer_.substr(0, taken);
    buffer_.erase(0, taken);
    return taken == size;
  }
  bool ReadChunks(std::string* body) {
    for (;;) {
      if (!ReceiveUntil("\r\n")) return false;
      const size_t size = std::stoul(buffer_, nullptr, 16);
      buffer_.erase(0, buffer_.find("\r\n") + 2);
      std::string end;
      if (!ReadBytes(size, body) || !ReadBytes(2, &end)) return false;
      if (size == 0) return true;
    }
  }

  int fd_;
  bool connected_ = false;
  std::string buffer_;
};

inline std::string Post(std::string_view path, std::string_view body, std::string_view headers = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nhost: localhost\r\n" + std::string(headers) +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
inline std::string Get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nhost: localhost\r\n" + std::string(headers) + "\r\n";
}

}  // namespace ccr::proxy::testing
