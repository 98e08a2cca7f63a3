#include "proxy/upstream/silence.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

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
