// What a provider's error says.
#pragma once

#include <cstddef>
#include <string_view>

#include "broker/core/types.h"

namespace ccr {

inline constexpr size_t kMaxErrorMessage = 2048;  // bytes of it that are kept

// Takes type, code and message from the JSON body of an error, where providers have them: in `error`, the first of
// `errors`, `base_resp`, or at the top; Google's code is the reason in its details. Of another body: nothing.
void ReadErrorBody(std::string_view body, core::Evidence* evidence);

}  // namespace ccr
