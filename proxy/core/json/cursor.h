// A walk over JSON that is known to be well formed, one pass, no tree.
#pragma once

#include <cstddef>
#include <string_view>

namespace ccr::proxy {

// Stands before a value; every call but Peek reads the value and stands behind it. The text must be well formed
// (ScanBody says so) and outlive the cursor and its views. Not thread-safe.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view json) : text_(json) { SkipSpace(); }

  // The first byte of the value: '{', '[', '"', or a literal's or a number's.
  char Peek() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }

  // Where the value begins in the text.
  size_t pos() const { return pos_; }

  // The value as it is written; of a string, with its quotes.
  std::string_view Read();

  // Calls member(key with its quotes) for each member of an object; the callee reads the value. Another value is read.
  template <typename Member>
  void Object(Member&& member) {
    Elements('{', '}', [&] {
      const std::string_view key = Read();
      Punctuation();
      member(key);
    });
  }

  // Calls element() for each element of an array; the callee reads the value. Another value is read.
  template <typename Element>
  void Array(Element&& element) {
    Elements('[', ']', element);
  }

 private:
  template <typename Element>
  void Elements(char open, char close, Element&& element) {
    if (Peek() != open) {
      Read();
      return;
    }
    Punctuation();
    while (pos_ < text_.size() && text_[pos_] != close) {
      element();
      if (Peek() == ',') Punctuation();
    }
    Punctuation();
  }

  void SkipSpace() {
    while (pos_ < text_.size() && static_cast<unsigned char>(text_[pos_]) <= ' ') ++pos_;
  }
  void Punctuation() {
    ++pos_;
    SkipSpace();
  }
  void SkipString();
  void SkipContainer();

  const std::string_view text_;
  size_t pos_ = 0;
};

}  // namespace ccr::proxy
