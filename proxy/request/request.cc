#include "proxy/request/request.h"

#include <cstddef>

#include "absl/strings/match.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy {
namespace {

constexpr size_t kKeptText = 16 * 1024;
constexpr size_t kKeptBody = 16 * 1024;

}  // namespace

std::string_view Request::Find(std::string_view name) const {
  for (const Field& field : fields)
    if (absl::EqualsIgnoreCase(ToAbsl(field.name), ToAbsl(name))) return field.value;
  return {};
}

void Request::DropBody() {
  body.clear();
  if (body.capacity() > kKeptBody) body.shrink_to_fit();
  charge.Release();
}

void Request::Clear() {
  id.clear();
  method = target = {};
  version = 11;
  keep_alive = true;
  has_body = false;
  fields.clear();
  DropBody();
  text.clear();
  if (text.capacity() > kKeptText) text.shrink_to_fit();
}

}  // namespace ccr::proxy
