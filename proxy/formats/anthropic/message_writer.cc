#include "proxy/formats/anthropic/message_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy::anthropic {
namespace {

// Stands where Anthropic needs a message of the user and there is none.
constexpr std::string_view kFiller = "Continue.";

bool IsSystem(const Message& message) {
  return message.role == Role::kSystem || message.role == Role::kDeveloper;
}

std::string_view RoleName(const Message& message) {
  if (IsSystem(message)) return "system";
  return message.role == Role::kAssistant ? "assistant" : "user";
}

ContentWriter::Place PlaceOf(const Message& message) {
  if (IsSystem(message)) return ContentWriter::Place::kSystem;
  return message.role == Role::kAssistant ? ContentWriter::Place::kAssistant : ContentWriter::Place::kUser;
}

// Anthropic: [a-zA-Z0-9_-]+.
std::string ValidId(std::string_view given) {
  std::string id(given);
  for (char& c : id) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-') c = '_';
  }
  return id;
}

bool HasThinkingState(const Part& part) {
  return FindState(part.state, StateKind::kAnthropicSignature) != nullptr ||
         FindState(part.state, StateKind::kAnthropicRedacted) != nullptr;
}

}  // namespace

void MessageWriter::WriteSystem(ListWriter* blocks) {
  const std::vector<Message>& messages = request_.messages;
  while (leading_ < messages.size() && IsSystem(messages[leading_])) {
    for (const Part& part : messages[leading_++].parts) {
      content_.Write(part, ContentWriter::Place::kSystem, blocks);
    }
  }
}

absl::Status MessageWriter::WriteMessages(std::string* out) {
  out_ = out;
  messages_ = ListWriter(out);
  *out_ += '[';
  for (size_t i = leading_; i < request_.messages.size(); ++i) {
    const Message& message = request_.messages[i];
    const std::string_view role = RoleName(message);
    if (role != "user" && !SaysAnything(message)) {
      if (role == "assistant") AddNote(notes_, "messages: an empty assistant message was dropped");
      continue;
    }
    if (!Joins(role, message)) {
      EndMessage();
      BeginMessage(role, &message);
    }
    WriteMessage(message);
  }
  EndMessage();
  if (messages_.count() == 0) {
    BeginMessage("user", nullptr);
    EndMessage();
  }
  *out_ += ']';
  return arguments_.status();
}

// Messages that the client kept apart stay so: Anthropic reads those of one role in a row as one.
bool MessageWriter::Joins(std::string_view role, const Message& message) const {
  return role == role_ && role != "system" && (message.continues || !content_.own());
}

bool MessageWriter::SaysAnything(const Message& message) const {
  return std::any_of(message.parts.begin(), message.parts.end(), [this](const Part& part) {
    if (part.kind == PartKind::kThinking) return HasThinkingState(part) || (content_.own() && !part.text.empty());
    const bool text = part.kind == PartKind::kText || part.kind == PartKind::kRefusal;
    const bool whole = part.kind == PartKind::kOther && content_.own() && !part.own.empty();
    return !(text || part.kind == PartKind::kOther) || whole || !IsBlank(part.text);
  });
}

void MessageWriter::BeginMessage(std::string_view role, const Message* message) {
  role_ = role;
  first_ = message;
  messages_.Next()->append(R"({"role":")").append(role).append(R"(","content":[)");
  blocks_ = ListWriter(out_);
}

void MessageWriter::EndMessage() {
  if (role_.empty()) return;
  if (blocks_.count() == 0) {
    AddNote(notes_, "messages: a short text stands where the user's message was missing or empty");
    content_.WriteText(kFiller, nullptr, &blocks_);
  }
  *out_ += ']';
  if (first_ != nullptr && content_.own()) {
    for (const json::key_value_pair& member : first_->own) {
      *out_ += ',';
      AppendJsonString({member.key().data(), member.key().size()}, out_);
      *out_ += ':';
      AppendJson(member.value(), out_);
    }
  }
  *out_ += '}';
  role_ = {};
}

// What the text to be gone on from ends with; null when it ends with something else than text. Blank texts, and what
// Anthropic has no place for, are not written.
const Part* MessageWriter::LastText(const Message& message) const {
  for (auto part = message.parts.rbegin(); part != message.parts.rend(); ++part) {
    const bool own = content_.own() && !part->own.empty();
    const bool text = part->kind == PartKind::kText || part->kind == PartKind::kRefusal ||
                      (part->kind == PartKind::kOther && !own && !part->text.empty());
    if (text && !IsBlank(part->text)) return &*part;
    const bool dropped = (part->kind == PartKind::kOther && !own) ||
                         (part->kind == PartKind::kThinking && !HasThinkingState(*part) && !content_.own());
    if (!text && !dropped) return nullptr;
  }
  return nullptr;
}

void MessageWriter::WriteMessage(const Message& message) {
  const bool last = &message == &request_.messages.back() && message.role == Role::kAssistant;
  const Part* const last_text = last ? LastText(message) : nullptr;
  for (const Part& part : message.parts) {
    if (&part == last_text) {
      WriteLastText(part);
    } else {
      WritePart(part, PlaceOf(message));
    }
  }
}

void MessageWriter::WritePart(const Part& part, ContentWriter::Place place) {
  switch (part.kind) {
    case PartKind::kThinking:
      return WriteThinking(part);
    case PartKind::kToolCall:
      return WriteCall(part);
    case PartKind::kToolResult:
      return WriteResult(part);
    default:
      return content_.Write(part, place, &blocks_);
  }
}

void MessageWriter::WriteLastText(const Part& part) {
  const std::string_view text = part.text;
  const size_t size = absl::StripTrailingAsciiWhitespace(ToAbsl(text)).size();
  if (size < text.size()) AddNote(notes_, "messages: white space at the end of the last message was dropped");
  content_.WriteText(text.substr(0, size), &part, &blocks_);
}

void MessageWriter::WriteThinking(const Part& part) {
  if (!HasThinkingState(part) && content_.own() && !part.text.empty()) return WriteThinkingBlock(part, {});
  if (!HasThinkingState(part)) return AddNote(notes_, "messages.reasoning_content: dropped");
  for (const OpaqueState& state : part.state) {
    if (state.kind == StateKind::kAnthropicSignature) WriteThinkingBlock(part, state.data);
    if (state.kind != StateKind::kAnthropicRedacted) continue;
    ObjectWriter block(blocks_.Next());
    block.Text("type", "redacted_thinking");
    block.Text("data", state.data);
    content_.WriteRest(part, &block);
    block.End();
  }
}

void MessageWriter::WriteThinkingBlock(const Part& part, std::string_view signature) {
  ObjectWriter block(blocks_.Next());
  block.Text("type", "thinking");
  block.Text("thinking", part.text);
  block.Text("signature", signature);
  content_.WriteRest(part, &block);
  block.End();
}

void MessageWriter::WriteCall(const Part& part) {
  const std::string id = UniqueId(part.id);
  if (id != part.id) AddNote(notes_, "tool_calls.id: changed to a valid and unique one");
  ids_.insert(id);
  known_.insert_or_assign(part.id, id);
  if (called_names_.insert(part.name).second) called_.push_back(part.name);
  ObjectWriter block(blocks_.Next());
  block.Text("type", "tool_use");
  block.Text("id", id);
  block.Text("name", ToolName(part.name));
  WriteInput(part, block.Key("input"));
  content_.WriteRest(part, &block);
  block.End();
}

void MessageWriter::WriteInput(const Part& call, std::string* out) {
  const auto wrapped = [&](std::string_view member) {
    ObjectWriter input(out);
    input.Text(member, call.text);
    input.End();
  };
  if (call.custom) return wrapped("input");
  if (IsBlank(call.text) || !arguments_.Take(call.text)) {
    out->append("{}");
    return;
  }
  unsigned char buffer[4096];
  json::monotonic_resource memory(buffer, sizeof buffer);
  const absl::StatusOr<json::value> input = ParseJson(call.text, &memory);
  if (input.ok() && input->is_object()) return AppendJson(*input, out);
  AddNote(notes_, "tool_calls.arguments: no JSON object, sent as raw_arguments");
  wrapped("raw_arguments");
}

void MessageWriter::WriteResult(const Part& part) {
  const auto known = known_.find(part.id);
  ObjectWriter block(blocks_.Next());
  block.Text("type", "tool_result");
  block.Text("tool_use_id", known == known_.end() ? ValidId(part.id) : known->second);
  WriteResultContent(part, &block);
  if (part.is_error) block.Bool("is_error", true);
  content_.WriteRest(part, &block);
  block.End();
}

void MessageWriter::WriteResultContent(const Part& part, ObjectWriter* block) {
  if (part.content.size() == 1) {
    const Part& only = part.content.front();
    const bool plain = only.kind == PartKind::kText && only.cache_control.is_null() && only.own.empty();
    if (plain && !IsBlank(only.text)) return block->Text("content", only.text);
  }
  const size_t before = out_->size();
  block->Key("content")->append("[");
  ListWriter content(out_);
  for (const Part& inner : part.content) content_.Write(inner, ContentWriter::Place::kUser, &content);
  *out_ += ']';
  if (content.count() == 0) out_->resize(before);
}

std::string MessageWriter::ToolName(std::string_view name) const {
  return content_.own() ? std::string(name) : AnthropicToolName(name, names_);
}

std::string MessageWriter::UniqueId(std::string_view given_id) {
  const std::string base = given_id.empty() ? "call" : ValidId(given_id);
  if (!ids_.contains(base)) return base;
  int& next = next_numbers_.try_emplace(base, 2).first->second;
  std::string id = absl::StrCat(base, "_", next);
  while (ids_.contains(id)) id = absl::StrCat(base, "_", ++next);
  return id;
}

}  // namespace ccr::proxy::anthropic
