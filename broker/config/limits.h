// The ranges of numbers in a configuration.
#pragma once

#include "broker/config/map_reader.h"

namespace ccr {

inline constexpr double kWeekMillis = 7 * 24 * 3600 * 1000.0;

inline constexpr Range kMillis{1, kWeekMillis};
inline constexpr Range kMillisOrNone{0, kWeekMillis};
inline constexpr Range kAtLeastOne{1, 1'000'000};
inline constexpr Range kErrorStatusRange{400, 599};
inline constexpr size_t kMaxErrorRules = 256;          // of a provider
inline constexpr Range kLimitRange{0, 1'000'000'000};  // 0 = no limit
inline constexpr Range kTokenLimitRange{0, 1'000'000'000'000};
inline constexpr Range kWeightRange{0, 1'000'000};
inline constexpr Range kRetryRange{1, 100};
inline constexpr Range kPortRange{0, 65535};
inline constexpr Range kTokenRange{0, 1'000'000'000};
inline constexpr Range kWorkerRange{0, 256};
inline constexpr Range kHeadBytes{1024, 16 << 20};
inline constexpr Range kBodyBytes{1024, 4.0 * (1 << 30)};
inline constexpr Range kBufferBytes{65536, 1024.0 * (1 << 30)};

}  // namespace ccr
