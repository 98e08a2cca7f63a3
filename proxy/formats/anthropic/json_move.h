// Boost's values remember their memory: assignment copies where it differs.
#pragma once

#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

#include "proxy/formats/json_util.h"

namespace ccr::proxy::anthropic {

// Moves `from` into `to` together with its memory, which must outlive `to`.
template <typename T>
void Adopt(T from, T* to) {
  std::destroy_at(to);
  std::construct_at(to, std::move(from));
}

// The members of `object` but the named ones and those that are null, moved out, in their order.
json::object TakeOthers(json::object* object, std::initializer_list<std::string_view> named);

}  // namespace ccr::proxy::anthropic
