#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "pairs.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class AnthropicOpenAiRequest : public testing::Test {
 protected:
  // Translates, and checks the result by the book.
  std::string Translate(std::string_view body, PairTraits options = {}) {
    const auto request = MakeAnthropicToOpenAi(options)->Request(body, "m", &notes_);
    if (!request.ok()) return request.status().ToString();
    if (!options.keep_reasoning && !options.keep_cache_control) EXPECT_EQ(CheckOpenAiRequest(request->body), "");
    stream_ = request->stream;
    return request->body;
  }

  // The "messages" that Anthropic's messages become.
  std::string Messages(std::string_view messages, PairTraits options = {}) {
    const std::string body = Translate(R"({"messages":)" + std::string(messages) + "}", options);
    const std::string front = R"({"model":"m","messages":)";
    return body.starts_with(front) ? body.substr(front.size(), body.size() - front.size() - 1) : body;
  }

  // What `fields`, put beside one message, become.
  std::string Fields(std::string_view fields) {
    const std::string body = Translate(R"({"messages":[{"role":"user","content":"hi"}],)" + std::string(fields) + "}");
    const std::string front = R"({"model":"m","messages":[{"role":"user","content":"hi"}])";
    return body.starts_with(front) ? body.substr(front.size(), body.size() - front.size() - 1) : body;
  }

  Notes notes_;
  bool stream_ = false;
};

TEST_F(AnthropicOpenAiRequest, TranslatesAWholeRequest) {
  EXPECT_EQ(Translate(R"({"model":"claude-x","max_tokens":1024,"temperature":0.7,"top_p":0.95,"top_k":5,"stream":true,
      "system":"Be brief.","stop_sequences":["END"],"metadata":{"user_id":"u1"},
      "messages":[{"role":"user","content":"How warm is it in Oslo?"}],
      "tools":[{"name":"get_weather","description":"Weather of a place",
                "input_schema":{"type":"object","properties":{"place":{"type":"string"}},"required":["place"]}}],
      "tool_choice":{"type":"auto","disable_parallel_tool_use":true}})"),
            R"({"model":"m","messages":[{"role":"system","content":"Be brief."},)"
            R"({"role":"user","content":"How warm is it in Oslo?"}],"max_tokens":1024,"temperature":0.7,"top_p":0.95,)"
            R"("stop":["END"],"user":"u1","tools":[{"type":"function","function":{"name":"get_weather",)"
            R"("description":"Weather of a place","parameters":{"type":"object","properties":)"
            R"({"place":{"type":"string"}},"required":["place"]}}}],"tool_choice":"auto","parallel_tool_calls":false,)"
            R"("stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_TRUE(stream_);
  EXPECT_THAT(notes_, testing::ElementsAre("top_k: dropped"));
}

TEST_F(AnthropicOpenAiRequest, JoinsSystemBlocksWithoutTheBillingHeader) {
  EXPECT_EQ(Fields(R"("system":[])"), "");
  EXPECT_THAT(Translate(R"({"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=1"},
      {"type":"text","text":"One.","cache_control":{"type":"ephemeral"}},{"type":"text","text":"Two."}],
      "messages":[{"role":"user","content":"hi"}]})"),
              HasSubstr(R"([{"role":"system","content":"One.\n\nTwo."},{"role":"user")"));
  EXPECT_THAT(notes_, Contains(HasSubstr("billing")));
}

TEST_F(AnthropicOpenAiRequest, KeepsSystemMessagesInTheirPlace) {
  EXPECT_EQ(Messages(R"([{"role":"user","content":"a"},{"role":"system","content":[{"type":"text","text":"b"}]},
                         {"role":"user","content":"c"}])"),
            R"([{"role":"user","content":"a"},{"role":"system","content":"b"},{"role":"user","content":"c"}])");
}

TEST_F(AnthropicOpenAiRequest, PutsToolResultsBeforeTheUsersText) {
  EXPECT_EQ(
      Messages(R"([{"role":"assistant","content":[{"type":"text","text":"Let me see."},
        {"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls","n":0.5}},
        {"type":"tool_use","id":"t2","name":"Read","input":{}}]},
      {"role":"user","content":[{"type":"text","text":"and now?"},
        {"type":"tool_result","tool_use_id":"t1","content":"a.txt"},
        {"type":"tool_result","tool_use_id":"t2","is_error":true,"content":[{"type":"text","text":"no"},{"type":"text","text":"file"}]}]}])"),
      R"([{"role":"assistant","content":"Let me see.","tool_calls":[)"
      R"({"id":"t1","type":"function","function":{"name":"Bash","arguments":"{\"command\":\"ls\",\"n\":0.5}"}},)"
      R"({"id":"t2","type":"function","function":{"name":"Read","arguments":"{}"}}]},)"
      R"({"role":"tool","content":"a.txt","tool_call_id":"t1"},)"
      R"({"role":"tool","content":"Error: no\n\nfile","tool_call_id":"t2"},{"role":"user","content":"and now?"}])");
}

TEST_F(AnthropicOpenAiRequest, CutsGeminisSignaturesOffTheIdsOfCalls) {
  EXPECT_EQ(
      Messages(R"([{"role":"assistant","content":[{"type":"tool_use","id":"call_1__sig_abc","name":"A","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1__sig_abc","content":"x"}]}])"),
      R"([{"role":"assistant","content":null,"tool_calls":[)"
      R"({"id":"call_1","type":"function","function":{"name":"A","arguments":"{}"}}]},)"
      R"({"role":"tool","content":"x","tool_call_id":"call_1"}])");
}

TEST_F(AnthropicOpenAiRequest, MergesTurnsOfOneRole) {
  EXPECT_EQ(Messages(R"([{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"A","input":{}}]},
      {"role":"assistant","content":[{"type":"tool_use","id":"t2","name":"B","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1"},{"type":"text","text":"x"}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":""},{"type":"text","text":"y"}]}])"),
            R"([{"role":"assistant","content":null,"tool_calls":[)"
            R"({"id":"t1","type":"function","function":{"name":"A","arguments":"{}"}},)"
            R"({"id":"t2","type":"function","function":{"name":"B","arguments":"{}"}}]},)"
            R"({"role":"tool","content":"","tool_call_id":"t1"},{"role":"tool","content":"","tool_call_id":"t2"},)"
            R"({"role":"user","content":"x\n\ny"}])");
}

TEST_F(AnthropicOpenAiRequest, TranslatesImages) {
  EXPECT_EQ(Messages(R"([{"role":"user","content":[
        {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},
        {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
        {"type":"image","source":{"type":"file","file_id":"f1"}},{"type":"text","text":"What is it?"}]}])"),
            R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}},)"
            R"({"type":"image_url","image_url":{"url":"https://example.com/a.png"}},)"
            R"({"type":"text","text":"[image omitted]"},{"type":"text","text":"What is it?"}]}])");
  EXPECT_THAT(notes_, Contains(HasSubstr("image")));
}

TEST_F(AnthropicOpenAiRequest, MovesImagesOfToolResultsBehindTheToolMessages) {
  EXPECT_EQ(Messages(R"([{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Read","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[
        {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]}]}])"),
            R"([{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":)"
            R"({"name":"Read","arguments":"{}"}}]},)"
            R"({"role":"tool","content":"[see the next message of the user]","tool_call_id":"t1"},)"
            R"({"role":"user","content":[{"type":"text","text":"In the result of tool call t1:"},)"
            R"({"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]}])");
}

TEST_F(AnthropicOpenAiRequest, GivesEveryCallOneResult) {
  EXPECT_EQ(Messages(R"([{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"A","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t0","content":"old"},{"type":"text","text":"x"}]},
      {"role":"assistant","content":[{"type":"tool_use","id":"t2","name":"A","input":{}}]}])"),
            R"([{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":)"
            R"({"name":"A","arguments":"{}"}}]},{"role":"tool","content":"Error: no result","tool_call_id":"t1"},)"
            R"({"role":"user","content":"old\n\nx"},{"role":"assistant","content":null,"tool_calls":[{"id":"t2",)"
            R"("type":"function","function":{"name":"A","arguments":"{}"}}]},)"
            R"({"role":"tool","content":"Error: no result","tool_call_id":"t2"}])");
  EXPECT_THAT(notes_, SizeIs(2));
}

TEST_F(AnthropicOpenAiRequest, GivesTheUpstreamItsOwnIdsBack) {
  const auto ids = [this](const std::string& second) {
    return Messages(R"([{"role":"assistant","content":[{"type":"tool_use","id":"0_ccr0123abcd","name":"A","input":{}},
                        {"type":"tool_use","id":")" +
                    second + R"(","name":"A","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":")" +
                    second + R"(","content":"b"},
                                  {"type":"tool_result","tool_use_id":"0_ccr0123abcd","content":"a"}]}])");
  };
  EXPECT_EQ(ids("1_ccr4567abcd"),
            R"([{"role":"assistant","content":null,"tool_calls":[)"
            R"({"id":"0","type":"function","function":{"name":"A","arguments":"{}"}},)"
            R"({"id":"1","type":"function","function":{"name":"A","arguments":"{}"}}]},)"
            R"({"role":"tool","content":"a","tool_call_id":"0"},{"role":"tool","content":"b","tool_call_id":"1"}])");
  EXPECT_THAT(ids("0_ccr4567abcd"), HasSubstr(R"("content":"b","tool_call_id":"0_ccr4567abcd")"));  // else alike
  EXPECT_THAT(ids("_ccr4567abcd"), HasSubstr(R"("tool_call_id":"_ccr4567abcd")"));
  EXPECT_THAT(ids("1_ccr4567"), HasSubstr(R"("tool_call_id":"1_ccr4567")"));
}

TEST_F(AnthropicOpenAiRequest, TranslatesDocuments) {
  EXPECT_EQ(Messages(R"([{"role":"user","content":[
        {"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"body"}},
        {"type":"document","source":{"type":"content","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]}},
        {"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}},
        {"type":"search_result","title":"S","source":"src","content":[{"type":"text","text":"found"}]}]}])"),
            R"([{"role":"user","content":"<document title=\"T\">\nbody\n</document>\n\n)"
            R"(<document>\none\n\ntwo\n</document>\n\n<document>\nhttps://example.com/a.pdf\n</document>\n\n)"
            R"(<document title=\"S\">\nsrc\n\nfound\n</document>"}])");
  EXPECT_EQ(Messages(R"([{"role":"user","content":[{"type":"document","title":"a.pdf",
        "source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}]}])"),
            R"([{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf",)"
            R"("file_data":"data:application/pdf;base64,JVBE"}}]}])");
}

TEST_F(AnthropicOpenAiRequest, DropsThinkingUnlessAskedToKeepIt) {
  const std::string_view messages = R"([{"role":"user","content":"q"},{"role":"assistant","content":[
      {"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"x"},
      {"type":"text","text":"a"},{"type":"text","text":"b"}]}])";
  EXPECT_EQ(Messages(messages), R"([{"role":"user","content":"q"},{"role":"assistant","content":"ab"}])");
  EXPECT_THAT(notes_, Contains("messages: thinking of earlier answers dropped"));
  EXPECT_EQ(Messages(messages, {.keep_reasoning = true}),
            R"([{"role":"user","content":"q"},{"role":"assistant","content":"ab","reasoning_content":"hm"}])");
}

TEST_F(AnthropicOpenAiRequest, KeepsCacheControlWhenAsked) {
  EXPECT_EQ(Messages(R"([{"role":"user","content":[{"type":"text","text":"a"},
                {"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}])",
                     {.keep_cache_control = true}),
            R"([{"role":"user","content":[{"type":"text","text":"a"},)"
            R"({"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}])");
}

TEST_F(AnthropicOpenAiRequest, DropsEmptyMessagesAndKeepsPrefill) {
  EXPECT_EQ(Messages(R"([{"role":"user","content":""},{"role":"assistant","content":[]},{"role":"user","content":"x"},
                         {"role":"assistant","content":"{\"a\":"}])"),
            R"([{"role":"user","content":"x"},{"role":"assistant","content":"{\"a\":"}])");
}

TEST_F(AnthropicOpenAiRequest, DropsServerToolsAndTheirBlocks) {
  EXPECT_EQ(Fields(R"("tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"any"})"), "");
  EXPECT_THAT(notes_, Contains("tools: web_search_20250305 dropped"));
  EXPECT_EQ(Messages(R"([{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search"},
      {"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"found"}]}])"),
            R"([{"role":"assistant","content":"found"}])");
}

TEST_F(AnthropicOpenAiRequest, LeavesDeferredToolsOutUntilTheyAreNamed) {
  const std::string tools = R"(,"tools":[{"name":"A"},{"name":"B","defer_loading":true}])";
  EXPECT_THAT(Fields(tools.substr(1)), testing::AllOf(HasSubstr(R"("name":"A")"), Not(HasSubstr(R"("name":"B")"))));
  EXPECT_THAT(notes_, Contains("tools: a deferred one left out"));
  EXPECT_THAT(
      Fields(R"("tools":[{"type":"tool_search_tool_regex_20251119","name":"s"},{"name":"B","defer_loading":true}])"),
      HasSubstr(R"("name":"B")"));
  EXPECT_THAT(Translate(R"({"messages":[{"role":"assistant","content":[
      {"type":"tool_use","id":"s","name":"A","input":{}}]},{"role":"user","content":[{"type":"tool_result",
      "tool_use_id":"s","content":[{"type":"tool_reference","tool_name":"B"}]}]}])" +
                        tools + "}"),
              testing::AllOf(HasSubstr(R"("content":"Tool available: B")"), HasSubstr(R"("function":{"name":"B")")));
}

TEST_F(AnthropicOpenAiRequest, TranslatesToolChoices) {
  const std::string tools = R"("tools":[{"type":"custom","name":"A"},{"type":"bash_20250124","name":"bash"}],)";
  const std::string front =
      R"(,"tools":[{"type":"function","function":{"name":"A","parameters":{"type":"object","properties":{}}}}],)";
  EXPECT_EQ(Fields(tools + R"("tool_choice":{"type":"any"})"), front + R"("tool_choice":"required")");
  EXPECT_EQ(Fields(tools + R"("tool_choice":{"type":"none"})"), front + R"("tool_choice":"none")");
  EXPECT_EQ(Fields(tools + R"("tool_choice":{"type":"tool","name":"A"})"),
            front + R"("tool_choice":{"type":"function","function":{"name":"A"}})");
  EXPECT_EQ(Fields(tools + R"("tool_choice":{"type":"tool","name":"bash"})"), front + R"("tool_choice":"auto")");
}

TEST_F(AnthropicOpenAiRequest, TranslatesThinkingToEffort) {
  const auto effort = [](std::string_view level) { return R"(,"reasoning_effort":")" + std::string(level) + '"'; };
  EXPECT_EQ(Fields(R"("thinking":{"type":"enabled","budget_tokens":1024})"), effort("low"));
  EXPECT_EQ(Fields(R"("thinking":{"type":"enabled","budget_tokens":1025})"), effort("medium"));
  EXPECT_EQ(Fields(R"("thinking":{"type":"enabled","budget_tokens":8192})"), effort("medium"));
  EXPECT_EQ(Fields(R"("thinking":{"type":"enabled","budget_tokens":8193})"), effort("high"));
  EXPECT_EQ(Fields(R"("thinking":{"type":"adaptive"})"), effort("medium"));
  EXPECT_EQ(Fields(R"("thinking":{"type":"adaptive"},"output_config":{"effort":"max"})"), effort("high"));
  EXPECT_EQ(Fields(R"("output_config":{"effort":"low"})"), effort("low"));
  EXPECT_EQ(Fields(R"("thinking":{"type":"disabled"})"), "");
}

TEST_F(AnthropicOpenAiRequest, TranslatesOutputFormats) {
  const std::string wanted =
      R"(,"response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object"}}})";
  EXPECT_EQ(Fields(R"("output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}})"), wanted);
  EXPECT_EQ(Fields(R"("output_format":{"type":"json_schema","schema":{"type":"object"}})"), wanted);
}

TEST_F(AnthropicOpenAiRequest, CutsWhatOpenAiLimits) {
  EXPECT_EQ(Fields(R"("stop_sequences":["1","2","3","4","5"])"), R"(,"stop":["1","2","3","4"])");
  EXPECT_EQ(Fields(R"("metadata":{"user_id":")" + std::string(63, 'u') + R"(é"})"),
            R"(,"user":")" + std::string(63, 'u') + '"');
  EXPECT_THAT(notes_, SizeIs(2));
}

TEST_F(AnthropicOpenAiRequest, SurvivesTextThatJavaScriptCut) {
  EXPECT_EQ(Messages(R"([{"role":"user","content":"a\ud83d"}])"),
            "[{\"role\":\"user\",\"content\":\"a\xEF\xBF\xBD\"}]");
}

TEST_F(AnthropicOpenAiRequest, SaysWhatIsWrong) {
  const auto error = [this](std::string_view body) {
    const auto request = MakeAnthropicToOpenAi()->Request(body, "m", &notes_);
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
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":[{}]}]})"), HasSubstr("type"));
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":[{"type":"tool_result"}]}]})"), HasSubstr("tool_use_id"));
  EXPECT_THAT(error(R"({"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"x"}]}]})"),
              HasSubstr("name"));
  EXPECT_THAT(error(R"({"system":1,"messages":[{"role":"user","content":"a"}]})"), HasSubstr("system"));
}

TEST_F(AnthropicOpenAiRequest, NotesEveryUnknownFieldAndNothingElse) {
  Fields(R"("context_management":{"edits":[]},"service_tier":"auto")");
  EXPECT_THAT(notes_, testing::ElementsAre("context_management: dropped", "service_tier: dropped"));
  notes_.clear();
  Fields(R"("max_tokens":1)");
  EXPECT_THAT(notes_, IsEmpty());
}

}  // namespace
}  // namespace ccr::proxy
