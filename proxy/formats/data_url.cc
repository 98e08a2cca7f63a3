#include "proxy/formats/data_url.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy {

std::optional<DataUrl> ParseDataUrl(std::string_view url) {
  constexpr std::string_view kScheme = "data:";
  constexpr std::string_view kMark = ";base64";
  if (!absl::StartsWithIgnoreCase(ToAbsl(url.substr(0, kScheme.size())), ToAbsl(kScheme))) return std::nullopt;
  const size_t comma = url.find(',');
  if (comma == url.npos || comma + 1 == url.size()) return std::nullopt;
  const std::string_view head = url.substr(kScheme.size(), comma - kScheme.size());
  if (!absl::EndsWithIgnoreCase(ToAbsl(head), ToAbsl(kMark))) return std::nullopt;
  std::string type = absl::AsciiStrToLower(ToAbsl(head.substr(0, head.find(';'))));
  if (type == "image/jpg") type = "image/jpeg";
  return DataUrl{std::move(type), url.substr(comma + 1)};
}

bool IsWebUrl(std::string_view url) {
  return absl::StartsWithIgnoreCase(ToAbsl(url), "https://") || absl::StartsWithIgnoreCase(ToAbsl(url), "http://");
}

}  // namespace ccr::proxy
