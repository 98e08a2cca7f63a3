#include "proxy/formats/gemini/media.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/data_url.h"
#include "proxy/formats/gemini/object_text.h"

namespace ccr::proxy::gemini {
namespace {

struct MediaType {
  std::string_view ending;
  std::string_view type;
};

constexpr std::array<MediaType, 13> kMediaTypes = {{{".png", "image/png"},
                                                    {".jpg", "image/jpeg"},
                                                    {".jpeg", "image/jpeg"},
                                                    {".webp", "image/webp"},
                                                    {".heic", "image/heic"},
                                                    {".heif", "image/heif"},
                                                    {".pdf", "application/pdf"},
                                                    {".txt", "text/plain"},
                                                    {".csv", "text/csv"},
                                                    {".html", "text/html"},
                                                    {".mp3", "audio/mp3"},
                                                    {".wav", "audio/wav"},
                                                    {".mp4", "video/mp4"}}};

// Whether Gemini reads it inline; GIF it does not.
bool IsInlineType(std::string_view type) {
  if (type.starts_with("audio/") || type.starts_with("video/") || type.starts_with("text/")) return true;
  return std::any_of(kMediaTypes.begin(), kMediaTypes.end(),
                     [type](const MediaType& known) { return known.type == type; });
}

// By the ending of the URL's path; nothing where that does not tell.
std::string_view TypeOfUrl(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const auto it = std::find_if(kMediaTypes.begin(), kMediaTypes.end(), [url](const MediaType& known) {
    return absl::EndsWithIgnoreCase(ToAbsl(url), ToAbsl(known.ending));
  });
  return it == kMediaTypes.end() ? std::string_view() : it->type;
}

std::string TypeOf(const Media& media) {
  std::string type = absl::AsciiStrToLower(ToAbsl(std::string_view(media.type).substr(0, media.type.find(';'))));
  return type == "image/jpg" ? "image/jpeg" : type;
}

void AppendInline(const Media& media, std::string_view type, bool named, std::string* out) {
  out->append("\"inlineData\":");
  ObjectText blob(out);
  blob.Text("mimeType", type);
  blob.Text("data", media.data);
  if (named && !media.name.empty()) blob.Text("displayName", media.name);
  blob.Close();
}

void AppendFile(const Media& media, std::string_view type, bool named, std::string* out) {
  out->append("\"fileData\":");
  ObjectText file(out);
  file.Text("fileUri", media.data);
  if (!type.empty()) file.Text("mimeType", type);
  if (named && !media.name.empty()) file.Text("displayName", media.name);
  file.Close();
}

}  // namespace

std::string_view MediaWord(const Media& media) {
  if (media.type.starts_with("image/")) return "image";
  return media.type.starts_with("audio/") ? "audio" : "file";
}

bool AppendMedia(const Media& media, bool gemini_client, std::string* out) {
  if (media.source == Media::Source::kText) {
    if (media.data.empty()) return false;
    out->append("\"text\":");
    AppendJsonString(media.data, out);
    return true;
  }
  if (gemini_client) {
    const bool is_inline = media.source == Media::Source::kBase64;
    is_inline ? AppendInline(media, media.type, true, out) : AppendFile(media, media.type, true, out);
    return true;
  }
  const std::string type = TypeOf(media);
  if (media.source == Media::Source::kBase64 && !media.data.empty() && IsInlineType(type)) {
    AppendInline(media, type, false, out);
    return true;
  }
  if (media.source != Media::Source::kUrl || !IsWebUrl(media.data)) return false;
  AppendFile(media, TypeOfUrl(media.data), false, out);
  return true;
}

}  // namespace ccr::proxy::gemini
