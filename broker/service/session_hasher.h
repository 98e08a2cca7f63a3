// Sessions without their names.
#pragma once

#include <array>
#include <string_view>

#include "broker/core/types.h"

namespace ccr {

// SipHash-2-4 (Aumasson, Bernstein, 2012) of a session's name under a key of this run: who sees a hash learns nothing
// of the name, and nobody can choose names that collide. Thread-safe.
class SessionHasher {
 public:
  SessionHasher();  // with a new random key

  core::SessionHash Of(std::string_view session) const;  // kNoSession for no name

 private:
  std::array<unsigned char, 16> key_;
};

}  // namespace ccr
