#include "proxy/formats/responses/request_reader.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/responses/input_reader.h"
#include "proxy/formats/responses/parts.h"
#include "proxy/formats/responses/tools_reader.h"

namespace ccr::proxy::responses {
namespace {

constexpr std::string_view kEncrypted = "reasoning.encrypted_content";

// Members with a place in ModelRequest. What is left of `reasoning`, `text` and `include` is put back.
constexpr std::array<std::string_view, 16> kRead = {"model",        "input",
                                                    "instructions", "tools",
                                                    "tool_choice",  "parallel_tool_calls",
                                                    "reasoning",    "text",
                                                    "user",         "temperature",
                                                    "top_p",        "stream",
                                                    "include",      "max_output_tokens",
                                                    "background",   "prompt_cache_key"};

std::optional<double> Number(const json::object& from, std::string_view key) {
  const json::value* value = Find(from, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

// What needs answers that the provider stored, or a text that it keeps.
absl::Status CheckStateless(const json::object& body) {
  for (const std::string_view member : {"previous_response_id", "conversation"}) {
    if (Find(body, member) == nullptr) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        ToAbsl(member), ": nothing is stored here; send the whole conversation in input, with store: false"));
  }
  if (FindBool(body, "background")) {
    return absl::InvalidArgumentError(
        "background: answers are not stored here; leave it out, and send the whole conversation in input with "
        "store: false");
  }
  if (Find(body, "prompt") != nullptr) {
    return absl::InvalidArgumentError(
        "prompt: templates are not known here; send its text in instructions and input, with store: false");
  }
  return absl::OkStatus();
}

class RequestReader {
 public:
  RequestReader(json::object* body, ModelRequest* request, Notes* notes)
      : body_(*body), request_(*request), notes_(notes) {}

  absl::Status Read();

 private:
  absl::Status ReadConversation();
  void ReadReasoning();
  void ReadText();
  void ReadInclude();
  void ReadChoice();
  void ReadRest();

  json::object& body_;
  ModelRequest& request_;
  Notes* const notes_;
};

absl::Status RequestReader::Read() {
  if (absl::Status status = CheckStateless(body_); !status.ok()) return status;
  request_.model = FindText(body_, "model");
  if (absl::Status status = ReadConversation(); !status.ok()) return status;
  if (json::array* tools = FindArray(body_, "tools"); tools != nullptr) ReadTools(tools, notes_, &request_.tools);
  ReadChoice();
  ReadReasoning();
  ReadText();
  ReadInclude();
  request_.sampling.temperature = Number(body_, "temperature");
  request_.sampling.top_p = Number(body_, "top_p");
  if (const uint64_t most = FindUint(body_, "max_output_tokens"); most > 0) request_.max_tokens = most;
  request_.stream = FindBool(body_, "stream");
  request_.include_usage = true;
  request_.user = FindText(body_, "user");
  if (request_.user.empty()) request_.user = FindText(body_, "safety_identifier");
  request_.cache_key = FindText(body_, "prompt_cache_key");
  ReadRest();
  return absl::OkStatus();
}

absl::Status RequestReader::ReadConversation() {
  if (const std::string_view text = FindText(body_, "instructions"); !text.empty()) {
    Message& system = request_.messages.emplace_back();
    system.role = Role::kSystem;
    system.parts.emplace_back().text = text;
  }
  json::value* input = Find(body_, "input");
  if (input == nullptr) return absl::InvalidArgumentError("input: field required");
  if (absl::Status status = ReadInput(input, notes_, &request_.messages); !status.ok()) return status;
  if (!request_.messages.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("input: at least one item is required");
}

void RequestReader::ReadChoice() {
  if (const json::value* choice = Find(body_, "tool_choice"); choice != nullptr) {
    if (!ReadToolChoice(*choice, &request_.tool_choice)) request_.own["tool_choice"] = *choice;
  }
  request_.tool_choice.parallel = FindFlag(body_, "parallel_tool_calls");
}

void RequestReader::ReadReasoning() {
  json::object* reasoning = FindObject(body_, "reasoning");
  if (reasoning == nullptr) return;
  Reasoning& out = request_.reasoning;
  out.effort = FindText(*reasoning, "effort");
  if (out.effort == "none") {
    out.mode = Reasoning::Mode::kOff;
    out.effort.clear();
  }
  out.summary = FindText(*reasoning, "summary");
  if (out.summary.empty()) out.summary = FindText(*reasoning, "generate_summary");
  out.include_text = !out.summary.empty() && out.summary != "none";
  json::object others = Others(reasoning, {"effort", "summary", "generate_summary"});
  if (!others.empty()) request_.own["reasoning"] = std::move(others);
}

void RequestReader::ReadText() {
  json::object* text = FindObject(body_, "text");
  if (text == nullptr) return;
  if (json::object* format = FindObject(*text, "format"); format != nullptr) {
    OutputFormat& out = request_.output;
    const std::string_view type = FindText(*format, "type");
    if (type == "json_object") out.kind = OutputFormat::Kind::kJson;
    if (type == "json_schema") {
      out.kind = OutputFormat::Kind::kJsonSchema;
      out.name = FindText(*format, "name");
      out.description = FindText(*format, "description");
      if (json::value* schema = Find(*format, "schema"); schema != nullptr) out.schema = std::move(*schema);
      out.strict = FindFlag(*format, "strict");
    }
  }
  json::object others = Others(text, {"format"});
  if (!others.empty()) request_.own["text"] = std::move(others);
}

void RequestReader::ReadInclude() {
  const json::array* include = FindArray(body_, "include");
  if (include == nullptr) return;
  json::array others(body_.storage());
  for (const json::value& member : *include) {
    const bool encrypted = member.is_string() && View(member.get_string()) == kEncrypted;
    if (encrypted) request_.reasoning.include_encrypted = true;
    if (!encrypted) others.push_back(member);
  }
  if (!others.empty()) request_.own["include"] = std::move(others);
}

void RequestReader::ReadRest() {
  for (json::key_value_pair& member : body_) {
    const std::string_view key(member.key().data(), member.key().size());
    if (member.value().is_null() || std::find(kRead.begin(), kRead.end(), key) != kRead.end()) continue;
    request_.own.emplace(member.key(), std::move(member.value()));
  }
}

}  // namespace

absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes) {
  ModelRequest request;
  request.origin = Format::kResponses;
  absl::StatusOr<json::value> parsed = ParseJson(body, request.memory);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
  if (absl::Status status = RequestReader(&parsed->get_object(), &request, notes).Read(); !status.ok()) return status;
  return request;
}

}  // namespace ccr::proxy::responses
