// Gemini's Schema as JSON Schema.
//
// clang-format off
// | Gemini's Schema                     | JSON Schema                                                                |
// |-------------------------------------|----------------------------------------------------------------------------|
// | type in capitals                    | in small letters; TYPE_UNSPECIFIED is none                                 |
// | nullable                            | "null" among the types, in an enum and in anyOf                            |
// | minItems, maxLength, ... as texts   | numbers: the API takes 64-bit integers as texts                            |
// | propertyOrdering                    | dropped                                                                    |
// | example                             | examples                                                                   |
// | format enum                         | dropped                                                                    |
// | every other member                  | the same: clients write JSON Schema here too                               |
// clang-format on
//
// Source: ai.google.dev/api/caching#Schema
#pragma once

#include "proxy/formats/json_util.h"

namespace ccr::proxy::gemini {

// Changes the schema, and all in it, in place. Its depth is what ParseJson lets through.
void ToJsonSchema(json::value* schema);

}  // namespace ccr::proxy::gemini
