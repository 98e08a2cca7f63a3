// What each transformer makes of a request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pairs.h"
#include "proxy/formats/edited_translation.h"

namespace ccr::proxy {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

struct EditRow {
  std::string name;
  std::string options;
  std::string model;
  std::string body;
  std::string edited;
  Format format = Format::kChat;
};

std::string Edit(const EditRow& row, Notes* notes) {
  Provider provider;
  provider.format = row.format;
  provider.transformers = {{row.name, row.options.empty() ? "{}" : row.options}};
  const TransformerChain chain(provider, row.model);
  const absl::StatusOr<std::string> edited = chain.EditRequest(row.body, notes);
  EXPECT_TRUE(edited.ok()) << edited.status();
  return edited.value_or("");
}

class RequestEditTest : public ::testing::TestWithParam<EditRow> {};

TEST_P(RequestEditTest, GivesTheBody) {
  Notes notes;
  EXPECT_EQ(Edit(GetParam(), &notes), GetParam().edited) << GetParam().name;
}

TEST(ForceReasoning, TheUsersLastTextAsksForIt) {
  const auto edited = [](std::string body) {
    Notes notes;
    return Edit(EditRow{"forcereasoning", "", "m", std::move(body), ""}, &notes);
  };
  const auto asks = ::testing::AllOf(::testing::HasSubstr("<think>"), ::testing::HasSubstr("</think>"));
  EXPECT_THAT(edited(R"({"messages":[{"role":"user","content":"hi"}]})"),
              ::testing::AllOf(asks, ::testing::HasSubstr(R"("content":"hi\n\n)")));
  EXPECT_THAT(edited(R"({"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})"),
              ::testing::AllOf(asks, ::testing::HasSubstr(R"({"type":"text","text":"hi"},{"type":"text",)")));
  for (const std::string body :
       {R"({"messages":[{"role":"user","content":"hi"},{"role":"tool","content":"x"}]})", R"({"messages":[]})",
        R"({"messages":["x"]})", R"({"messages":[{"role":"user"}]})", "{}"}) {
    EXPECT_THAT(edited(body), ::testing::Not(::testing::HasSubstr("think"))) << body;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Limits, RequestEditTest,
    ::testing::Values(
        EditRow{"deepseek", "", "deepseek-chat", R"({"max_tokens":8193})", R"({"max_tokens":8192})"},
        EditRow{"deepseek", "", "v/deepseek-chat", R"({"max_tokens":8192})", R"({"max_tokens":8192})"},
        EditRow{"deepseek", "", "deepseek-coder", R"({"max_completion_tokens":9000})", R"({"max_tokens":8192})"},
        EditRow{"deepseek", "", "deepseek-v4-pro", R"({"max_completion_tokens":9000})", R"({"max_tokens":9000})"},
        EditRow{"deepseek", "", "m", R"({"max_tokens":65536})", R"({"max_tokens":65536})"},
        EditRow{"deepseek", "", "m",
                R"({"messages":[{"role":"assistant","reasoning_content":"old"},{"role":"user"},)"
                R"({"role":"assistant","reasoning_content":"new"},{"role":"tool"}]})",
                R"({"messages":[{"role":"assistant","reasoning_content":"old"},{"role":"user"},)"
                R"({"role":"assistant","reasoning_content":"new"},{"role":"tool"}]})"},
        EditRow{"maxtoken", R"({"max_tokens":100})", "m", R"({"max_tokens":101,"max_completion_tokens":500})",
                R"({"max_tokens":100,"max_completion_tokens":100})"},
        EditRow{"maxtoken", R"({"max_tokens":100})", "m", R"({"max_tokens":99})", R"({"max_tokens":99})"},
        EditRow{"maxtoken", R"({"max_tokens":100})", "m", R"({"a":1})", R"({"a":1})"},
        EditRow{"maxtoken", R"({"max_tokens":100})", "m",
                R"({"generationConfig":{"maxOutputTokens":101,"thinkingConfig":{"thinkingBudget":100}}})",
                R"({"generationConfig":{"maxOutputTokens":100,"thinkingConfig":{"thinkingBudget":99}}})",
                Format::kGemini},
        EditRow{"maxtoken", R"({"max_tokens":100})", "m", R"({"generationConfig":{"maxOutputTokens":100}})",
                R"({"generationConfig":{"maxOutputTokens":100}})", Format::kGemini},
        EditRow{"maxtoken", R"({"max_tokens":100})", "m", R"({"contents":[]})", R"({"contents":[]})", Format::kGemini},
        EditRow{"maxtoken", R"({"max_tokens":4000})", "m",
                R"({"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":8000}})",
                R"({"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":3999}})", Format::kAnthropic},
        EditRow{"maxcompletiontokens", "", "m", R"({"max_tokens":5})", R"({"max_completion_tokens":5})"},
        EditRow{"maxcompletiontokens", "", "m", R"({"max_tokens":5,"max_completion_tokens":6})",
                R"({"max_completion_tokens":6})"},
        EditRow{"maxcompletiontokens", "", "m", R"({"max_tokens":5})", R"({"max_tokens":5})", Format::kAnthropic},
        EditRow{"sampling", R"({"temperature":0.5,"top_k":7,"max_tokens":10,"repetition_penalty":1.1})", "m",
                R"({"temperature":1,"max_tokens":20})",
                R"({"temperature":0.5,"max_tokens":10,"top_k":7,"repetition_penalty":1.1})"},
        EditRow{"sampling", R"({"top_p":0.9,"repetition_penalty":1.1})", "m", R"({"top_p":1})", R"({"top_p":0.9})",
                Format::kAnthropic},
        EditRow{"sampling", R"({"temperature":0.5,"top_p":0.9,"top_k":7,"max_tokens":10,"repetition_penalty":1.1})",
                "m", R"({"contents":[],"generationConfig":{"topP":1,"maxOutputTokens":20}})",
                R"({"contents":[],"generationConfig":{"topP":0.9,"maxOutputTokens":10,"temperature":0.5,"topK":7}})",
                Format::kGemini},
        EditRow{"sampling", R"({"temperature":0.5})", "m", R"({"contents":[]})",
                R"({"contents":[],"generationConfig":{"temperature":0.5}})", Format::kGemini}));

INSTANTIATE_TEST_SUITE_P(
    Marks, RequestEditTest,
    ::testing::Values(
        EditRow{
            "cleancache", "", "m",
            R"({"system":[{"type":"text","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[)"
            R"({"type":"tool_result","content":[{"type":"text","cache_control":{}}],"cache_control":{}}]}],)"
            R"("tools":[{"name":"a","cache_control":{},"input_schema":{"cache_control":{}}}],"cache_control":{}})",
            R"({"system":[{"type":"text"}],"messages":[{"role":"user","content":[)"
            R"({"type":"tool_result","content":[{"type":"text"}]}]}],)"
            R"("tools":[{"name":"a","input_schema":{"cache_control":{}}}]})",
            Format::kAnthropic},
        EditRow{"openrouter", "", "google/gemini", R"({"messages":[{"content":[{"text":"a","cache_control":{}}]}]})",
                R"({"messages":[{"content":[{"text":"a"}]}]})"},
        EditRow{"openrouter", "", "anthropic/claude-x",
                R"({"messages":[{"content":[{"text":"a","cache_control":{}}]}]})",
                R"({"messages":[{"content":[{"text":"a","cache_control":{}}]}]})"},
        EditRow{"openrouter", R"({"provider":{"only":["x"]},"temperature":0})", "m",
                R"({"temperature":1,"reasoning_effort":"high"})",
                R"({"temperature":0,"reasoning":{"effort":"high"},"provider":{"only":["x"]}})"},
        EditRow{
            "groq", "", "llama",
            R"({"reasoning_effort":"low","messages":[{"cache_control":{}}],"tools":[{"function":{"parameters":{"$schema":"s","type":"object"}}}]})",
            R"({"messages":[{}],"tools":[{"function":{"parameters":{"type":"object"}}}]})"},
        EditRow{"groq", "", "openai/gpt-oss-120b", R"({"reasoning_effort":"low"})", R"({"reasoning_effort":"low"})"},
        EditRow{"cerebras", "", "llama",
                R"({"logit_bias":{},"messages":[{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},)"
                R"({"content":[{"type":"image_url"}]}]})",
                R"({"messages":[{"content":"a\n\nb"},{"content":[{"type":"image_url"}]}]})"}));

INSTANTIATE_TEST_SUITE_P(
    Members, RequestEditTest,
    ::testing::Values(
        EditRow{"streamoptions", "", "m", R"({"stream":true,"stream_options":{"x":1}})",
                R"({"stream":true,"stream_options":{"x":1,"include_usage":true}})"},
        EditRow{"streamoptions", "", "m", R"({"stream":false})", R"({"stream":false})"},
        EditRow{"customparams", R"({"a":1,"b":{"c":2,"d":3},"e":[1]})", "m", R"({"a":0,"b":{"c":0},"e":[]})",
                R"({"a":0,"b":{"c":0,"d":3},"e":[]})"},
        EditRow{"customparams", R"({"service_tier":"flex"})", "m", R"({"model":"m"})",
                R"({"model":"m","service_tier":"flex"})", Format::kAnthropic},
        EditRow{"customparams", R"({"safetySettings":[{"category":"C"}],"generationConfig":{"topP":0.5,"seed":1}})",
                "m", R"({"contents":[],"generationConfig":{"topP":1}})",
                R"({"contents":[],"generationConfig":{"topP":1,"seed":1},"safetySettings":[{"category":"C"}]})",
                Format::kGemini},
        EditRow{"deepseek", "", "m", R"({"max_tokens":9000})", R"({"max_tokens":9000})", Format::kGemini},
        EditRow{
            "reasoning", "", "m", R"({"reasoning_effort":"medium"})",
            R"({"reasoning_effort":"medium","thinking":{"type":"enabled","budget_tokens":8192},"enable_thinking":true})"},
        EditRow{"reasoning", "", "m", R"({"a":1})", R"({"a":1})"},
        EditRow{"reasoning", R"({"enable":false})", "m", R"({"reasoning_effort":"medium"})",
                R"({"thinking":{"type":"disabled"},"enable_thinking":false})"},
        EditRow{"tooluse", "", "m", R"({"messages":[],"tools":[]})", R"({"messages":[],"tools":[]})"},
        EditRow{"tooluse", "", "m", R"({"messages":[],"tools":[{}],"tool_choice":"none"})",
                R"({"messages":[],"tools":[{}],"tool_choice":"none"})"},
        EditRow{"enhancetool", "", "m", R"({"a":1.50})", R"({"a":1.5})"}));

// Nothing that is odd about a body, short of not being JSON, stops an edit.
TEST(RequestEdit, TakesAnyObject) {
  const std::vector<std::string> bodies = {
      "{}",
      R"({"messages":1,"tools":{},"system":null,"stream":1,"max_tokens":"x","stream_options":[]})",
      R"({"messages":[1,null,{"content":[1,[{"cache_control":1}]]}],"tools":[1,{"function":1},{"function":{"parameters":[]}}]})",
      R"({"stream":true,"reasoning_effort":[],"thinking":1,"tool_choice":{"type":"function"}})",
      R"({"generationConfig":1})",
      R"({"generationConfig":{"maxOutputTokens":"x","thinkingConfig":[]}})"};
  for (const char* name :
       {"deepseek", "openrouter", "groq", "cerebras", "tooluse", "enhancetool", "reasoning", "maxtoken",
        "maxcompletiontokens", "sampling", "streamoptions", "cleancache", "customparams"}) {
    ASSERT_NE(FindTransformer(name), nullptr) << name;
    for (const std::string& body : bodies) {
      for (const Format format : {Format::kChat, Format::kAnthropic, Format::kGemini}) {
        Notes notes;
        EXPECT_TRUE(ParseJson(Edit({name, R"({"max_tokens":1,"enable":true})", "m", body, "", format}, &notes)).ok());
      }
    }
  }
}

TEST(RequestEdit, TooluseForcesATool) {
  Notes notes;
  const std::string edited =
      Edit({"tooluse", "", "m", R"({"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function"}]})", ""},
           &notes);
  const json::value body = json::parse(edited);
  EXPECT_EQ(body.at("tool_choice"), "required");
  EXPECT_EQ(body.at("tools").at(0).at("function").at("name"), "ExitTool");
  EXPECT_EQ(body.at("tools").as_array().size(), 2U);
  EXPECT_EQ(body.at("messages").at(1).at("role"), "system");
}

TEST(RequestEdit, TooluseLeavesAForcedToolForced) {
  Notes notes;
  const std::string choice = R"("tool_choice":{"type":"function","function":{"name":"a"}})";
  EXPECT_THAT(Edit({"tooluse", "", "m", R"({"messages":[],"tools":[{}],)" + choice + "}", ""}, &notes),
              HasSubstr(choice));
}

TEST(RequestEdit, TooluseKeepsToTheLimitOfTools) {
  json::array tools;
  for (int i = 0; i < 128; ++i) tools.push_back(json::object());
  Notes notes;
  const std::string body = ToJson(json::value{{"messages", json::array()}, {"tools", tools}});
  EXPECT_EQ(Edit({"tooluse", "", "m", body, ""}, &notes), body);
  EXPECT_THAT(notes, Contains(HasSubstr("no room")));
}

TEST(RequestEdit, TellsOnceWhatWasDropped) {
  Notes notes;
  Edit({"groq", "", "m", R"({"messages":[{"cache_control":1},{"cache_control":1}],"reasoning_effort":"low"})", ""},
       &notes);
  EXPECT_THAT(notes, ::testing::ElementsAre("cache_control: dropped", "reasoning_effort: dropped"));
}

TEST(TransformerChain, ProviderThenModelAndNoStranger) {
  Provider provider;
  provider.transformers = {{"maxtoken", R"({"max_tokens":50})"}, {"mystery", "{}"}, {"gemini", "{}"}};
  provider.model_transformers = {{"Model-A", {{"maxcompletiontokens", "{}"}}}};
  Notes notes;
  EXPECT_EQ(*TransformerChain(provider, "model-a").EditRequest(R"({"max_tokens":60})", &notes),
            R"({"max_completion_tokens":50})");
  EXPECT_EQ(*TransformerChain(provider, "b").EditRequest(R"({"max_tokens":60})", &notes), R"({"max_tokens":50})");
  EXPECT_FALSE(TransformerChain(provider, "b").EditRequest("[]", &notes).ok());
  EXPECT_FALSE(TransformerChain(provider, "b").EditsAnswers());
}

TEST(TransformerChain, TellsWhichDoNotKnowTheFormat) {
  Provider provider;
  provider.format = Format::kGemini;
  provider.transformers = {{"deepseek", "{}"}, {"maxtoken", R"({"max_tokens":50})"}, {"enhancetool", "{}"}};
  const auto translation = MakeOpenAiToGemini();
  const EditedTranslation edited(translation.get(), TransformerChain(provider, "m"));
  EXPECT_FALSE(edited.EditsAnswers());
  Notes notes;
  const auto request = edited.Request(R"({"max_tokens":60,"messages":[{"role":"user","content":"hi"}]})", "m", &notes);
  ASSERT_TRUE(request.ok());
  EXPECT_THAT(request->body, HasSubstr(R"("maxOutputTokens":50)"));
  EXPECT_THAT(notes, ::testing::ElementsAre("transformer deepseek: of no effect on the provider's format",
                                            "transformer enhancetool: of no effect on the provider's format",
                                            "maxOutputTokens: lowered to 50"));
}

}  // namespace
}  // namespace ccr::proxy
