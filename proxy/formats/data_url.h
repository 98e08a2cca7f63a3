// The URLs that images and files of OpenAI's format come in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ccr::proxy {

struct DataUrl {
  std::string media_type;   // in lower case; "image/jpg" is "image/jpeg"
  std::string_view base64;  // a view of the URL
};

// data:TYPE;PARAMETERS;base64,DATA. Nothing for other URLs, and for empty data.
std::optional<DataUrl> ParseDataUrl(std::string_view url);

// http: or https:.
bool IsWebUrl(std::string_view url);

}  // namespace ccr::proxy
