#include "proxy/formats/openai_anthropic/content.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/data_url.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy {
namespace {

bool IsImageType(std::string_view type) {
  constexpr std::array<std::string_view, 4> kTypes = {"image/jpeg", "image/png", "image/gif", "image/webp"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

json::object Base64Source(const DataUrl& url, const json::storage_ptr& storage) {
  return {{{"type", "base64"}, {"media_type", url.media_type}, {"data", url.base64}}, storage};
}

void AppendSourceBlock(std::string_view type, json::object source, const json::object& part, json::array* blocks) {
  json::object block(blocks->storage());
  block["type"] = type;
  block["source"] = std::move(source);
  CopyCacheControl(part, &block);
  blocks->emplace_back(std::move(block));
}

void AppendOmitted(std::string_view what, Notes* notes, json::array* blocks) {
  AddNote(notes, absl::StrCat(ToAbsl(what), ": dropped, a mark stands in its place"));
  AppendTextBlock(absl::StrCat("[", ToAbsl(what), " omitted]"), nullptr, blocks);
}

void AppendImage(const json::object& part, Notes* notes, json::array* blocks) {
  const json::object* image = FindObject(part, "image_url");
  const std::string_view url = image != nullptr ? FindText(*image, "url") : FindText(part, "image_url");
  if (image != nullptr && Find(*image, "detail") != nullptr) AddNote(notes, "image_url.detail: dropped");
  const std::optional<DataUrl> data = ParseDataUrl(url);
  if (data && IsImageType(data->media_type)) {
    AppendSourceBlock("image", Base64Source(*data, blocks->storage()), part, blocks);
  } else if (data && data->media_type == "application/pdf") {
    AppendSourceBlock("document", Base64Source(*data, blocks->storage()), part, blocks);
  } else if (IsWebUrl(url)) {
    AppendSourceBlock("image", {{{"type", "url"}, {"url", url}}, blocks->storage()}, part, blocks);
  } else {
    AppendOmitted("image", notes, blocks);
  }
}

std::optional<json::object> TextSource(const DataUrl& url, const json::storage_ptr& storage) {
  std::string text;
  if (!absl::Base64Unescape(ToAbsl(url.base64), &text) || IsBlank(text)) return std::nullopt;
  return json::object({{"type", "text"}, {"media_type", "text/plain"}, {"data", text}}, storage);
}

void AppendFile(const json::object& part, Notes* notes, json::array* blocks) {
  const json::object* file = FindObject(part, "file");
  if (file == nullptr) return AppendOmitted("file", notes, blocks);
  const std::string_view bytes = FindText(*file, "file_data");
  std::optional<DataUrl> data = ParseDataUrl(bytes);
  constexpr std::string_view kPdfInBase64 = "JVBERi";
  if (!data && bytes.substr(0, kPdfInBase64.size()) == kPdfInBase64) data = DataUrl{"application/pdf", bytes};
  std::optional<json::object> source;
  if (data && data->media_type == "application/pdf") source = Base64Source(*data, blocks->storage());
  if (data && absl::StartsWith(data->media_type, "text/")) source = TextSource(*data, blocks->storage());
  if (!source) return AppendOmitted("file", notes, blocks);
  AppendSourceBlock("document", std::move(*source), part, blocks);
  const std::string_view name = FindText(*file, "filename");
  if (!IsBlank(name)) blocks->back().get_object()["title"] = name;
}

void AppendPart(const json::object& part, Notes* notes, json::array* blocks) {
  const std::string_view type = FindText(part, "type");
  if (type == "text") {
    AppendTextBlock(FindText(part, "text"), &part, blocks);
  } else if (type == "refusal") {
    AppendTextBlock(FindText(part, "refusal"), &part, blocks);
  } else if (type == "image_url") {
    AppendImage(part, notes, blocks);
  } else if (type == "file") {
    AppendFile(part, notes, blocks);
  } else {
    AppendOmitted(type == "input_audio" ? "audio" : "content part", notes, blocks);
  }
}

}  // namespace

void AppendTextBlock(std::string_view text, const json::object* origin, json::array* blocks) {
  if (IsBlank(text)) return;
  json::object block({{"type", "text"}, {"text", text}}, blocks->storage());
  if (origin != nullptr) CopyCacheControl(*origin, &block);
  blocks->emplace_back(std::move(block));
}

void AppendContent(const json::object& message, Notes* notes, json::array* blocks) {
  AppendTextBlock(FindText(message, "content"), &message, blocks);
  const json::array* parts = FindArray(message, "content");
  if (parts == nullptr) return;
  for (const json::value& part : *parts) {
    if (part.is_object()) AppendPart(part.get_object(), notes, blocks);
    if (part.is_string()) AppendTextBlock(View(part.get_string()), nullptr, blocks);
  }
}

void AppendTextContent(const json::object& message, Notes* notes, json::array* blocks) {
  json::array all(blocks->storage());
  AppendContent(message, notes, &all);
  for (json::value& block : all) {
    const std::string_view type = FindText(block.get_object(), "type");
    if (type == "text") {
      blocks->emplace_back(std::move(block));
    } else {
      AppendOmitted(type, notes, blocks);
    }
  }
}

void CopyCacheControl(const json::object& from, json::object* to) {
  const json::object* mark = FindObject(from, "cache_control");
  if (mark != nullptr) (*to)["cache_control"] = *mark;
}

std::string ToolName(std::string_view name) {
  constexpr size_t kMaxBytes = 128;
  std::string valid(name.empty() ? "unnamed" : name.substr(0, kMaxBytes));
  for (char& c : valid) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-') c = '_';
  }
  return valid;
}

}  // namespace ccr::proxy
