#include "proxy/request/body_budget.h"

#include <utility>

namespace ccr::proxy {
namespace {

uint64_t LimitFor(uint64_t size, uint64_t limit) {
  return size <= BodyBudget::kSmall ? limit : limit - limit / 4;
}

}  // namespace

bool BodyBudget::Fits(uint64_t held, uint64_t size, uint64_t limit) const {
  return size <= held || used() + (size - held) <= LimitFor(size, limit);
}

bool BodyBudget::Grow(uint64_t held, uint64_t size, uint64_t limit) {
  if (size <= held) return true;
  const uint64_t more = size - held;
  const uint64_t before = used_.fetch_add(more, std::memory_order_relaxed);
  if (before + more <= LimitFor(size, limit)) return true;
  Return(more);
  return false;
}

void BodyCharge::Use(BodyBudget* budget, uint64_t limit) {
  Release();
  budget_ = budget;
  limit_ = limit;
}

bool BodyCharge::GrowTo(uint64_t size) {
  if (budget_ == nullptr || size <= bytes_) return true;
  if (!budget_->Grow(bytes_, size, limit_)) return false;
  bytes_ = size;
  return true;
}

void BodyCharge::Release() {
  if (bytes_ > 0) budget_->Return(std::exchange(bytes_, 0));
}

}  // namespace ccr::proxy
