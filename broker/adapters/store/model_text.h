// What is remembered of a key's models, in one column.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/core/snapshot.h"

namespace ccr {

inline constexpr size_t kMaxStoredModels = 64;      // holds and paces of a key, each
inline constexpr size_t kMaxStoredModelName = 256;  // bytes; longer ones are left out: they come from clients

// Each hold as "h UNTIL REASON SIZE:MODEL", each pace as "p RATE DEPTH IN_FLIGHT SIZE:MODEL": nanoseconds since 1970,
// requests in millionths, bytes.
std::string ModelText(const core::KeySnapshot& key);
// False when the text is none of these; then nothing is taken.
bool ReadModels(std::string_view text, core::KeySnapshot* key);

uint64_t InMillionths(double value);
double FromMillionths(uint64_t millionths);

}  // namespace ccr
