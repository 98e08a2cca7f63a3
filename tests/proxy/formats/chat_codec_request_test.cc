// Requests of Chat Completions: read, and written back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "proxy/formats/chat/codec.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::chat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

ModelRequest Read(std::string_view body) {
  Notes notes;
  absl::StatusOr<ModelRequest> request = Codec().ReadRequest(body, &notes);
  EXPECT_TRUE(request.ok()) << request.status() << "\n" << body;
  return request.ok() ? *std::move(request) : ModelRequest();
}

// `messages` is a list of them.
ModelRequest ReadMessages(const std::string& messages) {
  return Read(R"({"model":"m","messages":)" + messages + "}");
}

std::string Write(const ModelRequest& request, Notes* notes = nullptr) {
  Notes none;
  const auto written = Codec().WriteRequest(request, "m", notes == nullptr ? &none : notes);
  EXPECT_TRUE(written.ok()) << written.status();
  EXPECT_TRUE(ParseJson(written->body).ok()) << written->body;
  return written->body;
}

// ---- The same format loses nothing.

class ChatCodecSame : public testing::TestWithParam<const char*> {};

TEST_P(ChatCodecSame, ReadAndWrittenIsTheSame) {
  const std::string body = GetParam();
  EXPECT_EQ(json::parse(Write(Read(body))), json::parse(body)) << Write(Read(body));
}

const char* const kSame[] = {
    R"({"model":"m","messages":[{"role":"user","content":"hi"}]})",
    R"({"model":"m","messages":[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
        {"role":"system","content":"late","name":"boss"},{"role":"user","content":"","name":"ann"}]})",
    R"({"model":"m","messages":[{"role":"user","content":[
        {"type":"text","text":"t","cache_control":{"type":"ephemeral"}},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,aGk=","detail":"low"}},
        {"type":"image_url","image_url":{"url":"https://example.com/a.png"},"cache_control":{"type":"ephemeral"}},
        {"type":"image_url","image_url":{"url":"ftp://example.com/a.png"}},
        {"type":"image_url","image_url":"https://example.com/b.png"},
        {"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},
        {"type":"file","file":{"file_id":"file-1"}},
        {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}},
        {"type":"video_url","video_url":{"url":"https://example.com/a.mp4"}}]}]})",
    R"({"model":"m","messages":[{"role":"user","content":"q"},
        {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
          {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
          {"id":"b","type":"custom","custom":{"name":"c","input":"text"}},
          {"id":"c","type":"function","function":{"name":"f","arguments":""},
           "extra_content":{"google":{"thought_signature":"abc="}}}]},
        {"role":"tool","tool_call_id":"a","content":"one"},
        {"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"two"}]},
        {"role":"tool","tool_call_id":"c","content":""},
        {"role":"assistant","content":"done","refusal":"no","reasoning":"why",
         "reasoning_details":[{"type":"reasoning.text","text":"why","signature":"s","index":0}]}]})",
    R"({"model":"m","messages":[{"role":"user","content":"q"},
        {"role":"assistant","content":"","function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"r"},
        {"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},
          {"type":"text","text":"a"},{"type":"refusal","refusal":"no"}],"audio":{"id":"x"}}],
        "functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}})",
    R"({"model":"m","messages":[{"role":"user","content":"q"}],"tools":[
        {"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true},
         "cache_control":{"type":"ephemeral"}},
        {"type":"function","function":{"name":"g"}},
        {"type":"custom","custom":{"name":"c","description":"d","format":{"type":"text"}}},
        {"type":"builtin_function","function":{"name":"$web_search"}},
        {"type":"web_search","web_search":{"enable":true}}],
        "tool_choice":{"type":"custom","custom":{"name":"c"}},"parallel_tool_calls":true,
        "web_search_options":{"search_context_size":"low"}})",
    R"({"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}}],
        "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[
          {"type":"function","function":{"name":"f"}}]}}})",
    R"({"model":"m","messages":[{"role":"user","content":"q"}],"max_completion_tokens":5,"temperature":0.5,"top_p":1,
        "top_k":3,"presence_penalty":-1,"frequency_penalty":2,"seed":-7,"stop":"x","user":"u","safety_identifier":"s",
        "prompt_cache_key":"k","reasoning_effort":"none","response_format":{"type":"json_object"},"stream":true,
        "stream_options":{"include_usage":true,"include_obfuscation":false},"n":2,"logprobs":true,
        "logit_bias":{"1":2},"metadata":{"a":"b"},"unknown":null})",
    R"({"model":"m","messages":[{"role":"user","content":"q"}],"max_tokens":5,"stop":["1","2","3","4","5"],
        "safety_identifier":"s","reasoning":{"effort":"high","exclude":true},"thinking":{"type":"disabled"},
        "enable_thinking":false,"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d",
        "schema":{"type":"object"},"strict":true}},"stream":true})",
    R"({"model":"m","messages":[{"role":"user","content":"q"}],"reasoning":{"max_tokens":100},"temperature":"hot",
        "max_tokens":-1,"seed":1.5,"stop":7,"response_format":{"type":"text"},"tool_choice":{"type":"weird"}})"};

INSTANTIATE_TEST_SUITE_P(ChatCodec, ChatCodecSame, testing::ValuesIn(kSame));

// ---- Reading.

TEST(ChatCodecRequest, ReadsRolesAndPutsResultsTogether) {
  const ModelRequest request = ReadMessages(R"([{"role":"system","content":"s"},{"role":"developer","content":"d"},
      {"role":"user","content":"u"},{"role":"assistant","tool_calls":[
        {"id":"a__sig_abc","type":"function","function":{"name":"f","arguments":"{}"}},
        {"id":7,"function":{"name":"g","arguments":{"x":1}}}]},
      {"role":"tool","tool_call_id":"a__sig_abc","content":"1"},{"role":"function","name":"g","content":"2"}])");
  ASSERT_THAT(request.messages, SizeIs(5));
  EXPECT_EQ(request.messages[0].role, Role::kSystem);
  EXPECT_EQ(request.messages[1].role, Role::kDeveloper);
  EXPECT_EQ(request.messages[2].parts[0].text, "u");
  const std::vector<Part>& calls = request.messages[3].parts;
  ASSERT_THAT(calls, SizeIs(2));
  EXPECT_EQ(calls[0].id, "a");
  EXPECT_THAT(calls[0].state, ElementsAre(OpaqueState{StateKind::kGeminiSignature, "abc="}));
  EXPECT_EQ(calls[1].id, "7");
  EXPECT_EQ(calls[1].text, R"({"x":1})");
  const std::vector<Part>& results = request.messages[4].parts;
  EXPECT_EQ(request.messages[4].role, Role::kTool);
  ASSERT_THAT(results, SizeIs(2));
  EXPECT_EQ(results[0].id, "a");
  EXPECT_EQ(results[1].name, "g");
  EXPECT_EQ(results[1].id, "");
  EXPECT_EQ(results[1].content[0].text, "2");
}

TEST(ChatCodecRequest, ReadsMedia) {
  const ModelRequest request = ReadMessages(R"([{"role":"user","content":["plain",
      {"type":"image_url","image_url":{"url":"data:image/jpg;base64,aGk=","detail":"low"}},
      {"type":"image_url","image_url":{"url":"https://example.com/a.png"}},
      {"type":"image_url","image_url":{"url":"data:image/png,plain"}},
      {"type":"file","file":{"file_data":"JVBERi0x","filename":"a.pdf"}},{"type":"file","file":{"file_id":"f1"}},
      {"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},{"type":"x","text":"said"},{"type":"y"}]}])");
  const std::vector<Part>& parts = request.messages[0].parts;
  ASSERT_THAT(parts, SizeIs(9));
  EXPECT_EQ(parts[0].text, "plain");
  EXPECT_EQ(parts[1].media, (Media{Media::Source::kBase64, "image/jpeg", "aGk=", "", "low"}));
  EXPECT_EQ(parts[2].media, (Media{Media::Source::kUrl, "image/*", "https://example.com/a.png", "", ""}));
  EXPECT_EQ(parts[3].kind, PartKind::kOther);
  EXPECT_EQ(parts[3].text, "[image omitted]");
  EXPECT_EQ(parts[4].media, (Media{Media::Source::kBase64, "application/pdf", "JVBERi0x", "a.pdf", ""}));
  EXPECT_EQ(parts[5].media, (Media{Media::Source::kFileId, "", "f1", "", ""}));
  EXPECT_EQ(parts[6].media, (Media{Media::Source::kBase64, "audio/mp3", "AAAA", "", ""}));
  EXPECT_EQ(parts[7].text, "said");
  EXPECT_EQ(parts[8].text, "[content part omitted]");
}

TEST(ChatCodecRequest, ReadsCacheControlOfPartsMessagesAndTools) {
  const ModelRequest request = Read(R"({"messages":[{"role":"user","content":"a","cache_control":{"type":"e"}},
      {"role":"user","content":[{"type":"text","text":"b","cache_control":{"type":"e"}}]},
      {"role":"tool","tool_call_id":"t","content":"c","cache_control":{"type":"e"}}],
      "tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"e"}}]})");
  const json::value mark = {{"type", "e"}};
  for (const Message& message : request.messages) EXPECT_EQ(message.parts[0].cache_control, mark);
  EXPECT_EQ(request.tools[0].cache_control, mark);
}

TEST(ChatCodecRequest, ReadsThinkingInFront) {
  const ModelRequest request = ReadMessages(R"([{"role":"assistant","content":"a","reasoning":"hm"},
      {"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]},
      {"role":"assistant","content":"a","reasoning_content":""}])");
  const Part& thinking = request.messages[0].parts[0];
  EXPECT_EQ(thinking.kind, PartKind::kThinking);
  EXPECT_EQ(thinking.text, "hm");
  const Part& details = request.messages[1].parts[0];
  EXPECT_EQ(details.kind, PartKind::kThinking);
  EXPECT_EQ(details.text, "");
  EXPECT_THAT(details.state, ElementsAre(OpaqueState{StateKind::kChatReasoningDetails,
                                                     R"([{"type":"reasoning.encrypted","data":"x"}])"}));
  ASSERT_THAT(request.messages[2].parts, SizeIs(2));  // some providers ask for the member
  EXPECT_EQ(request.messages[2].parts[0].kind, PartKind::kThinking);
}

TEST(ChatCodecRequest, ReadsHowThinkingIsAskedFor) {
  const auto read = [](const std::string& fields) {
    return Read(R"({"messages":[{"role":"user","content":"q"}],)" + fields + "}").reasoning;
  };
  using Mode = Reasoning::Mode;
  EXPECT_EQ(read(R"("reasoning_effort":"high")").effort, "high");
  EXPECT_EQ(read(R"("reasoning_effort":"high")").mode, Mode::kUnset);
  EXPECT_EQ(read(R"("reasoning_effort":"none")").mode, Mode::kOff);
  EXPECT_EQ(read(R"("reasoning":{"effort":"low"})").effort, "low");
  EXPECT_EQ(read(R"("reasoning":{"enabled":false,"effort":"low"})").mode, Mode::kOff);
  EXPECT_EQ(read(R"("reasoning":{"max_tokens":9})").budget, 9U);
  EXPECT_EQ(read(R"("thinking":{"type":"enabled"})").mode, Mode::kAdaptive);
  EXPECT_EQ(read(R"("thinking":{"type":"enabled","budget_tokens":9})").mode, Mode::kBudget);
  EXPECT_EQ(read(R"("thinking":{"type":"disabled"},"reasoning_effort":"high")").mode, Mode::kOff);
  EXPECT_EQ(read(R"("enable_thinking":true,"thinking_budget":9)").budget, 9U);
  EXPECT_EQ(read(R"("chat_template_kwargs":{"enable_thinking":false},"thinking_budget":9)").mode, Mode::kOff);
}

// Writers of other formats note the members of `own` that are not null.
TEST(ChatCodecRequest, WhatIsReadLeavesNothingToNote) {
  const ModelRequest request = Read(R"({"messages":[{"role":"user","content":"q"}],"max_completion_tokens":9,"stop":"x",
      "max_tokens":null,"temperature":1,"user":"u","stream":true,"stream_options":{"include_usage":true},
      "reasoning_effort":"low","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto"})");
  EXPECT_EQ(request.max_tokens, 9U);
  EXPECT_THAT(request.stop, ElementsAre("x"));
  for (const json::key_value_pair& member : request.own) EXPECT_TRUE(member.value().is_null()) << member.key();
}

TEST(ChatCodecRequest, ReadsToolsAndTheirChoice) {
  const ModelRequest request = Read(R"({"messages":[{"role":"user","content":"q"}],"tools":[{"name":"bare"},
      {"type":"custom","custom":{"name":"c"}},{"type":"function"},7],"functions":[{"name":"old"}],
      "web_search_options":{},"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"name":"bare"}]},
      "parallel_tool_calls":false})");
  using Kind = Tool::Kind;
  ASSERT_THAT(request.tools, SizeIs(5));
  EXPECT_EQ(request.tools[0].name, "bare");
  EXPECT_EQ(request.tools[1].kind, Kind::kCustom);
  EXPECT_EQ(request.tools[2].kind, Kind::kOther);
  EXPECT_EQ(request.tools[3].name, "old");
  EXPECT_EQ(request.tools[4].kind, Kind::kWebSearch);
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kAuto);
  EXPECT_THAT(request.tool_choice.allowed, ElementsAre("bare"));
  EXPECT_EQ(request.tool_choice.parallel, false);
  const ModelRequest legacy = Read(R"({"messages":[{"role":"user","content":"q"}],"function_call":{"name":"old"}})");
  EXPECT_EQ(legacy.tool_choice.kind, ToolChoice::Kind::kTool);
  EXPECT_EQ(legacy.tool_choice.name, "old");
}

TEST(ChatCodecRequest, SaysWhatIsWrong) {
  const auto error = [](const std::string& body) {
    Notes notes;
    const auto request = Codec().ReadRequest(body, &notes);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << body;
    return std::string(request.status().message());
  };
  EXPECT_THAT(error("{"), HasSubstr("JSON"));
  EXPECT_THAT(error("[]"), HasSubstr("object"));
  EXPECT_THAT(error("{}"), HasSubstr("messages"));
  EXPECT_THAT(error(R"({"messages":[]})"), HasSubstr("messages"));
  EXPECT_THAT(error(R"({"messages":[1]})"), HasSubstr("messages"));
  EXPECT_THAT(error(R"({"messages":[{"role":"x","content":""}]})"), HasSubstr("role"));
}

TEST(ChatCodecRequest, RefusesMoreArgumentsThanItsBudget) {
  std::string zeros = "0";
  for (size_t i = 1; i < kMaxJsonValues / 2; ++i) zeros += ",0";
  const std::string call = R"({"id":"c","function":{"name":"n","arguments":"{\"a\":[)" + zeros + R"(]}"}})";
  const auto status = [](const std::string& calls) {
    Notes notes;
    return Codec().ReadRequest(R"({"messages":[{"role":"assistant","tool_calls":[)" + calls + "]}]}", &notes).status();
  };
  EXPECT_TRUE(status(call).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(status(call + "," + call)));
}

}  // namespace
}  // namespace ccr::proxy::chat
