#include "proxy/core/json/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "proxy/core/json/plain.h"
#include "proxy/core/utf8.h"

namespace ccr::proxy {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void AppendEscaped(char c, std::string* out) {
  *out += '\\';
  switch (c) {
    case '"':
    case '\\':
      *out += c;
      break;
    case '\n':
      *out += 'n';
      break;
    case '\r':
      *out += 'r';
      break;
    case '\t':
      *out += 't';
      break;
    default:
      *out += "u00";
      *out += kHex[c >> 4];
      *out += kHex[c & 15];
  }
}

uint32_t HexDigit(char c) {
  if (c <= '9') return static_cast<uint32_t>(c - '0');
  return static_cast<uint32_t>((c | 0x20) - 'a') + 10;
}

uint32_t ReadHex4(const char* digits) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 4 | HexDigit(digits[i]);
  return value;
}

// `escape` begins with "\u". Returns how many characters were read.
size_t AppendUnicodeEscape(std::string_view escape, std::string* out) {
  const uint32_t unit = ReadHex4(escape.data() + 2);
  if (!IsHighSurrogate(unit) && !IsLowSurrogate(unit)) {
    AppendUtf8(unit, out);
    return 6;
  }
  if (IsHighSurrogate(unit) && escape.size() >= 12 && escape.substr(6, 2) == "\\u") {
    const uint32_t low = ReadHex4(escape.data() + 8);
    if (IsLowSurrogate(low)) {
      AppendUtf8(JoinSurrogates(unit, low), out);
      return 12;
    }
  }
  *out += kReplacement;
  return 6;
}

char SimpleEscape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  *out += '"';
  while (!text.empty()) {
    const auto plain = static_cast<size_t>(SkipPlainAscii(text.data(), text.data() + text.size()) - text.data());
    out->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const size_t length = Utf8Length(text);
    if (length == 0) {
      *out += kReplacement;
    } else if (length == 1) {
      AppendEscaped(text[0], out);
    } else {
      out->append(text.substr(0, length));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  *out += '"';
}

std::string JsonString(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendJsonString(text, &out);
  return out;
}

std::string DecodeJsonString(std::string_view quoted) {
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  out.reserve(text.size());
  size_t pos = 0;
  for (size_t escape = text.find('\\'); escape != text.npos; escape = text.find('\\', pos)) {
    out += text.substr(pos, escape - pos);
    if (text[escape + 1] == 'u') {
      pos = escape + AppendUnicodeEscape(text.substr(escape), &out);
    } else {
      out += SimpleEscape(text[escape + 1]);
      pos = escape + 2;
    }
  }
  out += text.substr(pos);
  return out;
}

bool JsonStringIs(std::string_view quoted, std::string_view text) {
  if (quoted.substr(1, quoted.size() - 2) == text) return true;
  return quoted.find('\\') != std::string_view::npos && DecodeJsonString(quoted) == text;
}

}  // namespace ccr::proxy
