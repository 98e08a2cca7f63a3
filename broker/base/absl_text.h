// Debian builds Abseil with its own string_view: the way between it and the standard's.
#pragma once

#include <string_view>

#include "absl/strings/string_view.h"

namespace ccr {

inline absl::string_view ToAbsl(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view ToStd(absl::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace ccr
