#include "proxy/formats/openai_anthropic/conversation.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/openai_anthropic/content.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy {
namespace {

json::object Message(std::string_view role, json::array content) {
  json::object message(content.storage());
  message["role"] = role;
  message["content"] = std::move(content);
  return message;
}

void AppendAll(json::array from, json::array* to) {
  for (json::value& value : from) to->emplace_back(std::move(value));
}

// Anthropic: [a-zA-Z0-9_-]+.
std::string ValidId(std::string_view given) {
  std::string id(given);
  for (char& c : id) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-') c = '_';
  }
  return id;
}

// Calls of functions, of custom tools and of the old function_call.
std::vector<GivenCall> CallsOf(const json::object& message, Notes* notes) {
  std::vector<GivenCall> given;
  if (const json::object* legacy = FindObject(message, "function_call"); legacy != nullptr) {
    given.push_back({"", legacy});
  }
  const json::array* calls = FindArray(message, "tool_calls");
  if (calls == nullptr) return given;
  for (const json::value& value : *calls) {
    const json::object* call = value.if_object();
    const json::object* function = call == nullptr ? nullptr : FindObject(*call, "function");
    if (call != nullptr && function == nullptr) function = FindObject(*call, "custom");
    if (function == nullptr) {
      AddNote(notes, "tool_calls: one without a function was dropped");
    } else {
      given.push_back({FindText(*call, "id"), function});
    }
  }
  return given;
}

}  // namespace

Conversation::Conversation(json::storage_ptr storage, Notes* notes)
    : storage_(std::move(storage)),
      notes_(notes),
      system_(storage_),
      messages_(storage_),
      results_(storage_),
      content_(storage_) {}

absl::Status Conversation::Add(const json::object& message) {
  const std::string_view role = FindText(message, "role");
  if (Find(message, "name") != nullptr && role != "function") AddNote(notes_, "messages.name: dropped");
  if (role == "system" || role == "developer") {
    AddSystem(message);
  } else if (role == "user") {
    Switch(Role::kUser);
    AppendContent(message, notes_, &content_);
  } else if (role == "assistant") {
    AddAssistant(message);
  } else if (role == "tool") {
    AddResult(message, /*by_name=*/false);
  } else if (role == "function") {
    AddResult(message, /*by_name=*/true);
  } else {
    return absl::InvalidArgumentError(
        "messages: role must be one of system, developer, user, assistant, tool, function");
  }
  return arguments_.status();
}

void Conversation::Finish() {
  if (role_ == Role::kAssistant && !calls_.empty()) Switch(Role::kUser);
  const bool assistant_is_last = role_ == Role::kAssistant;
  if (role_ == Role::kNone) Switch(Role::kUser);
  CloseTurn();
  if (assistant_is_last) TrimLastAssistant();
}

void Conversation::AddSystem(const json::object& message) {
  if (role_ == Role::kNone) return AppendTextContent(message, notes_, &system_);
  json::array blocks(storage_);
  AppendTextContent(message, notes_, &blocks);
  if (blocks.empty()) return;
  Switch(Role::kUser);
  AddNote(notes_, "messages: a system message behind others became the user's text");
  AppendTextBlock(absl::StrCat("<system>\n", JoinedTexts(blocks), "\n</system>"), &message, &content_);
}

void Conversation::AddAssistant(const json::object& message) {
  NoteUnsent(message, notes_);
  json::array blocks(storage_);
  AppendTextContent(message, notes_, &blocks);
  AppendTextBlock(FindText(message, "refusal"), nullptr, &blocks);
  const std::vector<GivenCall> calls = CallsOf(message, notes_);
  if (blocks.empty() && calls.empty()) return AddNote(notes_, "messages: an empty assistant message was dropped");
  Switch(Role::kAssistant);
  AppendAll(std::move(blocks), &content_);
  for (const GivenCall& call : calls) AddCall(call);
}

void Conversation::AddCall(const GivenCall& given) {
  const std::string_view given_name = FindText(*given.function, "name");
  const std::string name = ToolName(given_name);
  calls_by_id_.Add(given.id, calls_.size());
  calls_by_name_.Add(given_name, calls_.size());
  const Call& call = calls_.emplace_back(Call{.id = UniqueId(given.id)});
  if (call.id != given.id) AddNote(notes_, "tool_calls.id: changed to a valid and unique one");
  ids_.insert(call.id);
  if (called_names_.insert(name).second) called_.push_back(name);
  const json::value* arguments = Find(*given.function, "arguments");
  if (arguments == nullptr) arguments = Find(*given.function, "input");
  content_.emplace_back(json::object({{"type", "tool_use"},
                                      {"id", call.id},
                                      {"name", name},
                                      {"input", ToolInput(arguments, storage_, &arguments_, notes_)}},
                                     storage_));
}

void Conversation::AddResult(const json::object& message, bool by_name) {
  Switch(Role::kUser);
  json::array blocks(storage_);
  AppendContent(message, notes_, &blocks);
  Call* call = FindOpenCall(FindText(message, by_name ? "name" : "tool_call_id"), by_name);
  if (call == nullptr) {
    AddNote(notes_, "messages: a tool result without its call became the user's text");
    return AppendAll(std::move(blocks), &content_);
  }
  call->answered = true;
  json::object result({{"type", "tool_result"}, {"tool_use_id", call->id}}, storage_);
  const std::string_view text = FindText(message, "content");
  if (!blocks.empty() && !text.empty()) result["content"] = text;
  if (!blocks.empty() && text.empty()) result["content"] = std::move(blocks);
  CopyCacheControl(message, &result);
  results_.emplace_back(std::move(result));
}

Conversation::Call* Conversation::FindOpenCall(std::string_view key, bool by_name) {
  CallIndex& index = by_name ? calls_by_name_ : calls_by_id_;
  const size_t found = index.Find(key, [this](size_t call) { return !calls_[call].answered; });
  return found == CallIndex::kNone ? nullptr : &calls_[found];
}

std::string Conversation::UniqueId(std::string_view given_id) {
  const std::string base = given_id.empty() ? "call" : ValidId(given_id);
  if (!ids_.contains(base)) return base;
  int& next = next_numbers_.try_emplace(base, 2).first->second;
  std::string id = absl::StrCat(base, "_", next);
  while (ids_.contains(id)) id = absl::StrCat(base, "_", ++next);
  return id;
}

void Conversation::Switch(Role role) {
  if (role == role_) return;
  if (role_ != Role::kNone) CloseTurn();
  if (role_ == Role::kNone && role == Role::kAssistant) {
    role_ = Role::kUser;
    CloseTurn();
  }
  role_ = role;
}

void Conversation::CloseTurn() {
  if (role_ == Role::kUser) AnswerOpenCalls();
  allows_thinking_ = role_ == Role::kUser && results_.empty();
  json::array content = std::exchange(results_, json::array(storage_));
  AppendAll(std::exchange(content_, json::array(storage_)), &content);
  if (content.empty()) {
    AddNote(notes_, "messages: a short text stands where the user's message was missing or empty");
    AppendTextBlock(kFiller, nullptr, &content);
  }
  messages_.emplace_back(Message(role_ == Role::kUser ? "user" : "assistant", std::move(content)));
}

void Conversation::AnswerOpenCalls() {
  for (Call& call : calls_) {
    if (call.answered) continue;
    AddNote(notes_, "tool_calls: one without a result got one that says so");
    results_.emplace_back(json::object({{"type", "tool_result"},
                                        {"tool_use_id", call.id},
                                        {"content", "The call was not answered."},
                                        {"is_error", true}},
                                       storage_));
  }
  calls_.clear();
  calls_by_id_.Clear();
  calls_by_name_.Clear();
}

void Conversation::TrimLastAssistant() {
  json::object& last = messages_.back().get_object()["content"].get_array().back().get_object();
  if (FindText(last, "type") != "text") return;
  const std::string_view text = FindText(last, "text");
  const size_t size = absl::StripTrailingAsciiWhitespace(ToAbsl(text)).size();
  if (size == text.size()) return;
  AddNote(notes_, "messages: white space at the end of the last message was dropped");
  last["text"].get_string().resize(size);
}

}  // namespace ccr::proxy
