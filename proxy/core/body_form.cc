#include "proxy/core/body_form.h"

#include <algorithm>

namespace ccr::proxy {

BodyForm FormOf(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
  if (bytes.starts_with('{') || bytes.starts_with('[')) return BodyForm::kDocument;
  for (const std::string_view field : {":", "data:", "event:", "id:", "retry:"})
    if (bytes.starts_with(field)) return BodyForm::kEvents;
  return BodyForm::kUnknown;
}

}  // namespace ccr::proxy
