#include "proxy/formats/anthropic/message_reader.h"

#include <utility>

#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/anthropic/content_reader.h"
#include "proxy/formats/anthropic/json_move.h"

namespace ccr::proxy::anthropic {
namespace {

constexpr std::string_view kBillingBlock = "x-anthropic-billing-header:";
constexpr size_t kMaxType = 64;

absl::Status Invalid(std::string_view message) {
  return absl::InvalidArgumentError(ToAbsl(message));
}

Message MakeMessage(Role role) {
  Message message;
  message.role = role;
  return message;
}

Part MakeThinking(json::object* block) {
  Part part;
  part.kind = PartKind::kThinking;
  const bool redacted = FindText(*block, "type") == "redacted_thinking";
  const std::string_view state = FindText(*block, redacted ? "data" : "signature");
  if (!redacted) part.text = FindText(*block, "thinking");
  if (IsPackedState(state)) {
    part.state = UnpackStates(state);
  } else if (!state.empty()) {
    const StateKind kind = redacted ? StateKind::kAnthropicRedacted : StateKind::kAnthropicSignature;
    part.state.push_back({kind, std::string(state)});
  }
  TakeMark(block, &part);
  Adopt(TakeOthers(block, {"type", "thinking", "signature", "data", "cache_control"}), &part.own);
  return part;
}

}  // namespace

absl::Status MessageReader::ReadSystem(json::value* content) {
  Message message = MakeMessage(Role::kSystem);
  if (json::array* blocks = content->if_array(); blocks != nullptr) {
    for (json::value& element : *blocks) {
      if (!element.is_object()) return Invalid("a block must be an object");
      json::object& block = element.get_object();
      if (FindText(block, "type") != "text") {
        AddNote(notes_, std::string(FindText(block, "type").substr(0, kMaxType)) + " block: dropped");
      } else if (FindText(block, "text").starts_with(kBillingBlock)) {
        AddNote(notes_, "system: billing header block dropped");
      } else {
        ReadTextBlock(&block, &message.parts);
      }
    }
  } else if (content->is_string()) {
    ReadContent(content, &message.parts);
  } else {
    return Invalid("must be a text or an array of blocks");
  }
  if (!message.parts.empty()) request_.messages.push_back(std::move(message));
  return absl::OkStatus();
}

absl::Status MessageReader::ReadMessage(json::value* message) {
  if (!message->is_object()) return Invalid("must be an object");
  json::object& object = message->get_object();
  json::value* content = Find(object, "content");
  if (content == nullptr) return Invalid("content: field required");
  const std::string_view role = FindText(object, "role");
  if (role == "system") return ReadSystem(content);
  if (role != "user" && role != "assistant") return Invalid("role: must be user, assistant or system");
  if (!content->is_string() && !content->is_array()) return Invalid("content: must be a text or an array of blocks");
  return role == "user" ? ReadUser(&object, content) : ReadAssistant(&object, content);
}

absl::Status MessageReader::ReadUser(json::object* message, json::value* content) {
  after_assistant_ = false;
  Message results = MakeMessage(Role::kTool);
  Message rest = MakeMessage(Role::kUser);
  if (content->is_string()) ReadContent(content, &rest.parts);
  json::array* blocks = content->if_array();
  for (size_t i = 0; blocks != nullptr && i < blocks->size(); ++i) {
    json::object* block = (*blocks)[i].if_object();
    const std::string_view type = block == nullptr ? std::string_view() : FindText(*block, "type");
    if (type.empty()) return Invalid("content: a block must be an object with a type");
    if (type != "tool_result") {
      ReadContentBlock(block, &rest.parts);
    } else if (const absl::Status status = ReadToolResult(block, &results); !status.ok()) {
      return status;
    }
  }
  const bool has_results = !results.parts.empty();
  const bool has_rest = !has_results || !rest.parts.empty();
  Adopt(TakeOthers(message, {"role", "content"}), has_results ? &results.own : &rest.own);
  if (has_results) request_.messages.push_back(std::move(results));
  rest.continues = has_results;
  if (has_rest) request_.messages.push_back(std::move(rest));
  return absl::OkStatus();
}

absl::Status MessageReader::ReadAssistant(json::object* message, json::value* content) {
  if (!after_assistant_) {
    ids_.clear();
    taken_.clear();
  }
  after_assistant_ = true;
  Message read = MakeMessage(Role::kAssistant);
  if (content->is_string()) ReadContent(content, &read.parts);
  json::array* blocks = content->if_array();
  for (size_t i = 0; blocks != nullptr && i < blocks->size(); ++i) {
    json::object* block = (*blocks)[i].if_object();
    if (block == nullptr || FindText(*block, "type").empty()) {
      return Invalid("content: a block must be an object with a type");
    }
    if (const absl::Status status = ReadAssistantBlock(block, &read); !status.ok()) return status;
  }
  Adopt(TakeOthers(message, {"role", "content"}), &read.own);
  request_.messages.push_back(std::move(read));
  return absl::OkStatus();
}

absl::Status MessageReader::ReadAssistantBlock(json::object* block, Message* message) {
  const std::string_view type = FindText(*block, "type");
  if (type == "tool_use") return ReadToolUse(block, message);
  if (type == "text") {
    ReadTextBlock(block, &message->parts);
  } else if (type == "thinking" || type == "redacted_thinking") {
    message->parts.push_back(MakeThinking(block));
  } else {
    AddWhole(block, {}, &message->parts);
  }
  return absl::OkStatus();
}

absl::Status MessageReader::ReadToolUse(json::object* block, Message* message) {
  Part part;
  part.kind = PartKind::kToolCall;
  const std::string_view id = IdWithoutState(FindText(*block, "id"), &part.state);
  part.name = FindText(*block, "name");
  if (id.empty() || part.name.empty()) return Invalid("content: a tool_use needs an id and a name");
  const json::value* input = Find(*block, "input");
  part.text = input == nullptr ? "{}" : ToJson(*input);
  std::string_view bare = UpstreamId(id);
  if (taken_.contains(ToAbsl(bare))) bare = id;
  taken_.insert(std::string(bare));
  ids_.insert_or_assign(std::string(id), std::string(bare));
  part.id = bare;
  TakeMark(block, &part);
  Adopt(TakeOthers(block, {"type", "id", "name", "input", "cache_control"}), &part.own);
  message->parts.push_back(std::move(part));
  return absl::OkStatus();
}

absl::Status MessageReader::ReadToolResult(json::object* block, Message* message) {
  const std::string_view id = IdWithoutState(FindText(*block, "tool_use_id"), nullptr);
  if (id.empty()) return Invalid("content: a tool_result needs a tool_use_id");
  Part part;
  part.kind = PartKind::kToolResult;
  const auto known = ids_.find(ToAbsl(id));
  part.id = known == ids_.end() ? UpstreamId(id) : std::string_view(known->second);
  part.is_error = FindBool(*block, "is_error");
  if (json::value* content = Find(*block, "content"); content != nullptr) ReadContent(content, &part.content);
  TakeMark(block, &part);
  Adopt(TakeOthers(block, {"type", "tool_use_id", "content", "is_error", "cache_control"}), &part.own);
  message->parts.push_back(std::move(part));
  return absl::OkStatus();
}

}  // namespace ccr::proxy::anthropic
