#include "proxy/formats/anthropic/request_reader.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/anthropic/json_move.h"
#include "proxy/formats/anthropic/message_reader.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::anthropic {
namespace {

absl::Status InvalidField(std::string_view field, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(field), ": ", status.message()));
}

std::optional<double> FindNumber(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

// One request. Takes what it needs out of `in`.
class RequestReader {
 public:
  RequestReader(json::object* in, ModelRequest* request, Notes* notes)
      : in_(*in), request_(*request), messages_(request, notes) {}

  absl::Status Run();

 private:
  absl::Status ReadMessages();
  void ReadTools();
  void ReadTool(json::object* tool);
  void ReadToolChoice();
  void ReadReasoning();
  void ReadOutput();
  void TakeSchema(json::object* format);
  void ReadLimits();
  void ReadUser();
  // What is left of a member that is read in part.
  void KeepRest(std::string_view member, json::object rest);

  json::object& in_;
  ModelRequest& request_;
  MessageReader messages_;
};

absl::Status RequestReader::Run() {
  request_.origin = Format::kAnthropic;
  request_.model = FindText(in_, "model");
  if (const absl::Status status = ReadMessages(); !status.ok()) return status;
  ReadLimits();
  ReadTools();
  ReadToolChoice();
  Adopt(json::object(request_.memory), &request_.own);
  ReadReasoning();
  ReadOutput();
  ReadUser();
  json::object others =
      TakeOthers(&in_, {"model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences",
                        "stream", "tools", "tool_choice", "thinking", "metadata", "output_config"});
  for (json::key_value_pair& member : others) request_.own.emplace(member.key(), std::move(member.value()));
  return absl::OkStatus();
}

absl::Status RequestReader::ReadMessages() {
  json::array* messages = FindArray(in_, "messages");
  if (messages == nullptr || messages->empty()) {
    return absl::InvalidArgumentError("messages: at least one message is required");
  }
  request_.messages.reserve(messages->size() + messages->size() / 2 + 1);
  if (json::value* system = Find(in_, "system"); system != nullptr) {
    if (const absl::Status status = messages_.ReadSystem(system); !status.ok()) return InvalidField("system", status);
  }
  for (size_t i = 0; i < messages->size(); ++i) {
    const absl::Status status = messages_.ReadMessage(&(*messages)[i]);
    if (!status.ok()) return InvalidField("messages." + std::to_string(i), status);
  }
  return absl::OkStatus();
}

void RequestReader::ReadLimits() {
  if (const json::value* most = Find(in_, "max_tokens"); most != nullptr && most->is_number()) {
    request_.max_tokens = FindUint(in_, "max_tokens");
  }
  request_.sampling.temperature = FindNumber(in_, "temperature");
  request_.sampling.top_p = FindNumber(in_, "top_p");
  if (FindNumber(in_, "top_k")) request_.sampling.top_k = static_cast<int64_t>(FindUint(in_, "top_k"));
  request_.stream = FindBool(in_, "stream");
  request_.include_usage = true;
  const json::array* sequences = FindArray(in_, "stop_sequences");
  for (size_t i = 0; sequences != nullptr && i < sequences->size(); ++i) {
    const json::string* text = (*sequences)[i].if_string();
    if (text != nullptr) request_.stop.emplace_back(View(*text));
  }
}

void RequestReader::ReadTools() {
  json::array* tools = FindArray(in_, "tools");
  if (tools == nullptr) return;
  request_.tools.reserve(tools->size());
  for (json::value& tool : *tools) {
    if (tool.is_object()) ReadTool(&tool.get_object());
  }
}

void RequestReader::ReadTool(json::object* tool) {
  Tool& read = request_.tools.emplace_back();
  const std::string_view type = FindText(*tool, "type");
  read.name = FindText(*tool, "name");
  read.deferred = FindBool(*tool, "defer_loading");
  if (json::value* mark = Find(*tool, "cache_control"); mark != nullptr) Adopt(std::move(*mark), &read.cache_control);
  if (!type.empty() && type != "custom") {
    read.kind = type.starts_with("web_search") ? Tool::Kind::kWebSearch : Tool::Kind::kOther;
    return Adopt(TakeOthers(tool, {"cache_control", "defer_loading"}), &read.own);
  }
  read.description = FindText(*tool, "description");
  json::value* schema = Find(*tool, "input_schema");
  if (schema != nullptr && schema->is_object()) Adopt(std::move(*schema), &read.parameters);
  Adopt(TakeOthers(tool, {"name", "description", "input_schema", "cache_control", "defer_loading"}), &read.own);
}

void RequestReader::ReadToolChoice() {
  const json::object* choice = FindObject(in_, "tool_choice");
  if (choice == nullptr) return;
  const std::string_view type = FindText(*choice, "type");
  ToolChoice& read = request_.tool_choice;
  read.kind = ToolChoice::Kind::kAuto;
  if (type == "any") read.kind = ToolChoice::Kind::kAny;
  if (type == "none") read.kind = ToolChoice::Kind::kNone;
  if (type == "tool") read.kind = ToolChoice::Kind::kTool;
  if (type == "tool") read.name = FindText(*choice, "name");
  if (FindBool(*choice, "disable_parallel_tool_use")) read.parallel = false;
}

void RequestReader::ReadReasoning() {
  json::object* thinking = FindObject(in_, "thinking");
  if (thinking == nullptr) return;
  Reasoning& reasoning = request_.reasoning;
  const std::string_view type = FindText(*thinking, "type");
  if (type == "enabled") {
    reasoning.mode = Reasoning::Mode::kBudget;
    if (Find(*thinking, "budget_tokens") != nullptr) reasoning.budget = FindUint(*thinking, "budget_tokens");
  } else if (type == "adaptive") {
    reasoning.mode = Reasoning::Mode::kAdaptive;
  } else if (type == "disabled") {
    reasoning.mode = Reasoning::Mode::kOff;
  } else {
    return KeepRest("thinking", TakeOthers(thinking, {}));
  }
  reasoning.include_text = type != "disabled" && FindText(*thinking, "display") != "omitted";
  KeepRest("thinking", TakeOthers(thinking, {"type", "budget_tokens"}));
}

// An output_format that is read stays as an empty one in `own`: the writer knows by it where the schema goes.
void RequestReader::ReadOutput() {
  if (json::object* config = FindObject(in_, "output_config"); config != nullptr) {
    request_.reasoning.effort = FindText(*config, "effort");
    json::object* format = FindObject(*config, "format");
    const bool has_schema = format != nullptr && FindObject(*format, "schema") != nullptr;
    if (has_schema) TakeSchema(format);
    KeepRest("output_config", TakeOthers(config, {"effort", has_schema ? "format" : "effort"}));
  }
  json::object* format = FindObject(in_, "output_format");
  const bool unread = format != nullptr && request_.output.kind == OutputFormat::Kind::kText;
  if (!unread || FindObject(*format, "schema") == nullptr) return;
  TakeSchema(format);
  *format = json::object(in_.storage());
}

void RequestReader::TakeSchema(json::object* format) {
  request_.output.kind = OutputFormat::Kind::kJsonSchema;
  request_.output.name = FindText(*format, "name");
  Adopt(std::move(*Find(*format, "schema")), &request_.output.schema);
}

void RequestReader::ReadUser() {
  json::object* metadata = FindObject(in_, "metadata");
  if (metadata == nullptr) return;
  request_.user = FindText(*metadata, "user_id");
  KeepRest("metadata", TakeOthers(metadata, {"user_id"}));
}

void RequestReader::KeepRest(std::string_view member, json::object rest) {
  if (!rest.empty()) request_.own[member] = std::move(rest);
}

}  // namespace

absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes) {
  ModelRequest request;
  absl::StatusOr<json::value> parsed = ParseJson(body, request.memory);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
  const absl::Status status = RequestReader(&parsed->get_object(), &request, notes).Run();
  if (!status.ok()) return status;
  return request;
}

}  // namespace ccr::proxy::anthropic
