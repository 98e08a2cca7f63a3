// Names of tools that OpenAI or Gemini does not take.
#include "proxy/formats/tool_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "pairs.h"
#include "proxy/formats/edited_translation.h"
#include "tests/proxy/formats/gemini_validators.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kLong = "mcp__plugin_server__" + std::string(80, 'x');

TEST(ShortToolName, KeepsWhatFitsAndTellsOthersApart) {
  ToolNames names;
  EXPECT_EQ(ShortToolName(std::string(64, 'a'), &names), std::string(64, 'a'));
  EXPECT_TRUE(names.empty());
  std::set<std::string> given;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = kLong + std::to_string(i);
    const std::string short_name = ShortToolName(name, &names);
    EXPECT_EQ(short_name.size(), 64U);
    EXPECT_TRUE(given.insert(short_name).second) << name;
    EXPECT_EQ(names[short_name], name);
  }
  ToolNames again;
  EXPECT_TRUE(given.contains(ShortToolName(kLong + "7", &again))) << "the same each time, for the prompt cache";
}

TEST(ShortToolName, StaysShortWhereEachCallWouldBringMuchBack) {
  ToolNames names;
  ShortToolName(std::string(kMaxRestoredName, 'a'), &names);
  EXPECT_EQ(names.size(), 1U);
  const std::string longest(kMaxRestoredName + 1, 'a');
  EXPECT_EQ(ShortToolName(longest, &names).size(), kMaxToolName);
  EXPECT_EQ(GeminiToolName(longest, &names).size(), kMaxToolName);
  EXPECT_EQ(names.size(), 1U);
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
