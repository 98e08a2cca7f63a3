// Two translations in a row.
#pragma once

#include <memory>

#include "proxy/formats/translation.h"

namespace ccr::proxy {

// From the format of `outer`'s clients to the one of `inner`'s upstreams; outer's upstreams and inner's clients speak
// OpenAI's.
std::unique_ptr<Translation> MakeChained(std::unique_ptr<Translation> outer, std::unique_ptr<Translation> inner);

}  // namespace ccr::proxy
