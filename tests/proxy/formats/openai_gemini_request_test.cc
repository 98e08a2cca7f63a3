// Requests of OpenAI's and Anthropic's clients for Gemini, by the documented examples of all three.
#include <gtest/gtest.h>

#include <string>

#include "pairs.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/gemini_validators.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kModel = "gemini-2.5-flash";

json::value Translate(const Translation& translation, std::string_view body, std::string_view model, Notes* notes) {
  const auto request = translation.Request(body, model, notes);
  if (!request.ok()) {
    ADD_FAILURE() << request.status();
    return {};
  }
  EXPECT_EQ(CheckGeminiRequest(request->body), "");
  return ParseJson(request->body).value();
}

// The request for what an OpenAI client sends, one user's "hi" with `more`.
json::value FromOpenAi(std::string_view more, std::string_view model = kModel) {
  Notes notes;
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + std::string(more) + "}";
  return Translate(*MakeOpenAiToGemini(), body, model, &notes);
}

std::string Contents(std::string_view messages, std::string_view model = kModel) {
  Notes notes;
  const std::string body = R"({"model":"m","messages":)" + std::string(messages) + "}";
  return ToJson(Translate(*MakeOpenAiToGemini(), body, model, &notes).at("contents"));
}

std::string Config(std::string_view more, std::string_view model = kModel) {
  const json::value request = FromOpenAi(more, model);
  const json::value* config = request.get_object().if_contains("generationConfig");
  return config == nullptr ? "" : ToJson(*config);
}

TEST(OpenAiToGeminiRequest, TextSystemAndTurns) {
  Notes notes;
  const auto request = MakeOpenAiToGemini()->Request(
      R"({"model":"x,gemini-2.5-flash","stream":true,"stream_options":{"include_usage":true},"messages":[)"
      R"({"role":"system","content":"You are a cat."},{"role":"developer","content":[{"type":"text","text":"Purr."}]},)"
      R"({"role":"user","content":"Hello"},{"role":"assistant","content":"Miau"},)"
      R"({"role":"system","content":"Now bark."},{"role":"user","content":"Speak"}]})",
      kModel, &notes);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(CheckGeminiRequest(request->body), "");
  EXPECT_EQ(request->body, R"({"systemInstruction":{"parts":[{"text":"You are a cat."},{"text":"Purr."}]},"contents":[)"
                           R"({"role":"user","parts":[{"text":"Hello"}]},{"role":"model","parts":[{"text":"Miau"}]},)"
                           R"({"role":"user","parts":[{"text":"<system>\nNow bark.\n</system>"},{"text":"Speak"}]}]})");
  EXPECT_TRUE(request->stream);
  EXPECT_TRUE(request->stream_options.include_usage);
}

TEST(OpenAiToGeminiRequest, Media) {
  EXPECT_EQ(Contents(R"([{"role":"user","content":[
    {"type":"text","text":"What is this?"},
    {"type":"image_url","image_url":{"url":"data:image/jpg;base64,aGk="}},
    {"type":"image_url","image_url":{"url":"https://example.com/a.PNG?x=1"}},
    {"type":"image_url","image_url":{"url":"https://example.com/a"}},
    {"type":"image_url","image_url":{"url":"data:image/gif;base64,aGk="}},
    {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}},
    {"type":"file","file":{"file_id":"file-1"}},
    {"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},
    {"type":"strange"}]}])"),
            R"([{"role":"user","parts":[{"text":"What is this?"},)"
            R"({"inlineData":{"mimeType":"image/jpeg","data":"aGk="}},)"
            R"({"fileData":{"fileUri":"https://example.com/a.PNG?x=1","mimeType":"image/png"}},)"
            R"({"fileData":{"fileUri":"https://example.com/a"}},{"text":"[image omitted]"},)"
            R"({"inlineData":{"mimeType":"application/pdf","data":"JVBE"}},{"text":"[file omitted]"},)"
            R"({"inlineData":{"mimeType":"audio/mp3","data":"AAAA"}},{"text":"[content part omitted]"}]}])");
}

TEST(OpenAiToGeminiRequest, CallsAndResultsInTheOrderOfTheCalls) {
  EXPECT_EQ(Contents(R"([{"role":"user","content":"Weather?"},
    {"role":"assistant","content":null,"tool_calls":[
      {"id":"call_1__sig_a-_b","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}},
      {"id":"gid_fc1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]},
    {"role":"tool","tool_call_id":"gid_fc1","content":"sun"},
    {"role":"tool","tool_call_id":"call_1__sig_a-_b","content":[{"type":"text","text":"rain"}]},
    {"role":"user","content":"And?"}])"),
            R"([{"role":"user","parts":[{"text":"Weather?"}]},{"role":"model","parts":[)"
            R"({"functionCall":{"name":"weather","args":{"city":"Paris"}},"thoughtSignature":"a+/b"},)"
            R"({"functionCall":{"name":"weather","args":{"city":"Rome"},"id":"fc1"}}]},{"role":"user","parts":[)"
            R"({"functionResponse":{"name":"weather","response":{"output":"rain"}}},)"
            R"({"functionResponse":{"name":"weather","response":{"output":"sun"},"id":"fc1"}}]},)"
            R"({"role":"user","parts":[{"text":"And?"}]}])");
}

TEST(OpenAiToGeminiRequest, CallsThatDoNotFit) {
  EXPECT_EQ(
      Contents(R"([{"role":"assistant","tool_calls":[
      {"id":"a","type":"function","function":{"name":"1 f","arguments":"not json"}},
      {"id":"b","type":"function","function":{"name":"g","arguments":""}}]},
    {"role":"tool","tool_call_id":"stray","content":"lost"},
    {"role":"tool","tool_call_id":"b","content":""}])"),
      R"([{"role":"user","parts":[{"text":"Continue."}]},{"role":"model","parts":[)"
      R"({"functionCall":{"name":"_1_f_459f0518184aa776","args":{"raw_arguments":"not json"}}},{"functionCall":{"name":"g","args":{}}}]},)"
      R"({"role":"user","parts":[{"functionResponse":{"name":"_1_f_459f0518184aa776","response":{"error":"no result"}}},)"
      R"({"functionResponse":{"name":"g","response":{"output":""}}}]},)"
      R"({"role":"user","parts":[{"text":"lost"}]}])");
  EXPECT_EQ(Contents(R"([{"role":"system","content":"only"}])"), R"([{"role":"user","parts":[{"text":"Continue."}]}])");
}

TEST(OpenAiToGeminiRequest, CallsOfOtherModelsAreSignedWhereGeminiAsksForIt) {
  constexpr std::string_view kMessages = R"([{"role":"user","content":"1"},
    {"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"a","content":"x"},{"role":"user","content":"2"},
    {"role":"assistant","tool_calls":[{"id":"b","function":{"name":"f","arguments":"{}"}},
                                      {"id":"c","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"b","content":"x"},{"role":"tool","tool_call_id":"c","content":"x"},
    {"role":"assistant","tool_calls":[{"id":"d","function":{"name":"f","arguments":"{}"},
      "extra_content":{"google":{"thought_signature":"real"}}}]},
    {"role":"tool","tool_call_id":"d","content":"x"}])";
  EXPECT_EQ(Contents(kMessages).find("skip_"), std::string::npos) << "2.5 does not ask";
  for (const std::string_view model : {"gemini-3-pro-preview", "gemini-flash-latest", "gemini-10-x"}) {
    const json::value contents = ParseJson(Contents(kMessages, model)).value();
    const auto signature = [&contents](size_t turn, size_t part) {
      return FindText(contents.at(turn).at("parts").at(part).as_object(), "thoughtSignature");
    };
    EXPECT_EQ(signature(1, 0), "") << "an earlier turn";
    EXPECT_EQ(signature(4, 0), "skip_thought_signature_validator");
    EXPECT_EQ(signature(4, 1), "") << "only the first of parallel calls";
    EXPECT_EQ(signature(6, 0), "real");
  }
}

TEST(OpenAiToGeminiRequest, Tools) {
  const json::value request = FromOpenAi(R"(,"tools":[
    {"type":"function","function":{"name":"get_current_weather","description":"Weather.","strict":true,"parameters":
      {"$schema":"s","type":"object","properties":{"location":{"type":"string"},"unit":{"enum":["c","f"]}},
       "required":["location"],"additionalProperties":false}}},
    {"type":"function","function":{"name":"now","parameters":{"type":"object","properties":{}}}},
    {"type":"function","function":{"name":"now"}},{"type":"function","function":{"name":"7up"}},
    {"type":"custom","custom":{"name":"c"}}])");
  EXPECT_EQ(ToJson(request.at("tools")),
            R"([{"functionDeclarations":[{"name":"get_current_weather","description":"Weather.","parameters":)"
            R"({"type":"OBJECT","properties":{"location":{"type":"STRING"},"unit":{"type":"STRING","enum":["c","f"]}},)"
            R"("required":["location"]}},{"name":"now"},{"name":"_7up_35beaf180fb5b78b"},{"name":"c","parameters":)"
            R"({"type":"OBJECT","properties":{"input":{"type":"STRING"}},"required":["input"]}}]}])");
  EXPECT_FALSE(request.as_object().contains("toolConfig"));
}

TEST(OpenAiToGeminiRequest, ToolChoice) {
  const struct {
    std::string choice, config;
  } rows[] = {
      {R"("auto")", R"({"mode":"AUTO"})"},
      {R"("none")", R"({"mode":"NONE"})"},
      {R"("required")", R"({"mode":"ANY"})"},
      {R"({"type":"function","function":{"name":"f"}})", R"({"mode":"ANY","allowedFunctionNames":["f"]})"},
      {R"({"type":"function","function":{"name":"zzz"}})", R"({"mode":"AUTO"})"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"g"}}]}})",
       R"({"mode":"ANY"})"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}})", R"({"mode":"AUTO"})"},
  };
  for (const auto& row : rows) {
    const json::value request = FromOpenAi(
        R"(,"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],"tool_choice":)" +
        row.choice);
    EXPECT_EQ(ToJson(request.at("toolConfig").at("functionCallingConfig")), row.config) << row.choice;
  }
}

TEST(OpenAiToGeminiRequest, SearchOnlyWithoutFunctions) {
  EXPECT_EQ(ToJson(FromOpenAi(R"(,"web_search_options":{})").at("tools")), R"([{"googleSearch":{}}])");
  const json::value both =
      FromOpenAi(R"(,"web_search_options":{},"tools":[{"type":"function","function":{"name":"f"}}])");
  EXPECT_EQ(ToJson(both.at("tools")), R"([{"functionDeclarations":[{"name":"f"}]}])");
}

TEST(OpenAiToGeminiRequest, Parameters) {
  EXPECT_EQ(Config(""), "");
  EXPECT_EQ(
      Config(R"(,"max_tokens":5,"temperature":1,"top_p":0.5,"top_k":500,"seed":7,"stop":["a","","b","c","d","e","f"])"),
      R"({"maxOutputTokens":5,"temperature":1,"topP":0.5,"topK":64,"seed":7,"stopSequences":["a","b","c","d","e"]})");
  EXPECT_EQ(Config(R"(,"max_tokens":5,"max_completion_tokens":9,"temperature":3,"stop":"x","seed":5000000000)"),
            R"({"maxOutputTokens":9,"temperature":2,"stopSequences":["x"]})");
  EXPECT_EQ(Config(R"(,"response_format":{"type":"json_object"})"), R"({"responseMimeType":"application/json"})");
  EXPECT_EQ(Config(R"(,"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"array"}}})"),
            R"({"responseMimeType":"application/json","responseSchema":{"type":"ARRAY","items":{"type":"STRING"}}})");
  EXPECT_EQ(
      Config(R"(,"response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"f"}}])"), "");
}

TEST(OpenAiToGeminiRequest, Thinking) {
  const struct {
    std::string model, effort, config;
  } rows[] = {
      {"gemini-2.5-flash", "low", R"({"includeThoughts":true,"thinkingBudget":1024})"},
      {"gemini-2.5-flash", "medium", R"({"includeThoughts":true,"thinkingBudget":8192})"},
      {"gemini-2.5-flash", "high", R"({"includeThoughts":true,"thinkingBudget":24576})"},
      {"gemini-2.5-flash", "none", R"({"includeThoughts":false,"thinkingBudget":0})"},
      {"gemini-2.5-pro", "none", R"({"includeThoughts":false,"thinkingBudget":128})"},
      {"google/gemini-2.5-pro", "xhigh", R"({"includeThoughts":true,"thinkingBudget":24576})"},
      {"gemini-3-flash-preview", "minimal", R"({"includeThoughts":true,"thinkingLevel":"minimal"})"},
      {"gemini-3-flash-preview", "medium", R"({"includeThoughts":true,"thinkingLevel":"medium"})"},
      {"gemini-3-pro-preview", "minimal", R"({"includeThoughts":true,"thinkingLevel":"low"})"},
      {"gemini-3-pro-preview", "medium", R"({"includeThoughts":true,"thinkingLevel":"high"})"},
      {"gemini-3.1-pro-preview", "medium", R"({"includeThoughts":true,"thinkingLevel":"medium"})"},
      {"gemini-flash-latest", "high", R"({"includeThoughts":true,"thinkingLevel":"high"})"},
      {"gemini-2.0-flash", "high", ""},
      {"gemma-3-27b-it", "high", ""},
      {"gemini-2.5-flash-image", "high", ""},
  };
  for (const auto& row : rows) {
    const std::string expected = row.config.empty() ? "" : R"({"thinkingConfig":)" + row.config + "}";
    EXPECT_EQ(Config(R"(,"reasoning_effort":")" + row.effort + "\"", row.model), expected) << row.model << row.effort;
  }
}

TEST(OpenAiToGeminiRequest, WhatIsNoRequestIsRefused) {
  for (const std::string_view body :
       {"[]", "{", "{}", R"({"messages":[]})", R"({"messages":[7]})", R"({"messages":[{"role":"cat"}]})"}) {
    Notes notes;
    EXPECT_EQ(MakeOpenAiToGemini()->Request(body, kModel, &notes).status().code(), absl::StatusCode::kInvalidArgument)
        << body;
  }
}

TEST(OpenAiToGeminiRequest, WhatIsDroppedIsNoted) {
  Notes notes;
  Translate(*MakeOpenAiToGemini(), R"({"messages":[{"role":"user","content":"hi"}],"logit_bias":{},"n":2})", kModel,
            &notes);
  EXPECT_EQ(notes, (Notes{"logit_bias: dropped", "n: dropped"}));
}

TEST(AnthropicToGeminiRequest, ByWayOfOpenAi) {
  Notes notes;
  const json::value request =
      Translate(*MakeAnthropicToGemini(),
                R"({"model":"m","max_tokens":99,"top_k":7,"stream":true,"system":[{"type":"text","text":"Be kind."}],
          "thinking":{"type":"enabled","budget_tokens":4000},"stop_sequences":["END"],
          "tools":[{"name":"Bash","input_schema":{"type":"object","properties":{"command":{"type":"string"}}}}],
          "tool_choice":{"type":"tool","name":"Bash"},
          "messages":[{"role":"user","content":"ls"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
              {"type":"tool_use","id":"call_0__sig_c2ln","name":"Bash","input":{"command":"ls"}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_0__sig_c2ln","content":"a.txt"},
              {"type":"text","text":"go on"}]}]})",
                kModel, &notes);
  EXPECT_EQ(
      ToJson(request),
      R"({"systemInstruction":{"parts":[{"text":"Be kind."}]},"contents":[{"role":"user","parts":[{"text":"ls"}]},)"
      R"({"role":"model","parts":[{"functionCall":{"name":"Bash","args":{"command":"ls"}},"thoughtSignature":"c2ln"}]},)"
      R"({"role":"user","parts":[{"functionResponse":{"name":"Bash","response":{"output":"a.txt"}}}]},)"
      R"({"role":"user","parts":[{"text":"go on"}]}],"toolConfig":{"functionCallingConfig":)"
      R"({"mode":"ANY","allowedFunctionNames":["Bash"]}},"tools":[{"functionDeclarations":[{"name":"Bash","parameters":)"
      R"({"type":"OBJECT","properties":{"command":{"type":"STRING"}}}}]}],"generationConfig":{"maxOutputTokens":99,"topK":7,)"
      R"("stopSequences":["END"],"thinkingConfig":{"includeThoughts":true,"thinkingBudget":8192}}})");
}

TEST(AnthropicToGeminiRequest, WebSearchIsGooglesSearch) {
  Notes notes;
  const json::value request = Translate(*MakeAnthropicToGemini(),
                                        R"({"max_tokens":9,"messages":[{"role":"user","content":"news?"}],
                    "tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8}]})",
                                        kModel, &notes);
  EXPECT_EQ(ToJson(request.at("tools")), R"([{"googleSearch":{}}])");
}

}  // namespace
}  // namespace ccr::proxy
