// Random streams of Gemini's, and what they say.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/dice.h"

namespace ccr::proxy {

struct GeminiSourceCall {
  std::string name;
  std::string arguments;
  std::string id;
  std::string signature;
};

// Any valid sequence of events, each as JSON.
class GeminiStreamMaker {
 public:
  explicit GeminiStreamMaker(Dice* dice) : dice_(*dice) {}

  std::vector<std::string> Make() {
    const bool stop_everywhere = dice_.OneIn(4);  // as older models do
    while (!dice_.OneIn(6)) {
      Push(Parts(), stop_everywhere ? "STOP" : "");
    }
    static const std::vector<std::string> reasons = {"STOP", "STOP", "MAX_TOKENS", "SAFETY"};
    finish = reasons[dice_.Below(reasons.size())];
    Push(dice_.OneIn(2) ? Parts() : json::array(), finish);
    return std::move(events_);
  }

  std::string text;
  std::string thoughts;
  std::vector<GeminiSourceCall> calls;
  std::string finish;

 private:
  json::array Parts() {
    json::array parts;
    while (!dice_.OneIn(2)) parts.push_back(Part());
    return parts;
  }

  json::value Part() {
    const std::string words = dice_.Words();
    switch (dice_.Below(5)) {
      case 0:
        thoughts += words;
        return {{"text", words}, {"thought", true}};
      case 1:
        return {{"text", ""}, {"thoughtSignature", "c2ln"}};
      case 2:
        return Call();
      default:
        text += words;
        return {{"text", words}};
    }
  }

  json::value Call() {
    json::object input;
    while (!dice_.OneIn(3)) input[dice_.Words()] = json::array{dice_.Words(), 0.5, nullptr, json::object{}};
    GeminiSourceCall call{"tool_" + std::to_string(calls.size()), ToJson(input), "", ""};
    json::object function{{"name", call.name}};
    if (!input.empty() || dice_.OneIn(2)) function["args"] = std::move(input);
    if (dice_.OneIn(2)) function["id"] = call.id = "fc-" + std::to_string(calls.size());
    json::object part{{"functionCall", std::move(function)}};
    if (dice_.OneIn(2)) part["thoughtSignature"] = call.signature = dice_.OneIn(2) ? "a+/b" : "QQ==";
    calls.push_back(std::move(call));
    return part;
  }

  void Push(json::array parts, const std::string& reason) {
    json::object candidate{{"index", 0}};
    if (!parts.empty() || dice_.OneIn(2)) candidate["content"] = {{"role", "model"}, {"parts", std::move(parts)}};
    if (!reason.empty()) candidate["finishReason"] = reason;
    events_.push_back(ToJson({{"candidates", json::array{std::move(candidate)}},
                              {"usageMetadata",
                               {{"promptTokenCount", 11},
                                {"cachedContentTokenCount", 4},
                                {"candidatesTokenCount", 5},
                                {"thoughtsTokenCount", 2},
                                {"totalTokenCount", 18}}},
                              {"modelVersion", "up"},
                              {"responseId", "r" + std::to_string(dice_.Below(1000))}}));
  }

  Dice& dice_;
  std::vector<std::string> events_;
};

}  // namespace ccr::proxy
