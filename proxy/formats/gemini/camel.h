// Names of members as the API's own clients spell them.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "proxy/formats/json_util.h"

namespace ccr::proxy::gemini {

// Gives the members of this object, not of those in it, names in lowerCamelCase: the API reads the names of its protocol
// buffers ("inline_data") as well. Of two that become one the first counts.
void CamelNames(json::object* object);

// Moves a value together with its memory; an assignment would copy it into the memory of `to`.
template <typename Json>
void Adopt(Json* to, Json from) {
  std::destroy_at(to);
  std::construct_at(to, std::move(from));
}

// Takes a member out: null where there is none.
json::value TakeMember(json::object* object, std::string_view name);

}  // namespace ccr::proxy::gemini
