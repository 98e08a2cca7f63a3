// What a socket to a provider shows while nobody reads it, and how long its silence is believed.
#pragma once

#include <string_view>

namespace ccr::proxy {

// Whether nothing is there to be read, not even the connection's end.
bool IsSilent(int socket);

// Whether bytes are there that nobody has asked for: of the connection's end alone it is false. Of TLS, which hides what
// its records hold, it is true for records that are longer than an alert.
bool HasSurplus(int socket, bool tls);

// Tells that `provider` sent more than its answer.
void LogSurplus(std::string_view provider);

// Acknowledges all that has come, now instead of with the next request: a peer may hold back until then (Nagle) what it
// has to say beyond its answer, and would say it right behind the request.
void Acknowledge(int socket);

// A peer that is silent for 15 s is probed every 5 s, and gone after three probes without an answer.
void ProbeSilence(int socket);

// For connections that are kept, whose peer may be gone since: gone after 20 s in which it acknowledges nothing of
// what was sent. New ones have just shown that they work, and a peer may be slow to take a body in.
void BoundSilence(int socket);

}  // namespace ccr::proxy
