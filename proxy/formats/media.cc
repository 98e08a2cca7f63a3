#include "proxy/formats/media.h"

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/data_url.h"

namespace ccr::proxy {

std::string_view MediaName(const Media& media) {
  for (const std::string_view name : {"image", "audio", "video"})
    if (media.type.starts_with(name)) return name;
  return "file";
}

std::string OmittedMark(const Media& media) {
  return absl::StrCat("[", ToAbsl(MediaName(media)), " omitted]");
}

bool IsUsualImage(std::string_view type) {
  constexpr std::array<std::string_view, 5> kTypes = {"image/jpeg", "image/png", "image/gif", "image/webp",
                                                      "image/jpg"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

bool IsImageForOpenAi(const Media& media) {
  if (media.source == Media::Source::kUrl) return IsWebUrl(media.data);
  // Where only that it is an image is known, it may be one of them.
  return media.source == Media::Source::kBase64 && (IsUsualImage(media.type) || media.type == "image/*");
}

std::string_view AudioFormat(std::string_view type) {
  if (type == "audio/mp3" || type == "audio/mpeg") return "mp3";
  return type == "audio/wav" || type == "audio/x-wav" ? "wav" : "";
}

bool IsTextDocument(const Media& media) {
  return media.source == Media::Source::kText ||
         (media.source == Media::Source::kBase64 && media.type.starts_with("text/"));
}

std::optional<std::string> DocumentText(const Media& media) {
  if (media.source == Media::Source::kText) return media.data;
  std::string text;
  if (!absl::Base64Unescape(ToAbsl(media.data), &text)) return std::nullopt;
  return text;
}

}  // namespace ccr::proxy
