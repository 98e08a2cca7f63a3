// How much each session sent last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace ccr::proxy {

// The input tokens of the last answer of each of the sessions used most recently. Not thread-safe; one per worker.
class SessionUsage {
 public:
  explicit SessionUsage(size_t max_sessions = 10000) : max_sessions_(max_sessions) {}
  SessionUsage(const SessionUsage&) = delete;
  SessionUsage& operator=(const SessionUsage&) = delete;

  // `input_tokens` is all that the model read, what came out of a cache as well: with prompt caching the rest is a few
  // hundred tokens whatever the size of the context. An empty session is nobody's and not kept.
  void Record(std::string_view session, uint64_t input_tokens);

  // 0 for a session that is not known.
  uint64_t Last(std::string_view session);

  size_t size() const { return sessions_.size(); }

 private:
  struct Session {
    std::string id;
    uint64_t input_tokens;
  };

  const size_t max_sessions_;
  std::list<Session> sessions_;  // most recently used first
  // Keys are views of the ids in the list, and there is one for each.
  absl::flat_hash_map<absl::string_view, std::list<Session>::iterator> index_;
};

}  // namespace ccr::proxy
