// Steps of Fit() (fit.h): where system text stands.
#pragma once

#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::fit {

// Messages of the developer's become the system's. Whether there was one.
bool LowerDevelopers(ModelRequest* request);

// Leaves one message of system text, in front; what comes later becomes the user's text in <system>...</system> at its
// place. Behind calls of tools that is behind their results. Whether anything had to change.
bool FoldSystem(ModelRequest* request, Notes* notes);

}  // namespace ccr::proxy::fit
