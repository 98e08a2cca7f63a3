#include "proxy/core/body_form.h"

#include <algorithm>

namespace ccr::proxy {

BodyForm FormOf(std::string_view bytes) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (kByteOrderMark.starts_with(bytes)) return BodyForm::kUndecided;
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
  if (bytes.starts_with('{') || bytes.starts_with('[')) return BodyForm::kDocument;
  for (const std::string_view field : {":", "data:", "event:", "id:", "retry:"}) {
    if (bytes.starts_with(field)) return BodyForm::kEvents;
    if (field.starts_with(bytes)) return BodyForm::kUndecided;
  }
  return BodyForm::kUnknown;
}

}  // namespace ccr::proxy
