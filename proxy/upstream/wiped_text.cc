#include "proxy/upstream/wiped_text.h"

#include <string.h>

#include <algorithm>
#include <utility>

namespace ccr::proxy {

void WipedText::Append(std::string_view text) {
  if (text_.size() + text.size() > text_.capacity()) Grow(text_.size() + text.size());
  text_.append(text);
}

void WipedText::Clear() {
  explicit_bzero(text_.data(), text_.size());
  text_.clear();
}

// By hand, so that no copy of a credential stays behind in freed memory.
void WipedText::Grow(size_t size) {
  std::string bigger;
  bigger.reserve(std::max<size_t>(2 * size, 1024));
  bigger.append(text_);
  std::swap(text_, bigger);
  explicit_bzero(bigger.data(), bigger.size());
}

bool HoldsLineBreak(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

}  // namespace ccr::proxy
