#include "broker/config/json5.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <utility>

namespace ccr {
namespace {

constexpr char32_t kEnd = 0xFFFFFFFF;

bool IsLineEnd(char32_t c) {
  return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029;
}

bool IsSpace(char32_t c) {
  return (c >= '\t' && c <= '\r') || c == ' ' || c == 0xA0 || c == 0xFEFF || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsDigit(char32_t c) {
  return c >= '0' && c <= '9';
}

int HexValue(char32_t c) {
  if (IsDigit(c)) return static_cast<int>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<int>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<int>(c - 'A' + 10);
  return -1;
}

bool IsNameStart(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
         (c >= 0x80 && c != kEnd && !IsSpace(c));
}

bool IsNamePart(char32_t c) {
  return IsNameStart(c) || IsDigit(c);
}

void AppendUtf8(char32_t c, std::string* out) {
  auto put = [out](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | (c >> 6));
  } else {
    if (c < 0x10000) {
      put(0xE0 | (c >> 12));
    } else {
      put(0xF0 | (c >> 18));
      put(0x80 | ((c >> 12) & 0x3F));
    }
    put(0x80 | ((c >> 6) & 0x3F));
  }
  put(0x80 | (c & 0x3F));
}

// What stands at a place, for messages: one character at most.
std::string Describe(char32_t c) {
  if (c == kEnd) return "the end of the file";
  if (IsLineEnd(c)) return "the end of the line";
  if (c < 0x20 || c == 0x7F) return "a control character";
  std::string quoted = "'";
  AppendUtf8(c, &quoted);
  return quoted + "'";
}

// Recursive descent, one method per rule of the grammar. Each returns false after Fail().
class Parser {
 public:
  Parser(std::string_view text, SyntaxError* error) : text_(text), error_(error) {}

  bool ParseDocument(Node* root) {
    if (!SkipSpace() || !ParseValue(root, 0) || !SkipSpace()) return false;
    return Peek() == kEnd || Expected("the end of the file after the outermost value");
  }

 private:
  // The character at `pos_` and its length in bytes. Broken UTF-8 counts byte by byte.
  char32_t Decode(size_t* length) const {
    *length = 1;
    if (pos_ >= text_.size()) return kEnd;
    const auto lead = static_cast<unsigned char>(text_[pos_]);
    const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (bytes == 1 || pos_ + bytes > text_.size()) return lead;
    char32_t c = lead & (0x7Fu >> bytes);
    for (size_t i = 1; i < bytes; ++i) c = (c << 6) | (static_cast<unsigned char>(text_[pos_ + i]) & 0x3F);
    *length = bytes;
    return c;
  }

  char32_t Peek() const {
    size_t length;
    return Decode(&length);
  }

  // Takes one character; counts lines ("\r\n" is one end).
  char32_t Next() {
    size_t length;
    const char32_t c = Decode(&length);
    if (c == kEnd) return c;
    pos_ += length;
    if (IsLineEnd(c) && !(c == '\r' && Peek() == '\n')) {
      ++line_;
      line_start_ = pos_;
    }
    return c;
  }

  bool Take(char32_t wanted) {
    if (Peek() != wanted) return false;
    Next();
    return true;
  }

  bool TakeWord(std::string_view word) {
    if (text_.substr(pos_, word.size()) != word) return false;
    const size_t start = pos_;
    pos_ += word.size();
    if (!IsNamePart(Peek())) return true;
    pos_ = start;
    return false;
  }

  bool Fail(std::string message) {
    error_->line = line_;
    error_->column = 1;
    for (size_t i = line_start_; i < pos_ && i < text_.size(); ++i) error_->column += (text_[i] & 0xC0) != 0x80;
    error_->message = std::move(message);
    return false;
  }

  bool Expected(const std::string& what) { return Fail("expected " + what + ", found " + Describe(Peek())); }

  // White space and comments.
  bool SkipSpace() {
    for (;;) {
      if (IsSpace(Peek())) {
        Next();
      } else if (text_.substr(pos_, 2) == "//") {
        while (Peek() != kEnd && !IsLineEnd(Peek())) Next();
      } else if (text_.substr(pos_, 2) == "/*") {
        if (!SkipBlockComment()) return false;
      } else {
        return true;
      }
    }
  }

  bool SkipBlockComment() {
    if (text_.find("*/", pos_ + 2) == std::string_view::npos) return Fail("this comment is not closed: add */");
    pos_ += 2;
    while (text_.substr(pos_, 2) != "*/") Next();
    pos_ += 2;
    return true;
  }

  bool ParseValue(Node* out, int depth) {
    if (depth > kMaxNesting) return Fail("nested deeper than " + std::to_string(kMaxNesting) + " levels");
    out->line = line_;
    out->begin = pos_;
    const bool parsed = ParseAnyValue(out, depth);
    out->end = pos_;
    return parsed;
  }

  bool ParseAnyValue(Node* out, int depth) {
    const char32_t c = Peek();
    if (c == '{') return ParseMap(out, depth);
    if (c == '[') return ParseList(out, depth);
    if (c == '"' || c == '\'') {
      out->kind = Node::Kind::kString;
      return ParseString(&out->text);
    }
    if (c == '+' || c == '-' || c == '.' || IsDigit(c) || c == 'I' || c == 'N') return ParseNumber(out);
    if (TakeWord("null")) return true;
    out->kind = Node::Kind::kBool;
    if (TakeWord("true")) return out->boolean = true;
    if (TakeWord("false")) return true;
    return Expected("a value ({, [, text in quotes, a number, true, false or null)");
  }

  bool ParseMap(Node* out, int depth) {
    out->kind = Node::Kind::kMap;
    Next();
    for (;;) {
      if (!SkipSpace()) return false;
      if (Take('}')) return true;
      Node::Entry& entry = out->entries.emplace_back();
      entry.line = line_;
      entry.begin = pos_;
      if (!ParseName(&entry.name) || !SkipSpace()) return false;
      if (!Take(':')) return Expected("':' after a name");
      if (!SkipSpace() || !ParseValue(&entry.value, depth + 1) || !SkipSpace()) return false;
      if (!Take(',') && Peek() != '}') return Expected("',' or '}' after a value");
    }
  }

  bool ParseList(Node* out, int depth) {
    out->kind = Node::Kind::kList;
    Next();
    for (;;) {
      if (!SkipSpace()) return false;
      if (Take(']')) return true;
      if (!ParseValue(&out->items.emplace_back(), depth + 1) || !SkipSpace()) return false;
      if (!Take(',') && Peek() != ']') return Expected("',' or ']' after a value");
    }
  }

  bool ParseName(std::string* out) {
    char32_t c = Peek();
    if (c == '"' || c == '\'') return ParseString(out);
    if (!IsNameStart(c) && c != '\\') return Expected("a name or '}'");
    for (; IsNamePart(c) || c == '\\'; c = Peek()) {
      Next();
      if (c == '\\' && (!Take('u') || !ParseUnicodeEscape(&c)))
        return Fail("expected \\u and four hexadecimal digits in a name");
      AppendUtf8(c, out);
    }
    return true;
  }

  bool ParseString(std::string* out) {
    const size_t start = pos_;
    const char32_t quote = Next();
    const size_t close = text_.find(static_cast<char>(quote), pos_);
    if (close != text_.npos) out->reserve(close - pos_);  // a growing one would leave parts of keys behind
    for (;;) {
      const char32_t c = Peek();
      if (c == kEnd || c == '\n' || c == '\r') {
        pos_ = std::max(start, line_start_);
        return Fail("this text is not closed: add " + Describe(quote) + " before the line ends");
      }
      Next();
      if (c == quote) return true;
      if (c != '\\') {
        AppendUtf8(c, out);
      } else if (!ParseEscape(out)) {
        return false;
      }
    }
  }

  bool ParseEscape(std::string* out) {
    static constexpr std::string_view kNames = "bfnrtv", kMeanings = "\b\f\n\r\t\v";
    const char32_t c = Peek();
    if (c == kEnd) return Expected("a character after \\");
    if (IsDigit(c) && c != '0') return Expected("an escape that JSON5 knows");
    Next();
    if (IsLineEnd(c)) {
      if (c == '\r') Take('\n');
      return true;
    }
    char32_t value = c;
    if (c == 'x' && !ParseHex(2, &value)) return false;
    if (c == 'u' && !ParseUnicodeEscape(&value)) return false;
    if (c == '0') {
      if (IsDigit(Peek())) return Expected("no digit after \\0");
      value = 0;
    }
    const size_t known = c < 0x80 ? kNames.find(static_cast<char>(c)) : std::string_view::npos;
    if (known != std::string_view::npos) value = static_cast<unsigned char>(kMeanings[known]);
    AppendUtf8(value, out);
    return true;
  }

  // After "\u": one character, of two escapes where it needs a surrogate pair.
  bool ParseUnicodeEscape(char32_t* out) {
    if (!ParseHex(4, out)) return false;
    if (*out < 0xD800 || *out > 0xDFFF) return true;
    char32_t low = 0;
    if (*out > 0xDBFF || !Take('\\') || !Take('u') || !ParseHex(4, &low) || low < 0xDC00 || low > 0xDFFF) {
      return Fail("half of a surrogate pair: \\uD800-\\uDBFF must be followed by \\uDC00-\\uDFFF");
    }
    *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
    return true;
  }

  bool ParseHex(int digits, char32_t* out) {
    *out = 0;
    for (int i = 0; i < digits; ++i) {
      const int digit = HexValue(Peek());
      if (digit < 0) return Expected(std::to_string(digits) + " hexadecimal digits");
      *out = *out * 16 + static_cast<char32_t>(digit);
      Next();
    }
    return true;
  }

  bool ParseNumber(Node* out) {
    out->kind = Node::Kind::kNumber;
    const bool negative = Take('-');
    if (!negative) Take('+');
    if (TakeWord("Infinity")) {
      out->number = std::numeric_limits<double>::infinity();
    } else if (TakeWord("NaN")) {
      out->number = std::numeric_limits<double>::quiet_NaN();
    } else if (text_.substr(pos_, 2) == "0x" || text_.substr(pos_, 2) == "0X") {
      if (!ParseHexNumber(&out->number)) return false;
    } else if (!ParseDecimal(&out->number)) {
      return false;
    }
    if (negative) out->number = -out->number;
    return !IsNamePart(Peek()) || Expected("the end of the number");
  }

  bool ParseHexNumber(double* out) {
    pos_ += 2;
    if (HexValue(Peek()) < 0) return Expected("hexadecimal digits after 0x");
    for (; HexValue(Peek()) >= 0; Next()) *out = *out * 16 + HexValue(Peek());
    return true;
  }

  bool ParseDecimal(double* out) {
    const size_t start = pos_;
    while (IsDigit(Peek())) Next();
    if (pos_ - start > 1 && text_[start] == '0') return Fail("a number must not begin with 0: leave the zeros out");
    size_t digits = pos_ - start;
    if (Take('.')) {
      const size_t fraction = pos_;
      while (IsDigit(Peek())) Next();
      digits += pos_ - fraction;
    }
    if (digits == 0) return Expected("a number or a value");
    if (Take('e') || Take('E')) {
      if (!Take('-')) Take('+');
      if (!IsDigit(Peek())) return Expected("digits of the exponent");
      while (IsDigit(Peek())) Next();
    }
    if (std::from_chars(text_.data() + start, text_.data() + pos_, *out).ec == std::errc::result_out_of_range) {
      return Fail("this number is too large or too small");
    }
    return true;
  }

  const std::string_view text_;
  SyntaxError* const error_;
  size_t pos_ = 0;
  size_t line_start_ = 0;
  int line_ = 1;
};

}  // namespace

bool ParseJson5(std::string_view text, Node* root, SyntaxError* error) {
  return Parser(text, error).ParseDocument(root);
}

}  // namespace ccr
