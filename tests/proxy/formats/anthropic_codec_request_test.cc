#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/anthropic/codec.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::anthropic::request_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::string Pretty(std::string_view text) {
  const auto parsed = ParseJson(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed.ok() ? ToJson(*parsed) : std::string();
}

class AnthropicCodecRequest : public testing::Test {
 protected:
  ModelRequest Read(std::string_view body) {
    absl::StatusOr<ModelRequest> request = Codec().ReadRequest(body, &notes_);
    EXPECT_TRUE(request.ok()) << request.status() << "\n" << body;
    return request.ok() ? *std::move(request) : ModelRequest();
  }
  // `messages` is a JSON array.
  ModelRequest ReadMessages(std::string_view messages) { return Read(R"({"messages":)" + std::string(messages) + "}"); }

  std::string Write(const ModelRequest& request) {
    const absl::StatusOr<WrittenRequest> written = Codec().WriteRequest(request, "m", &notes_);
    EXPECT_TRUE(written.ok()) << written.status();
    if (!written.ok()) return {};
    EXPECT_TRUE(ParseJson(written->body).ok()) << written->body;
    return written->body;
  }

  Notes notes_;
};

// What Claude Code sends, with all that has a place of its own in the conversation and much that has not.
constexpr std::string_view kWhole = R"({"model":"m","max_tokens":32000,
  "system":[{"type":"text","text":"You are kind.","cache_control":{"type":"ephemeral"}}],
  "messages":[
    {"role":"user","content":[{"type":"text","text":"Look.","cache_control":{"type":"ephemeral","ttl":"1h"}},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},
      {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
      {"type":"image","source":{"type":"file","file_id":"f1"}},
      {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"title":"T",
       "cache_control":{"type":"ephemeral"}},
      {"type":"document","source":{"type":"text","media_type":"text/plain","data":"body"},"citations":{"enabled":true}},
      {"type":"document","source":{"type":"content","content":[{"type":"text","text":"one"},
        {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]},"title":"C","context":"x"},
      {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"context":"ctx"},
      {"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}},
      {"type":"search_result","source":"src","title":"S","content":[{"type":"text","text":"found"}]},
      {"type":"container_upload","file_id":"f2"}]},
    {"role":"system","content":[{"type":"text","text":"Be brief."}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"sig"},
      {"type":"redacted_thinking","data":"xyz"},{"type":"text","text":"See","citations":[{"type":"x"}]},
      {"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}},
      {"type":"web_search_tool_result","tool_use_id":"s","content":[]},
      {"type":"tool_use","id":"t1","name":"A","input":{"x":0.5},"caller":{"type":"direct"}},
      {"type":"tool_use","id":"t2","name":"B","input":{}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"t1","content":"ok"},
      {"type":"tool_result","tool_use_id":"t2","content":[{"type":"tool_reference","tool_name":"B"},
        {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}],"is_error":true,
       "cache_control":{"type":"ephemeral"}},
      {"type":"text","text":"Go on."}]}],
  "tools":[{"name":"A","description":"d","input_schema":{"type":"object","properties":{}},
            "cache_control":{"type":"ephemeral"},"strict":true},
           {"name":"B","input_schema":{"type":"object"},"defer_loading":true,"type":"custom"},
           {"type":"web_search_20250305","name":"web_search","max_uses":5,"cache_control":{"type":"ephemeral"}},
           {"type":"bash_20250124","name":"bash"}],
  "tool_choice":{"type":"tool","name":"bash","disable_parallel_tool_use":true},
  "thinking":{"type":"adaptive","display":"omitted"},"temperature":1,"top_p":0.9,"top_k":5,"stop_sequences":["END"],
  "metadata":{"user_id":"u","more":1},
  "output_config":{"effort":"xhigh","format":{"type":"json_schema","schema":{"type":"object"}},"task_budget":{"n":1}},
  "stream":true,"context_management":{"edits":[]},"service_tier":"auto"})";

TEST_F(AnthropicCodecRequest, ReadingAndWritingLosesNothing) {
  EXPECT_EQ(Pretty(Write(Read(kWhole))), Pretty(kWhole));
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(AnthropicCodecRequest, WhatIsSaidInShortIsWrittenInFull) {
  for (
      const auto& [given, written] : std::vector<std::pair<std::string, std::string>>{
          {R"("system":"S","messages":[{"role":"user","content":"a"}])",
           R"("system":[{"type":"text","text":"S"}],"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}])"},
          {R"("messages":[{"role":"user","content":[]},{"role":"assistant","content":""}])",
           R"("messages":[{"role":"user","content":[{"type":"text","text":"Continue."}]}])"},
          {R"("messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}])",
           R"("messages":[{"role":"user","content":[{"type":"text","text":"a"}]},)"
           R"({"role":"user","content":[{"type":"text","text":"b"}]}])"}}) {
    EXPECT_EQ(Write(Read(R"({"max_tokens":9,)" + given + "}")), R"({"model":"m","max_tokens":9,)" + written + "}");
  }
}

TEST_F(AnthropicCodecRequest, OutputFormatStaysWhereItWas) {
  const std::string body =
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],)"
      R"("output_format":{"type":"json_schema","schema":{"type":"object"}}})";
  ModelRequest request = Read(body);
  EXPECT_EQ(request.output.kind, OutputFormat::Kind::kJsonSchema);
  EXPECT_EQ(ToJson(request.output.schema), R"({"type":"object"})");
  EXPECT_EQ(Write(request), body);
}

TEST_F(AnthropicCodecRequest, WhatIsLeftOfAMemberThatWasTakenAwayIsNotWritten) {
  ModelRequest request = Read(
      R"({"max_tokens":9,"messages":[{"role":"user","content":"a"}],"thinking":{"type":"adaptive","display":"omitted"},
          "output_format":{"type":"json_schema","schema":{}}})");
  request.reasoning.mode = Reasoning::Mode::kUnset;
  request.output = OutputFormat();
  EXPECT_THAT(Write(request), Not(testing::AnyOf(HasSubstr("thinking"), HasSubstr("output_format"))));
}

TEST_F(AnthropicCodecRequest, SystemStandsInFrontWithoutTheBillingHeader) {
  const ModelRequest request = Read(R"({"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=1"},
      {"type":"text","text":"One."}],"messages":[{"role":"user","content":"hi"},{"role":"system","content":"Two."}]})");
  ASSERT_THAT(request.messages, SizeIs(3));
  EXPECT_EQ(request.messages[0].role, Role::kSystem);
  ASSERT_THAT(request.messages[0].parts, SizeIs(1));
  EXPECT_EQ(request.messages[0].parts[0].text, "One.");
  EXPECT_EQ(request.messages[2].role, Role::kSystem);
  EXPECT_THAT(notes_, ElementsAre("system: billing header block dropped"));
  EXPECT_THAT(Read(R"({"system":"","messages":[{"role":"user","content":"hi"}]})").messages, SizeIs(1));
}

TEST_F(AnthropicCodecRequest, ResultsStandInFrontOfTheRestOfTheirMessage) {
  const ModelRequest request = ReadMessages(R"([{"role":"user","content":[{"type":"text","text":"and now?"},
      {"type":"tool_result","tool_use_id":"t1","content":"a"},{"type":"tool_result","tool_use_id":"t2"}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t3"}]}])");
  ASSERT_THAT(request.messages, SizeIs(3));
  EXPECT_EQ(request.messages[0].role, Role::kTool);
  EXPECT_THAT(request.messages[0].parts, SizeIs(2));
  EXPECT_FALSE(request.messages[0].continues);
  EXPECT_EQ(request.messages[1].role, Role::kUser);
  EXPECT_TRUE(request.messages[1].continues);
  EXPECT_EQ(request.messages[2].role, Role::kTool);
}

TEST_F(AnthropicCodecRequest, BlocksOfAnthropicsOwnHaveATextForOthers) {
  const ModelRequest request = ReadMessages(R"([{"role":"user","content":[
      {"type":"document","title":"C","source":{"type":"content","content":[{"type":"text","text":"one"},
        {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},{"type":"text","text":"two"}]}},
      {"type":"search_result","title":"S","source":"src","content":[{"type":"text","text":"found"}]},
      {"type":"tool_reference","tool_name":"B"},{"type":"image","source":{"type":"new"}},{"type":"new"}]}])");
  const std::vector<Part>& parts = request.messages[0].parts;
  ASSERT_THAT(parts, SizeIs(6));
  EXPECT_EQ(parts[0].kind, PartKind::kOther);
  EXPECT_EQ(parts[0].text, "<document title=\"C\">\none\n\ntwo\n</document>");
  EXPECT_EQ(parts[1].kind, PartKind::kMedia);
  EXPECT_EQ(parts[1].media.data, "https://example.com/a.png");
  EXPECT_EQ(parts[2].text, "<document title=\"S\">\nsrc\n\nfound\n</document>");
  EXPECT_EQ(parts[3].text, "Tool available: B");
  EXPECT_EQ(parts[3].name, "B");
  EXPECT_EQ(parts[4].text, "[image omitted]");
  EXPECT_EQ(parts[5].kind, PartKind::kOther);
  EXPECT_EQ(parts[5].text, "");
}

TEST_F(AnthropicCodecRequest, StateIsTakenOutOfSignaturesAndIds) {
  const OpaqueStates packed = {{StateKind::kResponsesReasoning, R"({"id":"rs"})"}};
  const std::string id = IdWithState("0_ccr0123abcd", {{StateKind::kGeminiSignature, "c2ln"}});
  const ModelRequest request = ReadMessages(
      R"([{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"own"},
      {"type":"thinking","thinking":"b","signature":")" +
      PackStates(packed) + R"("},{"type":"thinking","thinking":"c","signature":""},
      {"type":"redacted_thinking","data":"red"},{"type":"tool_use","id":")" +
      id + R"(","name":"A","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":")" + id +
      R"("}]}])");
  const std::vector<Part>& parts = request.messages[0].parts;
  ASSERT_THAT(parts, SizeIs(5));
  EXPECT_THAT(parts[0].state, ElementsAre(OpaqueState{StateKind::kAnthropicSignature, "own"}));
  EXPECT_EQ(parts[1].state, packed);
  EXPECT_THAT(parts[2].state, IsEmpty());
  EXPECT_THAT(parts[3].state, ElementsAre(OpaqueState{StateKind::kAnthropicRedacted, "red"}));
  EXPECT_THAT(parts[4].state, ElementsAre(OpaqueState{StateKind::kGeminiSignature, "c2ln"}));
  EXPECT_EQ(parts[4].id, "0");
  EXPECT_EQ(request.messages[1].parts[0].id, "0");
}

TEST_F(AnthropicCodecRequest, CallsOfOneTurnThatWouldBeAlikeKeepTheirMarks) {
  const ModelRequest request = ReadMessages(R"([
      {"role":"assistant","content":[{"type":"tool_use","id":"0_ccr0123abcd","name":"A","input":{}}]},
      {"role":"assistant","content":[{"type":"tool_use","id":"0_ccr4567abcd","name":"A"}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"0_ccr4567abcd"},
        {"type":"tool_result","tool_use_id":"0_ccr0123abcd"},{"type":"tool_result","tool_use_id":"9_ccr0123abcd"}]},
      {"role":"assistant","content":[{"type":"tool_use","id":"0_ccr9999abcd","name":"A","input":null}]}])");
  EXPECT_EQ(request.messages[0].parts[0].id, "0");
  EXPECT_EQ(request.messages[1].parts[0].id, "0_ccr4567abcd");
  EXPECT_EQ(request.messages[1].parts[0].text, "{}");
  EXPECT_EQ(request.messages[2].parts[0].id, "0_ccr4567abcd");
  EXPECT_EQ(request.messages[2].parts[1].id, "0");
  EXPECT_EQ(request.messages[2].parts[2].id, "9");
  EXPECT_EQ(request.messages[3].parts[0].id, "0");
}

TEST_F(AnthropicCodecRequest, ReadsToolsByTheirTypes) {
  const ModelRequest request = Read(kWhole);
  ASSERT_THAT(request.tools, SizeIs(4));
  EXPECT_EQ(request.tools[0].kind, Tool::Kind::kFunction);
  EXPECT_EQ(request.tools[0].description, "d");
  EXPECT_FALSE(request.tools[0].strict.has_value());
  EXPECT_FALSE(request.tools[0].deferred);
  EXPECT_EQ(request.tools[1].kind, Tool::Kind::kFunction);
  EXPECT_TRUE(request.tools[1].deferred);
  EXPECT_EQ(request.tools[2].kind, Tool::Kind::kWebSearch);
  EXPECT_EQ(request.tools[3].kind, Tool::Kind::kOther);
  EXPECT_EQ(request.tools[3].name, "bash");
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kTool);
  EXPECT_EQ(request.tool_choice.parallel, false);
}

TEST_F(AnthropicCodecRequest, ReadsThinkingAndEffort) {
  const auto reasoning = [this](const std::string& members) {
    return Read(R"({"messages":[{"role":"user","content":"a"}],)" + members + "}").reasoning;
  };
  EXPECT_EQ(reasoning(R"("thinking":{"type":"enabled","budget_tokens":2000})").mode, Reasoning::Mode::kBudget);
  EXPECT_EQ(reasoning(R"("thinking":{"type":"enabled","budget_tokens":2000})").budget, 2000u);
  EXPECT_EQ(reasoning(R"("thinking":{"type":"adaptive"},"output_config":{"effort":"max"})").mode,
            Reasoning::Mode::kAdaptive);
  EXPECT_EQ(reasoning(R"("thinking":{"type":"adaptive"},"output_config":{"effort":"max"})").effort, "max");
  EXPECT_EQ(reasoning(R"("thinking":{"type":"disabled"})").mode, Reasoning::Mode::kOff);
  EXPECT_EQ(reasoning(R"("stream":true)").mode, Reasoning::Mode::kUnset);
  EXPECT_TRUE(reasoning(R"("thinking":{"type":"adaptive"})").include_text);
  EXPECT_FALSE(reasoning(R"("thinking":{"type":"adaptive","display":"omitted"})").include_text);
}

TEST_F(AnthropicCodecRequest, SaysWhatIsWrong) {
  const auto error = [this](std::string_view body) {
    const auto request = Codec().ReadRequest(body, &notes_);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << body;
    return std::string(request.status().message());
  };
  EXPECT_THAT(error("{"), HasSubstr("JSON"));
  EXPECT_THAT(error("[]"), HasSubstr("object"));
  EXPECT_THAT(error("{}"), HasSubstr("messages"));
  EXPECT_THAT(error(R"({"messages":[]})"), HasSubstr("messages"));
  EXPECT_THAT(error(R"({"messages":[1]})"), HasSubstr("messages.0"));
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":"a"},{"role":"x","content":""}]})"),
              HasSubstr("messages.1: role"));
  EXPECT_THAT(error(R"({"messages":[{"role":"user"}]})"), HasSubstr("content"));
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":1}]})"), HasSubstr("content"));
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":[{}]}]})"), HasSubstr("type"));
  EXPECT_THAT(error(R"({"messages":[{"role":"assistant","content":[1]}]})"), HasSubstr("type"));
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":[{"type":"tool_result"}]}]})"), HasSubstr("tool_use_id"));
  EXPECT_THAT(error(R"({"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"x"}]}]})"),
              HasSubstr("name"));
  EXPECT_THAT(error(R"({"system":1,"messages":[{"role":"user","content":"a"}]})"), HasSubstr("system"));
}

TEST_F(AnthropicCodecRequest, TakesMembersOfWrongTypes) {
  for (const std::string_view member :
       {"max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "stream", "tools", "tool_choice", "thinking",
        "metadata", "output_config", "output_format", "model", "context_management"}) {
    for (const std::string_view value : {"null", "[]", "{}", "1", "-1", "\"x\"", "[1]", "[{}]", "true"}) {
      const std::string body =
          std::string(R"({"messages":[{"role":"user","content":"a"}],")").append(member).append("\":").append(value) +
          "}";
      EXPECT_THAT(Write(Read(body)), HasSubstr(R"("text":"a")")) << body;
    }
  }
}

TEST_F(AnthropicCodecRequest, ThinkingOfItsOwnClientsMayBeUnsigned) {
  const std::string body =
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},)"
      R"({"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":""},)"
      R"({"type":"text","text":"b"}]},{"role":"user","content":[{"type":"text","text":"c"}]}]})";
  EXPECT_EQ(Write(Read(body)), body);
}

TEST_F(AnthropicCodecRequest, ABudgetOfItsOwnClientsLeavesMaxTokens) {
  const std::string own = R"({"model":"m","max_tokens":2000,"messages":[{"role":"user","content":[)"
                          R"({"type":"text","text":"a"}]}],"thinking":{"type":"enabled","budget_tokens":1999}})";
  EXPECT_EQ(Write(Read(own)), own);
}

}  // namespace
}  // namespace ccr::proxy::anthropic::request_test
