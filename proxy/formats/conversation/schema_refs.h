// JSON Schema: what stands inside a schema, and its references.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::fit {

// What all schemas of a request may cost: a few lines of references can stand for more than any memory holds.
class SchemaSteps {
 public:
  static constexpr size_t kMost = 100'000;

  // False when no more than that is left; then it is exhausted, and stays so.
  bool Spend(size_t steps) {
    exhausted_ |= steps >= left_;
    if (!exhausted_) left_ -= steps;
    return !exhausted_;
  }
  // A step for each value in it.
  bool SpendAll(const json::value& value);
  bool exhausted() const { return exhausted_; }

 private:
  size_t left_ = kMost;
  bool exhausted_ = false;
};

// Calls `visit` for each schema that stands directly in this one, and for none of the values in const, enum, default.
void ForEachSubschema(json::object* schema, absl::FunctionRef<void(json::value* schema)> visit);

// "#/$defs/Name", a JSON pointer into the root. nullptr where it names nothing.
const json::value* ResolveRef(const json::object& root, std::string_view reference);

bool HasRefs(const json::value& schema);

// The schema with what its references name in their place. One within what it names, one that names nothing and what is
// beyond the budget become {}.
json::object WithoutRefs(const json::object& root, SchemaSteps* steps);

}  // namespace ccr::proxy::fit
