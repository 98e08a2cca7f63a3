// The examples of Google's guides (ai.google.dev/gemini-api/docs/function-calling, and the cookbook's on its
// configuration with REST), as clients of the other formats would send them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "pairs.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/gemini_validators.h"
#include "tests/proxy/formats/openai_validators.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

using ::testing::HasSubstr;

std::string SentToGemini(const Translation& translation, std::string_view body) {
  Notes notes;
  const auto request = translation.Request(body, "gemini-2.5-flash", &notes);
  if (!request.ok()) return request.status().ToString();
  EXPECT_EQ(CheckGeminiRequest(request->body), "");
  EXPECT_TRUE(request->tool_names.empty());
  return request->body;
}

TEST(GeminiDocumented, AMeetingIsScheduled) {
  EXPECT_EQ(
      SentToGemini(*MakeOpenAiToGemini(),
                   R"({"model":"m","messages":[{"role":"user","content":"Meet Bob and Alice on 2025-03-14 at 10:00."}],
        "tools":[{"type":"function","function":{"name":"schedule_meeting","description":"Schedules a meeting.",
          "parameters":{"type":"object","properties":{
            "attendees":{"type":"array","items":{"type":"string"},"description":"Who attends."},
            "date":{"type":"string","description":"Such as '2024-07-29'"},
            "time":{"type":"string","description":"Such as '15:00'"},
            "topic":{"type":"string","description":"What about."}},
            "required":["attendees","date","time","topic"]}}}]})"),
      R"({"contents":[{"role":"user","parts":[{"text":"Meet Bob and Alice on 2025-03-14 at 10:00."}]}],)"
      R"("tools":[{"functionDeclarations":[{"name":"schedule_meeting","description":"Schedules a meeting.",)"
      R"("parameters":{"type":"OBJECT","properties":{)"
      R"("attendees":{"type":"ARRAY","description":"Who attends.","items":{"type":"STRING"}},)"
      R"("date":{"type":"STRING","description":"Such as '2024-07-29'"},)"
      R"("time":{"type":"STRING","description":"Such as '15:00'"},)"
      R"("topic":{"type":"STRING","description":"What about."}},)"
      R"("required":["attendees","date","time","topic"]}}]}]})");
  Notes notes;
  const std::string answer =
      MakeOpenAiToGemini()
          ->Response(R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"schedule_meeting","args":{
                "topic":"Q3 planning","attendees":["Bob","Alice"],"date":"2025-03-14","time":"10:00"}}}],
                "role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":120,
                "candidatesTokenCount":34,"totalTokenCount":154},"modelVersion":"gemini-2.5-flash","responseId":"r"})",
                     &notes)
          .value();
  EXPECT_TRUE(CheckOpenAiCompletion(answer).ok()) << CheckOpenAiCompletion(answer);
  const json::value choice = ParseJson(answer)->at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  EXPECT_EQ(choice.at("message").at("tool_calls").at(0).at("function").at("arguments"),
            R"({"topic":"Q3 planning","attendees":["Bob","Alice"],"date":"2025-03-14","time":"10:00"})");
}

TEST(GeminiDocumented, LightsAreTurnedOnByAFunctionWithoutParameters) {
  EXPECT_EQ(
      SentToGemini(*MakeAnthropicToGemini(),
                   R"({"model":"m","max_tokens":64,"system":"You are a lighting system.",
        "messages":[{"role":"user","content":"Turn on the lights."}],"tool_choice":{"type":"auto"},"tools":[
          {"name":"enable_lights","description":"Turn on.","input_schema":{"type":"object","properties":{}}},
          {"name":"set_light_color","description":"Set the color.","input_schema":{"type":"object","properties":{
            "rgb_hex":{"type":"string","description":"Six digits."}},"required":["rgb_hex"]}},
          {"name":"stop_lights","description":"Turn off.","input_schema":{"type":"object"}}]})"),
      R"({"systemInstruction":{"parts":[{"text":"You are a lighting system."}]},)"
      R"("contents":[{"role":"user","parts":[{"text":"Turn on the lights."}]}],)"
      R"("toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},"tools":[{"functionDeclarations":[)"
      R"({"name":"enable_lights","description":"Turn on."},{"name":"set_light_color","description":"Set the color.",)"
      R"("parameters":{"type":"OBJECT","properties":{"rgb_hex":{"type":"STRING","description":"Six digits."}},)"
      R"("required":["rgb_hex"]}},{"name":"stop_lights","description":"Turn off."}]}],)"
      R"("generationConfig":{"maxOutputTokens":64}})");
}

// The party: three functions called at once, answered in one turn.
TEST(GeminiDocumented, CallsInParallelComeAndGoInOneTurn) {
  Notes notes;
  AnthropicAnswer answer;
  const std::string message = MakeAnthropicToGemini()
                                  ->Response(R"({"candidates":[{"content":{"parts":[
                {"functionCall":{"name":"power_disco_ball","args":{"power":true}},"thoughtSignature":"c2ln"},
                {"functionCall":{"name":"start_music","args":{"energetic":true,"loud":true}}},
                {"functionCall":{"name":"dim_lights","args":{"brightness":0.3}}}],"role":"model"},
                "finishReason":"STOP"}],"responseId":"r"})",
                                             &notes)
                                  .value();
  EXPECT_EQ(CheckAnthropicMessage(message, &answer), "");
  ASSERT_EQ(answer.blocks.size(), 3U);
  EXPECT_EQ(answer.stop_reason, "tool_use");
  std::string calls;
  std::string results;
  for (const AnthropicBlock& block : answer.blocks) {
    calls += std::string(calls.empty() ? "" : ",") + R"({"type":"tool_use","id":")" + block.id + R"(","name":")" +
             block.name + R"(","input":)" + block.text + "}";
    results = R"({"type":"tool_result","tool_use_id":")" + block.id + R"(","content":")" + block.name + R"( done"})" +
              (results.empty() ? "" : ",") + results;
  }
  EXPECT_THAT(
      SentToGemini(*MakeAnthropicToGemini(),
                   R"({"model":"m","max_tokens":64,"messages":[{"role":"user","content":"A party!"},)"
                   R"({"role":"assistant","content":[)" +
                       calls + R"(]},{"role":"user","content":[)" + results + "]}]}"),
      HasSubstr(R"({"role":"model","parts":[)"
                R"({"functionCall":{"name":"power_disco_ball","args":{"power":true}},"thoughtSignature":"c2ln"},)"
                R"({"functionCall":{"name":"start_music","args":{"energetic":true,"loud":true}}},)"
                R"({"functionCall":{"name":"dim_lights","args":{"brightness":0.3}}}]},{"role":"user","parts":[)"
                R"({"functionResponse":{"name":"power_disco_ball","response":{"output":"power_disco_ball done"}}},)"
                R"({"functionResponse":{"name":"start_music","response":{"output":"start_music done"}}},)"
                R"({"functionResponse":{"name":"dim_lights","response":{"output":"dim_lights done"}}}]}])"));
}

}  // namespace
}  // namespace ccr::proxy
