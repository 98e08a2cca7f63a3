#include "proxy/formats/gemini/parts.h"

#include <string>
#include <utility>

#include "proxy/formats/gemini/camel.h"

namespace ccr::proxy::gemini {
namespace {

bool HoldsText(const json::object& object, std::string_view name) {
  const json::value* value = Find(object, name);
  return value != nullptr && value->is_string();
}

std::string TakeText(json::object* object, std::string_view name) {
  std::string text(FindText(*object, name));
  TakeMember(object, name);
  return text;
}

}  // namespace

PartType TypeOfPart(json::object* part) {
  CamelNames(part);
  if (FindObject(*part, "functionCall") != nullptr) return PartType::kCall;
  if (FindObject(*part, "functionResponse") != nullptr) return PartType::kResult;
  for (const std::string_view name : {"inlineData", "fileData"}) {
    json::object* media = FindObject(*part, name);
    if (media == nullptr) continue;
    CamelNames(media);
    return FindText(*media, name == "inlineData" ? "data" : "fileUri").empty() ? PartType::kOther : PartType::kMedia;
  }
  if (!HoldsText(*part, "text")) return PartType::kOther;
  return FindBool(*part, "thought") ? PartType::kThought : PartType::kText;
}

Media TakeMedia(json::object* part) {
  Media media;
  const bool is_inline = FindObject(*part, "inlineData") != nullptr;
  const std::string_view member = is_inline ? "inlineData" : "fileData";
  json::object* object = FindObject(*part, member);
  media.source = is_inline ? Media::Source::kBase64 : Media::Source::kUrl;
  media.type = TakeText(object, "mimeType");
  media.data = TakeText(object, is_inline ? "data" : "fileUri");
  media.name = TakeText(object, "displayName");
  if (object->empty()) TakeMember(part, member);
  return media;
}

void KeepOwn(json::object* part, Part* to) {
  if (!part->empty()) Adopt(&to->own, std::move(*part));
}

}  // namespace ccr::proxy::gemini
