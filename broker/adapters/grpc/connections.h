// Who is at the other end of the connections that we accepted.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "broker/base/mutex.h"

namespace ccr {

// gRPC knows a connection that is handed to it by the number of its descriptor ("fd:12") and gives us no more. It also
// closes it, and the number goes to the next connection, maybe while a call of the last one is still being looked at.
// Invariant: a number that once stood for one origin never stands for another. Thread-safe.
class Connections {
 public:
  using Origin = int64_t;  // the uid of the process at a unix socket, or kNetwork
  static constexpr Origin kNetwork = -1;
  static constexpr size_t kMaxPerOrigin = 1024;

  // `origins`: how many there may be. With few descriptors (RLIMIT_NOFILE) each gets less than kMaxPerOrigin.
  explicit Connections(size_t origins);

  // Takes over the socket `fd`; returns the descriptor to give to gRPC, maybe another one. It is closed on an error:
  // ResourceExhausted when the origin has its share of connections, or no number is left.
  absl::StatusOr<int> Admit(int fd, Origin origin);

  // Of a call's peer ("fd:12"); nothing when the connection was none of these.
  std::optional<Origin> Find(const std::string& peer) const;

  size_t limit() const { return limit_; }

 private:
  struct Entry {
    Origin origin;
    ino_t inode;  // of the socket that has the number, or had it last
  };
  size_t CountOpen(Origin origin) CCR_REQUIRES(mutex_);
  bool IsOthers(int number, Origin origin) const CCR_REQUIRES(mutex_);
  int FreeNumber(int fd, Origin origin) const CCR_REQUIRES(mutex_);

  const size_t limit_;
  mutable Mutex mutex_;
  absl::flat_hash_map<int, Entry> entries_ CCR_GUARDED_BY(mutex_);      // by number, for ever
  absl::flat_hash_map<Origin, size_t> at_most_ CCR_GUARDED_BY(mutex_);  // upper bounds of what is open
};

}  // namespace ccr
