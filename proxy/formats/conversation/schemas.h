// Steps of Fit() (fit.h): schemas that the provider takes.
#pragma once

#include "proxy/core/provider_rules.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::fit {

// The schemas of the tools:
// clang-format off
// | rule                      | what becomes of it                                                                         |
// |---------------------------|--------------------------------------------------------------------------------------------|
// | schema_refs = false       | $ref into the schema becomes what it names, with its own members over it; one that stands  |
// |                           | within itself, or names nothing, is left out; then $defs and definitions go                |
// | schema_combinators = false| at the top allOf is merged; of anyOf and oneOf properties are united, and those required   |
// |                           | that all of them require; not, enum, if, then and else go                                  |
// | schema_items = false      | an array without items gets items: {}, at any depth                                        |
// clang-format on
// All schemas of a request share a budget of 100,000 steps, a step for each value that is copied: what is beyond it is
// left out, with a note. Whether anything had to change.
bool FitSchemas(const ProviderRules& rules, ModelRequest* request, Notes* notes);

}  // namespace ccr::proxy::fit
