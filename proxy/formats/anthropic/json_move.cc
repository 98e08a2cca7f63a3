#include "proxy/formats/anthropic/json_move.h"

#include <algorithm>

namespace ccr::proxy::anthropic {

json::object TakeOthers(json::object* object, std::initializer_list<std::string_view> named) {
  json::object others(object->storage());
  for (json::key_value_pair& member : *object) {
    const std::string_view key(member.key().data(), member.key().size());
    if (member.value().is_null() || std::find(named.begin(), named.end(), key) != named.end()) continue;
    others.emplace(member.key(), std::move(member.value()));
  }
  return others;
}

}  // namespace ccr::proxy::anthropic
