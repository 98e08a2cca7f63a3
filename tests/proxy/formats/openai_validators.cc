#include "tests/proxy/formats/openai_validators.h"

#include <exception>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/proxy/formats/rules.h"

namespace ccr::proxy {
namespace rules {
namespace {

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == text.npos;
}

// ---- Anthropic request

class AnthropicRequest {
 public:
  explicit AnthropicRequest(const json::object& body) : body_(body) {}

  void Check() {
    OnlyMembers(body_,
                {"model", "max_tokens", "system", "messages", "tools", "tool_choice", "thinking", "temperature",
                 "top_p", "top_k", "stop_sequences", "metadata", "stream", "service_tier"},
                "the request");
    Require(!Text(body_, "model").empty(), "model is empty");
    Require(Int(body_, "max_tokens") >= 1, "max_tokens is below 1");
    if (const json::value* system = body_.if_contains("system")) CheckSystem(*system);
    if (const json::value* tools = body_.if_contains("tools")) CheckTools(Array(*tools, "tools"));
    CheckMessages();
    CheckToolChoice();
    CheckThinking();
    CheckFraction("temperature");
    CheckFraction("top_p");
    CheckRest();
  }

 private:
  void CheckText(const json::object& block) {
    OnlyMembers(block, {"type", "text", "cache_control", "citations"}, "a text block");
    Require(!IsBlank(Text(block, "text")), "a text block must hold more than white space");
  }

  void CheckSystem(const json::value& system) {
    if (system.is_string()) return;
    for (const json::value& block : Array(system, "system")) {
      Require(Text(Object(block, "a system block"), "type") == "text", "system takes text only");
      CheckText(block.get_object());
    }
  }

  void CheckTools(const json::array& tools) {
    for (const json::value& value : tools) {
      const json::object& tool = Object(value, "a tool");
      const std::string name = Text(tool, "name");
      Require(IsName(name, 128), "a tool's name is invalid: " + name);
      Require(tools_.insert(name).second, "tool names must be unique: " + name);
      // Anthropic's own, such as web_search_20250305, has no schema, and settings of its own.
      if (const json::value* type = tool.if_contains("type"); type != nullptr && *type != "custom") continue;
      OnlyMembers(tool, {"name", "description", "input_schema", "cache_control", "type"}, "a tool");
      const json::object& schema = Object(tool, "input_schema");
      Require(Text(schema, "type") == "object", "input_schema.type must be object");
    }
  }

  void CheckMessages() {
    const json::array& messages = Array(Member(body_, "messages"), "messages");
    Require(!messages.empty(), "messages is empty");
    std::string last_role = "assistant";
    for (const json::value& value : messages) {
      const json::object& message = Object(value, "a message");
      OnlyMembers(message, {"role", "content"}, "a message");
      const std::string role = Text(message, "role");
      Require(role == "user" || role == "assistant", "unknown role " + role);
      Require(role != last_role, "roles must alternate and begin with user");
      last_role = role;
      const json::array& content = Array(Member(message, "content"), "content");
      Require(!content.empty(), "a message is empty");
      role == "user" ? CheckUser(content) : CheckAssistant(content);
    }
    Require(open_calls_.empty(), "tool_use without tool_result");
    if (last_role == "assistant") CheckEnd(messages.back().get_object().at("content").get_array().back().get_object());
  }

  void CheckEnd(const json::object& block) {
    const std::string text = Text(block, "text");
    Require(!IsBlank(text.substr(text.size() - 1)), "the last assistant text must not end with white space");
    Require(!body_.contains("thinking"), "thinking takes no last message of the assistant");
  }

  void CheckUser(const json::array& content) {
    bool results_over = false;
    for (const json::value& value : content) {
      const json::object& block = Object(value, "a block");
      const std::string type = Text(block, "type");
      if (type == "tool_result") {
        Require(!results_over, "tool_result must come first");
        CheckToolResult(block);
      } else {
        results_over = true;
        CheckInput(block, type);
      }
    }
    Require(open_calls_.empty(), "tool_use without tool_result in the next message");
  }

  void CheckInput(const json::object& block, const std::string& type) {
    if (type == "text") return CheckText(block);
    Require(type == "image" || type == "document", "a user block of type " + type);
    OnlyMembers(block, {"type", "source", "title", "context", "citations", "cache_control"}, "an image or document");
    CheckSource(Object(block, "source"), type);
  }

  void CheckSource(const json::object& source, const std::string& holder) {
    const std::string type = Text(source, "type");
    if (type == "url") {
      OnlyMembers(source, {"type", "url"}, "a source");
      Require(Text(source, "url").starts_with("http"), "a source's url");
      return;
    }
    static const std::set<std::string_view> kImages = {"image/jpeg", "image/png", "image/gif", "image/webp"};
    OnlyMembers(source, {"type", "media_type", "data"}, "a source");
    const std::string media = Text(source, "media_type");
    Require(!Text(source, "data").empty(), "a source without data");
    if (type == "text") return Require(holder == "document" && media == "text/plain", "a text source");
    Require(type == "base64", "a source of type " + type);
    Require(holder == "image" ? kImages.contains(media) : media == "application/pdf", "media type " + media);
  }

  void CheckToolResult(const json::object& block) {
    OnlyMembers(block, {"type", "tool_use_id", "content", "is_error", "cache_control"}, "a tool_result");
    const std::string id = Text(block, "tool_use_id");
    Require(open_calls_.erase(id) == 1, "tool_result without its tool_use in the message before: " + id);
    const json::value* content = block.if_contains("content");
    if (content == nullptr || content->is_string()) return;
    for (const json::value& value : Array(*content, "a tool_result's content")) {
      const json::object& part = Object(value, "a block");
      CheckInput(part, Text(part, "type"));
    }
  }

  void CheckAssistant(const json::array& content) {
    for (const json::value& value : content) {
      const json::object& block = Object(value, "a block");
      const std::string type = Text(block, "type");
      if (type == "text") {
        CheckText(block);
      } else {
        Require(type == "tool_use", "an assistant block of type " + type);
        CheckToolUse(block);
      }
    }
  }

  void CheckToolUse(const json::object& block) {
    OnlyMembers(block, {"type", "id", "name", "input", "cache_control"}, "a tool_use");
    const std::string id = Text(block, "id");
    Require(IsName(id, 1000), "a tool_use id is invalid: " + id);
    Require(ids_.insert(id).second, "tool_use ids must be unique: " + id);
    open_calls_.insert(id);
    Require(IsName(Text(block, "name"), 128), "a tool_use name is invalid");
    Object(block, "input");
    Require(!tools_.empty(), "tool_use in a request without tools");
  }

  void CheckToolChoice() {
    const json::value* value = body_.if_contains("tool_choice");
    if (value == nullptr) return;
    const json::object& choice = Object(*value, "tool_choice");
    const std::string type = Text(choice, "type");
    Require(!tools_.empty(), "tool_choice without tools");
    Require(type == "auto" || type == "any" || type == "none" || type == "tool", "tool_choice.type " + type);
    std::vector<std::string_view> keys = {"type"};
    if (type != "none") keys.push_back("disable_parallel_tool_use");
    if (type == "tool") keys.push_back("name");
    OnlyMembers(choice, keys, "tool_choice");
    if (type == "tool") Require(tools_.contains(Text(choice, "name")), "tool_choice names no tool");
    forced_ = type == "any" || type == "tool";
  }

  void CheckThinking() {
    const json::value* value = body_.if_contains("thinking");
    if (value == nullptr) return;
    const json::object& thinking = Object(*value, "thinking");
    Require(Text(thinking, "type") == "enabled", "thinking.type");
    const int64_t budget = Int(thinking, "budget_tokens");
    Require(budget >= 1024 && budget < Int(body_, "max_tokens"), "budget_tokens must be in 1024..max_tokens");
    Require(!forced_, "thinking with a forced tool");
    Require(!body_.contains("temperature") && !body_.contains("top_p") && !body_.contains("top_k"),
            "thinking with sampling");
    const json::array& last = body_.at("messages").get_array().back().get_object().at("content").get_array();
    Require(last[0].get_object().at("type") != "tool_result", "thinking behind a tool_use without its thinking block");
  }

  void CheckFraction(std::string_view key) {
    const json::value* value = body_.if_contains(key);
    if (value == nullptr) return;
    Require(value->is_number(), std::string(key) + " must be a number");
    const auto number = value->to_number<double>();
    Require(number >= 0 && number <= 1, std::string(key) + " must be in 0..1");
  }

  void CheckRest() {
    if (const json::value* stops = body_.if_contains("stop_sequences")) {
      for (const json::value& stop : Array(*stops, "stop_sequences")) {
        Require(!IsBlank(Text(stop, "a stop sequence")), "a blank stop sequence");
      }
    }
    if (const json::value* metadata = body_.if_contains("metadata")) {
      OnlyMembers(Object(*metadata, "metadata"), {"user_id"}, "metadata");
      Require(Text(metadata->get_object(), "user_id").size() <= 256, "user_id is too long");
    }
    if (const json::value* stream = body_.if_contains("stream")) Require(stream->is_bool(), "stream must be a bool");
  }

  const json::object& body_;
  std::set<std::string> tools_;
  std::set<std::string> ids_;
  std::set<std::string> open_calls_;
  bool forced_ = false;
};

// ---- OpenAI answers

void CheckFinishReason(const std::string& reason) {
  static const std::set<std::string> kReasons = {"stop", "length", "tool_calls", "content_filter", "function_call"};
  Require(kReasons.contains(reason), "finish_reason " + reason);
}

void CheckUsage(const json::object& usage) {
  const int64_t prompt = Int(usage, "prompt_tokens");
  const int64_t completion = Int(usage, "completion_tokens");
  Require(prompt >= 0 && completion >= 0, "negative usage");
  Require(Int(usage, "total_tokens") == prompt + completion, "total_tokens is not the sum");
  const json::value* details = usage.if_contains("prompt_tokens_details");
  if (details == nullptr) return;
  Require(Int(Object(*details, "prompt_tokens_details"), "cached_tokens") <= prompt, "more cached than prompt");
}

void CheckCompletionCalls(const json::array& calls) {
  Require(!calls.empty(), "tool_calls must not be empty");
  std::set<std::string> ids;
  for (const json::value& value : calls) {
    const json::object& call = Object(value, "a tool call");
    Require(ids.insert(Text(call, "id")).second, "a second tool call of the same id");
    Require(Text(call, "type") == "function", "a tool call's type");
    const json::object& function = Object(call, "function");
    Require(!Text(function, "name").empty(), "a tool call without a name");
    Object(ParseStrictly(Text(function, "arguments"), "arguments"), "arguments");
  }
}

void CheckCompletion(const json::object& body) {
  Text(body, "id");
  Text(body, "model");
  Require(Text(body, "object") == "chat.completion", "object");
  Require(Int(body, "created") >= 0, "created");
  const json::array& choices = Array(Member(body, "choices"), "choices");
  Require(choices.size() == 1, "one choice");
  const json::object& choice = Object(choices[0], "a choice");
  Require(Int(choice, "index") == 0, "index");
  Member(choice, "logprobs");
  CheckFinishReason(Text(choice, "finish_reason"));
  const json::object& message = Object(choice, "message");
  Require(Text(message, "role") == "assistant", "role");
  const json::value& content = Member(message, "content");
  const json::value* calls = message.if_contains("tool_calls");
  Require(content.is_string() || (content.is_null() && calls != nullptr), "content");
  Member(message, "refusal");
  if (calls != nullptr) CheckCompletionCalls(Array(*calls, "tool_calls"));
  CheckUsage(Object(body, "usage"));
}

class ChunkReader {
 public:
  ChunkReader(bool include_usage, CallArguments arguments) : include_usage_(include_usage), arguments_(arguments) {}

  ChunkedAnswer Read(std::string_view stream) {
    while (!stream.empty()) {
      Require(!answer_.done && answer_.error.empty(), "something behind the end");
      const size_t end = stream.find("\n\n");
      Require(stream.starts_with("data: ") && end != stream.npos, "not an event: " + std::string(stream.substr(0, 80)));
      const std::string_view data = stream.substr(6, end - 6);
      Require(data.find('\n') == data.npos && data.find('\r') == data.npos, "an event of several lines");
      stream.remove_prefix(end + 2);
      data == "[DONE]" ? Done() : Event(Object(ParseStrictly(data, "an event"), "an event"));
    }
    Require(answer_.done || !answer_.error.empty(), "neither [DONE] nor an error ends the stream");
    return std::move(answer_);
  }

 private:
  void Done() {
    Require(!answer_.finish_reason.empty(), "[DONE] before finish_reason");
    Require(answer_.prompt_tokens.has_value() == include_usage_, "the usage chunk");
    answer_.done = true;
    if (arguments_ == CallArguments::kAny) return;
    for (const ChunkedCall& call : answer_.calls)
      if (!call.custom) Object(ParseStrictly(call.arguments, "arguments"), "arguments");
  }

  void Event(const json::object& event) {
    const json::value* error = event.if_contains("error");
    if (error == nullptr) return Chunk(event);
    const json::object& body = Object(*error, "error");
    answer_.error = Text(body, "message");
    Require(!answer_.error.empty() && !Text(body, "type").empty(), "an error without message or type");
    Member(body, "code");
    Member(body, "param");
  }

  void Chunk(const json::object& chunk) {
    Require(Text(chunk, "object") == "chat.completion.chunk", "object");
    const std::string head = absl::StrCat(Text(chunk, "id"), " ", Text(chunk, "model"), " ", Int(chunk, "created"));
    Require(head_.empty() || head == head_, "id, model and created must stay the same");
    head_ = head;
    const json::array& choices = Array(Member(chunk, "choices"), "choices");
    const json::value* usage = chunk.if_contains("usage");
    if (choices.empty()) return UsageChunk(usage);
    Require(include_usage_ ? usage != nullptr && usage->is_null() : usage == nullptr, "usage of a choice's chunk");
    Require(choices.size() == 1, "one choice");
    Choice(Object(choices[0], "a choice"));
  }

  void UsageChunk(const json::value* usage) {
    Require(include_usage_ && usage != nullptr, "a chunk without choices");
    Require(!answer_.finish_reason.empty() && !answer_.prompt_tokens, "the usage chunk comes once, behind the finish");
    CheckUsage(Object(*usage, "usage"));
    answer_.prompt_tokens = Int(usage->get_object(), "prompt_tokens");
    answer_.completion_tokens = Int(usage->get_object(), "completion_tokens");
  }

  void Choice(const json::object& choice) {
    Require(answer_.finish_reason.empty(), "a choice behind the finish");
    Require(Int(choice, "index") == 0, "index");
    const json::object& delta = Object(choice, "delta");
    OnlyMembers(delta, {"role", "content", "reasoning_content", "reasoning_details", "refusal", "tool_calls"}, "delta");
    Require(delta.contains("role") == !has_role_, "the role comes with the first delta only");
    if (!has_role_) Require(Text(delta, "role") == "assistant", "role");
    has_role_ = true;
    if (const json::value* text = delta.if_contains("content")) answer_.text += Text(*text, "content");
    if (const json::value* text = delta.if_contains("reasoning_content")) answer_.reasoning += Text(*text, "reasoning");
    if (const json::value* text = delta.if_contains("refusal")) answer_.refusal += Text(*text, "refusal");
    if (const json::value* calls = delta.if_contains("tool_calls")) {
      for (const json::value& call : Array(*calls, "tool_calls")) Call(Object(call, "a tool call"));
    }
    const json::value& reason = Member(choice, "finish_reason");
    if (reason.is_null()) return;
    answer_.finish_reason = Text(reason, "finish_reason");
    CheckFinishReason(answer_.finish_reason);
  }

  void Call(const json::object& delta) {
    const auto index = static_cast<size_t>(Int(delta, "index"));
    Require(index <= answer_.calls.size(), "a tool call's index leaves a gap");
    if (delta.contains("custom")) return CustomCall(index, delta);
    const json::object& function = Object(delta, "function");
    if (index == answer_.calls.size()) {
      Require(Text(delta, "type") == "function", "a tool call's type");
      answer_.calls.push_back({Text(delta, "id"), Text(function, "name"), "", false});
    } else {
      Require(!answer_.calls[index].custom, "arguments of a custom tool");
      Require(!delta.contains("id") && !function.contains("name"), "id and name come once");
    }
    answer_.calls[index].arguments += Text(function, "arguments");
  }

  // It comes whole.
  void CustomCall(size_t index, const json::object& delta) {
    Require(index == answer_.calls.size() && !delta.contains("function"), "a second piece of a custom tool's call");
    Require(Text(delta, "type") == "custom", "a custom tool call's type");
    const json::object& custom = Object(delta, "custom");
    answer_.calls.push_back({Text(delta, "id"), Text(custom, "name"), Text(custom, "input"), true});
  }

  const bool include_usage_;
  const CallArguments arguments_;
  bool has_role_ = false;
  std::string head_;
  ChunkedAnswer answer_;
};

template <typename Check>
absl::Status Run(Check check) {
  try {
    check();
    return absl::OkStatus();
  } catch (const std::exception& broken) {
    return absl::InvalidArgumentError(broken.what());
  }
}

}  // namespace
}  // namespace rules

absl::Status CheckAnthropicRequest(std::string_view body) {
  return rules::Run([&] {
    const json::value value = rules::ParseStrictly(body);
    rules::AnthropicRequest(rules::Object(value, "the body")).Check();
  });
}

absl::Status CheckOpenAiCompletion(std::string_view body) {
  return rules::Run([&] {
    const json::value value = rules::ParseStrictly(body);
    rules::CheckCompletion(rules::Object(value, "the body"));
  });
}

absl::StatusOr<ChunkedAnswer> ReadOpenAiChunks(std::string_view stream, bool include_usage, CallArguments arguments) {
  ChunkedAnswer answer;
  absl::Status status = rules::Run([&] { answer = rules::ChunkReader(include_usage, arguments).Read(stream); });
  if (!status.ok()) return status;
  return answer;
}

}  // namespace ccr::proxy
