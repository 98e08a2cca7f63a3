// Which format each side speaks.
#pragma once

#include "proxy/core/routing_table.h"
#include "proxy/core/target.h"

namespace ccr::proxy {

// The format a client of this endpoint speaks, and wants its errors in. OpenAI's where the endpoint says nothing.
Format ClientFormat(Endpoint endpoint);

// Whether bytes may pass between this endpoint's client and a provider as they are. Always so for kPassthrough.
bool SameFormat(Endpoint endpoint, Format provider);

}  // namespace ccr::proxy
