#include "proxy/core/session_usage.h"

namespace ccr::proxy {

void SessionUsage::Record(std::string_view session, uint64_t input_tokens) {
  if (session.empty() || max_sessions_ == 0) return;
  const auto found = index_.find(absl::string_view(session.data(), session.size()));
  if (found != index_.end()) {
    found->second->input_tokens = input_tokens;
    sessions_.splice(sessions_.begin(), sessions_, found->second);
    return;
  }
  if (sessions_.size() == max_sessions_) {
    index_.erase(sessions_.back().id);
    sessions_.pop_back();
  }
  sessions_.push_front({std::string(session), input_tokens});
  index_.emplace(sessions_.front().id, sessions_.begin());
}

uint64_t SessionUsage::Last(std::string_view session) {
  const auto found = index_.find(absl::string_view(session.data(), session.size()));
  if (found == index_.end()) return 0;
  sessions_.splice(sessions_.begin(), sessions_, found->second);
  return found->second->input_tokens;
}

}  // namespace ccr::proxy
