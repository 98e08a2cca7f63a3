#include "proxy/formats/openai_gemini/gemini_contents.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/data_url.h"
#include "proxy/formats/openai_gemini/gemini_call_id.h"
#include "proxy/formats/openai_message.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kForeignCall = "skip_thought_signature_validator";

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

std::string_view SignatureOf(const json::object& call) {
  const json::object* extra = FindObject(call, "extra_content");
  const json::object* google = extra == nullptr ? nullptr : FindObject(*extra, "google");
  return google == nullptr ? std::string_view() : FindText(*google, "thought_signature");
}

bool IsAnswer(const json::array& parts) {
  return FindObject(parts.front().get_object(), "functionResponse") != nullptr;
}

bool BeginsTurn(const json::object& content) {
  return FindText(content, "role") == "user" && !IsAnswer(content.at("parts").get_array());
}

}  // namespace

GeminiContents::GeminiContents(json::storage_ptr storage, Notes* notes, ToolNames* names)
    : storage_(std::move(storage)),
      notes_(notes),
      names_(names),
      system_(storage_),
      contents_(storage_),
      parts_(storage_) {}

absl::Status GeminiContents::Add(const json::object& message) {
  const std::string_view role = FindText(message, "role");
  if (Find(message, "name") != nullptr && role != "function") AddNote(notes_, "messages.name: dropped");
  if (role == "system" || role == "developer") {
    AddSystem(message);
  } else if (role == "user") {
    Switch(Role::kUser);
    AppendContent(message, /*media=*/true, &parts_);
  } else if (role == "assistant") {
    AddModel(message);
  } else if (role == "tool" || role == "function") {
    AddResult(message, role == "function");
  } else {
    return absl::InvalidArgumentError(
        "messages: role must be one of system, developer, user, assistant, tool, function");
  }
  return arguments_.status();
}

void GeminiContents::Finish() {
  if (role_ == Role::kModel && !calls_.empty()) Switch(Role::kUser);
  CloseTurn();
  if (contents_.empty()) {
    AppendText(kFiller, &parts_);
    Push("user", std::move(parts_));
  }
}

void GeminiContents::SignForeignCalls() {
  auto turn = contents_.end();
  while (turn != contents_.begin() && !BeginsTurn((turn - 1)->get_object())) --turn;
  for (; turn != contents_.end(); ++turn) {
    json::array& parts = turn->get_object()["parts"].get_array();
    const auto first = std::find_if(parts.begin(), parts.end(), [](const json::value& part) {
      return FindObject(part.get_object(), "functionCall") != nullptr;
    });
    if (first == parts.end() || Find(first->get_object(), "thoughtSignature") != nullptr) continue;
    AddNote(notes_, "tool_calls: without a thought signature, the model is told so");
    first->get_object()["thoughtSignature"] = kForeignCall;
  }
}

void GeminiContents::Switch(Role role) {
  if (role == role_) return;
  CloseTurn();
  role_ = role;
  if (role == Role::kModel) ForgetCalls();
}

void GeminiContents::CloseTurn() {
  if (role_ == Role::kUser) AnswerCalls();
  if (!parts_.empty()) Push(role_ == Role::kModel ? "model" : "user", std::move(parts_));
  parts_ = json::array(storage_);
}

void GeminiContents::AnswerCalls() {
  json::array responses(storage_);
  for (const Call& call : calls_) {
    if (!call.answer) AddNote(notes_, "tool_calls: one without a result was answered");
    json::object response(storage_);
    response[call.answer ? "output" : "error"] = call.answer ? *call.answer : "no result";
    json::object answer({{"name", call.name}, {"response", std::move(response)}}, storage_);
    if (!call.id.empty()) answer["id"] = call.id;
    responses.emplace_back(json::object({{"functionResponse", std::move(answer)}}, storage_));
  }
  ForgetCalls();
  if (!responses.empty()) Push("user", std::move(responses));
}

void GeminiContents::ForgetCalls() {
  calls_.clear();
  calls_by_id_.Clear();
  calls_by_name_.Clear();
}

void GeminiContents::Push(std::string_view role, json::array parts) {
  if (contents_.empty() && role == "model") {
    json::array filler(storage_);
    AppendText(kFiller, &filler);
    Push("user", std::move(filler));
  }
  if (!contents_.empty() && FindText(contents_.back().get_object(), "role") == role && !IsAnswer(parts) &&
      !IsAnswer(contents_.back().at("parts").get_array())) {
    json::array& last = contents_.back().at("parts").get_array();
    for (json::value& part : parts) last.emplace_back(std::move(part));
    return;
  }
  contents_.emplace_back(json::object({{"role", role}, {"parts", std::move(parts)}}, storage_));
}

void GeminiContents::AddSystem(const json::object& message) {
  if (role_ == Role::kNone) return AppendContent(message, /*media=*/false, &system_);
  json::array texts(storage_);
  AppendContent(message, /*media=*/false, &texts);
  if (texts.empty()) return;
  Switch(Role::kUser);
  AddNote(notes_, "messages: a system message behind others became the user's text");
  AppendText(absl::StrCat("<system>\n", JoinedTexts(texts), "\n</system>"), &parts_);
}

void GeminiContents::AddModel(const json::object& message) {
  NoteUnsent(message, notes_);
  Switch(Role::kModel);
  AppendContent(message, /*media=*/false, &parts_);
  AppendText(FindText(message, "refusal"), &parts_);
  if (const json::object* legacy = FindObject(message, "function_call"); legacy != nullptr) AddCall({}, *legacy, {});
  const json::array* calls = FindArray(message, "tool_calls");
  for (size_t i = 0; calls != nullptr && i < calls->size(); ++i) {
    const json::object* call = (*calls)[i].if_object();
    const json::object* function = call == nullptr ? nullptr : FindObject(*call, "function");
    if (call != nullptr && function == nullptr) function = FindObject(*call, "custom");
    if (function == nullptr) {
      AddNote(notes_, "tool_calls: one without a function was dropped");
    } else {
      AddCall(FindText(*call, "id"), *function, SignatureOf(*call));
    }
  }
}

void GeminiContents::AddCall(std::string_view given_id, const json::object& function, std::string_view signature) {
  const GeminiCallId carried = ReadGeminiCallId(given_id);
  const json::value* arguments = Find(function, "arguments");
  if (arguments == nullptr) arguments = Find(function, "input");
  const std::string name = GeminiToolName(FindText(function, "name"), names_);
  json::object call({{"name", name}, {"args", ToolInput(arguments, storage_, &arguments_, notes_)}}, storage_);
  if (!carried.id.empty()) call["id"] = carried.id;
  json::object part({{"functionCall", std::move(call)}}, storage_);
  if (!carried.signature.empty()) {
    part["thoughtSignature"] = carried.signature;
  } else if (!signature.empty()) {
    part["thoughtSignature"] = signature;
  }
  parts_.emplace_back(std::move(part));
  calls_by_id_.Add(WithoutSignature(given_id), calls_.size());
  calls_by_name_.Add(name, calls_.size());
  calls_.push_back({name, carried.id, std::nullopt});
}

void GeminiContents::AddResult(const json::object& message, bool by_name) {
  Switch(Role::kUser);
  json::array texts(storage_);
  json::array media(storage_);
  json::array parts(storage_);
  AppendContent(message, /*media=*/true, &parts);
  for (json::value& part : parts) {
    (Find(part.get_object(), "text") != nullptr ? texts : media).emplace_back(std::move(part));
  }
  const std::string_view key = FindText(message, by_name ? "name" : "tool_call_id");
  if (Call* call = FindOpenCall(key, by_name); call != nullptr) {
    call->answer = JoinedTexts(texts);
  } else {
    AddNote(notes_, "messages: a result of no call became the user's text");
    for (json::value& part : texts) parts_.emplace_back(std::move(part));
  }
  for (json::value& part : media) parts_.emplace_back(std::move(part));
}

GeminiContents::Call* GeminiContents::FindOpenCall(std::string_view key, bool by_name) {
  const auto open = [this](size_t call) { return !calls_[call].answer; };
  const size_t found =
      by_name ? calls_by_name_.Find(GeminiToolName(key, names_), open) : calls_by_id_.Find(WithoutSignature(key), open);
  return found == CallIndex::kNone ? nullptr : &calls_[found];
}

void GeminiContents::AppendContent(const json::object& message, bool media, json::array* parts) {
  AppendText(FindText(message, "content"), parts);
  const json::array* content = FindArray(message, "content");
  for (size_t i = 0; content != nullptr && i < content->size(); ++i) {
    const json::value& part = (*content)[i];
    if (part.is_object()) AppendPart(part.get_object(), media, parts);
    if (part.is_string()) AppendText(View(part.get_string()), parts);
  }
}

void GeminiContents::AppendPart(const json::object& part, bool media, json::array* parts) {
  const std::string_view type = FindText(part, "type");
  if (type == "text" || type == "refusal") return AppendText(FindText(part, type), parts);
  if (type == "image_url") {
    if (!media) return AppendOmitted("image", parts);
    const json::object* image = FindObject(part, "image_url");
    if (image != nullptr && Find(*image, "detail") != nullptr) AddNote(notes_, "image_url.detail: dropped");
    return AppendUrl(image != nullptr ? FindText(*image, "url") : FindText(part, "image_url"), "image", parts);
  }
  if (type == "file") {
    const json::object* file = FindObject(part, "file");
    if (!media || file == nullptr) return AppendOmitted("file", parts);
    const std::string_view data = FindText(*file, "file_data");
    return AppendUrl(data.empty() ? FindText(*file, "file_id") : data, "file", parts);
  }
  if (type == "input_audio" && media) return AppendAudio(part, parts);
  AppendOmitted(type == "input_audio" ? "audio" : "content part", parts);
}

void GeminiContents::AppendUrl(std::string_view url, std::string_view what, json::array* parts) {
  const std::optional<DataUrl> data = ParseDataUrl(url);
  if (data && IsInlineType(data->media_type)) {
    json::object blob({{"mimeType", data->media_type}, {"data", data->base64}}, storage_);
    parts->emplace_back(json::object({{"inlineData", std::move(blob)}}, storage_));
  } else if (IsWebUrl(url)) {
    json::object file({{"fileUri", url}}, storage_);
    if (!TypeOfUrl(url).empty()) file["mimeType"] = TypeOfUrl(url);
    parts->emplace_back(json::object({{"fileData", std::move(file)}}, storage_));
  } else {
    AppendOmitted(what, parts);
  }
}

void GeminiContents::AppendAudio(const json::object& part, json::array* parts) {
  const json::object* audio = FindObject(part, "input_audio");
  const std::string_view data = audio == nullptr ? std::string_view() : FindText(*audio, "data");
  const std::string_view format = audio == nullptr ? std::string_view() : FindText(*audio, "format");
  if (data.empty() || (format != "wav" && format != "mp3")) return AppendOmitted("audio", parts);
  json::object blob({{"mimeType", absl::StrCat("audio/", ToAbsl(format))}, {"data", data}}, storage_);
  parts->emplace_back(json::object({{"inlineData", std::move(blob)}}, storage_));
}

void GeminiContents::AppendText(std::string_view text, json::array* parts) {
  if (!text.empty()) parts->emplace_back(json::object({{"text", text}}, storage_));
}

void GeminiContents::AppendOmitted(std::string_view what, json::array* parts) {
  AddNote(notes_, absl::StrCat(ToAbsl(what), ": dropped, a mark stands in its place"));
  AppendText(absl::StrCat("[", ToAbsl(what), " omitted]"), parts);
}

}  // namespace ccr::proxy
