#include "proxy/core/percent.h"

namespace ccr::proxy {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool IsEscape(std::string_view text) {
  return text.size() > 2 && HexValue(text[1]) >= 0 && HexValue(text[2]) >= 0;
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text) {
  for (size_t at = text.find('%'); at != text.npos; at = text.find('%', at + 3))
    if (!IsEscape(text.substr(at))) return std::nullopt;
  return PercentDecodeLeniently(text);
}

std::string PercentDecodeLeniently(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && IsEscape(text.substr(i));
    out += escape ? static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return out;
}

}  // namespace ccr::proxy
