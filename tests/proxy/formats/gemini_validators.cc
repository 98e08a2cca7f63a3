#include "tests/proxy/formats/gemini_validators.h"

#include <exception>
#include <set>
#include <vector>

#include "tests/proxy/formats/rules.h"

namespace ccr::proxy {
namespace rules {
namespace {

bool IsBase64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-";
  return !text.empty() && text.find_first_not_of(kAlphabet) == text.npos;
}

bool IsFunctionName(std::string_view name) {
  constexpr std::string_view kFirst = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  const std::string all = std::string(kFirst) + "0123456789.:-";
  return !name.empty() && name.size() <= 64 && kFirst.find(name[0]) != kFirst.npos &&
         name.find_first_not_of(all) == name.npos;
}

void CheckInlineType(const std::string& type) {
  static const std::set<std::string> kTypes = {"image/png",  "image/jpeg", "image/webp",
                                               "image/heic", "image/heif", "application/pdf"};
  Require(
      kTypes.contains(type) || type.starts_with("text/") || type.starts_with("audio/") || type.starts_with("video/"),
      "Unsupported MIME type: " + type);
}

// ---- Schema

void CheckSchema(const json::value& value, int depth);

void CheckCounts(const json::object& schema, const std::set<std::string_view>& names) {
  for (const std::string_view name : names) {
    if (!schema.contains(name)) continue;
    Require(schema.at(name).is_int64() && schema.at(name).get_int64() >= 0, std::string(name) + " is no count");
  }
}

void CheckObjectSchema(const json::object& schema, int depth) {
  if (!schema.contains("properties")) return Require(!schema.contains("required"), "required without properties");
  const json::object& properties = schema.at("properties").as_object();
  Require(!properties.empty(), "properties: should be non-empty for OBJECT type");
  for (const auto& property : properties) {
    Require(!property.key().empty(), "a property without a name");
    CheckSchema(property.value(), depth + 1);
  }
  if (!schema.contains("required")) return;
  for (const json::value& name : schema.at("required").as_array()) {
    Require(properties.contains(Text(name)), "required: property is not defined: " + Text(name));
  }
}

void CheckStringSchema(const json::object& schema) {
  if (schema.contains("format")) {
    const std::string format = Text(schema, "format");
    Require(format == "enum" || format == "date-time", "only 'enum' and 'date-time' are supported for STRING type");
  }
  if (!schema.contains("enum")) return;
  Require(!schema.at("enum").as_array().empty(), "enum: empty");
  for (const json::value& one : schema.at("enum").get_array()) Require(!Text(one).empty(), "enum: cannot be empty");
}

void CheckNumberSchema(const json::object& schema, bool integer) {
  for (const char* bound : {"minimum", "maximum"}) {
    if (schema.contains(bound)) Require(schema.at(bound).is_number(), std::string(bound) + " is no number");
  }
  if (!schema.contains("format")) return;
  const std::string format = Text(schema, "format");
  Require(integer ? format == "int32" || format == "int64" : format == "float" || format == "double", "format");
}

void CheckSchema(const json::value& value, int depth) {
  Require(depth < 64, "the schema is nested too deep");
  Require(value.is_object(), "a schema must be an object");
  const json::object& schema = value.get_object();
  if (schema.contains("anyOf")) {
    Require(schema.size() == 1, "when using any_of, it must be the only field set");
    Require(!schema.at("anyOf").as_array().empty(), "anyOf: empty");
    for (const json::value& member : schema.at("anyOf").get_array()) CheckSchema(member, depth + 1);
    return;
  }
  std::set<std::string_view> known = {"type", "title", "description", "nullable"};
  const std::string type = Text(schema, "type");
  if (type == "OBJECT") {
    known.insert({"properties", "required"});
    CheckObjectSchema(schema, depth);
  } else if (type == "ARRAY") {
    known.insert({"items", "minItems", "maxItems"});
    CheckCounts(schema, {"minItems", "maxItems"});
    Require(schema.contains("items"), "items: missing field");
    CheckSchema(schema.at("items"), depth + 1);
  } else if (type == "STRING") {
    known.insert({"enum", "format", "minLength", "maxLength"});
    CheckCounts(schema, {"minLength", "maxLength"});
    CheckStringSchema(schema);
  } else if (type == "NUMBER" || type == "INTEGER") {
    known.insert({"format", "minimum", "maximum"});
    CheckNumberSchema(schema, type == "INTEGER");
  } else {
    Require(type == "BOOLEAN", "type " + type);
  }
  OnlyMembers(schema, known, "schema");
  for (const char* text : {"title", "description"}) {
    if (schema.contains(text)) Text(schema, text);
  }
  if (schema.contains("nullable")) Require(schema.at("nullable").is_bool(), "nullable");
}

// ---- contents

struct GeminiCall {
  std::string name;
  std::string id;
};

GeminiCall ReadCall(const json::object& call) {
  Require(IsFunctionName(Text(call, "name")), "Invalid function name " + Text(call, "name"));
  return {Text(call, "name"), call.contains("id") ? Text(call, "id") : ""};
}

class ContentsChecker {
 public:
  void Check(const json::array& contents) {
    Require(!contents.empty(), "contents is not specified");
    for (const json::value& content : contents) Content(content.as_object());
    Require(open_.empty(), "a function call turn without its response turn");
  }

 private:
  void Content(const json::object& content) {
    OnlyMembers(content, {"role", "parts"}, "content");
    const std::string role = Text(content, "role");
    const json::array& parts = content.at("parts").as_array();
    Require(!parts.empty(), "parts must not be empty");
    const bool answers = parts.front().as_object().contains("functionResponse");
    Require(open_.empty() || answers, "a function call turn must be answered by the next turn");
    Require(role != last_role_ || (role == "user" && last_answered_), "two turns of one role: " + role);
    Require(role == "user" || (role == "model" && !last_role_.empty()), "role " + role);
    last_role_ = role;
    last_answered_ = answers;
    if (answers) return Answers(role, parts);
    for (const json::value& part : parts) Part(role, part.as_object());
  }

  void Answers(const std::string& role, const json::array& parts) {
    Require(role == "user" && parts.size() == open_.size(),
            "the number of function response parts must equal that of the function call parts");
    for (size_t i = 0; i < parts.size(); ++i) {
      OnlyMembers(parts[i].as_object(), {"functionResponse"}, "a part");
      const json::object& response = parts[i].at("functionResponse").as_object();
      OnlyMembers(response, {"name", "id", "response"}, "functionResponse");
      const GeminiCall call = ReadCall(response);
      Require(call.name == open_[i].name && call.id == open_[i].id, "a response to another call");
      Require(response.at("response").is_object(), "response is no object");
    }
    open_.clear();
  }

  void Part(const std::string& role, const json::object& part) {
    OnlyMembers(part, {"text", "inlineData", "fileData", "functionCall", "thoughtSignature"}, "a part");
    const bool call = part.contains("functionCall");
    Require(part.size() == 1 || (part.size() == 2 && call && part.contains("thoughtSignature")),
            "oneof field 'data' is already set, or none is");
    if (part.contains("thoughtSignature")) Require(IsBase64(Text(part, "thoughtSignature")), "thoughtSignature");
    if (part.contains("text")) Require(!Text(part, "text").empty(), "an empty text");
    if (part.contains("inlineData")) {
      const json::object& blob = part.at("inlineData").as_object();
      OnlyMembers(blob, {"mimeType", "data"}, "inlineData");
      CheckInlineType(Text(blob, "mimeType"));
      Require(!Text(blob, "data").empty(), "inlineData without data");
    }
    if (part.contains("fileData")) {
      const json::object& file = part.at("fileData").as_object();
      OnlyMembers(file, {"mimeType", "fileUri"}, "fileData");
      Require(Text(file, "fileUri").starts_with("http"), "fileUri");
      if (file.contains("mimeType")) CheckInlineType(Text(file, "mimeType"));
    }
    Require(role == "user" || call || part.contains("text"), "the model's turn takes text and calls only");
    if (!call) return;
    Require(role == "model", "a functionCall of the user");
    const json::object& function = part.at("functionCall").as_object();
    OnlyMembers(function, {"name", "args", "id"}, "functionCall");
    Require(function.at("args").is_object(), "args is no object");
    open_.push_back(ReadCall(function));
  }

  std::string last_role_;
  bool last_answered_ = false;
  std::vector<GeminiCall> open_;
};

// ---- the rest

std::set<std::string> CheckGeminiTools(const json::array& tools) {
  std::set<std::string> names;
  Require(tools.size() == 1, "functions and search at once");
  const json::object& tool = tools.front().as_object();
  OnlyMembers(tool, {"functionDeclarations", "googleSearch"}, "tool");
  Require(tool.size() == 1, "Tool use with function calling is unsupported");
  if (tool.contains("googleSearch")) return Require(tool.at("googleSearch").as_object().empty(), "googleSearch"), names;
  Require(!tool.at("functionDeclarations").as_array().empty(), "no declarations");
  for (const json::value& value : tool.at("functionDeclarations").get_array()) {
    const json::object& function = value.as_object();
    OnlyMembers(function, {"name", "description", "parameters"}, "functionDeclaration");
    Require(IsFunctionName(Text(function, "name")), "Invalid function name " + Text(function, "name"));
    Require(names.insert(Text(function, "name")).second, "Duplicate function declaration " + Text(function, "name"));
    if (function.contains("description")) Text(function, "description");
    if (!function.contains("parameters")) continue;
    Require(Text(function.at("parameters").as_object(), "type") == "OBJECT", "parameters are no OBJECT");
    Require(function.at("parameters").get_object().contains("properties"), "parameters without properties");
    CheckSchema(function.at("parameters"), 0);
  }
  return names;
}

void CheckToolConfig(const json::object& config, const std::set<std::string>& names) {
  OnlyMembers(config, {"functionCallingConfig"}, "toolConfig");
  const json::object& calling = config.at("functionCallingConfig").as_object();
  OnlyMembers(calling, {"mode", "allowedFunctionNames"}, "functionCallingConfig");
  const std::string mode = Text(calling, "mode");
  Require(mode == "AUTO" || mode == "ANY" || mode == "NONE", "mode " + mode);
  Require(!names.empty(), "Function calling config is set without function_declarations");
  if (!calling.contains("allowedFunctionNames")) return;
  Require(mode == "ANY", "allowedFunctionNames with mode " + mode);
  for (const json::value& name : calling.at("allowedFunctionNames").as_array()) {
    Require(names.contains(Text(name)), "allowed_function_names names no function: " + Text(name));
  }
}

void CheckThinkingConfig(const json::object& thinking) {
  OnlyMembers(thinking, {"includeThoughts", "thinkingBudget", "thinkingLevel"}, "thinkingConfig");
  Require(!thinking.contains("thinkingBudget") || !thinking.contains("thinkingLevel"), "budget and level at once");
  Require(thinking.at("includeThoughts").is_bool(), "includeThoughts");
  if (thinking.contains("thinkingBudget")) {
    const int64_t budget = thinking.at("thinkingBudget").as_int64();
    Require(budget >= 0 && budget <= 24576, "thinkingBudget");
  }
  static const std::set<std::string> kLevels = {"minimal", "low", "medium", "high"};
  if (thinking.contains("thinkingLevel")) Require(kLevels.contains(Text(thinking, "thinkingLevel")), "thinkingLevel");
}

void CheckConfig(const json::object& config, bool has_tools) {
  OnlyMembers(config,
              {"maxOutputTokens", "temperature", "topP", "topK", "stopSequences", "seed", "thinkingConfig",
               "responseMimeType", "responseSchema"},
              "generationConfig");
  const auto range = [&config](std::string_view key, double least, double most) {
    if (!config.contains(key)) return;
    const auto number = config.at(key).to_number<double>();
    Require(number >= least && number <= most, std::string(key) + " is out of range");
  };
  range("maxOutputTokens", 1, 2147483647.0);
  range("temperature", 0, 2);
  range("topP", 0, 1);
  range("topK", 1, 64);
  range("seed", -2147483648.0, 2147483647.0);
  if (config.contains("stopSequences")) {
    const json::array& stops = config.at("stopSequences").as_array();
    Require(!stops.empty() && stops.size() <= 5, "stopSequences");
    for (const json::value& stop : stops) Require(!Text(stop).empty(), "an empty stop sequence");
  }
  if (config.contains("thinkingConfig")) CheckThinkingConfig(config.at("thinkingConfig").as_object());
  if (config.contains("responseMimeType")) {
    Require(!has_tools, "Function calling with a response mime type is unsupported");
    Require(Text(config, "responseMimeType") == "application/json", "responseMimeType");
  }
  if (config.contains("responseSchema")) {
    Require(config.contains("responseMimeType"), "responseSchema without responseMimeType");
    CheckSchema(config.at("responseSchema"), 0);
  }
}

void CheckGeminiBody(const json::object& request) {
  OnlyMembers(request, {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}, "the request");
  ContentsChecker().Check(request.at("contents").as_array());
  if (request.contains("systemInstruction")) {
    const json::object& system = request.at("systemInstruction").as_object();
    OnlyMembers(system, {"parts"}, "systemInstruction");
    Require(!system.at("parts").as_array().empty(), "systemInstruction without parts");
    for (const json::value& part : system.at("parts").get_array()) {
      OnlyMembers(part.as_object(), {"text"}, "a part of the system");
      Require(!Text(part.as_object(), "text").empty(), "an empty text");
    }
  }
  std::set<std::string> names;
  const bool has_tools = request.contains("tools");
  if (has_tools) names = CheckGeminiTools(request.at("tools").as_array());
  if (request.contains("toolConfig")) CheckToolConfig(request.at("toolConfig").as_object(), names);
  if (request.contains("generationConfig")) CheckConfig(request.at("generationConfig").as_object(), has_tools);
}

}  // namespace
}  // namespace rules

std::string CheckGeminiRequest(std::string_view body) try {
  rules::CheckGeminiBody(rules::ParseStrictly(body).as_object());
  return {};
} catch (const std::exception& error) {
  return std::string(error.what()) + "\nin " + std::string(body);
}

std::string CheckGeminiSchema(std::string_view schema) try {
  rules::CheckSchema(rules::ParseStrictly(schema), 0);
  return {};
} catch (const std::exception& error) {
  return std::string(error.what()) + "\nin " + std::string(schema);
}

}  // namespace ccr::proxy
