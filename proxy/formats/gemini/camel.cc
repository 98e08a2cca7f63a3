#include "proxy/formats/gemini/camel.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"

namespace ccr::proxy::gemini {
namespace {

std::string CamelName(std::string_view name) {
  std::string camel;
  bool upper = false;
  for (const char c : name) {
    if (c == '_' && !camel.empty()) {
      upper = true;
    } else {
      camel += upper ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c;
      upper = false;
    }
  }
  return camel;
}

bool IsSnakeName(json::string_view name) {
  return name.size() > 1 && name.find('_', 1) != json::string_view::npos;
}

}  // namespace

void CamelNames(json::object* object) {
  const bool any = std::any_of(object->begin(), object->end(), [](const auto& m) { return IsSnakeName(m.key()); });
  if (!any) return;
  json::object renamed(object->storage());
  renamed.reserve(object->size());
  for (json::key_value_pair& member : *object) {
    const std::string_view name(member.key().data(), member.key().size());
    renamed.emplace(IsSnakeName(member.key()) ? CamelName(name) : std::string(name), std::move(member.value()));
  }
  *object = std::move(renamed);
}

json::value TakeMember(json::object* object, std::string_view name) {
  const auto member = object->find(name);
  if (member == object->end()) return json::value(nullptr, object->storage());
  json::value value = std::move(member->value());
  object->stable_erase(member);
  return value;
}

}  // namespace ccr::proxy::gemini
