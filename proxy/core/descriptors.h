// How the process's file descriptors are shared, so that clients cannot take those that providers need.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace ccr::proxy {

struct ClientShare {
  int64_t served = INT64_MAX;   // connections of clients at once
  int64_t rejected = 256;       // above them, being told so
  size_t idle_upstream = 1024;  // kept connections to providers, of each worker's engines each
};

// Of `limit` descriptors (RLIMIT_NOFILE), for `workers` loops: three eighths for clients, as many for the providers of
// their requests, an eighth for kept connections to providers (two engines have some), a sixteenth for refusals; the
// rest is for all else.
inline ClientShare ShareDescriptors(uint64_t limit, size_t workers) {
  limit = std::min<uint64_t>(limit, INT64_MAX);
  ClientShare share;
  share.served = std::max<int64_t>(1, static_cast<int64_t>(limit / 8 * 3));
  share.rejected = std::min<int64_t>(share.rejected, static_cast<int64_t>(limit / 16));
  share.idle_upstream = std::clamp<size_t>(limit / 16 / std::max<size_t>(1, workers), 1, share.idle_upstream);
  return share;
}

}  // namespace ccr::proxy
