#include "proxy/core/json_text.h"

#include <cstddef>
#include <cstdint>

namespace ccr::proxy {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr char kHex[] = "0123456789abcdef";

struct Utf8Lead {
  size_t length;
  uint8_t second_min, second_max;  // what the second byte may be (Unicode, table 3-7)
};

Utf8Lead ReadLead(uint8_t c) {
  if (c < 0x80) return {1, 0, 0};
  if (c >= 0xC2 && c <= 0xDF) return {2, 0x80, 0xBF};
  if (c == 0xE0) return {3, 0xA0, 0xBF};
  if (c == 0xED) return {3, 0x80, 0x9F};
  if (c >= 0xE1 && c <= 0xEF) return {3, 0x80, 0xBF};
  if (c == 0xF0) return {4, 0x90, 0xBF};
  if (c >= 0xF1 && c <= 0xF3) return {4, 0x80, 0xBF};
  if (c == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// Bytes of the well-formed character that `text` begins with; 0 when it is none.
size_t CharacterLength(std::string_view text) {
  const Utf8Lead lead = ReadLead(static_cast<uint8_t>(text[0]));
  if (lead.length > text.size()) return 0;
  for (size_t i = 1; i < lead.length; ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c < (i == 1 ? lead.second_min : 0x80) || c > (i == 1 ? lead.second_max : 0xBF)) return 0;
  }
  return lead.length;
}

void AppendEscaped(char c, std::string* out) {
  switch (c) {
    case '"':
      *out += "\\\"";
      break;
    case '\\':
      *out += "\\\\";
      break;
    case '\n':
      *out += "\\n";
      break;
    case '\r':
      *out += "\\r";
      break;
    case '\t':
      *out += "\\t";
      break;
    default:
      if (static_cast<uint8_t>(c) >= 0x20) {
        *out += c;
      } else {
        *out += "\\u00";
        *out += kHex[c >> 4];
        *out += kHex[c & 15];
      }
  }
}

void AppendUtf8(uint32_t c, std::string* out) {
  if (c < 0x80) {
    *out += static_cast<char>(c);
    return;
  }
  if (c < 0x800) {
    *out += static_cast<char>(0xC0 | (c >> 6));
  } else {
    if (c < 0x10000) {
      *out += static_cast<char>(0xE0 | (c >> 12));
    } else {
      *out += static_cast<char>(0xF0 | (c >> 18));
      *out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    }
    *out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
  }
  *out += static_cast<char>(0x80 | (c & 0x3F));
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
  if (unit < 0xD800 || unit > 0xDFFF) {
    AppendUtf8(unit, out);
    return 6;
  }
  if (unit <= 0xDBFF && escape.size() >= 12 && escape.substr(6, 2) == "\\u") {
    const uint32_t low = ReadHex4(escape.data() + 8);
    if (low >= 0xDC00 && low <= 0xDFFF) {
      AppendUtf8(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), out);
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

std::string JsonString(std::string_view text) {
  std::string out = "\"";
  out.reserve(text.size() + 2);
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) {
      out += kReplacement;
    } else if (length == 1) {
      AppendEscaped(text[0], &out);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
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
