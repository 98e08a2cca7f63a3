// Steps of Fit() (fit.h): a choice among some of the tools.
#pragma once

#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::fit {

// Where a choice is narrowed to some tools, these alone stay, which every format can say; all do where it names none
// that could be sent.
void KeepAllowedTools(ModelRequest* request, Notes* notes);

}  // namespace ccr::proxy::fit
