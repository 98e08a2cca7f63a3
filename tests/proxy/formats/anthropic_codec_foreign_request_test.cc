// Requests that were read from other formats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/anthropic/codec.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::anthropic::foreign_request_test {
namespace {

using testing::HasSubstr;

class AnthropicCodecForeignRequest : public testing::Test {
 protected:
  std::string Write(const ModelRequest& request, std::string_view model = "m") {
    const absl::StatusOr<WrittenRequest> written = Codec().WriteRequest(request, model, &notes_);
    EXPECT_TRUE(written.ok()) << written.status();
    if (!written.ok()) return {};
    names_ = written->tool_names;
    EXPECT_TRUE(ParseJson(written->body).ok()) << written->body;
    return written->body;
  }

  // What is written of `messages` as another format has them.
  std::string WriteForeign(std::vector<Message> messages) {
    ModelRequest request;
    request.max_tokens = 9;
    request.messages = std::move(messages);
    const std::string body = Write(request);
    const std::string front = R"({"model":"m","max_tokens":9,)";
    EXPECT_TRUE(body.starts_with(front)) << body;
    return body.substr(front.size(), body.size() - front.size() - 1);
  }

  Notes notes_;
  ToolNames names_;
};

Part Text(std::string_view text) {
  Part part;
  part.text = text;
  return part;
}

Part Call(std::string_view id, std::string_view name, std::string_view arguments) {
  Part part;
  part.kind = PartKind::kToolCall;
  part.id = id;
  part.name = name;
  part.text = arguments;
  return part;
}

Part Result(std::string_view id, std::vector<Part> content) {
  Part part;
  part.kind = PartKind::kToolResult;
  part.id = id;
  part.content = std::move(content);
  return part;
}

Part MediaPart(Media::Source source, std::string_view type, std::string_view data, std::string_view name = "") {
  Part part;
  part.kind = PartKind::kMedia;
  part.media.source = source;
  part.media.type = type;
  part.media.data = data;
  part.media.name = name;
  return part;
}

Part Thinking(std::string_view text, OpaqueStates states) {
  Part part;
  part.kind = PartKind::kThinking;
  part.text = text;
  part.state = std::move(states);
  return part;
}

Message Says(Role role, std::vector<Part> parts) {
  Message message;
  message.role = role;
  message.parts = std::move(parts);
  return message;
}

TEST_F(AnthropicCodecForeignRequest, WritesARoundOfTools) {
  std::vector<Message> messages;
  messages.push_back(Says(Role::kSystem, {Text("S")}));
  messages.push_back(Says(Role::kDeveloper, {Text("D")}));
  messages.push_back(Says(Role::kUser, {Text("q")}));
  messages.push_back(
      Says(Role::kAssistant, {Call("c:0", "my tool", R"({"x":1})"), Call("c_0", "f", "[1]"), Call("", "f", " ")}));
  messages.push_back(Says(
      Role::kTool, {Result("c:0", {Text("one")}), Result("c_0", {Text(" ")}), Result("", {Text("a"), Text("b")})}));
  messages.push_back(Says(Role::kUser, {Text("go"), Text("\n")}));
  EXPECT_EQ(WriteForeign(std::move(messages)),
            R"("system":[{"type":"text","text":"S"},{"type":"text","text":"D"}],"messages":[)"
            R"({"role":"user","content":[{"type":"text","text":"q"}]},{"role":"assistant","content":[)"
            R"({"type":"tool_use","id":"c_0","name":"my_tool_6aeaa70fd0a4135b","input":{"x":1}},)"
            R"({"type":"tool_use","id":"c_0_2","name":"f","input":{"raw_arguments":"[1]"}},)"
            R"({"type":"tool_use","id":"call","name":"f","input":{}}]},{"role":"user","content":[)"
            R"({"type":"tool_result","tool_use_id":"c_0","content":"one"},)"
            R"({"type":"tool_result","tool_use_id":"c_0_2"},)"
            R"({"type":"tool_result","tool_use_id":"call","content":[{"type":"text","text":"a"},)"
            R"({"type":"text","text":"b"}]},{"type":"text","text":"go"}]}],)"
            R"("tools":[{"name":"my_tool_6aeaa70fd0a4135b","input_schema":{"type":"object"}},)"
            R"({"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"})");
  EXPECT_THAT(notes_, testing::Contains("tool_calls.arguments: no JSON object, sent as raw_arguments"));
}

TEST_F(AnthropicCodecForeignRequest, WritesMediaAsAnthropicTakesThem) {
  std::vector<Part> parts;
  parts.push_back(MediaPart(Media::Source::kBase64, "image/jpg", "/9j/"));
  parts.push_back(MediaPart(Media::Source::kUrl, "image/*", "https://example.com/a.png"));
  parts.push_back(MediaPart(Media::Source::kBase64, "application/pdf", "JVBE", "a.pdf"));
  parts.push_back(MediaPart(Media::Source::kBase64, "text/plain", "aGVsbG8=", "b.txt"));
  parts.push_back(MediaPart(Media::Source::kText, "text/plain", "hello"));
  parts.push_back(MediaPart(Media::Source::kUrl, "application/pdf", "https://example.com/a.pdf"));
  for (const std::string_view type : {"image/svg+xml", "audio/wav", "video/mp4", "application/zip"})
    parts.push_back(MediaPart(Media::Source::kBase64, type, "AA=="));
  parts.push_back(MediaPart(Media::Source::kUrl, "image/*", "gs://x"));
  parts.push_back(MediaPart(Media::Source::kFileId, "", "file-1"));
  parts.push_back(MediaPart(Media::Source::kText, "text/plain", " "));
  std::vector<Message> messages;
  messages.push_back(Says(Role::kUser, std::move(parts)));
  EXPECT_EQ(
      WriteForeign(std::move(messages)),
      R"("messages":[{"role":"user","content":[)"
      R"({"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"/9j/"}},)"
      R"({"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},)"
      R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"title":"a.pdf"},)"
      R"({"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello"},"title":"b.txt"},)"
      R"({"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello"}},)"
      R"({"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}},)"
      R"({"type":"text","text":"[image omitted]"},{"type":"text","text":"[audio omitted]"},)"
      R"({"type":"text","text":"[video omitted]"},{"type":"text","text":"[file omitted]"},)"
      R"({"type":"text","text":"[image omitted]"},{"type":"text","text":"[file omitted]"},)"
      R"({"type":"text","text":"[file omitted]"}]}])");
}

TEST_F(AnthropicCodecForeignRequest, MarksMediaOfOthersThanTheUser) {
  std::vector<Message> messages;
  messages.push_back(Says(Role::kSystem, {MediaPart(Media::Source::kBase64, "image/png", "AA==")}));
  messages.push_back(Says(Role::kUser, {Text("a")}));
  messages.push_back(Says(Role::kAssistant, {MediaPart(Media::Source::kBase64, "application/pdf", "AA==")}));
  EXPECT_EQ(WriteForeign(std::move(messages)),
            R"("system":[{"type":"text","text":"[image omitted]"}],"messages":[)"
            R"({"role":"user","content":[{"type":"text","text":"a"}]},)"
            R"({"role":"assistant","content":[{"type":"text","text":"[document omitted]"}]}])");
}

TEST_F(AnthropicCodecForeignRequest, ThinkingNeedsStateOfAnthropics) {
  std::vector<Message> messages;
  messages.push_back(Says(Role::kUser, {Text("a")}));
  messages.push_back(Says(Role::kAssistant, {Thinking("x", {{StateKind::kGeminiSignature, "g"}}),
                                             Thinking("y", {{StateKind::kAnthropicSignature, "s"}}),
                                             Thinking("", {{StateKind::kAnthropicRedacted, "r"}}), Text("b")}));
  messages.push_back(Says(Role::kUser, {Text("c")}));
  messages.push_back(Says(Role::kAssistant, {Thinking("only", {})}));
  messages.push_back(Says(Role::kUser, {Text("d")}));
  EXPECT_EQ(WriteForeign(std::move(messages)),
            R"("messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[)"
            R"({"type":"thinking","thinking":"y","signature":"s"},{"type":"redacted_thinking","data":"r"},)"
            R"({"type":"text","text":"b"}]},{"role":"user","content":[{"type":"text","text":"c"},)"
            R"({"type":"text","text":"d"}]}])");
  EXPECT_THAT(notes_, testing::Contains("messages.reasoning_content: dropped"));
}

TEST_F(AnthropicCodecForeignRequest, TrimsALastAssistantsText) {
  std::vector<Message> messages;
  messages.push_back(Says(Role::kUser, {Text("a")}));
  messages.push_back(Says(Role::kAssistant, {Text("I say \n")}));
  EXPECT_THAT(WriteForeign(std::move(messages)), HasSubstr(R"("text":"I say"})"));
  EXPECT_THAT(notes_, testing::Contains(HasSubstr("white space")));
  Part refusal = Text("No. ");
  refusal.kind = PartKind::kRefusal;
  messages.clear();
  messages.push_back(Says(Role::kUser, {Text("a")}));
  messages.push_back(Says(Role::kAssistant, {refusal}));
  EXPECT_THAT(WriteForeign(std::move(messages)), HasSubstr(R"("text":"No."})"));
}

TEST_F(AnthropicCodecForeignRequest, WritesForeignTools) {
  ModelRequest request;
  request.messages.push_back(Says(Role::kUser, {Text("a")}));
  for (const auto& [kind, name] : std::vector<std::pair<Tool::Kind, std::string>>{{Tool::Kind::kFunction, "a b"},
                                                                                  {Tool::Kind::kFunction, "a b"},
                                                                                  {Tool::Kind::kCustom, "patch"},
                                                                                  {Tool::Kind::kWebSearch, ""},
                                                                                  {Tool::Kind::kOther, "x"},
                                                                                  {Tool::Kind::kFunction, ""}}) {
    Tool& tool = request.tools.emplace_back();
    tool.kind = kind;
    tool.name = name;
    tool.parameters = json::object{{"type", json::array{"object", "null"}}, {"x", 1}};
  }
  request.tool_choice.kind = ToolChoice::Kind::kTool;
  request.tool_choice.name = "a b";
  request.tool_choice.parallel = false;
  const std::string body = Write(request);
  ASSERT_EQ(names_.size(), 1U);
  const auto& [valid, given] = *names_.begin();
  EXPECT_THAT(valid, testing::MatchesRegex("a_b_[0-9a-f]{16}"));
  EXPECT_EQ(given, "a b");
  EXPECT_THAT(body, HasSubstr(R"("tools":[{"name":")" + valid +
                              R"(","input_schema":{"type":"object","x":1}},{"name":"patch","input_schema":)"
                              R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}},)"
                              R"({"type":"web_search_20250305","name":"web_search"}],)"
                              R"("tool_choice":{"type":"tool","name":")" +
                              valid + R"(","disable_parallel_tool_use":true}})"));
  EXPECT_THAT(notes_, testing::IsSupersetOf({"tools: a second one of the same name was dropped",
                                             "tools: one that is no function was dropped"}));
}

TEST_F(AnthropicCodecForeignRequest, AForeignBudgetRaisesMaxTokens) {
  const auto written = [this](uint64_t most) {
    ModelRequest request;
    request.messages.push_back(Says(Role::kUser, {Text("a")}));
    request.max_tokens = most;
    request.sampling.temperature = 0.2;
    request.reasoning.mode = Reasoning::Mode::kBudget;
    request.reasoning.budget = 1024;
    return Write(request);
  };
  EXPECT_THAT(written(5120), HasSubstr(R"("max_tokens":5120,)"));
  EXPECT_THAT(written(1025), HasSubstr(R"("max_tokens":1025,)"));  // Fit() left no more room
  EXPECT_THAT(written(1024), HasSubstr(R"("max_tokens":2048,)"));
  EXPECT_THAT(written(100), HasSubstr(R"("max_tokens":1124,)"));
  EXPECT_THAT(written(100), HasSubstr(R"("thinking":{"type":"enabled","budget_tokens":1024}})"));
}

TEST_F(AnthropicCodecForeignRequest, AdaptiveThinkingIsShownToWhoWantsToSeeIt) {
  const auto written = [&](Reasoning::Mode mode, bool include_text) {
    ModelRequest request;
    request.max_tokens = 9;
    request.messages.push_back(Says(Role::kUser, {Text("a")}));
    request.reasoning.mode = mode;
    request.reasoning.include_text = include_text;
    return Write(request);
  };
  EXPECT_THAT(written(Reasoning::Mode::kAdaptive, true),
              HasSubstr(R"("thinking":{"type":"adaptive","display":"summarized"}})"));
  EXPECT_THAT(written(Reasoning::Mode::kAdaptive, false), HasSubstr(R"("thinking":{"type":"adaptive"}})"));
  EXPECT_THAT(written(Reasoning::Mode::kBudget, true), HasSubstr(R"("thinking":{"type":"enabled"}})"));
  EXPECT_THAT(written(Reasoning::Mode::kOff, true), HasSubstr(R"("thinking":{"type":"disabled"}})"));
}

TEST_F(AnthropicCodecForeignRequest, WritesForeignEffortWithAdaptiveThinkingOnly) {
  const auto written = [this](Reasoning::Mode mode) {
    ModelRequest request;
    request.messages.push_back(Says(Role::kUser, {Text("a")}));
    request.reasoning.mode = mode;
    request.reasoning.effort = "high";
    const std::string body = Write(request);
    return body.substr(body.find("]}]") + 3);
  };
  EXPECT_EQ(written(Reasoning::Mode::kAdaptive),
            R"(,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}})");
  EXPECT_EQ(written(Reasoning::Mode::kOff), R"(,"thinking":{"type":"disabled"}})");
  EXPECT_EQ(written(Reasoning::Mode::kUnset), "}");
}

TEST_F(AnthropicCodecForeignRequest, ForeignOutputFormatsAreInstructions) {
  ModelRequest request;
  request.messages.push_back(Says(Role::kUser, {Text("a")}));
  request.output.kind = OutputFormat::Kind::kJsonSchema;
  request.output.schema = json::object{{"x", 1}};
  EXPECT_THAT(Write(request), HasSubstr(R"(match this JSON schema:\n{\"x\":1}"}])"));
  request.output.kind = OutputFormat::Kind::kJson;
  EXPECT_THAT(Write(request), HasSubstr(R"("system":[{"type":"text","text":"Answer with one valid JSON object)"));
}

TEST_F(AnthropicCodecForeignRequest, ForeignMembersAreLeftOutAndNoted) {
  ModelRequest request;
  request.messages.push_back(Says(Role::kUser, {Text("a")}));
  request.messages[0].own["id"] = "x";
  request.messages[0].parts[0].own["annotations"] = json::array{};
  request.own["logit_bias"] = json::object{};
  request.extra = json::object{{"provider", 1}, {"model", "other"}};
  request.sampling.seed = 7;
  request.sampling.temperature = 1.5;
  request.user = std::string(255, 'a') + "\xC3\xA9";
  request.stop = {"\n", "END"};
  EXPECT_EQ(Write(request), R"({"model":"m","max_tokens":4096,"messages":[{"role":"user","content":[)"
                            R"({"type":"text","text":"a"}]}],"temperature":1,"stop_sequences":["END"],)"
                            R"("metadata":{"user_id":")" +
                                std::string(255, 'a') + R"("},"provider":1})");
  EXPECT_THAT(notes_, testing::UnorderedElementsAre("max_tokens: not given, set to 4096", "logit_bias: dropped",
                                                    "seed: dropped", "temperature: moved into 0..1",
                                                    "user: cut to 256 bytes", "stop: blank ones were dropped"));
}

TEST_F(AnthropicCodecForeignRequest, NewerClaudeTakesOneSampler) {
  const auto samplers = [this](std::string_view model, double temperature) {
    ModelRequest request;
    request.messages.push_back(Says(Role::kUser, {Text("a")}));
    request.sampling.temperature = temperature;
    request.sampling.top_p = 0.5;
    const std::string body = Write(request, model);
    return std::pair(body.find("temperature") != body.npos, body.find("top_p") != body.npos);
  };
  EXPECT_EQ(samplers("claude-sonnet-4-5", 0.3), std::pair(true, false));
  EXPECT_EQ(samplers("claude-sonnet-4-5", 1), std::pair(false, true));
  EXPECT_EQ(samplers("claude-3-7-sonnet-latest", 0.3), std::pair(true, true));
  EXPECT_EQ(samplers("kimi-k2", 0.3), std::pair(true, true));
}

TEST_F(AnthropicCodecForeignRequest, ArgumentsTogetherHaveABudget) {
  std::string arguments = R"({"a":[0)";
  for (size_t i = 0; i < kMaxJsonValues / 2; ++i) arguments += ",0";
  arguments += "]}";
  for (const size_t calls : {1, 2}) {
    ModelRequest request;
    request.messages.push_back(Says(Role::kUser, {Text("a")}));
    request.messages.push_back(Says(Role::kAssistant, {}));
    for (size_t i = 0; i < calls; ++i)
      request.messages[1].parts.push_back(Call("c" + std::to_string(i), "f", arguments));
    const auto written = Codec().WriteRequest(request, "m", &notes_);
    EXPECT_EQ(written.status().code(), calls == 1 ? absl::StatusCode::kOk : absl::StatusCode::kResourceExhausted);
  }
}

}  // namespace
}  // namespace ccr::proxy::anthropic::foreign_request_test
