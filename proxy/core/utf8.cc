#include "proxy/core/utf8.h"

namespace ccr::proxy {
namespace {

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

}  // namespace

size_t Utf8Length(std::string_view text) {
  const Utf8Lead lead = ReadLead(static_cast<uint8_t>(text[0]));
  if (lead.length > text.size()) return 0;
  for (size_t i = 1; i < lead.length; ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c < (i == 1 ? lead.second_min : 0x80) || c > (i == 1 ? lead.second_max : 0xBF)) return 0;
  }
  return lead.length;
}

void AppendUtf8(uint32_t rune, std::string* out) {
  if (rune < 0x80) {
    *out += static_cast<char>(rune);
    return;
  }
  if (rune < 0x800) {
    *out += static_cast<char>(0xC0 | (rune >> 6));
  } else {
    if (rune < 0x10000) {
      *out += static_cast<char>(0xE0 | (rune >> 12));
    } else {
      *out += static_cast<char>(0xF0 | (rune >> 18));
      *out += static_cast<char>(0x80 | ((rune >> 12) & 0x3F));
    }
    *out += static_cast<char>(0x80 | ((rune >> 6) & 0x3F));
  }
  *out += static_cast<char>(0x80 | (rune & 0x3F));
}

}  // namespace ccr::proxy
