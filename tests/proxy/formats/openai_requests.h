// Random requests of OpenAI's format for the property tests.
#pragma once

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <vector>

#include "tests/proxy/formats/dice.h"

namespace ccr::proxy {

// Valid requests of OpenAI's format. Every text that must survive carries a mark of its own.
class OpenAiRequestMaker {
 public:
  explicit OpenAiRequestMaker(Dice& dice) : dice_(dice) {}

  json::object Make() {
    json::array messages;
    for (size_t n = 1 + dice_.Below(10); n > 0; --n) AddMessages(&messages);
    json::object request({{"model", "gpt-x"}, {"messages", messages}});
    AddTools(&request);
    AddParameters(&request);
    return request;
  }

  const std::vector<std::string>& marks() const { return marks_; }

 private:
  std::string Marked() {
    marks_.push_back("<mark " + std::to_string(marks_.size()) + ">");
    return marks_.back() + RandomText(dice_);
  }

  std::string Text() { return dice_.OneIn(6) ? RandomText(dice_) : Marked(); }

  json::value Part() {
    static const std::vector<std::string> kUrls = {"https://example.com/a.png",        "data:image/png;base64,iVBORw0K",
                                                   "data:image/bmp;base64,Qk0=",       "data:image/png,plain",
                                                   "data:application/pdf;base64,JVBE", "ftp://example.com/a"};
    switch (dice_.Below(6)) {
      case 0:
        return {{"type", "image_url"}, {"image_url", {{"url", dice_.Pick(kUrls)}, {"detail", "low"}}}};
      case 1:
        return {{"type", "input_audio"}, {"input_audio", {{"data", "AAAA"}, {"format", "mp3"}}}};
      case 2:
        return {{"type", "file"}, {"file", {{"filename", "x"}, {"file_data", dice_.Pick(kUrls)}}}};
      case 3:
        return {{"type", "file"}, {"file", {{"file_id", "file-1"}}}};
      default:
        return {{"type", "text"}, {"text", Text()}};
    }
  }

  json::value Content(bool texts_only) {
    if (dice_.OneIn(2)) return json::value(Text());
    json::array parts;
    for (size_t n = 1 + dice_.Below(3); n > 0; --n) {
      parts.push_back(texts_only ? json::value({{"type", "text"}, {"text", Text()}}) : Part());
    }
    return parts;
  }

  void AddMessages(json::array* messages) {
    switch (dice_.Below(6)) {
      case 0:
        messages->push_back({{"role", dice_.OneIn(2) ? "system" : "developer"}, {"content", Content(true)}});
        return;
      case 1:
      case 2:
        messages->push_back({{"role", "user"}, {"content", Content(false)}, {"name", "ann"}});
        return;
      case 3:
        messages->push_back({{"role", "assistant"}, {"content", Content(true)}, {"refusal", nullptr}});
        return;
      default:
        AddToolRound(messages);
    }
  }

  void AddToolRound(json::array* messages) {
    static const std::vector<std::string> kIds = {"call_1", "call:2", "call_2", "", "call_\xC3\xA9"};
    json::array calls;
    std::vector<std::string> ids;
    for (size_t n = 1 + dice_.Below(3); n > 0; --n) {
      ids.push_back(dice_.OneIn(2) ? dice_.Pick(kIds) : "id_" + std::to_string(dice_.Below(1000)));
      const std::string arguments = dice_.OneIn(5) ? RandomText(dice_) : json::serialize(RandomObject(dice_));
      calls.push_back({{"id", ids.back()},
                       {"type", "function"},
                       {"function", {{"name", dice_.OneIn(2) ? "f" : "other"}, {"arguments", arguments}}}});
    }
    json::value content = dice_.OneIn(2) ? json::value(nullptr) : Content(true);
    messages->push_back({{"role", "assistant"}, {"content", content}, {"tool_calls", calls}});
    std::shuffle(ids.begin(), ids.end(), dice_.engine());
    if (dice_.OneIn(5)) ids.pop_back();
    if (dice_.OneIn(8)) ids.push_back("stray");
    for (const std::string& id : ids) {
      messages->push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", Content(true)}});
      if (dice_.OneIn(8)) messages->push_back({{"role", "system"}, {"content", Text()}});
    }
  }

  void AddTools(json::object* request) {
    if (dice_.OneIn(3)) return;
    json::array tools;
    for (const char* name : {"f", "g", "f"}) {
      json::object function({{"name", name}, {"strict", true}});
      if (dice_.OneIn(2)) function["description"] = RandomText(dice_);
      if (dice_.OneIn(2)) function["parameters"] = RandomObject(dice_);
      tools.push_back({{"type", "function"}, {"function", function}});
      if (dice_.OneIn(2)) break;
    }
    if (dice_.OneIn(4)) tools.push_back({{"type", "custom"}, {"custom", {{"name", "c"}}}});
    (*request)["tools"] = tools;
    static const std::vector<std::string> kChoices = {
        R"("auto")",
        R"("none")",
        R"("required")",
        R"({"type":"function","function":{"name":"f"}})",
        R"({"type":"function","function":{"name":"zzz"}})",
        R"({"type":"custom","custom":{"name":"c"}})",
        R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}})"};
    if (dice_.OneIn(2)) (*request)["tool_choice"] = json::parse(dice_.Pick(kChoices));
    if (dice_.OneIn(2)) (*request)["parallel_tool_calls"] = dice_.OneIn(2);
  }

  void AddParameters(json::object* request) {
    static const std::vector<std::string> kParameters = {
        R"({"max_tokens":50})",
        R"({"max_completion_tokens":1})",
        R"({"max_tokens":null})",
        R"({"temperature":2})",
        R"({"temperature":0.3})",
        R"({"temperature":1})",
        R"({"top_p":0.1})",
        R"({"top_p":1})",
        R"({"stop":"\n"})",
        R"({"stop":["a"," "]})",
        R"({"stop":null})",
        R"({"user":"u"})",
        R"({"reasoning_effort":"low"})",
        R"({"reasoning_effort":"high"})",
        R"({"reasoning_effort":"none"})",
        R"({"n":3})",
        R"({"seed":1})",
        R"({"stream":true})",
        R"({"logit_bias":{"50":-100}})",
        R"({"logprobs":true})",
        R"({"response_format":{"type":"json_object"}})",
        R"({"metadata":{"a":"b"}})",
        R"({"response_format":{"type":"json_schema","json_schema":{"schema":{}}}})"};
    for (size_t n = dice_.Below(8); n > 0; --n) {
      const json::value parameter = json::parse(dice_.Pick(kParameters));
      for (const auto& member : parameter.get_object()) (*request)[member.key()] = member.value();
    }
  }

  Dice& dice_;
  std::vector<std::string> marks_;
};

// Puts a random value somewhere into `value`.
inline void Mutate(Dice& dice, json::value* value) {
  json::object* object = value->if_object();
  json::array* array = value->if_array();
  const size_t size = object != nullptr ? object->size() : array != nullptr ? array->size() : 0;
  if (size == 0 || dice.OneIn(6)) {
    *value = RandomJson(dice);
    return;
  }
  const size_t at = dice.Below(size);
  Mutate(dice, object != nullptr ? &(object->begin() + static_cast<std::ptrdiff_t>(at))->value() : &(*array)[at]);
}

}  // namespace ccr::proxy
