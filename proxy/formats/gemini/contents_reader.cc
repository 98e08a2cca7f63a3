#include "proxy/formats/gemini/contents_reader.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/gemini/camel.h"
#include "proxy/formats/gemini/parts.h"
#include "proxy/formats/gemini/signature.h"

namespace ccr::proxy::gemini {
namespace {

absl::Status Invalid(size_t number, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("contents.", number, ToAbsl(what)));
}

// Nothing where it is none.
std::optional<Role> RoleOf(std::string_view role) {
  if (role.empty() || role == "user" || role == "function" || role == "tool") return Role::kUser;
  if (role == "model" || role == "assistant") return Role::kAssistant;
  if (role == "system") return Role::kSystem;
  return std::nullopt;
}

// Of a response that holds one member alone: that, as a text.
struct Response {
  std::string text;
  bool is_error = false;
  bool whole = false;  // text and is_error say all of it
};

Response ReadResponse(const json::object& response) {
  if (response.empty()) return {};
  if (response.size() > 1) return {ToJson(response)};
  const json::key_value_pair& member = *response.begin();
  const std::string_view name(member.key().data(), member.key().size());
  const bool error = name == "error";
  if (!error && name != "output" && name != "result") return {ToJson(response)};
  if (!member.value().is_string()) return {ToJson(member.value()), error};
  return {std::string(View(member.value().get_string())), error, name != "result"};
}

// Whether the next is a piece of the last: clients keep the pieces of a stream as they came. The one with a signature is
// the last of a part; it may be that alone (`signs`), and of either kind.
bool Continues(const Part& last, const Part& next, bool signs) {
  if (!last.state.empty() || !last.own.empty() || !next.own.empty()) return false;
  return (last.kind == PartKind::kText || last.kind == PartKind::kThinking) && (signs || last.kind == next.kind);
}

}  // namespace

absl::Status ContentsReader::Add(json::value* content, size_t number) {
  json::object* object = content->if_object();
  if (object == nullptr) return Invalid(number, ": must be an object");
  CamelNames(object);
  const std::optional<Role> role = RoleOf(FindText(*object, "role"));
  if (!role) return Invalid(number, ".role: must be one of user, model");
  TakeMember(object, "role");
  json::value parts = TakeMember(object, "parts");
  if (!parts.is_array() && !parts.is_object() && !parts.is_null()) return Invalid(number, ".parts: must be a list");
  own_ = object->empty() ? nullptr : object;
  const bool goes_on = *role == Role::kAssistant && !request_.messages.empty() &&
                       request_.messages.back().role == Role::kAssistant && own_ == nullptr;
  begun_ = goes_on;
  if (*role == Role::kAssistant && !goes_on) {
    calls_.clear();
    calls_by_id_.Clear();
    calls_by_name_.Clear();
  }
  if (parts.is_object()) AddPart(*role, &parts);
  for (size_t i = 0; parts.is_array() && i < parts.get_array().size(); ++i) AddPart(*role, &parts.get_array()[i]);
  return absl::OkStatus();
}

void ContentsReader::AddSystem(json::value* content) {
  begun_ = false;
  own_ = nullptr;
  json::object* object = content->if_object();
  if (object == nullptr) return AddPart(Role::kSystem, content);
  CamelNames(object);
  json::value* parts = Find(*object, "parts");
  if (parts == nullptr) return;
  if (parts->is_object()) AddPart(Role::kSystem, parts);
  for (size_t i = 0; parts->is_array() && i < parts->get_array().size(); ++i) {
    AddPart(Role::kSystem, &parts->get_array()[i]);
  }
}

void ContentsReader::AddPart(Role role, json::value* part) {
  if (part->is_string() && !part->get_string().empty()) {
    Part text;
    text.text = View(part->get_string());
    return Put(role, std::move(text));
  }
  json::object* object = part->if_object();
  if (object == nullptr || object->empty()) return AddNote(notes_, "contents.parts: one that is no object was dropped");
  switch (TypeOfPart(object)) {
    case PartType::kCall:
      return AddCall(object);
    case PartType::kResult:
      return AddResult(object);
    case PartType::kText:
    case PartType::kThought:
    case PartType::kMedia:
      return AddPlain(role, object);
    case PartType::kOther:
      break;
  }
  Part other;
  other.kind = PartKind::kOther;
  ReadSignature(FindText(*object, "thoughtSignature"), &other.state);
  Adopt(&other.own, std::move(*object));
  Put(role, std::move(other));
}

void ContentsReader::AddPlain(Role role, json::object* object) {
  Part part;
  bool signs = false;
  ReadSignature(FindText(*object, "thoughtSignature"), &part.state);
  TakeMember(object, "thoughtSignature");
  if (Find(*object, "text") != nullptr) {
    part.text = FindText(*object, "text");
    const bool models = role == Role::kAssistant;
    const bool thought = models && FindBool(*object, "thought");
    if (part.text.empty() && (part.state.empty() || !models)) return;
    signs = part.text.empty() && !thought;
    part.kind = thought || signs ? PartKind::kThinking : PartKind::kText;
    TakeMember(object, "text");
    if (models) TakeMember(object, "thought");
  } else {
    part.kind = PartKind::kMedia;
    part.media = TakeMedia(object);
  }
  KeepOwn(object, &part);
  Put(role, std::move(part), signs);
}

void ContentsReader::AddCall(json::object* object) {
  json::object* call = FindObject(*object, "functionCall");
  CamelNames(call);
  Part part;
  part.kind = PartKind::kToolCall;
  part.name = FindText(*call, "name");
  if (part.name.empty()) return AddNote(notes_, "functionCall: one without a name was dropped");
  part.id = IdWithoutState(FindText(*call, "id"), &part.state);
  if (part.id.empty()) part.id = MadeUpId("call_", StableHash(part.name), made_up_++);
  if (const json::object* arguments = FindObject(*call, "args"); arguments != nullptr) {
    AppendJson(*arguments, &part.text);
  } else {
    part.text = "{}";
  }
  ReadSignature(FindText(*object, "thoughtSignature"), &part.state);
  for (const std::string_view name : {"name", "id", "args"}) TakeMember(call, name);
  if (call->empty()) TakeMember(object, "functionCall");
  TakeMember(object, "thoughtSignature");
  KeepOwn(object, &part);
  calls_by_id_.Add(part.id, calls_.size());
  calls_by_name_.Add(part.name, calls_.size());
  calls_.push_back({part.id});
  Put(Role::kAssistant, std::move(part));
}

void ContentsReader::AddResult(json::object* object) {
  json::object* result = FindObject(*object, "functionResponse");
  CamelNames(result);
  Part part;
  part.kind = PartKind::kToolResult;
  part.name = FindText(*result, "name");
  part.id = IdOfResult(IdWithoutState(FindText(*result, "id"), nullptr), part.name);
  Response response;
  if (const json::object* given = FindObject(*result, "response"); given != nullptr) response = ReadResponse(*given);
  part.is_error = response.is_error;
  if (!response.text.empty()) part.content.emplace_back().text = std::move(response.text);
  json::value parts = TakeMember(result, "parts");
  for (size_t i = 0; parts.is_array() && i < parts.get_array().size(); ++i) {
    json::object* one = parts.get_array()[i].if_object();
    if (one == nullptr || TypeOfPart(one) != PartType::kMedia) continue;
    Part& media = part.content.emplace_back();
    media.kind = PartKind::kMedia;
    media.media = TakeMedia(one);
  }
  for (const std::string_view name : {"name", "id"}) TakeMember(result, name);
  if (response.whole) TakeMember(result, "response");
  if (result->empty()) TakeMember(object, "functionResponse");
  KeepOwn(object, &part);
  Put(Role::kTool, std::move(part));
}

// Clients make up an id where the call had none: then its name tells which call it is of.
std::string ContentsReader::IdOfResult(std::string_view id, std::string_view name) {
  const auto open = [this](size_t call) { return !calls_[call].answered; };
  size_t call = id.empty() ? CallIndex::kNone : calls_by_id_.Find(id, open);
  if (call == CallIndex::kNone) call = calls_by_name_.Find(name, open);
  if (call == CallIndex::kNone) return std::string(id);
  calls_[call].answered = true;
  return calls_[call].id;
}

void ContentsReader::Put(Role role, Part part, bool signs) {
  std::vector<Message>& messages = request_.messages;
  if (!begun_ || messages.back().role != role) {
    Message& message = messages.emplace_back();
    message.role = role;
    message.continues = begun_;
    if (own_ != nullptr) Adopt(&message.own, std::move(*own_));
    own_ = nullptr;
    begun_ = true;
  }
  std::vector<Part>& parts = messages.back().parts;
  if (role == Role::kAssistant && !parts.empty() && Continues(parts.back(), part, signs)) {
    parts.back().text += part.text;
    parts.back().state = std::move(part.state);
    return;
  }
  parts.push_back(std::move(part));
}

}  // namespace ccr::proxy::gemini
