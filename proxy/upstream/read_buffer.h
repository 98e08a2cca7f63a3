// Bytes read and not yet parsed, contiguous.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace ccr::proxy {

// Unlike Beast's buffers it may be consumed while a read into the prepared space is pending. Thread-compatible.
class ReadBuffer {
 public:
  // Space for `size` more bytes, until Commit. Moves what is there; not while a read is pending. Grows by half at
  // least.
  boost::asio::mutable_buffer Prepare(size_t size) {
    const size_t used = this->size();
    if (end_ + size > capacity_) MakeRoom(used + size);
    if (used == 0) begin_ = end_ = 0;
    return {data_.get() + end_, size};
  }
  void Commit(size_t size) { end_ += size; }
  void Consume(size_t size) { begin_ += size; }
  void Clear() { begin_ = end_; }
  // Gives memory above `capacity` back when nothing is in it; not while a read is pending.
  void Trim(size_t capacity) {
    if (size() > 0 || capacity_ <= capacity) return;
    data_.reset();
    begin_ = end_ = capacity_ = 0;
  }

  size_t size() const { return end_ - begin_; }
  std::string_view view() const { return {data_.get() + begin_, size()}; }

 private:
  void MakeRoom(size_t wanted) {
    const size_t used = size();
    if (wanted <= capacity_) {
      std::memmove(data_.get(), data_.get() + begin_, used);
    } else {
      wanted = std::max(wanted, capacity_ + capacity_ / 2);
      auto larger = std::make_unique_for_overwrite<char[]>(wanted);
      if (used > 0) std::memcpy(larger.get(), data_.get() + begin_, used);
      data_ = std::move(larger);
      capacity_ = wanted;
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace ccr::proxy
