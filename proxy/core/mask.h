// Keys that providers quote.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace ccr::proxy {

// Writes "*" over each place where `secret` stands in `text`. A secret of fewer than 8 bytes is a placeholder for a
// server that takes any, and left alone.
inline void Mask(std::string_view secret, std::string* text) {
  constexpr size_t kShortest = 8;
  if (secret.size() < kShortest) return;
  for (size_t at = text->find(secret); at != std::string::npos; at = text->find(secret, at + secret.size()))
    std::fill_n(text->begin() + static_cast<std::ptrdiff_t>(at), secret.size(), '*');
}

}  // namespace ccr::proxy
