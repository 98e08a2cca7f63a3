#include "proxy/formats/chat/request_reader.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "proxy/formats/chat/common.h"
#include "proxy/formats/chat/message_reader.h"
#include "proxy/formats/chat/tools_reader.h"

namespace ccr::proxy::chat {
namespace {

// One request. What it reads it takes out of the body, whose rest becomes `own`.
class RequestReader {
 public:
  RequestReader(json::object* body, Notes* notes, ModelRequest* request)
      : body_(*body), notes_(notes), request_(*request) {}

  absl::Status Run();

 private:
  absl::Status Messages();
  void Sampling();
  void Number(std::string_view key, std::optional<double>* to);
  void Integer(std::string_view key, std::optional<int64_t>* to);
  void MaxTokens();
  void Stop();
  void ReadUser();
  void ReadReasoning();
  void Effort(std::string_view effort);
  void Switch(std::optional<bool> on);
  void Budget(uint64_t tokens);
  void ThinkingObject(const json::object& thinking);
  void ReasoningObject(const json::object& reasoning);
  void ResponseFormat();
  void Stream();

  json::object& body_;
  Notes* const notes_;
  ModelRequest& request_;
};

absl::Status RequestReader::Run() {
  if (absl::Status status = Messages(); !status.ok()) return status;
  request_.model = TakeText(&body_, "model");
  ReadTools(&body_, &request_);
  Sampling();
  MaxTokens();
  Stop();
  ReadUser();
  ReadReasoning();
  ResponseFormat();
  Stream();
  Adopt(std::move(body_), &request_.own);
  return absl::OkStatus();
}

absl::Status RequestReader::Messages() {
  if (FindArray(body_, "messages") == nullptr || FindArray(body_, "messages")->empty())
    return absl::InvalidArgumentError("messages: must be an array of at least one message");
  json::value messages = Take(&body_, "messages");
  request_.messages.reserve(messages.get_array().size());
  MessageReader reader(notes_, &request_.messages);
  for (json::value& message : messages.get_array()) {
    if (!message.is_object()) return absl::InvalidArgumentError("messages: each message must be an object");
    if (absl::Status status = reader.Add(&message.get_object()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void RequestReader::Sampling() {
  Number("temperature", &request_.sampling.temperature);
  Number("top_p", &request_.sampling.top_p);
  Number("presence_penalty", &request_.sampling.presence_penalty);
  Number("frequency_penalty", &request_.sampling.frequency_penalty);
  Integer("top_k", &request_.sampling.top_k);
  Integer("seed", &request_.sampling.seed);
}

void RequestReader::Number(std::string_view key, std::optional<double>* to) {
  const json::value* value = Find(body_, key);
  if (value == nullptr || !value->is_number()) return;
  *to = value->to_number<double>();
  body_.stable_erase(key);
}

void RequestReader::Integer(std::string_view key, std::optional<int64_t>* to) {
  const json::value* value = Find(body_, key);
  if (value == nullptr || !value->is_number()) return;
  json::error_code error;
  const auto number = value->to_number<int64_t>(error);
  if (error) return;
  *to = number;
  body_.stable_erase(key);
}

// Null under that name says that the limit was max_completion_tokens.
void RequestReader::MaxTokens() {
  for (const std::string_view key : {"max_completion_tokens", "max_tokens"}) {
    const uint64_t most = FindUint(body_, key);
    if (Find(body_, key) == nullptr || most > 0) body_.stable_erase(key);
    if (most == 0) continue;
    if (request_.max_tokens) {
      AddNote(notes_, "max_tokens: dropped beside max_completion_tokens");
      continue;
    }
    request_.max_tokens = most;
    if (key != "max_tokens") body_[key] = nullptr;
  }
}

// Null says that it was a single text.
void RequestReader::Stop() {
  json::value* stop = Find(body_, "stop");
  if (stop == nullptr) return;
  if (stop->is_string()) {
    request_.stop.emplace_back(View(stop->get_string()));
    *stop = nullptr;
  }
  if (!stop->is_array()) return;
  for (const json::value& text : stop->get_array())
    if (text.is_string()) request_.stop.emplace_back(View(text.get_string()));
  body_.stable_erase("stop");
}

void RequestReader::ReadUser() {
  request_.user = TakeWords(&body_, "user");
  if (request_.user.empty()) request_.user = FindText(body_, "safety_identifier");
  request_.cache_key = TakeWords(&body_, "prompt_cache_key");
}

void RequestReader::ReadReasoning() {
  Effort(TakeWords(&body_, "reasoning_effort"));
  if (const json::object* reasoning = FindObject(body_, "reasoning"); reasoning != nullptr) ReasoningObject(*reasoning);
  if (const json::object* thinking = FindObject(body_, "thinking"); thinking != nullptr) ThinkingObject(*thinking);
  const json::object* arguments = FindObject(body_, "chat_template_kwargs");
  for (const json::object* holder : {const_cast<const json::object*>(&body_), arguments}) {
    const json::value* enable = holder == nullptr ? nullptr : Find(*holder, "enable_thinking");
    if (enable != nullptr && enable->is_bool()) Switch(enable->get_bool());
  }
  if (request_.reasoning.mode != Reasoning::Mode::kOff) Budget(FindUint(body_, "thinking_budget"));
}

void RequestReader::Effort(std::string_view effort) {
  if (effort.empty()) return;
  request_.reasoning.effort = effort;
  if (effort == "none") Switch(false);
}

// Off wins over all.
void RequestReader::Switch(std::optional<bool> on) {
  using Mode = Reasoning::Mode;
  if (on == false) request_.reasoning.mode = Mode::kOff;
  if (on == true && request_.reasoning.mode == Mode::kUnset) request_.reasoning.mode = Mode::kAdaptive;
}

void RequestReader::Budget(uint64_t tokens) {
  if (tokens == 0 || request_.reasoning.mode == Reasoning::Mode::kOff) return;
  request_.reasoning.mode = Reasoning::Mode::kBudget;
  request_.reasoning.budget = tokens;
}

void RequestReader::ThinkingObject(const json::object& thinking) {
  const std::string_view type = FindText(thinking, "type");
  if (type == "disabled") Switch(false);
  if (type == "enabled" || type == "adaptive") Switch(true);
  Budget(FindUint(thinking, "budget_tokens"));
}

void RequestReader::ReasoningObject(const json::object& reasoning) {
  if (request_.reasoning.effort.empty()) Effort(FindText(reasoning, "effort"));
  const json::value* enabled = Find(reasoning, "enabled");
  if (enabled != nullptr && enabled->is_bool()) Switch(enabled->get_bool());
  Budget(FindUint(reasoning, "max_tokens"));
  request_.reasoning.summary = FindText(reasoning, "summary");
  const json::value* exclude = Find(reasoning, "exclude");
  request_.reasoning.include_text = exclude != nullptr && exclude->is_bool() && !exclude->get_bool();
}

void RequestReader::ResponseFormat() {
  json::object* format = FindObject(body_, "response_format");
  if (format == nullptr) return;
  const std::string_view type = FindText(*format, "type");
  if (type == "json_schema") {
    request_.output.kind = OutputFormat::Kind::kJsonSchema;
    if (json::object* wrapped = FindObject(*format, "json_schema"); wrapped != nullptr) {
      request_.output.name = FindText(*wrapped, "name");
      request_.output.description = FindText(*wrapped, "description");
      const json::value* strict = Find(*wrapped, "strict");
      if (strict != nullptr && strict->is_bool()) request_.output.strict = strict->get_bool();
      Adopt(Take(wrapped, "schema"), &request_.output.schema);
    }
  } else if (type == "json_object") {
    request_.output.kind = OutputFormat::Kind::kJson;
  } else {
    return;
  }
  body_.stable_erase("response_format");
}

void RequestReader::Stream() {
  if (const json::value* stream = Find(body_, "stream"); stream != nullptr && stream->is_bool()) {
    request_.stream = stream->get_bool();
    body_.stable_erase("stream");
  }
  json::object* options = FindObject(body_, "stream_options");
  if (options == nullptr) return;
  request_.include_usage = FindBool(*options, "include_usage");
  options->stable_erase("include_usage");
  if (options->empty()) body_.stable_erase("stream_options");
}

}  // namespace

absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes) {
  ModelRequest request;
  request.origin = Format::kChat;
  absl::StatusOr<json::value> parsed = ParseJson(body, request.memory);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
  if (absl::Status status = RequestReader(&parsed->get_object(), notes, &request).Run(); !status.ok()) return status;
  return request;
}

}  // namespace ccr::proxy::chat
