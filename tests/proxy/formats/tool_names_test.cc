// Names of tools that a provider does not take.
#include "proxy/formats/tool_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pairs.h"
#include "proxy/formats/edited_translation.h"
#include "rules.h"
#include "tests/proxy/formats/gemini_validators.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kLong = "mcp__plugin_server__" + std::string(80, 'x');

TEST(OpenAiToolName, KeepsWhatFitsAndTellsOthersApart) {
  ToolNames names;
  EXPECT_EQ(OpenAiToolName(std::string(64, 'a'), &names), std::string(64, 'a'));
  EXPECT_TRUE(names.empty());
  std::set<std::string> given;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = kLong + std::to_string(i);
    const std::string short_name = OpenAiToolName(name, &names);
    EXPECT_EQ(short_name.size(), 64U);
    EXPECT_TRUE(given.insert(short_name).second) << name;
    EXPECT_EQ(names[short_name], name);
  }
  ToolNames again;
  EXPECT_TRUE(given.contains(OpenAiToolName(kLong + "7", &again))) << "the same each time, for the prompt cache";
}

TEST(OpenAiToolName, StaysShortWhereEachCallWouldBringMuchBack) {
  ToolNames names;
  OpenAiToolName(std::string(kMaxRestoredName, 'a'), &names);
  EXPECT_EQ(names.size(), 1U);
  const std::string longest(kMaxRestoredName + 1, 'a');
  EXPECT_EQ(OpenAiToolName(longest, &names).size(), kMaxToolName);
  EXPECT_EQ(GeminiToolName(longest, &names).size(), kMaxToolName);
  EXPECT_EQ(names.size(), 1U);
}

TEST(ToolNames, OfOneAlphabetStayApart) {
  for (const auto valid_name : {OpenAiToolName, AnthropicToolName}) {
    ToolNames names;
    EXPECT_EQ(valid_name("a_b-C1", &names), "a_b-C1");
    EXPECT_EQ(valid_name("", &names), "unnamed");
    EXPECT_TRUE(names.empty());
    std::set<std::string> given = {"a_b"};
    for (const std::string& name : {std::string("a.b"), std::string("a:b"), std::string("srv.a:b"),
                                    std::string(129, 'a'), std::string(129, 'b'), std::string("\xC3\xA9")}) {
      const std::string valid = valid_name(name, &names);
      EXPECT_TRUE(rules::IsName(valid, valid_name == AnthropicToolName ? 128 : 64)) << valid;
      EXPECT_TRUE(given.insert(valid).second) << name;
      EXPECT_EQ(names[valid], name);
    }
  }
}

// Each of two tools is declared, and called by its own name.
TEST(ToolNames, OfTwoToolsThatWouldBeAlikeBothArrive) {
  const std::string body = R"({"messages":[{"role":"user","content":"hi"}],"tools":[)"
                           R"({"type":"function","function":{"name":"a.b","parameters":{}}},)"
                           R"({"type":"function","function":{"name":"a_b","parameters":{}}}],)"
                           R"("tool_choice":{"type":"function","function":{"name":"a.b"}}})";
  FormatPairOptions options;
  options.client = Format::kChat;
  options.provider = Format::kAnthropic;
  FormatPair pair(options);
  Notes notes;
  const TranslatedRequest request = *pair.Request(body, "m", &notes);
  const json::value sent = json::parse(request.body);
  ASSERT_EQ(sent.at("tools").as_array().size(), 2U);
  const std::string first(sent.at("tools").at(0).at("name").as_string());
  EXPECT_EQ(sent.at("tools").at(1).at("name").as_string(), "a_b");
  EXPECT_EQ(sent.at("tool_choice").at("name").as_string(), first);
  pair.Expect(request);
  const auto called = [&](const std::string& name) {
    return *pair.Response(R"({"id":"m","type":"message","role":"assistant","content":[{"type":"tool_use","id":"t",)"
                          R"("name":")" +
                              name + R"(","input":{}}],"stop_reason":"tool_use"})",
                          &notes);
  };
  EXPECT_THAT(called(first), HasSubstr(R"("name":"a.b")"));
  EXPECT_THAT(called("a_b"), HasSubstr(R"("name":"a_b")"));
}

TEST(ToolNames, OfGeminisClientsReachOpenAi) {
  const std::string body = R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":)"
                           R"([{"name":"srv.a:b"}]}]})";
  for (const Format provider : {Format::kChat, Format::kResponses}) {
    Notes notes;
    const TranslatedRequest request = *MakePair(Format::kGemini, provider)->Request(body, "m", &notes);
    EXPECT_THAT(request.body, Not(HasSubstr("srv.a:b")));
    ASSERT_EQ(request.tool_names.size(), 1U);
    EXPECT_EQ(request.tool_names.begin()->second, "srv.a:b");
  }
}

// In one format, names go as they came: answers are not read there.
TEST(ToolNames, OfTheSameFormatStay) {
  ProviderRules rules;
  rules.max_output = 1;
  for (const auto& [format, body] : std::vector<std::pair<Format, std::string>>{
           {Format::kAnthropic, R"({"max_tokens":9,"messages":[{"role":"user","content":"a"}],"tools":[{"name":"a.b",)"
                                R"("input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"a.b"}})"},
           {Format::kResponses, R"({"max_output_tokens":9,"input":[{"type":"message","role":"user","content":"a"},)"
                                R"({"type":"function_call","call_id":"1","name":"a.b","arguments":"{}"},)"
                                R"({"type":"function_call_output","call_id":"1","output":"x"}],)"
                                R"("tools":[{"type":"function","name":"a.b","parameters":{}}]})"}}) {
    Notes notes;
    const TranslatedRequest request = *MakePair(format, format, rules)->Request(body, "m", &notes);
    EXPECT_THAT(request.body, HasSubstr(R"("name":"a.b")"));
    EXPECT_THAT(request.body, Not(HasSubstr("a_b")));
    EXPECT_TRUE(request.tool_names.empty());
  }
}

class LongNamesTest : public ::testing::Test {
 protected:
  LongNamesTest() {
    const std::string body = R"({"max_tokens":5,"messages":[{"role":"user","content":"hi"},)"
                             R"({"role":"assistant","content":[{"type":"tool_use","id":"t","name":")" +
                             kLong +
                             R"(","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}],)"
                             R"("tools":[{"name":")" +
                             kLong + R"(","input_schema":{}}],"tool_choice":{"type":"tool","name":")" + kLong + "\"}}";
    Notes notes;
    request_ = *edited_.Request(body, "m", &notes);
    edited_.RestoreTools(request_.tool_names);
    short_ = request_.tool_names.begin()->first;
  }

  std::unique_ptr<Translation> inner_ = MakeAnthropicToOpenAi();
  EditedTranslation edited_{inner_.get(), TransformerChain(Provider(), "m")};
  TranslatedRequest request_;
  std::string short_;
};

TEST_F(LongNamesTest, TheRequestHoldsShortOnesEverywhere) {
  EXPECT_EQ(CheckOpenAiRequest(request_.body), "");
  EXPECT_THAT(request_.body, Not(HasSubstr(kLong)));
  EXPECT_EQ(request_.tool_names.size(), 1U);
  const json::value body = json::parse(request_.body);
  EXPECT_EQ(body.at("tool_choice").at("function").at("name").as_string(), short_);
  EXPECT_EQ(body.at("messages").at(1).at("tool_calls").at(0).at("function").at("name").as_string(), short_);
}

TEST_F(LongNamesTest, AnswersHaveTheClients) {
  Notes notes;
  const std::string call =
      R"([{"index":0,"id":"a","type":"function","function":{"name":")" + short_ + R"(","arguments":"{}"}}])";
  EXPECT_THAT(*edited_.Response(R"({"choices":[{"message":{"tool_calls":)" + call + "}}]}", &notes),
              HasSubstr(R"("name":")" + kLong + "\""));
  const std::unique_ptr<StreamTranslator> stream = edited_.Stream("m", {});
  std::string out;
  for (const char c : R"(data: {"choices":[{"delta":{"tool_calls":)" + call + "}}]}\n\n") stream->Feed({&c, 1}, &out);
  stream->Feed("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n", &out);
  stream->Finish(false, &out);
  EXPECT_THAT(out, HasSubstr(R"("name":")" + kLong + "\""));
}

TEST(GeminiToolName, KeepsWhatFitsAndTellsOthersApart) {
  ToolNames names;
  for (const std::string& name : {std::string(64, 'a'), std::string("_a.b:c-1")}) {
    EXPECT_EQ(GeminiToolName(name, &names), name);
  }
  EXPECT_EQ(GeminiToolName("", &names), "unnamed");
  EXPECT_TRUE(names.empty());
  std::set<std::string> given;
  for (const std::string& name : {std::string(65, 'a'), std::string(65, 'b'), std::string(66, 'a'), std::string("1a"),
                                  std::string("-a"), std::string("a b"), std::string("a/b"), std::string("\xC3\xA9")}) {
    const std::string valid = GeminiToolName(name, &names);
    EXPECT_LE(valid.size(), 64U) << name;
    EXPECT_TRUE(std::isalpha(static_cast<unsigned char>(valid[0])) != 0 || valid[0] == '_') << valid;
    EXPECT_TRUE(given.insert(valid).second) << name;
    EXPECT_EQ(names[valid], name);
  }
}

// Both kinds of clients in front of Gemini.
class GeminiNamesTest : public ::testing::Test {
 protected:
  void Ask(const Translation& inner, const std::string& body) {
    Notes notes;
    edited_.emplace(&inner, TransformerChain(Provider(), "m"));
    TranslatedRequest request = *edited_->Request(body, "m", &notes);
    EXPECT_EQ(CheckGeminiRequest(request.body), "");
    EXPECT_THAT(request.body, Not(HasSubstr(kLong)));
    EXPECT_EQ(request.tool_names.size(), 1U);
    const json::value sent = json::parse(request.body);
    short_ = sent.at("tools").at(0).at("functionDeclarations").at(0).at("name").as_string().c_str();
    EXPECT_EQ(sent.at("contents").at(1).at("parts").at(0).at("functionCall").at("name").as_string(), short_);
    EXPECT_EQ(sent.at("contents").at(2).at("parts").at(0).at("functionResponse").at("name").as_string(), short_);
    EXPECT_EQ(sent.at("toolConfig").at("functionCallingConfig").at("allowedFunctionNames").at(0).as_string(), short_);
    edited_->RestoreTools(std::move(request.tool_names));
  }
  void ExpectTheClientsNames() {
    const std::string answer =
        R"({"candidates":[{"content":{"role":"model","parts":[{"text":"a"},{"functionCall":{"name":")" + short_ +
        R"(","args":{}}}]},"finishReason":"STOP"}]})";
    Notes notes;
    EXPECT_THAT(*edited_->Response(answer, &notes), HasSubstr(R"("name":")" + kLong + "\""));
    const std::unique_ptr<StreamTranslator> stream = edited_->Stream("m", {});
    std::string out;
    for (const char c : "data: " + answer + "\n\n") stream->Feed({&c, 1}, &out);
    stream->Finish(false, &out);
    EXPECT_FALSE(stream->failed());
    EXPECT_THAT(out, HasSubstr(R"("name":")" + kLong + "\""));
    EXPECT_THAT(out, Not(HasSubstr(short_)));
  }

  std::optional<EditedTranslation> edited_;
  std::string short_;
};

TEST_F(GeminiNamesTest, OfAnAnthropicClient) {
  const auto translation = MakeAnthropicToGemini();
  Ask(*translation, R"({"max_tokens":5,"messages":[{"role":"user","content":"hi"},)"
                    R"({"role":"assistant","content":[{"type":"tool_use","id":"t","name":")" +
                        kLong +
                        R"(","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}],)"
                        R"("tools":[{"name":")" +
                        kLong + R"(","input_schema":{}}],"tool_choice":{"type":"tool","name":")" + kLong + "\"}}");
  ExpectTheClientsNames();
}

TEST_F(GeminiNamesTest, OfAnOpenAiClient) {
  const auto translation = MakeOpenAiToGemini();
  Ask(*translation,
      R"({"messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"t","type":"function",)"
      R"("function":{"name":")" +
          kLong + R"(","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t","content":"x"}],"tools":[)" +
          R"({"type":"function","function":{"name":")" + kLong +
          R"("}}],"tool_choice":{"type":"function","function":{"name":")" + kLong + "\"}}}");
  ExpectTheClientsNames();
}

}  // namespace
}  // namespace ccr::proxy
