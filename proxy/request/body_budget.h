// The memory of all request bodies of a process.
#pragma once

#include <atomic>
#include <cstdint>

namespace ccr::proxy {

// Counts what bodies take, over all workers. Thread-safe.
class BodyBudget {
 public:
  // Bodies above this size leave a quarter of the limit to smaller ones, which a few huge ones cannot keep out.
  static constexpr uint64_t kSmall = 256 * 1024;

  // Whether a body may come to hold `size` bytes in all when it holds `held` now. Takes nothing.
  bool Fits(uint64_t held, uint64_t size, uint64_t limit) const;
  // The same, and takes them.
  bool Grow(uint64_t held, uint64_t size, uint64_t limit);
  void Return(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> used_{0};
};

// What one body has taken of it; gives it back when it ends. Thread-compatible.
class BodyCharge {
 public:
  BodyCharge() = default;
  ~BodyCharge() { Release(); }
  BodyCharge(const BodyCharge&) = delete;
  BodyCharge& operator=(const BodyCharge&) = delete;

  // From now on against that budget, which outlives this.
  void Use(BodyBudget* budget, uint64_t limit);
  // Without a budget everything fits.
  bool Fits(uint64_t size) const { return budget_ == nullptr || budget_->Fits(bytes_, size, limit_); }
  bool GrowTo(uint64_t size);
  void Release();

 private:
  BodyBudget* budget_ = nullptr;
  uint64_t limit_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace ccr::proxy
