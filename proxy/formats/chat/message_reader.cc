#include "proxy/formats/chat/message_reader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/chat/reasoning_details.h"
#include "proxy/formats/data_url.h"

namespace ccr::proxy::chat {
namespace {

Part TextPart(std::string_view text) {
  Part part;
  part.text = text;
  return part;
}

void ReadDataUrl(const DataUrl& url, Media* media) {
  media->source = Media::Source::kBase64;
  media->type = url.media_type;
  media->data = url.base64;
}

void ReadWebUrl(std::string_view url, Media* media) {
  media->source = Media::Source::kUrl;
  media->data = url;
}

// Mistral's {"type":"thinking","thinking":[{"type":"text","text":T}]}.
std::string ThinkingText(const json::object& part) {
  std::string text(FindText(part, "thinking"));
  const json::array* pieces = FindArray(part, "thinking");
  for (size_t i = 0; pieces != nullptr && i < pieces->size(); ++i) {
    if (const json::object* piece = (*pieces)[i].if_object(); piece != nullptr) text += FindText(*piece, "text");
  }
  return text;
}

// Google's endpoint of this format writes the signature of a call so; it is the one that Gemini's own format has.
void AddGoogleSignature(const json::object& extra, OpaqueStates* states) {
  const json::object* google = FindObject(extra, "google");
  const std::string_view signature = google == nullptr ? std::string_view() : FindText(*google, "thought_signature");
  if (signature.empty() || FindState(*states, StateKind::kGeminiSignature) != nullptr) return;
  states->push_back({StateKind::kGeminiSignature, std::string(signature)});
}

}  // namespace

absl::Status MessageReader::Add(json::object* given) {
  const std::string role = TakeText(given, "role");
  if (role == "system") {
    AddMessage(Role::kSystem, given);
  } else if (role == "developer") {
    AddMessage(Role::kDeveloper, given);
  } else if (role == "user") {
    AddMessage(Role::kUser, given);
  } else if (role == "assistant") {
    AddMessage(Role::kAssistant, given);
  } else if (role == "tool" || role == "function") {
    AddResult(role, given);
  } else {
    return absl::InvalidArgumentError(
        "messages: role must be one of system, developer, user, assistant, tool, function");
  }
  return arguments_.status();
}

void MessageReader::AddMessage(Role role, json::object* given) {
  Message& message = messages_->emplace_back();
  message.role = role;
  const bool text = !FindText(*given, kContent).empty();
  if (role == Role::kAssistant) ReadThinking(given, &message);
  ReadContent(given, &message.parts, &message.own);
  if (text && FindObject(*given, "cache_control") != nullptr)
    Adopt(Take(given, "cache_control"), &message.parts.back().cache_control);
  if (role == Role::kAssistant) ReadCalls(given, &message);
  if (given->empty()) return;
  if (message.own.contains(kContent)) (*given)[kContent] = json::array(given->storage());
  Adopt(std::move(*given), &message.own);
}

void MessageReader::ReadThinking(json::object* given, Message* message) {
  const std::string_view key = !FindText(*given, "reasoning").empty() && FindText(*given, "reasoning_content").empty()
                                   ? "reasoning"
                                   : "reasoning_content";
  // An empty one stays, for providers that ask for it.
  const json::value* member = Find(*given, key);
  const bool has_text = member != nullptr && member->is_string();
  const std::string text(FindText(*given, key));
  if (has_text) given->stable_erase(key);
  const json::value details =
      FindArray(*given, "reasoning_details") == nullptr ? json::value() : Take(given, "reasoning_details");
  const json::array* list = details.if_array();
  const bool has_details = list != nullptr && !list->empty();
  if (!has_text && !has_details) return;
  message->parts = ThinkingParts(text, has_details ? *list : json::array());
  if (key == "reasoning") message->parts.front().own[key] = true;
}

void MessageReader::ReadContent(json::object* given, std::vector<Part>* parts, json::object* own) {
  json::value content = Take(given, kContent);
  if (content.is_string()) {
    parts->push_back(TextPart(View(content.get_string())));
  } else if (content.is_array()) {
    (*own)[kContent] = json::array();
    for (json::value& part : content.get_array()) ReadPart(std::move(part), parts);
  } else if (content.is_object()) {
    (*own)[kContent] = json::array();
    ReadPart(std::move(content), parts);
  }
}

void MessageReader::ReadPart(json::value given, std::vector<Part>* parts) {
  if (given.is_string()) return parts->push_back(TextPart(View(given.get_string())));
  json::object* object = given.if_object();
  if (object == nullptr) return;
  const std::string type(FindText(*object, "type"));
  Part part;
  if (FindObject(*object, "cache_control") != nullptr) Adopt(Take(object, "cache_control"), &part.cache_control);
  if (type == "text") {
    part.text = FindText(*object, "text");
    for (const std::string_view read : {"text", "type"}) object->stable_erase(read);
  } else if (type == "refusal") {
    part.kind = PartKind::kRefusal;
    part.text = FindText(*object, "refusal");
    for (const std::string_view read : {"refusal", "type"}) object->stable_erase(read);
  } else if (type == "thinking") {
    part.kind = PartKind::kThinking;
    part.text = ThinkingText(*object);
  } else if (type == "image_url") {
    ReadImage(object, &part);
  } else if (type == "file") {
    ReadFile(object, &part);
  } else if (type == "input_audio") {
    ReadAudio(object, &part);
  } else {
    part.kind = PartKind::kOther;
    part.text = FindText(*object, "text");
    if (part.text.empty()) Omit("content part", &part);
  }
  if (!object->empty()) Adopt(std::move(*object), &part.own);
  parts->push_back(std::move(part));
}

void MessageReader::ReadImage(json::object* given, Part* part) {
  const json::object* image = FindObject(*given, "image_url");
  const std::string_view url = image != nullptr ? FindText(*image, "url") : FindText(*given, "image_url");
  part->kind = PartKind::kMedia;
  if (image != nullptr) part->media.detail = FindText(*image, "detail");
  if (const std::optional<DataUrl> data = ParseDataUrl(url); data) {
    ReadDataUrl(*data, &part->media);
  } else if (IsWebUrl(url)) {
    ReadWebUrl(url, &part->media);
    part->media.type = "image/*";
  } else {
    Omit("image", part);
  }
}

void MessageReader::ReadFile(json::object* given, Part* part) {
  part->kind = PartKind::kMedia;
  const json::object* file = FindObject(*given, "file");
  if (file == nullptr) return Omit("file", part);
  constexpr std::string_view kPdfInBase64 = "JVBERi";
  const std::string_view bytes = FindText(*file, "file_data");
  const std::string_view id = FindText(*file, "file_id");
  const std::string_view url = IsWebUrl(bytes) ? bytes : id;
  part->media.name = FindText(*file, "filename");
  if (const std::optional<DataUrl> data = ParseDataUrl(bytes); data) {
    ReadDataUrl(*data, &part->media);
  } else if (bytes.starts_with(kPdfInBase64)) {
    ReadDataUrl({"application/pdf", bytes}, &part->media);
  } else if (IsWebUrl(url)) {
    ReadWebUrl(url, &part->media);
  } else if (!id.empty()) {
    part->media.source = Media::Source::kFileId;
    part->media.data = id;
  } else {
    Omit("file", part);
  }
}

void MessageReader::ReadAudio(json::object* given, Part* part) {
  const json::object* audio = FindObject(*given, "input_audio");
  const std::string_view data = audio == nullptr ? std::string_view() : FindText(*audio, "data");
  const std::string_view format = audio == nullptr ? std::string_view() : FindText(*audio, "format");
  part->kind = PartKind::kMedia;
  if (data.empty() || format.empty()) return Omit("audio", part);
  part->media.type = absl::StrCat("audio/", ToAbsl(format));
  part->media.data = data;
}

void MessageReader::Omit(std::string_view what, Part* part) {
  AddNote(notes_, absl::StrCat(ToAbsl(what), ": dropped, a mark stands in its place"));
  part->kind = PartKind::kOther;
  part->media = {};
  part->text = absl::StrCat("[", ToAbsl(what), " omitted]");
}

void MessageReader::ReadCalls(json::object* given, Message* message) {
  if (std::string refusal = TakeWords(given, "refusal"); !refusal.empty()) {
    Part& part = message->parts.emplace_back(TextPart(refusal));
    part.kind = PartKind::kRefusal;
  }
  if (json::object* legacy = FindObject(*given, kFunctionCall); legacy != nullptr) {
    Part part;
    part.kind = PartKind::kToolCall;
    ReadFunction(std::move(*legacy), &part);
    part.own[kFunctionCall] = true;
    given->stable_erase(kFunctionCall);
    message->parts.push_back(std::move(part));
  }
  if (FindArray(*given, "tool_calls") == nullptr) return;
  json::value calls = Take(given, "tool_calls");
  for (json::value& call : calls.get_array()) AddCall(std::move(call), &message->parts);
}

void MessageReader::AddCall(json::value given, std::vector<Part>* parts) {
  json::object* call = given.if_object();
  const std::string_view key = call == nullptr || FindObject(*call, "function") != nullptr ? "function" : "custom";
  json::object* function = call == nullptr ? nullptr : FindObject(*call, key);
  if (function == nullptr) return AddNote(notes_, "tool_calls: one without a function was dropped");
  Part part;
  part.kind = PartKind::kToolCall;
  part.custom = key == "custom";
  part.id = IdWithoutState(IdOf(*call, "id"), &part.state);
  if (const json::object* extra = FindObject(*call, "extra_content"); extra != nullptr) {
    AddGoogleSignature(*extra, &part.state);
    part.state.push_back({StateKind::kChatExtraContent, ToJson(json::value(*extra))});
    call->stable_erase("extra_content");
  }
  json::object rest = std::move(*function);
  for (const std::string_view read : {std::string_view("id"), std::string_view("type"), key}) call->stable_erase(read);
  ReadFunction(std::move(rest), &part);
  if (!call->empty()) {
    if (!part.own.empty()) (*call)["function"] = std::move(part.own["function"]);
    Adopt(std::move(*call), &part.own);
  }
  parts->push_back(std::move(part));
}

// What it does not read stays in own["function"].
void MessageReader::ReadFunction(json::object function, Part* part) {
  part->name = TakeText(&function, "name");
  std::string_view key = Find(function, "arguments") != nullptr ? "arguments" : "input";
  const json::value arguments = Take(&function, key);
  if (arguments.is_string()) {
    part->text = View(arguments.get_string());
  } else if (!arguments.is_null()) {
    AppendJson(arguments, &part->text);
  }
  if (!part->custom) arguments_.Take(part->text);
  if (!function.empty()) part->own["function"] = std::move(function);
}

void MessageReader::AddResult(std::string_view role, json::object* given) {
  if (messages_->empty() || messages_->back().role != Role::kTool) messages_->emplace_back().role = Role::kTool;
  Part part;
  part.kind = PartKind::kToolResult;
  part.id = IdWithoutState(IdOf(*given, "tool_call_id"), nullptr);
  part.name = FindText(*given, "name");
  if (role == "function") part.own["role"] = role;
  ReadContent(given, &part.content, &part.own);
  if (FindObject(*given, "cache_control") != nullptr) Adopt(Take(given, "cache_control"), &part.cache_control);
  given->stable_erase("tool_call_id");
  for (json::key_value_pair& member : *given) part.own[member.key()] = member.value();
  messages_->back().parts.push_back(std::move(part));
}

}  // namespace ccr::proxy::chat
