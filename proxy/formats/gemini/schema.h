// JSON Schema as the Schema that Gemini reads: a part of OpenAPI 3.0, whose every other member is an error.
//
// clang-format off
// | JSON Schema                                  | Gemini's Schema                                                   |
// |----------------------------------------------|-------------------------------------------------------------------|
// | type                                         | type, in capitals; what is missing is told by what the schema     |
// |                                              | holds (properties, items, enum), else STRING                      |
// | type: [T, "null"], nullable                  | type, nullable                                                    |
// | type: [T, U]                                 | anyOf, a schema of each                                           |
// | anyOf, oneOf                                 | anyOf alone, with title and description in its members; "null" is |
// |                                              | nullable; one member takes the schema's place; dropped beside a   |
// |                                              | type, properties or enum of the schema's own                      |
// | allOf, $ref into the schema                  | merged in, to a depth of 16; what refers to itself ends as OBJECT,|
// |                                              | and so does what is beyond 100,000 steps (SchemaBudget)           |
// | properties, required                         | the same; required names only what is in properties               |
// | items, prefixItems, a list of items          | items; anyOf of a list's. STRING where ARRAY has none             |
// | enum, const of texts                         | enum, without empty ones                                          |
// | enum, const of anything else                 | named in the description: enum takes texts only                   |
// | format                                       | kept: date-time, enum; float, double; int32, int64                |
// | minimum, maximum                             | the same for numbers                                              |
// | exclusiveMinimum, exclusiveMaximum           | minimum, maximum, one further for integers                        |
// | minItems, maxItems, minLength, maxLength     | the same                                                          |
// | title, description                           | the same                                                          |
// | true, false, {}                              | STRING                                                            |
// | $schema, $id, additionalProperties, default, | dropped                                                           |
// | examples, pattern (JavaScript's), not, if,   |                                                                   |
// | patternProperties, multipleOf, uniqueItems,  |                                                                   |
// | every other member                           |                                                                   |
// clang-format on
//
// Source: ai.google.dev/api/caching#Schema; refusals seen in public issues ("Unknown name \"exclusiveMinimum\"", "only
// 'enum' and 'date-time' are supported for STRING type", "Invalid value at enum[0] (TYPE_STRING)", "when using any_of,
// it must be the only field set", "items: missing field"). `parametersJsonSchema` would take more, but not on all
// models.
#pragma once

#include <cstddef>

#include "proxy/formats/json_util.h"

namespace ccr::proxy::gemini {

// What all schemas of a request may cost: a step for each schema, property, name, value and 64 bytes of text, as often
// as it is referred to. A few lines of references can stand for more than any memory holds.
class SchemaBudget {
 public:
  static constexpr size_t kSteps = 100'000;

  // False when no more than that is left; then it is exhausted, and stays so.
  bool Spend(size_t steps) {
    exhausted_ |= steps >= left_;
    if (!exhausted_) left_ -= steps;
    return !exhausted_;
  }
  bool exhausted() const { return exhausted_; }

 private:
  size_t left_ = kSteps;
  bool exhausted_ = false;
};

// Always a valid Schema. What is nested too deep, refers to itself for ever or is beyond the budget is cut.
json::object GeminiSchema(const json::value& schema, const json::storage_ptr& storage, SchemaBudget* budget);

// The same for the parameters of a function: always of type OBJECT; properties may be missing.
json::object GeminiParameters(const json::value& schema, const json::storage_ptr& storage, SchemaBudget* budget);

}  // namespace ccr::proxy::gemini
