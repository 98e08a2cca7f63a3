// Text that holds a credential, in memory that is wiped when it is left.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ccr::proxy {

// Reusable: Clear() keeps the memory. Not thread-safe.
class WipedText {
 public:
  ~WipedText() { Clear(); }
  WipedText() = default;
  WipedText(const WipedText&) = delete;
  WipedText& operator=(const WipedText&) = delete;

  void Append(std::string_view text);
  void Clear();

  char* data() { return text_.data(); }
  size_t size() const { return text_.size(); }

 private:
  void Grow(size_t size);

  std::string text_;
};

// Whether it would end a line of a head.
bool HoldsLineBreak(std::string_view text);

}  // namespace ccr::proxy
