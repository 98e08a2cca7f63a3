#include "broker/core/verdict/inquiry.h"

#include <utility>

namespace ccr::core {

Inquiry* InquiryTable::Find(uint64_t number) {
  const size_t place = number % kMaxOpen;
  return number == 0 || place >= ring_.size() || ring_[place].number != number ? nullptr : &ring_[place];
}

uint64_t InquiryTable::Of(const LeaseId& last) const {
  if (by_last_.empty()) return 0;
  const auto it = by_last_.find(last);
  return it == by_last_.end() ? 0 : it->second;
}

Inquiry& InquiryTable::Open() {
  const size_t place = ++opened_ % kMaxOpen;
  if (place >= ring_.size()) ring_.resize(place + 1);
  Inquiry& inquiry = ring_[place];
  if (inquiry.number != 0) Close(inquiry);
  inquiry.number = opened_;
  return inquiry;
}

void InquiryTable::Follow(Inquiry& inquiry, const LeaseId& last) {
  by_last_.erase(inquiry.last);
  inquiry.last = last;
  by_last_[last] = inquiry.number;
}

Inquiry InquiryTable::Close(Inquiry& inquiry) {
  by_last_.erase(inquiry.last);
  return std::exchange(inquiry, Inquiry());
}

void InquiryTable::Clear() {
  ring_.clear();
  by_last_.clear();
}

}  // namespace ccr::core
