#include "proxy/http/request_id.h"

#include <algorithm>

#include "broker/base/log.h"
#include "broker/base/secret.h"

namespace ccr::proxy {
namespace {

constexpr size_t kRandomBytes = 10;

bool IsVisible(char c) {
  return c > ' ' && c < 0x7f;
}

std::string NewRequestId() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  id.reserve(2 * kRandomBytes);
  for (const char byte : RandomBytes(kRandomBytes)) {
    const auto value = static_cast<unsigned char>(byte);
    id += kDigits[value >> 4];
    id += kDigits[value & 0xf];
  }
  return id;
}

}  // namespace

std::string RequestIdFor(std::string_view from_client) {
  const bool usable = !from_client.empty() && from_client.size() <= kMaxRequestId &&
                      std::all_of(from_client.begin(), from_client.end(), IsVisible) &&
                      Redact(from_client) == from_client;
  return usable ? std::string(from_client) : NewRequestId();
}

std::string HeaderText(std::string_view text) {
  std::string value(text);
  std::replace_if(
      value.begin(), value.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return value;
}

}  // namespace ccr::proxy
