#include "proxy/formats/openai_anthropic/response.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/core/error_body.h"
#include "proxy/core/json/text.h"
#include "proxy/formats/openai_completion.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy {
namespace {

struct ErrorKind {
  std::string_view type;
  int status;
  std::string_view code;  // as JSON
};

constexpr std::array<ErrorKind, 9> kErrorKinds = {{
    {"invalid_request_error", 400, "null"},
    {"authentication_error", 401, "\"invalid_api_key\""},
    {"billing_error", 402, "\"insufficient_quota\""},
    {"permission_error", 403, "\"forbidden\""},
    {"not_found_error", 404, "\"not_found\""},
    {"request_too_large", 413, "\"request_too_large\""},
    {"rate_limit_error", 429, "\"rate_limit_exceeded\""},
    {"timeout_error", 504, "\"timeout\""},
    {"overloaded_error", 529, "\"service_unavailable\""},
}};

std::string_view CodeOfType(std::string_view type, std::string_view message) {
  if (absl::StrContains(ToAbsl(message), "prompt is too long")) return "\"context_length_exceeded\"";
  for (const ErrorKind& kind : kErrorKinds) {
    if (kind.type == type) return kind.code;
  }
  return "null";
}

int StatusOfType(std::string_view type) {
  for (const ErrorKind& kind : kErrorKinds) {
    if (kind.type == type) return kind.status;
  }
  return 500;
}

struct AnthropicError {
  std::string type;
  std::string message;
};

AnthropicError ReadAnthropicError(std::string_view body) {
  json::monotonic_resource memory;
  const absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  AnthropicError error;
  if (!parsed.ok() || !parsed->is_object()) {
    error.message = std::string(absl::StripAsciiWhitespace(ToAbsl(body)));
    return error;
  }
  const json::object& object = parsed->get_object();
  const json::object* inner = FindObject(object, "error");
  error.type = FindText(inner == nullptr ? object : *inner, "type");
  error.message = FindText(inner == nullptr ? object : *inner, "message");
  if (error.message.empty()) error.message = FindText(object, "error");
  if (error.message.empty()) error.message = body;
  return error;
}

std::string OpenAiError(const AnthropicError& error, int status) {
  const std::string message =
      error.message.empty() ? absl::StrCat("the upstream answered with HTTP status ", status) : error.message;
  if (error.type.empty() || error.type == "error") return ErrorBody(Format::kOpenAi, status, message);
  const std::string_view code = CodeOfType(error.type, message);
  return absl::StrCat("{\"error\":{\"message\":", JsonString(message), ",\"type\":", JsonString(error.type),
                      ",\"param\":null,\"code\":", ToAbsl(code), "}}");
}

// Takes the blocks of an answer apart.
class BlockReader {
 public:
  explicit BlockReader(Notes* notes) : notes_(notes) {}

  void Read(const json::object& block) {
    const std::string_view type = FindText(block, "type");
    if (type == "text") {
      answer_.text += FindText(block, "text");
      if (Find(block, "citations") != nullptr) AddNote(notes_, "content.citations: dropped");
    } else if (type == "thinking") {
      answer_.reasoning += FindText(block, "thinking");
      if (!FindText(block, "signature").empty()) AddNote(notes_, "content.signature: dropped");
    } else if (type == "tool_use") {
      ReadCall(block);
    } else {
      AddNote(notes_, absl::StrCat("content: a block of type ", ToAbsl(type.substr(0, 40)), " was dropped"));
    }
  }

  const OpenAiCompletion& answer() const { return answer_; }
  bool has_nameless_call() const { return has_nameless_call_; }
  absl::Status arguments_status() const { return arguments_.status(); }

 private:
  void ReadCall(const json::object& block) {
    std::string id(FindText(block, "id"));
    if (id.empty() || ids_.contains(id)) id = absl::StrCat("call_", calls_);
    const std::string_view name = FindText(block, "name");
    if (name.empty()) has_nameless_call_ = true;
    std::string arguments;
    const json::object* input = FindObject(block, "input");
    AppendJson(input != nullptr ? *input : ToolInput(Find(block, "input"), block.storage(), &arguments_, notes_),
               &arguments);
    answer_.AddCall(id, name, arguments);
    ids_.insert(std::move(id));
    ++calls_;
  }

  Notes* const notes_;
  OpenAiCompletion answer_;
  absl::flat_hash_set<std::string> ids_;
  size_t calls_ = 0;
  JsonBudget arguments_;
  bool has_nameless_call_ = false;
};

}  // namespace

absl::StatusOr<std::string> AnthropicResponseToOpenAi(std::string_view body, int64_t created, Notes* notes) {
  json::monotonic_resource memory;
  const absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  if (!parsed.ok()) return absl::InternalError(absl::StrCat("the upstream's answer is ", parsed.status().message()));
  const json::object* in = parsed->if_object();
  const json::array* blocks = in == nullptr ? nullptr : FindArray(*in, "content");
  if (blocks == nullptr) return absl::InternalError("the upstream's answer is no message: it has no content");
  BlockReader reader(notes);
  for (const json::value& block : *blocks) {
    if (block.is_object()) reader.Read(block.get_object());
  }
  if (const absl::Status status = reader.arguments_status(); !status.ok()) {
    return absl::InternalError(absl::StrCat("the upstream's answer is ", status.message()));
  }
  if (reader.has_nameless_call()) return absl::InternalError("the upstream sent a tool call without a name");
  AnthropicUsage usage;
  usage.Read(*in);
  std::string usage_json;
  usage.AppendOpenAi(&usage_json);
  const OpenAiCompletion& answer = reader.answer();
  return answer.Write(FindText(*in, "id"), FindText(*in, "model"), created,
                      FinishReason(FindText(*in, "stop_reason"), answer.has_calls()), usage_json);
}

std::string AnthropicErrorToOpenAi(int status, std::string_view body) {
  return OpenAiError(ReadAnthropicError(body), status);
}

std::string AnthropicErrorEventToOpenAi(std::string_view data) {
  const AnthropicError error = ReadAnthropicError(data);
  return OpenAiError(error, StatusOfType(error.type));
}

std::string_view FinishReason(std::string_view stop_reason, bool called) {
  if (stop_reason == "end_turn" || stop_reason == "stop_sequence" || stop_reason == "pause_turn") return "stop";
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded") return "length";
  if (stop_reason == "tool_use") return "tool_calls";
  if (stop_reason == "refusal") return "content_filter";
  return called ? "tool_calls" : "stop";
}

void AnthropicUsage::Read(const json::object& holder) {
  const json::object* usage = FindObject(holder, "usage");
  if (usage == nullptr) return;
  const std::pair<std::string_view, uint64_t*> fields[] = {{"input_tokens", &input},
                                                           {"cache_read_input_tokens", &cache_read},
                                                           {"cache_creation_input_tokens", &cache_creation},
                                                           {"output_tokens", &output}};
  for (const auto& [key, figure] : fields) {
    if (Find(*usage, key) != nullptr) *figure = FindUint(*usage, key);
  }
}

void AnthropicUsage::AppendOpenAi(std::string* out) const {
  absl::StrAppend(out, R"({"prompt_tokens":)", prompt(), R"(,"completion_tokens":)", output, R"(,"total_tokens":)",
                  prompt() + output, R"(,"prompt_tokens_details":{"cached_tokens":)", cache_read, "}}");
}

}  // namespace ccr::proxy
