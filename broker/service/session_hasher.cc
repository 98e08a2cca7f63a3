#include "broker/service/session_hasher.h"

#include <cstring>

#include "broker/base/secret.h"
#include "sodium.h"

namespace ccr {

SessionHasher::SessionHasher() {
  static_assert(sizeof(key_) == crypto_shorthash_KEYBYTES);
  std::memcpy(key_.data(), RandomBytes(key_.size()).data(), key_.size());
}

core::SessionHash SessionHasher::Of(std::string_view session) const {
  if (session.empty()) return core::kNoSession;
  core::SessionHash hash = core::kNoSession;
  static_assert(sizeof(hash) == crypto_shorthash_BYTES);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash), reinterpret_cast<const unsigned char*>(session.data()),
                   session.size(), key_.data());
  return hash == core::kNoSession ? 1 : hash;
}

}  // namespace ccr
