// Random requests of Anthropic's format for the property tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/dice.h"

namespace ccr::proxy {

// Any valid request of Anthropic's, and some with results that are missing or answer no call.
class AnthropicRequestMaker {
 public:
  explicit AnthropicRequestMaker(Dice* dice) : dice_(*dice) {}

  std::string Make() {
    json::object request{{"model", "claude"}, {"max_tokens", 1 + dice_.Below(1000)}};
    Tools(&request);
    Options(&request);
    json::array messages;
    const size_t turns = 1 + dice_.Below(6);
    for (size_t i = 0; i < turns; ++i) Turn(&messages, i + 1 == turns);
    request["messages"] = std::move(messages);
    return ToJson(request);
  }

 private:
  void Turn(json::array* messages, bool last) {
    messages->push_back(json::object{{"role", "user"}, {"content", UserContent()}});
    if (dice_.OneIn(5)) messages->push_back(json::object{{"role", "system"}, {"content", dice_.Words()}});
    if (last && !dice_.OneIn(4)) return;
    std::vector<std::string> calls;
    json::array blocks = AssistantBlocks(last ? nullptr : &calls);
    messages->push_back(json::object{{"role", "assistant"}, {"content", std::move(blocks)}});
    pending_ = std::move(calls);
  }

  json::value UserContent() {
    if (pending_.empty() && dice_.OneIn(3)) return json::value(dice_.Words());
    json::array blocks;
    for (const std::string& id : pending_) {
      if (!dice_.OneIn(20)) blocks.push_back(ToolResult(id));
    }
    if (dice_.OneIn(20)) blocks.push_back(ToolResult("of_no_call"));
    pending_.clear();
    while (blocks.empty() || !dice_.OneIn(2)) blocks.push_back(UserBlock());
    return blocks;
  }

  json::value ToolResult(const std::string& id) {
    json::object block{{"type", "tool_result"}, {"tool_use_id", id}};
    if (dice_.OneIn(3)) block["is_error"] = true;
    if (dice_.OneIn(2)) {
      block["content"] = dice_.Words();
    } else if (!dice_.OneIn(4)) {
      json::array content;
      while (!dice_.OneIn(2)) content.push_back(UserBlock());
      block["content"] = std::move(content);
    }
    return block;
  }

  json::value UserBlock() {
    const json::object pdf{{"type", "base64"}, {"media_type", "application/pdf"}, {"data", "JVBE"}};
    const json::object png{{"type", "base64"}, {"media_type", "image/png"}, {"data", "aGk="}};
    switch (dice_.Below(9)) {
      case 0:
        return {{"type", "image"}, {"source", png}, {"cache_control", {{"type", "ephemeral"}}}};
      case 1:
        return {{"type", "image"}, {"source", {{"type", "url"}, {"url", "https://example.com/a.png"}}}};
      case 2:
        return {{"type", "image"}, {"source", {{"type", "file"}, {"file_id", "f"}}}};
      case 3:
        return {{"type", "document"}, {"source", pdf}};
      case 4:
        return {
            {"type", "document"}, {"title", dice_.Words()}, {"source", {{"type", "text"}, {"data", dice_.Words()}}}};
      case 5:
        return {{"type", "search_result"}, {"source", "s"}, {"title", "t"}, {"content", json::array{}}};
      default:
        return {{"type", "text"}, {"text", dice_.Words()}};
    }
  }

  json::array AssistantBlocks(std::vector<std::string>* calls) {
    json::array blocks;
    if (dice_.OneIn(3)) blocks.push_back({{"type", "thinking"}, {"thinking", dice_.Words()}, {"signature", "s"}});
    while (!dice_.OneIn(2)) {
      if (calls != nullptr && dice_.OneIn(2)) {
        calls->push_back("toolu_" + std::to_string(next_id_++));
        json::object input{{"x", dice_.Words()}, {"n", 0.25}};
        blocks.push_back({{"type", "tool_use"}, {"id", calls->back()}, {"name", "A"}, {"input", std::move(input)}});
      } else {
        blocks.push_back({{"type", "text"}, {"text", dice_.Words()}});
      }
    }
    return blocks;
  }

  void Tools(json::object* request) {
    if (dice_.OneIn(2)) return;
    json::array tools;
    for (const std::string& name : {std::string("A"), std::string("B-c_d"), std::string(70, 't')}) {
      json::object schema{{"type", "object"}};
      if (dice_.OneIn(2)) schema["properties"] = json::object{{"x", {{"type", "string"}}}};
      json::object tool{{"name", name}, {"input_schema", std::move(schema)}};
      if (dice_.OneIn(2)) tool["description"] = dice_.Words();
      if (!dice_.OneIn(4)) tools.push_back(std::move(tool));
    }
    if (dice_.OneIn(3)) tools.push_back({{"type", "web_search_20250305"}, {"name", "web_search"}});
    (*request)["tools"] = std::move(tools);
    static const std::vector<json::object> choices = {
        {{"type", "auto"}}, {{"type", "any"}}, {{"type", "none"}}, {{"type", "tool"}, {"name", "A"}}};
    json::object choice = choices[dice_.Below(choices.size())];
    if (dice_.OneIn(2)) choice["disable_parallel_tool_use"] = true;
    if (dice_.OneIn(2)) (*request)["tool_choice"] = std::move(choice);
  }

  void Options(json::object* request) {
    static const std::vector<std::pair<const char*, json::value>> options = {
        {"temperature", 0.3},
        {"top_p", 1},
        {"top_k", 4},
        {"stream", true},
        {"stream", false},
        {"stop_sequences", {"a", "b", "c", "d", "e"}},
        {"stop_sequences", json::array{}},
        {"metadata", {{"user_id", std::string(62, 'x') + "é漢"}}},
        {"metadata", json::object{}},
        {"thinking", {{"type", "enabled"}, {"budget_tokens", 2000}}},
        {"thinking", {{"type", "adaptive"}}},
        {"thinking", {{"type", "disabled"}}},
        {"output_config", {{"effort", "xhigh"}}},
        {"output_config", {{"format", {{"type", "json_schema"}, {"schema", {{"type", "object"}}}}}}},
        {"system", "Be kind."},
        {"system", json::array{{{"type", "text"}, {"text", "One"}}}},
        {"context_management", json::object{}}};
    for (const auto& [key, value] : options) {
      if (dice_.OneIn(3)) (*request)[key] = value;
    }
  }

  Dice& dice_;
  std::vector<std::string> pending_;  // calls of the last assistant turn
  int next_id_ = 0;
};

}  // namespace ccr::proxy
