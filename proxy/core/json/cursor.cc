#include "proxy/core/json/cursor.h"

#include "proxy/core/json/plain.h"

namespace ccr::proxy {

void JsonCursor::SkipString() {
  const char* const end = text_.data() + text_.size();
  const char* p = SkipPlain(text_.data() + pos_ + 1, end);
  while (end - p > 1 && *p == '\\') p = SkipPlain(p + 2, end);
  pos_ = static_cast<size_t>(p - text_.data()) + 1;
}

void JsonCursor::SkipContainer() {
  size_t depth = 0;
  do {
    switch (text_[pos_]) {
      case '"':
        SkipString();
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        --depth;
        break;
      default:
        break;
    }
    ++pos_;
  } while (depth > 0 && pos_ < text_.size());
}

std::string_view JsonCursor::Read() {
  const size_t begin = pos_;
  if (Peek() == '"') {
    SkipString();
  } else if (Peek() == '{' || Peek() == '[') {
    SkipContainer();
  } else {
    while (pos_ < text_.size() && std::string_view(" \t\r\n,:]}").find(text_[pos_]) == std::string_view::npos) ++pos_;
  }
  const std::string_view value = text_.substr(begin, pos_ - begin);
  SkipSpace();
  return value;
}

}  // namespace ccr::proxy
