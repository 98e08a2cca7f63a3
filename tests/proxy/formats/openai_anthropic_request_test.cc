#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string>

#include "pairs.h"
#include "tests/proxy/formats/openai_validators.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

struct Translated {
  json::object body;
  TranslatedRequest request;
  Notes notes;
};

Translated TranslateRequest(const std::string& body, const std::string& model = "claude-test") {
  Translated result;
  const auto request = MakeOpenAiToAnthropic()->Request(body, model, &result.notes);
  EXPECT_TRUE(request.ok()) << request.status() << "\n" << body;
  if (!request.ok()) return result;
  EXPECT_TRUE(CheckAnthropicRequest(request->body).ok()) << CheckAnthropicRequest(request->body) << "\n"
                                                         << request->body;
  result.request = *request;
  result.body = json::parse(request->body).as_object();
  return result;
}

// `messages` and `rest` are JSON; `rest` begins with a comma.
Translated TranslateMessages(const std::string& messages, const std::string& rest = "") {
  return TranslateRequest(R"({"model":"gpt-x","messages":)" + messages + rest + "}");
}

Translated TranslateWith(const std::string& rest) {
  return TranslateMessages(R"([{"role":"user","content":"Hello"}])", "," + rest);
}

// With the tool `weather`.
Translated TranslateWithTool(const std::string& rest) {
  return TranslateWith(R"("tools":[{"type":"function","function":{"name":"weather"}}],)" + rest);
}

bool Noted(const Translated& result, const std::string& note) {
  return std::any_of(result.notes.begin(), result.notes.end(),
                     [&](const std::string& text) { return text.find(note) != text.npos; });
}

std::string Json(const json::value& value) {
  return json::serialize(value);
}

std::string Pretty(const std::string& text) {
  return json::serialize(json::parse(text));
}

TEST(OpenAiToAnthropicRequest, ASimpleConversation) {
  const Translated result = TranslateRequest(R"({
    "model": "gpt-x", "max_completion_tokens": 300, "temperature": 0.7, "stop": ["END", "###"], "user": "user-17",
    "messages": [{"role": "system", "content": "You are terse."}, {"role": "developer", "content": "Answer in French."},
                 {"role": "user", "content": "What is the capital of France?"}]})",
                                             "claude-sonnet-4-5");
  EXPECT_EQ(Json(result.body), Pretty(R"({"model":"claude-sonnet-4-5","max_tokens":300,
    "system":[{"type":"text","text":"You are terse."},{"type":"text","text":"Answer in French."}],
    "messages":[{"role":"user","content":[{"type":"text","text":"What is the capital of France?"}]}],
    "temperature":0.7,"stop_sequences":["END","###"],"metadata":{"user_id":"user-17"}})"));
  EXPECT_TRUE(result.notes.empty()) << result.notes[0];
  EXPECT_FALSE(result.request.stream);
}

TEST(OpenAiToAnthropicRequest, ARoundOfToolsInParallel) {
  const Translated result = TranslateMessages(R"([
    {"role":"user","content":"Weather in Paris and Oslo?"},
    {"role":"assistant","content":null,"tool_calls":[
      {"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}},
      {"id":"call_2","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\",\"days\":1.5}"}}]},
    {"role":"tool","tool_call_id":"call_2","content":"Rain"},
    {"role":"tool","tool_call_id":"call_1","content":[{"type":"text","text":"Sun"}]},
    {"role":"user","content":"Go on."}])",
                                              R"(,"max_tokens":100,"tools":[{"type":"function","function":{
      "name":"weather","description":"Tells the weather.","strict":true,
      "parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}])");
  EXPECT_EQ(Json(result.body.at("messages")), Pretty(R"([
    {"role":"user","content":[{"type":"text","text":"Weather in Paris and Oslo?"}]},
    {"role":"assistant","content":[
      {"type":"tool_use","id":"call_1","name":"weather","input":{"city":"Paris"}},
      {"type":"tool_use","id":"call_2","name":"weather","input":{"city":"Oslo","days":1.5}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"call_1","content":"Sun"},
      {"type":"tool_result","tool_use_id":"call_2","content":"Rain"},
      {"type":"text","text":"Go on."}]}])"));
  EXPECT_EQ(Json(result.body.at("tools")), Pretty(R"([{"name":"weather","description":"Tells the weather.",
      "input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}])"));
  EXPECT_EQ(result.notes, Notes{"tools.strict: dropped"});
}

TEST(OpenAiToAnthropicRequest, SystemBehindOthersStaysInItsPlace) {
  const Translated result = TranslateMessages(R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"},
    {"role":"system","content":"Be brief."},{"role":"user","content":"c"}])");
  EXPECT_FALSE(result.body.contains("system"));
  EXPECT_EQ(Json(result.body.at("messages").at(2)), Pretty(R"({"role":"user","content":[
    {"type":"text","text":"<system>\nBe brief.\n</system>"},{"type":"text","text":"c"}]})"));
  EXPECT_TRUE(Noted(result, "system message"));
}

TEST(OpenAiToAnthropicRequest, ToolResultsGoBeforeASystemMessageAmongThem) {
  const Translated result = TranslateMessages(R"([{"role":"user","content":"a"},
    {"role":"assistant","tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"system","content":"Be brief."},{"role":"tool","tool_call_id":"x","content":"done"}])");
  const json::array& last = result.body.at("messages").at(2).at("content").as_array();
  EXPECT_EQ(last[0].at("type"), "tool_result");
  EXPECT_EQ(last[1].at("text"), "<system>\nBe brief.\n</system>");
}

TEST(OpenAiToAnthropicRequest, ImagesAndFiles) {
  const Translated result = TranslateMessages(R"([{"role":"user","content":[
    {"type":"text","text":"Look","cache_control":{"type":"ephemeral"}},
    {"type":"image_url","image_url":{"url":"data:image/jpg;base64,/9j/AAAA","detail":"high"}},
    {"type":"image_url","image_url":{"url":"https://example.com/a.png"}},
    {"type":"image_url","image_url":{"url":"data:image/svg+xml;base64,PHN2Zz4="}},
    {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQ="}},
    {"type":"file","file":{"filename":"b.txt","file_data":"data:text/plain;base64,aGVsbG8="}},
    {"type":"file","file":{"file_id":"file-1"}},
    {"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}])");
  EXPECT_EQ(Json(result.body.at("messages").at(0).at("content")), Pretty(R"([
    {"type":"text","text":"Look","cache_control":{"type":"ephemeral"}},
    {"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"/9j/AAAA"}},
    {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
    {"type":"text","text":"[image omitted]"},
    {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjQ="},"title":"a.pdf"},
    {"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello"},"title":"b.txt"},
    {"type":"text","text":"[file omitted]"},
    {"type":"text","text":"[audio omitted]"}])"));
  EXPECT_TRUE(Noted(result, "image: dropped") && Noted(result, "file: dropped") && Noted(result, "audio: dropped"));
}

TEST(OpenAiToAnthropicRequest, ImagesOfOthersThanTheUserAreMarked) {
  const std::string image = R"([{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}])";
  const Translated result =
      TranslateMessages(R"([{"role":"system","content":)" + image +
                        R"(},{"role":"user","content":"a"},{"role":"assistant","content":)" + image + "}]");
  EXPECT_EQ(result.body.at("system").at(0).at("text"), "[image omitted]");
  EXPECT_EQ(result.body.at("messages").at(1).at("content").at(0).at("text"), "[image omitted]");
  EXPECT_TRUE(Noted(result, "image: dropped"));
}

TEST(OpenAiToAnthropicRequest, ArgumentsThatAreNoObjectAreKeptRaw) {
  for (const auto& [arguments, input] :
       std::vector<std::pair<std::string, std::string>>{{R"("{\"a\":")", R"({"raw_arguments":"{\"a\":"})"},
                                                        {R"("[1]")", R"({"raw_arguments":"[1]"})"},
                                                        {R"("")", "{}"},
                                                        {R"(" ")", "{}"},
                                                        {"null", "{}"},
                                                        {R"({"a":1})", R"({"a":1})"}}) {
    const Translated result = TranslateMessages(
        R"([{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"x","function":{"name":"f","arguments":)" +
        arguments + R"(}}]},{"role":"tool","tool_call_id":"x","content":""}])");
    EXPECT_EQ(Json(result.body.at("messages").at(1).at("content").at(0).at("input")), input) << arguments;
    EXPECT_EQ(Noted(result, "raw_arguments"), input.find("raw_arguments") != input.npos) << arguments;
    EXPECT_EQ(Json(result.body.at("messages").at(2).at("content")), R"([{"type":"tool_result","tool_use_id":"x"}])");
  }
}

TEST(OpenAiToAnthropicRequest, IdsBecomeValidAndUnique) {
  const Translated result = TranslateMessages(R"([{"role":"user","content":"a"},
    {"role":"assistant","tool_calls":[{"id":"c:0","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c:0","content":"1"},
    {"role":"assistant","tool_calls":[{"id":"c:0","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c:0","content":"2"}])");
  const json::value& messages = result.body.at("messages");
  EXPECT_EQ(messages.at(1).at("content").at(0).at("id"), "c_0");
  EXPECT_EQ(messages.at(2).at("content").at(0).at("tool_use_id"), "c_0");
  EXPECT_EQ(messages.at(3).at("content").at(0).at("id"), "c_0_2");
  EXPECT_EQ(messages.at(4).at("content").at(0).at("tool_use_id"), "c_0_2");
}

TEST(OpenAiToAnthropicRequest, AnOpenCallIsAnsweredAndAStrayResultIsText) {
  const Translated result = TranslateMessages(R"([{"role":"user","content":"a"},
    {"role":"assistant","tool_calls":[{"id":"x","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"other","content":"stray"}])");
  EXPECT_EQ(Json(result.body.at("messages").at(2).at("content")), Pretty(R"([
    {"type":"tool_result","tool_use_id":"x","content":"The call was not answered.","is_error":true},
    {"type":"text","text":"stray"}])"));
  EXPECT_TRUE(Noted(result, "without a result") && Noted(result, "without its call"));
}

TEST(OpenAiToAnthropicRequest, TheOldFunctionsStillWork) {
  const Translated result = TranslateMessages(R"([{"role":"user","content":"a"},
    {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"n\":1}"}},
    {"role":"function","name":"f","content":"42"}])",
                                              R"(,"functions":[{"name":"f","parameters":{"properties":{}}}],
    "function_call":{"name":"f"})");
  EXPECT_EQ(Json(result.body.at("messages").at(1).at("content")),
            R"([{"type":"tool_use","id":"call","name":"f","input":{"n":1}}])");
  EXPECT_EQ(Json(result.body.at("messages").at(2).at("content")),
            R"([{"type":"tool_result","tool_use_id":"call","content":"42"}])");
  EXPECT_EQ(Json(result.body.at("tools")), R"([{"name":"f","input_schema":{"properties":{},"type":"object"}}])");
  EXPECT_EQ(Json(result.body.at("tool_choice")), R"({"type":"tool","name":"f"})");
}

// Whatever stands last and is written at all: the request is valid, as TranslateMessages sees.
TEST(OpenAiToAnthropicRequest, TheTextToGoOnFromEndsWithoutWhiteSpace) {
  for (const char* parts : {R"({"type":"text","text":"go \n"})", R"({"type":"refusal","refusal":"go \n"})",
                            R"({"type":"unheard_of","text":"go \n"})", R"({"type":44.5,"text":"go \r\n"})",
                            R"({"type":"text","text":"go \n"},{"type":"text","text":" \n"})"}) {
    const Translated result = TranslateMessages(std::string(R"([{"role":"user","content":"a"},{"role":"assistant",)") +
                                                R"("content":[)" + parts + "]}]");
    EXPECT_EQ(Json(result.body.at("messages").at(1).at("content")), R"([{"type":"text","text":"go"}])") << parts;
  }
}

TEST(OpenAiToAnthropicRequest, ToolsOfTheHistoryAloneAreDeclared) {
  const Translated result = TranslateMessages(R"([{"role":"user","content":"a"},
    {"role":"assistant","tool_calls":[{"id":"x","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"x","content":"1"}])");
  EXPECT_EQ(Json(result.body.at("tools")), R"([{"name":"f","input_schema":{"type":"object"}}])");
  EXPECT_EQ(Json(result.body.at("tool_choice")), R"({"type":"none"})");
}

TEST(OpenAiToAnthropicRequest, ToolChoice) {
  for (const auto& [given, expected] : std::vector<std::pair<std::string, std::string>>{
           {R"("tool_choice":"auto")", R"({"type":"auto"})"},
           {R"("tool_choice":"none")", R"({"type":"none"})"},
           {R"("tool_choice":"required")", R"({"type":"any"})"},
           {R"("tool_choice":{"type":"function","function":{"name":"weather"}})",
            R"({"type":"tool","name":"weather"})"},
           {R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[]}})",
            R"({"type":"any"})"},
           {R"("parallel_tool_calls":false)", R"({"type":"auto","disable_parallel_tool_use":true})"},
           {R"("tool_choice":"required","parallel_tool_calls":false)",
            R"({"type":"any","disable_parallel_tool_use":true})"},
           {R"("tool_choice":"none","parallel_tool_calls":false)", R"({"type":"none"})"}}) {
    const Translated result = TranslateWithTool(given);
    EXPECT_EQ(Json(result.body.at("tool_choice")), expected) << given;
  }
  EXPECT_FALSE(TranslateWithTool(R"("parallel_tool_calls":true)").body.contains("tool_choice"));
  const Translated unknown = TranslateWithTool(R"("tool_choice":{"type":"function","function":{"name":"other"}})");
  EXPECT_FALSE(unknown.body.contains("tool_choice"));
  EXPECT_TRUE(Noted(unknown, "tool_choice: dropped"));
  EXPECT_FALSE(TranslateWith(R"("tool_choice":"required")").body.contains("tool_choice"));
}

TEST(OpenAiToAnthropicRequest, MaxTokens) {
  EXPECT_EQ(TranslateWith(R"("max_tokens":7)").body.at("max_tokens"), 7);
  EXPECT_EQ(TranslateWith(R"("max_tokens":7,"max_completion_tokens":9)").body.at("max_tokens"), 9);
  for (const std::string missing : {R"("max_tokens":null)", R"("max_tokens":0)", R"("max_tokens":-1)"}) {
    const Translated result = TranslateWith(missing);
    EXPECT_EQ(result.body.at("max_tokens"), 4096);
    EXPECT_TRUE(Noted(result, "max_tokens"));
  }
}

TEST(OpenAiToAnthropicRequest, TemperatureMovesIntoRange) {
  EXPECT_EQ(Json(TranslateWith(R"("temperature":0)").body.at("temperature")), "0");
  EXPECT_EQ(TranslateWith(R"("temperature":1)").body.at("temperature").to_number<double>(), 1);
  const Translated result = TranslateWith(R"("temperature":1.01)");
  EXPECT_EQ(result.body.at("temperature").to_number<double>(), 1);
  EXPECT_TRUE(Noted(result, "temperature: moved"));
}

TEST(OpenAiToAnthropicRequest, NewerClaudeTakesOneSampler) {
  const auto samplers = [](const std::string& model, const std::string& temperature) {
    const Translated result = TranslateRequest(
        R"({"messages":[{"role":"user","content":"a"}],"top_p":0.5,"temperature":)" + temperature + "}", model);
    return std::pair(result.body.contains("temperature"), result.body.contains("top_p"));
  };
  EXPECT_EQ(samplers("claude-sonnet-4-5", "0.3"), std::pair(true, false));
  EXPECT_EQ(samplers("claude-sonnet-4-5", "1"), std::pair(false, true));
  EXPECT_EQ(samplers("claude-3-7-sonnet-latest", "0.3"), std::pair(true, true));
  EXPECT_EQ(samplers("kimi-k2", "0.3"), std::pair(true, true));
}

TEST(OpenAiToAnthropicRequest, Stop) {
  EXPECT_EQ(Json(TranslateWith(R"("stop":"END")").body.at("stop_sequences")), R"(["END"])");
  const Translated blank = TranslateWith(R"("stop":["\n","END",""])");
  EXPECT_EQ(Json(blank.body.at("stop_sequences")), R"(["END"])");
  EXPECT_TRUE(Noted(blank, "stop"));
  EXPECT_FALSE(TranslateWith(R"("stop":"\n")").body.contains("stop_sequences"));
}

TEST(OpenAiToAnthropicRequest, ReasoningEffortBecomesThinking) {
  const Translated low = TranslateWith(R"("reasoning_effort":"low","max_tokens":5120,"temperature":0.2)");
  EXPECT_EQ(Json(low.body.at("thinking")), R"({"type":"enabled","budget_tokens":1024})");
  EXPECT_EQ(low.body.at("max_tokens"), 5120);
  EXPECT_FALSE(low.body.contains("temperature"));
  EXPECT_EQ(TranslateWith(R"("reasoning_effort":"low","max_tokens":5119)").body.at("max_tokens"), 5120);
  EXPECT_EQ(TranslateWith(R"("reasoning_effort":"medium","max_tokens":100)").body.at("max_tokens"), 8292);
  EXPECT_EQ(TranslateWith(R"("reasoning_effort":"high")").body.at("max_tokens"), 24576 + 4096);
  EXPECT_TRUE(TranslateWith(R"("reasoning_effort":"none","max_tokens":9)").notes.empty());
  EXPECT_TRUE(Noted(TranslateWith(R"("reasoning_effort":"immense")"), "reasoning_effort"));
}

TEST(OpenAiToAnthropicRequest, ThinkingIsLeftOutWhereItIsRefused) {
  const Translated forced = TranslateWithTool(R"("tool_choice":"required","reasoning_effort":"low","temperature":0.2)");
  EXPECT_FALSE(forced.body.contains("thinking"));
  EXPECT_TRUE(forced.body.contains("temperature"));
  EXPECT_TRUE(Noted(forced, "reasoning_effort"));
  const Translated loop = TranslateMessages(R"([{"role":"user","content":"a"},
    {"role":"assistant","tool_calls":[{"id":"x","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"x","content":"1"}])",
                                            R"(,"reasoning_effort":"low")");
  EXPECT_FALSE(loop.body.contains("thinking"));
  const Translated last = TranslateMessages(
      R"([{"role":"user","content":"a"},{"role":"assistant","content":"I say \n"}])", R"(,"reasoning_effort":"low")");
  EXPECT_FALSE(last.body.contains("thinking"));
  EXPECT_EQ(last.body.at("messages").at(1).at("content").at(0).at("text"), "I say");
}

TEST(OpenAiToAnthropicRequest, ResponseFormatBecomesAnInstruction) {
  const Translated result = TranslateWith(
      R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","x":1}}})");
  const std::string text(result.body.at("system").at(0).at("text").as_string());
  EXPECT_NE(text.find(R"({"type":"object","x":1})"), text.npos) << text;
  EXPECT_TRUE(TranslateWith(R"("response_format":{"type":"json_object"})").body.contains("system"));
  EXPECT_FALSE(TranslateWith(R"("response_format":{"type":"text"})").body.contains("system"));
}

TEST(OpenAiToAnthropicRequest, WhatAnthropicDoesNotKnowIsDroppedAndNoted) {
  const Translated result = TranslateWith(
      R"("n":2,"logprobs":true,"seed":7,"presence_penalty":0.5,"frequency_penalty":0.5,"logit_bias":{},"foo":1)");
  for (const std::string key :
       {"n", "logprobs", "seed", "presence_penalty", "frequency_penalty", "logit_bias", "foo"}) {
    EXPECT_FALSE(result.body.contains(key));
    EXPECT_TRUE(Noted(result, key + ": dropped")) << key;
  }
}

TEST(OpenAiToAnthropicRequest, StreamAndItsOptions) {
  const Translated plain = TranslateWith(R"("stream":true)");
  EXPECT_TRUE(plain.request.stream);
  EXPECT_EQ(plain.body.at("stream"), true);
  EXPECT_FALSE(plain.request.stream_options.include_usage);
  EXPECT_TRUE(
      TranslateWith(R"("stream":true,"stream_options":{"include_usage":true})").request.stream_options.include_usage);
}

TEST(OpenAiToAnthropicRequest, AlwaysBeginsWithTheUser) {
  const Translated only_system = TranslateMessages(R"([{"role":"system","content":"Tell a joke."}])");
  EXPECT_EQ(Json(only_system.body.at("messages")),
            R"([{"role":"user","content":[{"type":"text","text":"Continue."}]}])");
  const Translated greeting = TranslateMessages(
      R"([{"role":"assistant","content":"Hi!"},{"role":"assistant","content":""},{"role":"user","content":"Hello"}])");
  EXPECT_EQ(greeting.body.at("messages").as_array().size(), 3U);
}

TEST(OpenAiToAnthropicRequest, LongUsersAreCutAtACharacter) {
  std::string user(255, 'a');
  user += "\xC3\xA9";
  EXPECT_EQ(TranslateWith(R"("user":")" + user + "\"").body.at("metadata").at("user_id").as_string().size(), 255U);
  user.assign(200, '\xFF');
  EXPECT_EQ(TranslateWith(R"("user":")" + user + "\"").body.at("metadata").at("user_id").as_string().size(), 255U);
}

TEST(OpenAiToAnthropicRequest, RefusesWhatIsNoRequest) {
  for (const std::string body : {"", "{", "[]", "{}", R"({"messages":{}})", R"({"messages":[]})", R"({"messages":[1]})",
                                 R"({"messages":[{"role":"robot","content":"x"}]})", R"({"messages":[{}]})"}) {
    Notes notes;
    const auto request = MakeOpenAiToAnthropic()->Request(body, "m", &notes);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << body;
    EXPECT_FALSE(request.status().message().empty());
  }
}

TEST(OpenAiToAnthropicRequest, WorksWithoutNotes) {
  EXPECT_TRUE(
      MakeOpenAiToAnthropic()->Request(R"({"n":2,"messages":[{"role":"user","content":"a"}]})", "m", nullptr).ok());
}

}  // namespace
}  // namespace ccr::proxy
