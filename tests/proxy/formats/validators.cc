#include "tests/proxy/formats/validators.h"

#include <algorithm>
#include <exception>
#include <set>

#include "tests/proxy/formats/rules.h"

namespace ccr::proxy {
namespace rules {
namespace {

// OpenAI's request.

void CheckPart(const json::object& part, bool user) {
  const std::string type = Text(part, "type");
  Require(user || type == "text", "only users send " + type);
  if (type == "text") {
    OnlyMembers(part, {"type", "text"}, "a part");
    Text(part, "text");
  } else if (type == "image_url") {
    OnlyMembers(part, {"type", "image_url"}, "a part");
    const std::string url = Text(Object(part, "image_url"), "url");
    Require(url.starts_with("https://") || url.starts_with("http://") || url.starts_with("data:image/"),
            "image " + url);
  } else if (type == "file") {
    OnlyMembers(part, {"type", "file"}, "a part");
    Text(Object(part, "file"), "filename");
    Require(Text(Object(part, "file"), "file_data").starts_with("data:application/pdf;base64,"), "file_data");
  } else {
    Require(false, "part type " + type);
  }
}

void CheckContent(const json::value& content, bool user) {
  if (content.is_string()) return;
  Require(content.is_array() && !content.get_array().empty(), "content is neither text nor parts");
  for (const json::value& part : content.get_array()) CheckPart(part.as_object(), user);
}

std::set<std::string> CheckToolCalls(const json::array& calls) {
  Require(!calls.empty(), "tool_calls must not be empty");
  std::set<std::string> ids;
  for (const json::value& call : calls) {
    OnlyMembers(call.as_object(), {"id", "type", "function"}, "a tool call");
    Require(Text(call.as_object(), "type") == "function", "tool call type");
    Require(ids.insert(Text(call.as_object(), "id")).second, "two calls with one id");
    const json::object& function = Object(call.as_object(), "function");
    Require(IsName(Text(function, "name"), 64), "function name");
    ParseStrictly(Text(function, "arguments"));
  }
  return ids;
}

void CheckOpenAiMessages(const json::array& messages) {
  Require(!messages.empty(), "no messages");
  std::set<std::string> unanswered;
  for (const json::value& element : messages) {
    const json::object& message = element.as_object();
    const std::string role = Text(message, "role");
    if (role == "tool") {
      OnlyMembers(message, {"role", "content", "tool_call_id"}, "a message");
      Require(unanswered.erase(Text(message, "tool_call_id")) == 1, "a tool message answers no open call");
      CheckContent(message.at("content"), false);
      continue;
    }
    Require(unanswered.empty(), "a tool call is not answered");
    if (role == "assistant") {
      OnlyMembers(message, {"role", "content", "tool_calls", "refusal", "name"}, "a message");
      if (message.contains("tool_calls")) unanswered = CheckToolCalls(message.at("tool_calls").as_array());
      const bool empty = !message.contains("content") || message.at("content").is_null();
      Require(!empty || !unanswered.empty(), "an assistant message needs content or calls");
      if (!empty) CheckContent(message.at("content"), false);
    } else {
      Require(OneOf(role, {"system", "developer", "user"}), "role " + role);
      OnlyMembers(message, {"role", "content", "name"}, "a message");
      CheckContent(message.at("content"), role == "user");
    }
  }
  Require(unanswered.empty(), "a tool call is not answered");
}

std::set<std::string> CheckOpenAiTools(const json::array& tools) {
  Require(!tools.empty() && tools.size() <= 128, "number of tools");
  std::set<std::string> names;
  for (const json::value& tool : tools) {
    OnlyMembers(tool.as_object(), {"type", "function"}, "a tool");
    Require(Text(tool.as_object(), "type") == "function", "tool type");
    const json::object& function = Object(tool.as_object(), "function");
    OnlyMembers(function, {"name", "description", "parameters", "strict"}, "a function");
    Require(IsName(Text(function, "name"), 64), "function name");
    names.insert(Text(function, "name"));
    if (function.contains("description")) Text(function, "description");
    Require(Text(Object(function, "parameters"), "type") == "object", "parameters are no object");
    Object(Object(function, "parameters"), "properties");
  }
  return names;
}

void CheckOpenAiToolChoice(const json::value& choice, const std::set<std::string>& names) {
  if (choice.is_string()) {
    Require(OneOf(Text(choice), {"none", "auto", "required"}), "tool_choice");
  } else {
    Require(Text(choice.as_object(), "type") == "function", "tool_choice type");
    Require(names.contains(Text(Object(choice.as_object(), "function"), "name")), "tool_choice names no tool");
  }
}

double Number(const json::value& value) {
  Require(value.is_number(), "expected a number");
  return value.to_number<double>();
}

void CheckField(const std::string& key, const json::value& value, const json::object& request) {
  if (key == "model") {
    Require(!Text(value).empty(), "model is empty");
  } else if (key == "max_tokens" || key == "max_completion_tokens") {
    Require(value.is_int64() && value.get_int64() > 0, key);
  } else if (key == "temperature") {
    Require(Number(value) >= 0 && Number(value) <= 2, "temperature");
  } else if (key == "top_p") {
    Require(Number(value) >= 0 && Number(value) <= 1, "top_p");
  } else if (key == "user") {
    Require(Text(value).size() <= 64, "user is too long");
  } else if (key == "stop") {
    Require(value.is_array() && !value.get_array().empty() && value.get_array().size() <= 4, "stop");
    for (const json::value& stop : value.get_array()) Require(!Text(stop).empty(), "stop is empty");
  } else if (key == "stream") {
    Require(value.is_bool(), "stream");
  } else if (key == "stream_options") {
    Require(request.contains("stream") && request.at("stream") == true, "stream_options without a stream");
    OnlyMembers(value.as_object(), {"include_usage"}, "stream_options");
  } else if (key == "reasoning_effort") {
    Require(OneOf(Text(value), {"none", "minimal", "low", "medium", "high", "xhigh"}), "reasoning_effort");
  } else if (key == "parallel_tool_calls") {
    Require(value.is_bool() && request.contains("tools"), "parallel_tool_calls");
  } else if (key == "tool_choice") {
    Require(request.contains("tools"), "tool_choice without tools");
    CheckOpenAiToolChoice(value, CheckOpenAiTools(request.at("tools").as_array()));
  } else if (key == "tools") {
    CheckOpenAiTools(value.as_array());
  } else if (key == "response_format") {
    Require(Text(value.as_object(), "type") == "json_schema", "response_format");
    Require(IsName(Text(Object(value.as_object(), "json_schema"), "name"), 64), "schema name");
    Object(Object(value.as_object(), "json_schema"), "schema");
  } else {
    Require(key == "messages", "unknown field " + key);
  }
}

void CheckOpenAiBody(const json::object& request) {
  for (const char* const field : {"model", "messages"}) Member(request, field);
  for (const auto& member : request) CheckField(std::string(member.key()), member.value(), request);
  CheckOpenAiMessages(request.at("messages").as_array());
}

// Anthropic's answers.

uint64_t Count(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  Require(value != nullptr && value->is_int64() && value->get_int64() >= 0, std::string(key) + " is no count");
  Require(value->get_int64() < int64_t{1} << 53, std::string(key) + " is more than JavaScript can count");
  return static_cast<uint64_t>(value->get_int64());
}

void ReadUsage(const json::object& usage, AnthropicAnswer* answer) {
  answer->output_tokens = Count(usage, "output_tokens");
  if (usage.contains("input_tokens")) answer->input_tokens = Count(usage, "input_tokens");
  if (usage.contains("cache_read_input_tokens")) answer->cache_read_tokens = Count(usage, "cache_read_input_tokens");
}

void ReadStop(const json::object& holder, AnthropicAnswer* answer) {
  answer->stop_reason = Text(holder, "stop_reason");
  Require(OneOf(answer->stop_reason, {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal",
                                      "model_context_window_exceeded"}),
          "stop_reason " + answer->stop_reason);
  const json::value& sequence = holder.at("stop_sequence");
  Require(sequence.is_string() == (answer->stop_reason == "stop_sequence"), "stop_sequence does not fit");
  if (sequence.is_string()) answer->stop_sequence = Text(sequence);
  const auto tools = std::count_if(answer->blocks.begin(), answer->blocks.end(),
                                   [](const AnthropicBlock& block) { return block.type == "tool_use"; });
  Require(answer->stop_reason != "tool_use" || tools > 0, "tool_use without a tool");
}

void ReadHead(const json::object& message, AnthropicAnswer* answer) {
  OnlyMembers(message, {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"},
              "a message");
  Require(Text(message, "type") == "message" && Text(message, "role") == "assistant", "message type or role");
  answer->id = Text(message, "id");
  answer->model = Text(message, "model");
  Require(!answer->id.empty(), "message without an id");
  Count(Object(message, "usage"), "input_tokens");
  ReadUsage(Object(message, "usage"), answer);
}

bool IsServerTools(const std::string& type) {
  return type == "server_tool_use" || type.ends_with("_tool_result");
}

AnthropicBlock ReadBlock(const json::object& object, bool complete) {
  AnthropicBlock block;
  block.type = Text(object, "type");
  if (block.type == "text") {
    OnlyMembers(object, {"type", "text", "citations"}, "a block");
    block.text = Text(object, "text");
  } else if (block.type == "thinking") {
    OnlyMembers(object, {"type", "thinking", "signature"}, "a block");
    block.text = Text(object, "thinking");
    block.signature = Text(object, "signature");
    Require(complete || block.signature.empty(), "a signature before its delta");
  } else if (block.type == "redacted_thinking") {
    OnlyMembers(object, {"type", "data"}, "a block");
    block.signature = Text(object, "data");
    Require(!block.signature.empty(), "nothing redacted");
    return block;
  } else if (IsServerTools(block.type)) {
    block.text = json::serialize(object);
    return block;
  } else {
    Require(block.type == "tool_use", "block type " + block.type);
    OnlyMembers(object, {"type", "id", "name", "input"}, "a block");
    block.id = Text(object, "id");
    block.name = Text(object, "name");
    Require(!block.id.empty() && !block.name.empty(), "a tool without id or name");
    if (complete) block.text = json::serialize(Object(object, "input"));
  }
  const bool says = block.type == "tool_use" || !block.text.empty() || !block.signature.empty();
  Require(complete ? says : block.text.empty(), "text of a block");
  return block;
}

void CheckToolIds(const AnthropicAnswer& answer) {
  std::set<std::string> ids;
  for (const AnthropicBlock& block : answer.blocks) {
    Require(block.type != "tool_use" || ids.insert(block.id).second, "two tools with one id");
  }
}

void ReadMessage(const json::object& message, AnthropicAnswer* answer) {
  ReadHead(message, answer);
  for (const json::value& block : message.at("content").as_array()) {
    answer->blocks.push_back(ReadBlock(block.as_object(), true));
  }
  CheckToolIds(*answer);
  ReadStop(message, answer);
}

// Follows a stream event by event.
class StreamChecker {
 public:
  explicit StreamChecker(AnthropicAnswer* answer) : answer_(answer) {}

  void Event(const std::string& name, const json::object& event) {
    Require(Text(event, "type") == name, "event name and type differ: " + name);
    Require(!over_, name + " behind the end");
    if (name == "ping") return;
    if (name == "error") return Error(event);
    Require((name == "message_start") != started_, name + " out of order");
    if (name == "message_start") {
      Start(Object(event, "message"));
    } else if (name == "content_block_start") {
      Require(!open_ && !stopping_, "a block begins out of order");
      Require(Count(event, "index") == answer_->blocks.size(), "index of a beginning block");
      answer_->blocks.push_back(ReadBlock(Object(event, "content_block"), false));
      if (answer_->blocks.back().type == "tool_use") {
        Require(Object(Object(event, "content_block"), "input").empty(), "input of a beginning tool");
      }
      open_ = true;
    } else if (name == "content_block_delta") {
      Require(open_ && Count(event, "index") + 1 == answer_->blocks.size(), "a delta out of order");
      Delta(Object(event, "delta"), &answer_->blocks.back());
    } else if (name == "content_block_stop") {
      Require(open_ && Count(event, "index") + 1 == answer_->blocks.size(), "a block ends out of order");
      open_ = false;
    } else if (name == "message_delta") {
      Require(!open_ && !stopping_, "message_delta out of order");
      ReadUsage(Object(event, "usage"), answer_);
      ReadStop(Object(event, "delta"), answer_);
      stopping_ = true;
    } else {
      Require(name == "message_stop" && stopping_, "out of order: " + name);
      over_ = true;
    }
  }

  void End() const { Require(over_, "the stream has no end"); }

 private:
  void Start(const json::object& message) {
    ReadHead(message, answer_);
    Require(message.at("content").as_array().empty(), "content in message_start");
    Require(message.at("stop_reason").is_null() && message.at("stop_sequence").is_null(), "stop in message_start");
    started_ = true;
  }

  void Error(const json::object& event) {
    const json::object& error = Object(event, "error");
    Require(OneOf(Text(error, "type"), {"invalid_request_error", "authentication_error", "billing_error",
                                        "permission_error", "not_found_error", "request_too_large", "rate_limit_error",
                                        "api_error", "overloaded_error", "timeout_error"}),
            "error type");
    answer_->error = Text(error, "type") + ": " + Text(error, "message");
    over_ = true;
  }

  static void Delta(const json::object& delta, AnthropicBlock* block) {
    const std::string type = Text(delta, "type");
    if (type == "signature_delta" && block->type == "thinking") {
      block->signature += Text(delta, "signature");
      return;
    }
    const char* const field = type == "text_delta" ? "text" : type == "thinking_delta" ? "thinking" : "partial_json";
    const std::string wanted = block->type == "tool_use" ? "input_json_delta" : block->type + "_delta";
    Require(type == wanted, type + " in a block of type " + block->type);
    block->text += Text(delta, field);
  }

  AnthropicAnswer* const answer_;
  bool started_ = false;
  bool open_ = false;
  bool stopping_ = false;
  bool over_ = false;
};

void ReadEvents(std::string_view stream, AnthropicAnswer* answer) {
  constexpr std::string_view kEvent = "event: ";
  constexpr std::string_view kData = "\ndata: ";
  StreamChecker checker(answer);
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    Require(end != stream.npos, "an event without its blank line");
    const std::string_view event = stream.substr(0, end);
    const size_t data = event.find(kData);
    Require(event.starts_with(kEvent) && data != event.npos, "no event: " + std::string(event));
    const std::string_view text = event.substr(data + kData.size());
    Require(text.find('\n') == text.npos, "more lines than two");
    checker.Event(std::string(event.substr(kEvent.size(), data - kEvent.size())), ParseStrictly(text).as_object());
    stream.remove_prefix(end + 2);
  }
  checker.End();
  CheckToolIds(*answer);
}

}  // namespace
}  // namespace rules

std::string AnthropicAnswer::Joined(std::string_view type) const {
  std::string joined;
  for (const AnthropicBlock& block : blocks) {
    if (block.type == type) joined += block.text;
  }
  return joined;
}

std::string CheckOpenAiRequest(std::string_view body) try {
  rules::CheckOpenAiBody(rules::ParseStrictly(body).as_object());
  return {};
} catch (const std::exception& error) {
  return std::string(error.what()) + "\nin " + std::string(body);
}

std::string CheckAnthropicMessage(std::string_view body, AnthropicAnswer* answer) try {
  rules::ReadMessage(rules::ParseStrictly(body).as_object(), answer);
  return {};
} catch (const std::exception& error) {
  return std::string(error.what()) + "\nin " + std::string(body);
}

std::string CheckAnthropicStream(std::string_view stream, AnthropicAnswer* answer) try {
  rules::ReadEvents(stream, answer);
  return {};
} catch (const std::exception& error) {
  return std::string(error.what()) + "\nin " + std::string(stream);
}

std::string Unmarked(std::string_view text) {
  constexpr std::string_view kMark = "_ccr";
  constexpr size_t kDigits = 8;
  std::string unmarked;
  for (size_t at = text.find(kMark); at != text.npos; at = text.find(kMark)) {
    const std::string_view digits = text.substr(std::min(at + kMark.size(), text.size()), kDigits);
    const bool mark = digits.size() == kDigits && digits.find_first_not_of("0123456789abcdef") == digits.npos;
    unmarked += text.substr(0, mark ? at : at + kMark.size());
    text.remove_prefix(at + kMark.size() + (mark ? kDigits : 0));
  }
  return unmarked.append(text);
}

}  // namespace ccr::proxy
