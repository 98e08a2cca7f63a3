// A choice that is narrowed to some of the tools.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "conversation_text.h"
#include "pairs.h"
#include "proxy/formats/conversation/fit.h"

namespace ccr::proxy {
namespace {

using namespace in_words;  // NOLINT
using ::testing::ElementsAre;
using ChoiceKind = ToolChoice::Kind;

class AllowedTools : public ::testing::Test {
 protected:
  AllowedTools() {
    for (const std::string name : {"a", "b", "c"}) request_.tools.emplace_back().name = name;
    Tool& own = request_.tools.emplace_back();
    own.kind = Tool::Kind::kOther;
    own.name = "local_shell";
    Tool& search = request_.tools.emplace_back();
    search.kind = Tool::Kind::kWebSearch;
    search.name = "search";
    search.own["type"] = "web_search";
    Add(&request_, {Say(Role::kUser, "hi")});
  }

  std::vector<std::string> Sent(ChoiceKind kind, std::vector<std::string> allowed) {
    request_.origin = Format::kResponses;
    request_.tool_choice.kind = kind;
    request_.tool_choice.allowed = std::move(allowed);
    Fit({}, Format::kChat, &request_, &notes_);
    EXPECT_EQ(request_.tool_choice.kind, kind);
    EXPECT_TRUE(request_.tool_choice.allowed.empty());
    std::vector<std::string> names;
    for (const Tool& tool : request_.tools) names.push_back(tool.name);
    return names;
  }

  ModelRequest request_;
  Notes notes_;
};

TEST_F(AllowedTools, AreTheOnlyOnes) {
  EXPECT_THAT(Sent(ChoiceKind::kAuto, {"c", "zzz", "a", "web_search"}), ElementsAre("a", "c", "search"));
  EXPECT_THAT(notes_, ElementsAre("tools: only the allowed ones are sent"));
}

TEST_F(AllowedTools, AreAllWhereNoneIsKnown) {
  EXPECT_THAT(Sent(ChoiceKind::kAny, {"zzz", "local_shell"}), ElementsAre("a", "b", "c", "local_shell", "search"));
}

TEST_F(AllowedTools, DoNotMatterWhereNoneIsCalled) {
  EXPECT_THAT(Sent(ChoiceKind::kNone, {"a"}), ElementsAre("a", "b", "c", "local_shell", "search"));
}

// Every format but the client's gets one tool; the client's is told as it came.
TEST(AllowedToolsOfChat, AreNarrowedForEachFormat) {
  const auto asked = [](const std::string& mode, const std::string& name) {
    return R"({"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"first"}},)"
           R"({"type":"function","function":{"name":"second"}}],"tool_choice":{"type":"allowed_tools",)"
           R"("allowed_tools":{"mode":")" +
           mode + R"(","tools":[{"type":"function","function":{"name":")" + name + R"("}}]}}})";
  };
  for (const Format provider : {Format::kAnthropic, Format::kGemini, Format::kResponses}) {
    for (const std::string mode : {"auto", "required"}) {
      for (const std::string name : {"second", "zzz"}) {
        Notes notes;
        const std::string body = MakePair(Format::kChat, provider)->Request(asked(mode, name), "m", &notes)->body;
        EXPECT_EQ(body.find("\"first\"") == body.npos, name == "second") << body;
        EXPECT_NE(body.find("\"second\""), body.npos) << body;
        EXPECT_EQ(body.find("allowed"), body.npos) << body;
        EXPECT_EQ(body.find("\"tools\":[]"), body.npos) << body;
      }
    }
  }
}

}  // namespace
}  // namespace ccr::proxy
