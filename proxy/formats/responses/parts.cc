#include "proxy/formats/responses/parts.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/data_url.h"

namespace ccr::proxy::responses {
namespace {

std::string_view Key(const json::key_value_pair& member) {
  return {member.key().data(), member.key().size()};
}

bool IsEmpty(const json::value& value) {
  return value.is_null() || (value.is_array() && value.get_array().empty()) ||
         (value.is_object() && value.get_object().empty());
}

json::value CacheMark(json::object* from) {
  json::value* mark = Find(*from, "cache_control");
  return mark == nullptr ? json::value() : json::value(std::move(*mark));
}

Part Omitted(std::string_view what, json::object* from, Notes* notes) {
  AddNote(notes, absl::StrCat(ToAbsl(what), ": dropped, a mark stands in its place"));
  Part part = OtherPart(from);
  part.text = absl::StrCat("[", ToAbsl(what), " omitted]");
  return part;
}

// False when neither bytes nor a place of them can be told.
bool ReadSource(std::string_view url, std::string_view any_type, Media* media) {
  if (std::optional<DataUrl> data = ParseDataUrl(url); data) {
    media->source = Media::Source::kBase64;
    media->type = std::move(data->media_type);
    media->data = data->base64;
    return true;
  }
  if (!IsWebUrl(url)) return false;
  media->source = Media::Source::kUrl;
  media->type = any_type;
  media->data = url;
  return true;
}

bool ReadFileId(const json::object& from, std::string_view any_type, Media* media) {
  const std::string_view id = FindText(from, "file_id");
  if (id.empty()) return false;
  media->source = Media::Source::kFileId;
  media->type = any_type;
  media->data = id;
  return true;
}

Part ReadImagePart(json::object* from, Notes* notes) {
  constexpr std::string_view kAnyImage = "image/*";
  const json::object* nested = FindObject(*from, "image_url");  // Chat Completions' form
  const std::string_view url = nested != nullptr ? FindText(*nested, "url") : FindText(*from, "image_url");
  Media media;
  if (!ReadSource(url, kAnyImage, &media) && !ReadFileId(*from, kAnyImage, &media)) {
    return Omitted("image", from, notes);
  }
  media.detail = FindText(nested != nullptr ? *nested : *from, "detail");
  return {.kind = PartKind::kMedia,
          .media = std::move(media),
          .cache_control = CacheMark(from),
          .own = Others(from, {"type", "image_url", "file_id", "detail", "cache_control"})};
}

Part ReadFile(json::object* from, Notes* notes) {
  constexpr std::string_view kPdfInBase64 = "JVBERi";
  const std::string_view bytes = FindText(*from, "file_data");
  Media media;
  if (bytes.starts_with(kPdfInBase64)) {
    media.type = "application/pdf";
    media.data = bytes;
  } else if (!ReadSource(bytes, "", &media) && !ReadSource(FindText(*from, "file_url"), "", &media) &&
             !ReadFileId(*from, "", &media)) {
    return Omitted("file", from, notes);
  }
  media.name = FindText(*from, "filename");
  return {.kind = PartKind::kMedia,
          .media = std::move(media),
          .cache_control = CacheMark(from),
          .own = Others(from, {"type", "file_data", "file_url", "file_id", "filename", "cache_control"})};
}

Part ReadAudio(json::object* from, Notes* notes) {
  const json::object* audio = FindObject(*from, "input_audio");
  const std::string_view data = audio == nullptr ? std::string_view() : FindText(*audio, "data");
  if (data.empty()) return Omitted("audio", from, notes);
  Part part;
  part.kind = PartKind::kMedia;
  const std::string_view format = FindText(*audio, "format");
  part.media.type = absl::StrCat("audio/", format.empty() ? "wav" : ToAbsl(format));
  part.media.data = data;
  return part;
}

Part ReadText(PartKind kind, std::string_view member, json::object* from) {
  return {.kind = kind,
          .text = std::string(FindText(*from, member)),
          .cache_control = CacheMark(from),
          .own = Others(from, {"type", member, "cache_control"})};
}

Part ReadPart(json::object* from, Notes* notes) {
  const std::string_view type = FindText(*from, "type");
  if (type == "input_text" || type == "output_text" || type == "text" || type == "summary_text") {
    return ReadText(PartKind::kText, "text", from);
  }
  if (type == "refusal") return ReadText(PartKind::kRefusal, "refusal", from);
  if (type == "input_image" || type == "image_url") return ReadImagePart(from, notes);
  if (type == "input_file") return ReadFile(from, notes);
  if (type == "input_audio") return ReadAudio(from, notes);
  return Omitted("content part", from, notes);
}

// The texts of the parts of a summary or of a content, apart by empty lines.
std::string Texts(const json::array* list) {
  std::string texts;
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const json::object* part = (*list)[i].if_object();
    const std::string_view text = part == nullptr ? std::string_view() : FindText(*part, "text");
    if (!text.empty()) absl::StrAppend(&texts, texts.empty() ? "" : "\n\n", ToAbsl(text));
  }
  return texts;
}

// The state of kResponsesReasoning; empty for none. An id alone is of no use to a provider that stores nothing.
std::string ReasoningState(const json::object& item, bool raw) {
  json::object state;
  const std::string_view id = FindText(item, "id");
  const std::string_view encrypted = FindText(item, "encrypted_content");
  if (encrypted.empty() && !raw) return {};
  if (!id.empty()) state["id"] = id;
  if (raw) state["content"] = *FindArray(item, "content");
  if (!encrypted.empty()) state["encrypted_content"] = encrypted;
  return ToJson(state);
}

std::string TextOf(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr) return {};
  return value->is_string() ? std::string(View(value->get_string())) : ToJson(*value);
}

}  // namespace

std::string FlatName(std::string_view group, std::string_view name) {
  if (group.empty() || group == "functions") return std::string(name);
  while (group.ends_with('_')) group.remove_suffix(1);
  std::string_view rest = name;
  while (rest.starts_with('_')) rest.remove_prefix(1);
  return absl::StrCat(ToAbsl(group), "__", ToAbsl(rest));
}

json::object Others(json::object* from, std::initializer_list<std::string_view> read) {
  json::object others(from->storage());
  for (json::key_value_pair& member : *from) {
    if (std::find(read.begin(), read.end(), Key(member)) != read.end() || IsEmpty(member.value())) continue;
    others.emplace(member.key(), std::move(member.value()));
  }
  return others;
}

std::optional<bool> FindFlag(const json::object& from, std::string_view key) {
  const json::value* value = Find(from, key);
  if (value == nullptr || !value->is_bool()) return std::nullopt;
  return value->get_bool();
}

void ReadContent(json::value* content, Notes* notes, std::vector<Part>* parts) {
  if (content == nullptr) return;
  if (json::array* list = content->if_array(); list != nullptr) {
    parts->reserve(parts->size() + list->size());
    for (json::value& element : *list) {
      if (element.is_object()) parts->push_back(ReadPart(&element.get_object(), notes));
      if (element.is_string()) parts->emplace_back().text = View(element.get_string());
    }
    return;
  }
  std::string text = content->is_string() ? std::string(View(content->get_string())) : ToJson(*content);
  if (!text.empty()) parts->emplace_back().text = std::move(text);
}

bool ReadReasoning(json::object* item, Part* part) {
  part->kind = PartKind::kThinking;
  const json::array* content = FindArray(*item, "content");
  const json::array* summary = FindArray(*item, "summary");
  part->text = Texts(summary);
  const std::string raw = Texts(content);
  if (part->text.empty()) part->text = raw;
  const bool whole = summary != nullptr && summary->size() <= 1 && raw.empty();
  if (summary != nullptr && !summary->empty() && !whole) part->own["summary"] = *summary;
  const std::string_view encrypted = FindText(*item, "encrypted_content");
  if (IsPackedState(encrypted)) {
    part->state = UnpackStates(encrypted);
  } else if (std::string state = ReasoningState(*item, !raw.empty()); !state.empty()) {
    part->state.push_back({StateKind::kResponsesReasoning, std::move(state)});
  }
  return !part->text.empty() || !part->state.empty();
}

Part ReadCall(json::object* item) {
  const bool custom = FindText(*item, "type") == "custom_tool_call";
  const std::string_view group = FindText(*item, "namespace");
  const std::string_view given = FindText(*item, "call_id");
  OpaqueStates states;
  const std::string_view id = IdWithoutState(given.empty() ? FindText(*item, "id") : given, &states);
  // The client's name of a tool in a namespace is in two parts, which `own` keeps.
  const std::string_view name_read = group.empty() ? "name" : "type";
  return {.kind = PartKind::kToolCall,
          .text = TextOf(*item, custom ? "input" : "arguments"),
          .id = std::string(UpstreamId(id)),
          .name = FlatName(group, FindText(*item, "name")),
          .custom = custom,
          .state = std::move(states),
          .own = Others(item, {"type", "id", "call_id", "status", "arguments", "input", name_read})};
}

Part OtherPart(json::object* item) {
  return {.kind = PartKind::kOther, .own = json::object(std::move(*item))};
}

}  // namespace ccr::proxy::responses
