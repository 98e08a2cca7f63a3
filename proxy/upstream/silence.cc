#include "proxy/upstream/silence.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "broker/base/stranger_log.h"

namespace ccr::proxy {
namespace {

constexpr int kSilentSeconds = 15;
constexpr int kSecondsBetweenProbes = 5;
constexpr int kProbes = 3;
constexpr int kUnacknowledgedMillis = 20'000;

void Set(int socket, int level, int option, int value) {
  setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

bool IsSilent(int socket) {
  char byte = 0;
  return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool HasSurplus(int socket, bool tls) {
  constexpr size_t kHeader = 5;  // of a TLS record: its kind, the version, the length (RFC 8446, 5.1)
  constexpr unsigned char kAlert = 21;
  constexpr unsigned char kApplication = 23;  // in TLS 1.3 alerts too: two bytes, their kind, and a tag of 16 at most
  constexpr int kLongestAlert = 2 + 1 + 16;
  unsigned char bytes[kHeader] = {};
  const ssize_t size = recv(socket, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
  if (!tls || size < static_cast<ssize_t>(kHeader)) return size > 0 && !tls;
  return bytes[0] != kAlert && (bytes[0] != kApplication || (bytes[3] << 8 | bytes[4]) > kLongestAlert);
}

void LogSurplus(std::string_view provider) {
  LogStranger("surplus_of_provider", {{"provider", provider},
                                      {"why",
                                       "it sent more than its answer; the rest is dropped and the connection "
                                       "closed"}});
}

void Acknowledge(int socket) {
  constexpr int kOnceOnly = 2;
  Set(socket, IPPROTO_TCP, TCP_QUICKACK, kOnceOnly);
}

void ProbeSilence(int socket) {
  Set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  Set(socket, IPPROTO_TCP, TCP_KEEPIDLE, kSilentSeconds);
  Set(socket, IPPROTO_TCP, TCP_KEEPINTVL, kSecondsBetweenProbes);
  Set(socket, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
}

void BoundSilence(int socket) {
  Set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMillis);
}

}  // namespace ccr::proxy
