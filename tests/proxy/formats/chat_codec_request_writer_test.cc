// Requests of other formats, written as Chat Completions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "proxy/formats/chat/codec.h"
#include "proxy/formats/conversation/fit.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy::chat {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

std::string WrittenBody(const ModelRequest& request, Notes* notes = nullptr) {
  Notes none;
  const auto written = Codec().WriteRequest(request, "m", notes == nullptr ? &none : notes);
  EXPECT_TRUE(written.ok()) << written.status();
  EXPECT_TRUE(ParseJson(written->body).ok()) << written->body;
  return written->body;
}

class ChatCodecWriting : public testing::Test {
 protected:
  ChatCodecWriting() { request_.origin = Format::kAnthropic; }

  Message& Add(Role role) {
    Message& message = request_.messages.emplace_back();
    message.role = role;
    return message;
  }
  static Part Text(std::string text) {
    Part part;
    part.text = std::move(text);
    return part;
  }
  static Part Of(PartKind kind, std::string text) {
    Part part = Text(std::move(text));
    part.kind = kind;
    return part;
  }
  static Part Call(std::string id, std::string name, std::string arguments) {
    Part part = Of(PartKind::kToolCall, std::move(arguments));
    part.id = std::move(id);
    part.name = std::move(name);
    return part;
  }
  static Part Result(std::string id, std::vector<Part> content) {
    Part part = Of(PartKind::kToolResult, "");
    part.id = std::move(id);
    part.content = std::move(content);
    return part;
  }
  static Part Picture(Media media) {
    Part part = Of(PartKind::kMedia, "");
    part.media = std::move(media);
    return part;
  }

  // The written "messages".
  std::string Messages() {
    const std::string body = WrittenBody(request_, &notes_);
    const std::string front = R"({"model":"m","messages":)";
    const size_t end = body.rfind("}]");
    return body.substr(front.size(), end + 2 - front.size());
  }
  // What is written behind one message.
  std::string Rest() {
    if (request_.messages.empty()) Add(Role::kUser).parts = {Text("hi")};
    const std::string body = WrittenBody(request_, &notes_);
    EXPECT_EQ(CheckOpenAiRequest(body), "");
    const std::string front = R"({"model":"m","messages":[{"role":"user","content":"hi"}])";
    EXPECT_TRUE(body.starts_with(front)) << body;
    return body.substr(front.size(), body.size() - front.size() - 1);
  }
  Tool& AddTool(std::string name) {
    Tool& tool = request_.tools.emplace_back();
    tool.name = std::move(name);
    return tool;
  }

  ModelRequest request_;
  Notes notes_;
};

TEST_F(ChatCodecWriting, JoinsTexts) {
  Add(Role::kSystem).parts = {Text("a"), Text("b")};
  Add(Role::kUser).parts = {Text("c"), Text("d")};
  Add(Role::kAssistant).parts = {Text("e"), Text("f"), Of(PartKind::kOther, ""), Text("g")};
  EXPECT_EQ(Messages(), R"([{"role":"system","content":"a\n\nb"},{"role":"user","content":"c\n\nd"},)"
                        R"({"role":"assistant","content":"ef\n\ng"}])");
  EXPECT_THAT(notes_, ElementsAre("unknown block: dropped"));
}

TEST_F(ChatCodecWriting, WritesCallsAndResults) {
  Add(Role::kAssistant).parts = {Text("See:"), Call("a", "A", R"({"x":1})"), Call("b", "B", "")};
  Add(Role::kTool).parts = {Result("a", {Text("a"), Text("b")}), Result("b", {})};
  request_.messages.back().parts[1].is_error = true;
  EXPECT_EQ(Messages(), R"([{"role":"assistant","content":"See:","tool_calls":[)"
                        R"({"id":"a","type":"function","function":{"name":"A","arguments":"{\"x\":1}"}},)"
                        R"({"id":"b","type":"function","function":{"name":"B","arguments":"{}"}}]},)"
                        R"({"role":"tool","content":"a\n\nb","tool_call_id":"a"},)"
                        R"({"role":"tool","content":"Error: ","tool_call_id":"b"}])");
}

TEST_F(ChatCodecWriting, MovesMediaOfResultsBehind) {
  const Media png{Media::Source::kBase64, "image/png", "aGk=", "", ""};
  Add(Role::kAssistant).parts = {Call("a", "f", "{}"), Call("b", "f", "{}")};
  Add(Role::kTool).parts = {Result("a", {Picture(png)}), Result("b", {Text("t"), Picture(png)})};
  const std::string image = R"({"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}})";
  const std::string moved = R"([{"type":"text","text":"In the result of tool call a:"},)" + image +
                            R"(,{"type":"text","text":"In the result of tool call b:"},)" + image;
  EXPECT_THAT(Messages(),
              HasSubstr(R"({"role":"tool","content":"[see the next message of the user]","tool_call_id":"a"},)"
                        R"({"role":"tool","content":"t","tool_call_id":"b"},{"role":"user","content":)" +
                        moved + "]}]"));
  Add(Role::kUser).parts = {Text("and?")};
  EXPECT_THAT(Messages(), HasSubstr(moved + R"(,{"type":"text","text":"and?"}]}])"));
}

TEST_F(ChatCodecWriting, WritesMedia) {
  using Source = Media::Source;
  Add(Role::kUser).parts = {Picture({Source::kUrl, "image/*", "https://e.com/a", "", ""}),
                            Picture({Source::kFileId, "image/*", "f1", "", ""}),
                            Picture({Source::kBase64, "application/pdf", "JVBE", "a.pdf", ""}),
                            Picture({Source::kText, "text/plain", "body", "T", ""}),
                            Picture({Source::kUrl, "application/pdf", "https://e.com/a.pdf", "", ""}),
                            Picture({Source::kFileId, "application/pdf", "f2", "", ""}),
                            Picture({Source::kBase64, "audio/mpeg", "AAAA", "", ""}),
                            Picture({Source::kBase64, "video/mp4", "AAAA", "", ""})};
  EXPECT_EQ(Messages(), R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://e.com/a"}},)"
                        R"({"type":"text","text":"[image omitted]"},)"
                        R"({"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}},)"
                        R"({"type":"text","text":"<document title=\"T\">\nbody\n</document>"},)"
                        R"({"type":"text","text":"<document>\nhttps://e.com/a.pdf\n</document>"},)"
                        R"({"type":"text","text":"<document>\n[document omitted]\n</document>"},)"
                        R"({"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},)"
                        R"({"type":"text","text":"[video omitted]"}]}])");
}

TEST_F(ChatCodecWriting, WritesThinkingThatMayGoBack) {
  Part details = Of(PartKind::kThinking, "");
  details.state = {{StateKind::kChatReasoningDetails, R"([{"type":"reasoning.encrypted","data":"x"}])"},
                   {StateKind::kAnthropicSignature, "s"}};
  Add(Role::kAssistant).parts = {Of(PartKind::kThinking, "hm"), Of(PartKind::kThinking, "more"), Text("a")};
  Add(Role::kAssistant).parts = {Of(PartKind::kThinking, ""), Call("a", "f", "{}")};
  Add(Role::kAssistant).parts = {details, Text("b")};
  EXPECT_EQ(Messages(), R"([{"role":"assistant","content":"a","reasoning_content":"hm\n\nmore"},)"
                        R"({"role":"assistant","content":null,"reasoning_content":"","tool_calls":[{"id":"a",)"
                        R"("type":"function","function":{"name":"f","arguments":"{}"}}]},)"
                        R"({"role":"assistant","content":"b","reasoning_details":)"
                        R"([{"type":"reasoning.encrypted","data":"x"}]}])");
}

TEST_F(ChatCodecWriting, KeepsCacheMarksThatFitLeft) {
  Part marked = Text("b");
  marked.cache_control = {{"type", "ephemeral"}};
  Add(Role::kUser).parts = {Text("a"), marked};
  Add(Role::kAssistant).parts = {Call("a", "f", "{}")};
  Add(Role::kTool).parts = {Result("a", {Text("r")})};
  request_.messages.back().parts[0].cache_control = {{"type", "ephemeral"}};
  EXPECT_THAT(Messages(), HasSubstr(R"([{"type":"text","text":"a"},)"
                                    R"({"type":"text","text":"b","cache_control":{"type":"ephemeral"}}])"));
  EXPECT_THAT(Messages(), HasSubstr(R"([{"type":"text","text":"r","cache_control":{"type":"ephemeral"}}])"));
}

TEST_F(ChatCodecWriting, WritesCustomToolsAsFunctions) {
  Tool& tool = AddTool("patch");
  tool.kind = Tool::Kind::kCustom;
  tool.description = "Edits.";
  tool.own = {{"format", {{"type", "grammar"}, {"definition", "start: x"}}}};
  EXPECT_EQ(Rest(),
            R"(,"tools":[{"type":"function","function":{"name":"patch",)"
            R"("description":"Edits.\n\nThe input follows this grammar:\nstart: x",)"
            R"("parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}}])");
  Part call = Call("a", "patch", "say \"x\"");
  call.custom = true;
  Add(Role::kAssistant).parts = {call};
  EXPECT_THAT(Messages(), HasSubstr(R"("name":"patch","arguments":"{\"input\":\"say \\\"x\\\"\"}")"));
}

TEST_F(ChatCodecWriting, WritesToolsAndChoices) {
  AddTool("A");
  request_.tools.back().strict = true;
  request_.tools.push_back({.kind = Tool::Kind::kWebSearch,
                            .name = "web_search",
                            .description = {},
                            .parameters = {},
                            .strict = {},
                            .cache_control = {},
                            .own = {{"type", "web_search_20250305"}}});
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"A","parameters":{"type":"object","properties":{}}}}])";
  using Kind = ToolChoice::Kind;
  request_.tool_choice.kind = Kind::kAny;
  request_.tool_choice.parallel = false;
  EXPECT_EQ(Rest(), tools + R"(,"tool_choice":"required","parallel_tool_calls":false)");
  EXPECT_THAT(notes_, ElementsAre("tools.strict: dropped", "tools: web_search_20250305 dropped"));
  request_.tool_choice.parallel = std::nullopt;
  request_.tool_choice.kind = Kind::kTool;
  request_.tool_choice.name = "A";
  EXPECT_EQ(Rest(), tools + R"(,"tool_choice":{"type":"function","function":{"name":"A"}})");
  request_.tool_choice.name = "web_search";
  EXPECT_EQ(Rest(), tools + R"(,"tool_choice":"auto")");
}

TEST_F(ChatCodecWriting, NoToolsNoChoice) {
  request_.tools.emplace_back().kind = Tool::Kind::kOther;
  request_.tool_choice.kind = ToolChoice::Kind::kAny;
  request_.tool_choice.parallel = false;
  EXPECT_EQ(Rest(), "");
}

TEST_F(ChatCodecWriting, LeavesDeferredToolsOutUntilTheyAreNamed) {
  AddTool("A");
  AddTool("B").deferred = true;
  EXPECT_THAT(Rest(), Not(HasSubstr(R"("name":"B")")));
  EXPECT_THAT(notes_, Contains("tools: a deferred one left out"));
  Part reference = Of(PartKind::kOther, "Tool available: B");
  reference.name = "B";
  Add(Role::kTool).parts = {Result("a", {reference})};
  EXPECT_THAT(WrittenBody(request_),
              testing::AllOf(HasSubstr(R"("content":"Tool available: B")"), HasSubstr(R"("function":{"name":"B")")));
}

TEST_F(ChatCodecWriting, ShortensNames) {
  const std::string name(65, 'n');
  AddTool(name);
  request_.tool_choice.kind = ToolChoice::Kind::kTool;
  request_.tool_choice.name = name;
  Add(Role::kUser).parts = {Text("hi")};
  Notes notes;
  const auto written = Codec().WriteRequest(request_, "m", &notes);
  ASSERT_TRUE(written.ok());
  ASSERT_THAT(written->tool_names, SizeIs(1));
  EXPECT_EQ(written->tool_names.begin()->second, name);
  EXPECT_EQ(CheckOpenAiRequest(written->body), "");
  EXPECT_THAT(notes, ElementsAre("tools: names longer than 64 bytes shortened"));
}

TEST_F(ChatCodecWriting, WritesTheRest) {
  request_.max_tokens = 10;
  request_.sampling.temperature = 0.7;
  request_.sampling.top_p = 1;
  request_.sampling.top_k = 5;
  request_.stop = {"1", "2", "3", "4", "5"};
  request_.user = std::string(63, 'u') + "é";
  request_.reasoning.effort = "low";
  request_.output.kind = OutputFormat::Kind::kJsonSchema;
  request_.output.schema = json::object({{"type", "object"}});
  request_.stream = true;
  request_.include_usage = true;
  request_.own = {{"context_management", 1}};
  EXPECT_EQ(Rest(), R"(,"max_tokens":10,"temperature":0.7,"top_p":1,"stop":["1","2","3","4"],"user":")" +
                        std::string(63, 'u') +
                        R"(","reasoning_effort":"low","response_format":{"type":"json_schema","json_schema":)"
                        R"({"name":"response","schema":{"type":"object"}}},"stream":true,)"
                        R"("stream_options":{"include_usage":true})");
  EXPECT_THAT(notes_, ElementsAre("top_k: dropped", "stop_sequences: all behind the fourth dropped",
                                  "user: cut to 64 bytes", "context_management: dropped"));
}

TEST_F(ChatCodecWriting, AsksForNoUsageWhereTheProviderRefusesTheQuestion) {
  ProviderRules mistral;
  mistral.drop = {"stream_options"};
  Add(Role::kUser).parts = {Text("hi")};
  request_.stream = request_.include_usage = true;
  Fit(mistral, Format::kChat, &request_, &notes_);
  EXPECT_EQ(Rest(), R"(,"stream":true)");
}

TEST_F(ChatCodecWriting, WritesWhatFitSetsForTheProviderOnce) {
  Add(Role::kUser).parts = {Text("hi")};
  request_.max_tokens = 1;
  request_.extra = {{"enable_thinking", false}, {"max_tokens", 2}, {"reasoning", {{"enabled", true}}}};
  EXPECT_EQ(WrittenBody(request_), R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1,)"
                                   R"("enable_thinking":false,"reasoning":{"enabled":true}})");
}

TEST_F(ChatCodecWriting, OffIsSaidOnlyWhereTheEffortSaysIt) {
  request_.reasoning.mode = Reasoning::Mode::kOff;
  request_.reasoning.effort = "high";
  EXPECT_EQ(Rest(), "");
  request_.reasoning.effort = "none";
  EXPECT_EQ(Rest(), R"(,"reasoning_effort":"none")");
}

}  // namespace
}  // namespace ccr::proxy::chat
