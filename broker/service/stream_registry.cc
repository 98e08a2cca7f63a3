#include "broker/service/stream_registry.h"

namespace ccr {

StreamRegistry::Opened StreamRegistry::Open(std::string_view token) {
  MutexLock lock(mutex_);
  core::OwnerId& owner = owners_[std::string(token)];
  const Opened opened{next_owner_++, owner};
  owner = opened.owner;
  ++open_;
  return opened;
}

void StreamRegistry::Close(core::OwnerId owner) {
  MutexLock lock(mutex_);
  --open_;
  absl::erase_if(owners_, [owner](const auto& entry) { return entry.second == owner; });
}

uint32_t StreamRegistry::open() const {
  MutexLock lock(mutex_);
  return open_;
}

}  // namespace ccr
