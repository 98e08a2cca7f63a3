#pragma once

#include "absl/base/config.h"

namespace ccr {

// Whether a sanitizer is built in: its shadow memory is terabytes, and its mlock does nothing.
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace ccr
