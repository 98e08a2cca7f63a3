#include "proxy/formats/responses/input_reader.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/responses/parts.h"

namespace ccr::proxy::responses {
namespace {

std::optional<Role> RoleOf(std::string_view role) {
  if (role == "user") return Role::kUser;
  if (role == "assistant") return Role::kAssistant;
  if (role == "system") return Role::kSystem;
  if (role == "developer") return Role::kDeveloper;
  return std::nullopt;
}

class InputReader {
 public:
  InputReader(Notes* notes, std::vector<Message>* messages) : notes_(notes), messages_(messages) {}

  // The message of the status is without the item's place.
  absl::Status Read(json::object* item);

 private:
  absl::Status ReadMessage(json::object* item);
  void ReadOutput(bool custom, json::object* item);
  // The last message where it is one of that role, else a new one.
  std::vector<Part>& Open(Role role);

  Notes* const notes_;
  std::vector<Message>* const messages_;
};

absl::Status InputReader::Read(json::object* item) {
  const std::string_view type = FindText(*item, "type");
  if (type == "message" || (type.empty() && Find(*item, "role") != nullptr)) return ReadMessage(item);
  if (type == "function_call" || type == "custom_tool_call") {
    Open(Role::kAssistant).push_back(ReadCall(item));
  } else if (type == "function_call_output" || type == "custom_tool_call_output") {
    ReadOutput(type == "custom_tool_call_output", item);
  } else if (type == "reasoning") {
    Part part;
    if (ReadReasoning(item, &part)) Open(Role::kAssistant).push_back(std::move(part));
  } else if (type == "item_reference" || type.empty()) {
    return absl::InvalidArgumentError(
        type.empty() ? "type: field required"
                     : "item_reference: nothing is stored here; send the whole item in input, with store: false");
  } else {
    Open(Role::kAssistant).push_back(OtherPart(item));
  }
  return absl::OkStatus();
}

absl::Status InputReader::ReadMessage(json::object* item) {
  const std::optional<Role> role = RoleOf(FindText(*item, "role"));
  if (!role) return absl::InvalidArgumentError("role: must be user, assistant, system or developer");
  if (*role != Role::kAssistant) {
    Message& message = messages_->emplace_back(
        Message{.role = *role, .own = Others(item, {"type", "id", "status", "role", "content"})});
    ReadContent(Find(*item, "content"), notes_, &message.parts);
    return absl::OkStatus();
  }
  std::vector<Part>& parts = Open(Role::kAssistant);
  const size_t first = parts.size();
  ReadContent(Find(*item, "content"), notes_, &parts);
  json::object own = Others(item, {"type", "id", "status", "role", "content"});
  if (!own.empty() && parts.size() > first) parts[first].own["message"] = std::move(own);
  return absl::OkStatus();
}

void InputReader::ReadOutput(bool custom, json::object* item) {
  std::vector<Part>& results = Open(Role::kTool);
  std::vector<Part> content;
  ReadContent(Find(*item, "output"), notes_, &content);
  results.push_back({.kind = PartKind::kToolResult,
                     .id = std::string(UpstreamId(IdWithoutState(FindText(*item, "call_id"), nullptr))),
                     .custom = custom,
                     .content = std::move(content),
                     .own = Others(item, {"type", "id", "call_id", "status", "output"})});
}

std::vector<Part>& InputReader::Open(Role role) {
  if (messages_->empty() || messages_->back().role != role) messages_->emplace_back().role = role;
  return messages_->back().parts;
}

}  // namespace

absl::Status ReadInput(json::value* input, Notes* notes, std::vector<Message>* messages) {
  if (input->is_string()) {
    messages->emplace_back().parts.emplace_back().text = View(input->get_string());
    return absl::OkStatus();
  }
  json::array* items = input->if_array();
  if (items == nullptr) return absl::InvalidArgumentError("input: must be a text or a list of items");
  InputReader reader(notes, messages);
  for (size_t i = 0; i < items->size(); ++i) {
    json::object* item = (*items)[i].if_object();
    const absl::Status status = item == nullptr ? absl::InvalidArgumentError("must be an object") : reader.Read(item);
    if (!status.ok()) return absl::InvalidArgumentError(absl::StrCat("input.", i, ": ", status.message()));
  }
  return absl::OkStatus();
}

}  // namespace ccr::proxy::responses
