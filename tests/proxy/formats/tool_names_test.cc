// Names of tools that OpenAI takes no more.
#include "proxy/formats/tool_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "proxy/formats/anthropic_openai.h"
#include "proxy/formats/edited_translation.h"
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
  EXPECT_THAT(out, HasSubstr(R"("name":")" + kLong + "\""));
}

}  // namespace
}  // namespace ccr::proxy
