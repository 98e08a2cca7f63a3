#include "broker/service/pool_directory.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "broker/base/absl_text.h"

namespace ccr {

size_t PoolDirectory::NoCaseHash::operator()(std::string_view name) const {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(absl::ascii_tolower(c))) * 1099511628211u;
  return hash;
}

bool PoolDirectory::NoCaseEqual::operator()(std::string_view a, std::string_view b) const {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

PoolDirectory::PoolDirectory(std::vector<std::shared_ptr<ManagedPool>> pools) : pools_(std::move(pools)) {
  for (const auto& pool : pools_) {
    by_name_.emplace(pool->info()->pool, pool.get());
    if (pool->number() >= by_number_.size()) by_number_.resize(pool->number() + 1);
    by_number_[pool->number()] = pool.get();
  }
}

ManagedPool* PoolDirectory::Find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

ManagedPool* PoolDirectory::Find(uint32_t number) const {
  return number < by_number_.size() ? by_number_[number] : nullptr;
}

}  // namespace ccr
