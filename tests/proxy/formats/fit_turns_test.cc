// Who speaks when, behind Fit(): system text, calls and their results, text beside them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "conversation_text.h"
#include "proxy/formats/conversation/fit.h"

namespace ccr::proxy {
namespace {

using namespace in_words;  // NOLINT

struct TurnCase {
  std::string name;
  std::vector<Message> given;
  std::string fitted;
  Format provider = Format::kChat;
  ProviderRules rules = {};
};

ProviderRules SystemAnywhere() {
  ProviderRules rules;
  rules.system = ProviderRules::System::kAnywhere;
  return rules;
}

ProviderRules NoUserAfterTool() {
  ProviderRules rules;
  rules.user_after_tool = false;
  return rules;
}

std::vector<TurnCase> Cases() {
  const Role system = Role::kSystem;
  const Role user = Role::kUser;
  const Role assistant = Role::kAssistant;
  const Role tool = Role::kTool;
  const std::string folded_e = "<system>\nE\n</system>";
  return {
      {"plain", {Say(system, "S"), Say(user, "hi")}, "system(S) user(hi)"},
      {"system_behind_user",
       {Say(system, "S"), Say(user, "hi"), Say(system, "E")},
       "system(S) user(hi, " + folded_e + ")"},
      {"system_kept_where_it_may_stand",
       {Say(system, "S"), Say(user, "hi"), Say(system, "E")},
       "system(S) user(hi) system(E)",
       Format::kChat,
       SystemAnywhere()},
      {"system_never_later_for_anthropic",
       {Say(user, "hi"), Say(system, "E")},
       "user(hi, " + folded_e + ")",
       Format::kAnthropic,
       SystemAnywhere()},
      {"system_never_later_for_gemini",
       {Say(user, "hi"), Say(system, "E")},
       "user(hi, " + folded_e + ")",
       Format::kGemini,
       SystemAnywhere()},
      {"two_leading_systems", {Say(system, "S"), Say(system, "T"), Say(user, "hi")}, "system(S, T) user(hi)"},
      {"system_between_answers",
       {Say(user, "hi"), Say(assistant, "a"), Say(system, "E"), Say(user, "b")},
       "user(hi) assistant(a) user(" + folded_e + ", b)"},
      {"system_behind_results",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(tool, {Result("1", "x")}), Say(system, "E")},
       "user(hi) assistant(A#1) tool(A#1=x) user+(" + folded_e + ")"},
      {"system_before_results",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(system, "E"), Say(tool, {Result("1", "x")})},
       "user(hi) assistant(A#1) tool(A#1=x) user+(" + folded_e + ")"},
      {"system_into_the_last_result",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(tool, {Result("1", "x")}), Say(system, "E")},
       "user(hi) assistant(A#1) tool(A#1=x+" + folded_e + ")",
       Format::kChat,
       NoUserAfterTool()},
      {"system_behind_a_call_without_result",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(system, "E")},
       "user(hi) assistant(A#1) tool(A#1!=no result) user+(" + folded_e + ")"},
      {"a_new_turn_behind_text_beside_a_result",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(tool, {Result("1", "x")}), Say(user, {Text("r")}, true),
        Say(user, "new")},
       "user(hi) assistant(A#1) tool(A#1=x) user(r, new)"},
      {"developer_is_system", {Say(Role::kDeveloper, "D"), Say(user, "hi")}, "system(D) user(hi)"},
      {"text_beside_a_result",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(tool, {Result("1", "x")}), Say(user, {Text("r")}, true)},
       "user(hi) assistant(A#1) tool(A#1=x) user+(r)"},
      {"text_into_the_last_result",
       {Say(user, "hi"), Say(assistant, {Call("1"), Call("2", "B")}), Say(tool, {Result("1", "x"), Result("2", "y")}),
        Say(user, {Text("r"), Image()}, true)},
       "user(hi) assistant(A#1, B#2) tool(A#1=x, B#2=y+r+[image omitted])",
       Format::kChat,
       NoUserAfterTool()},
      {"media_of_results_without_user",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(tool, {Result("1", {Text("x"), Image()})})},
       "user(hi) assistant(A#1) tool(A#1=x+[image omitted])",
       Format::kChat,
       NoUserAfterTool()},
      {"results_in_order",
       {Say(user, "hi"), Say(assistant, {Call("1"), Call("2", "B")}), Say(tool, {Result("2", "y")}),
        Say(tool, {Result("1", "x")})},
       "user(hi) assistant(A#1, B#2) tool(A#1=x, B#2=y)"},
      {"call_without_result",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(user, "go on")},
       "user(hi) assistant(A#1) tool(A#1!=no result) user(go on)"},
      {"call_without_result_to_anthropic",
       {Say(user, "hi"), Say(assistant, {Call("1")})},
       "user(hi) assistant(A#1) tool(A#1!=The call was not answered.)",
       Format::kAnthropic},
      {"result_without_call",
       {Say(user, "hi"), Say(assistant, "a"), Say(tool, {Result("9", {Text("x")}, true)})},
       "user(hi) assistant(a) user+(Error: x)"},
      {"second_result_of_a_call",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(tool, {Result("1", "x"), Result("1", "y")})},
       "user(hi) assistant(A#1) tool(A#1=x) user+(y)"},
      {"late_result",
       {Say(user, "hi"), Say(assistant, {Call("1")}), Say(user, "no"), Say(assistant, "a"),
        Say(tool, {Result("1", "x")})},
       "user(hi) assistant(A#1) tool(A#1!=no result) user(no) assistant(a) user+(x)"},
      {"equal_ids",
       {Say(user, "hi"), Say(assistant, {Call("1"), Call("1", "B")}), Say(tool, {Result("1", "x"), Result("1", "y")}),
        Say(assistant, {Call("1")}), Say(tool, {Result("1", "z")})},
       "user(hi) assistant(A#1, B#1_2) tool(A#1=x, B#1_2=y) assistant(A#1_3) tool(A#1_3=z)"},
      {"no_ids",
       {Say(user, "hi"), Say(assistant, {Call(""), Call("", "B")})},
       "user(hi) assistant(A#call, B#call_2) tool(A#call!=no result, B#call_2!=no result)"},
      {"ids_that_anthropic_takes",
       {Say(user, "hi"), Say(assistant, {Call("a.b"), Call("a:b", "B")}),
        Say(tool, {Result("a:b", "y"), Result("a.b", "x")})},
       "user(hi) assistant(A#a_b, B#a_b_2) tool(A#a_b=x, B#a_b_2=y)",
       Format::kAnthropic},
      {"assistant_first",
       {Say(assistant, "a"), Say(user, "b")},
       "user(Continue.) assistant(a) user(b)",
       Format::kAnthropic},
      {"assistant_first_of_a_chat", {Say(assistant, "a"), Say(user, "b")}, "assistant(a) user(b)"},
      {"nothing", {}, "user(Continue.)", Format::kGemini},
      {"nothing_of_a_chat", {}, "user(Continue.)"},
      {"system_alone", {Say(system, "S")}, "system(S) user(Continue.)", Format::kAnthropic},
      {"empty_user_between",
       {Say(user, "hi"), Say(assistant, "a"), Say(user, " "), Say(assistant, "b")},
       "user(hi) assistant(a) user(Continue.) assistant(b)"},
      {"empty_assistant", {Say(user, "hi"), Say(assistant, " \n"), Say(user, "b")}, "user(hi, b)"},
      {"thinking_alone_is_no_answer", {Say(user, "hi"), Say(assistant, {Think("R")}), Say(user, "b")}, "user(hi, b)"},
      {"equal_roles",
       {Say(user, "a"), Say(user, "b"), Say(assistant, "c"), Say(assistant, {Call("1")}),
        Say(tool, {Result("1", "x")})},
       "user(a, b) assistant(c, A#1) tool(A#1=x)"},
  };
}

TEST(FitTurnsTest, SpeakInOrder) {
  std::vector<TurnCase> cases = Cases();
  for (TurnCase& one : cases) {
    SCOPED_TRACE(one.name);
    ModelRequest request;
    Notes notes;
    Add(&request, std::move(one.given));
    Fit(one.rules, one.provider, &request, &notes);
    EXPECT_EQ(Show(request), one.fitted);
  }
}

TEST(FitTurnsTest, SameFormatFoldsSystemTextToo) {
  ModelRequest request;
  Notes notes;
  Add(&request, {Say(Role::kSystem, "S"), Say(Role::kUser, "hi"), Say(Role::kAssistant, {Call("1")}),
                 Say(Role::kTool, {Result("1", "x")}), Say(Role::kSystem, "E")});
  ASSERT_TRUE(FitSame({}, false, &request, &notes));
  EXPECT_EQ(Show(request), "system(S) user(hi) assistant(A#1) tool(#1=x) user+(<system>\nE\n</system>)");
  EXPECT_THAT(notes, testing::ElementsAre("messages: a system message behind others became the user's text"));
}

TEST(FitTurnsTest, AnthropicGetsItsOwnSystemTextAsItCame) {
  ModelRequest request;
  Notes notes;
  request.origin = Format::kAnthropic;
  Add(&request, {Say(Role::kSystem, "S"), Say(Role::kUser, "hi"), Say(Role::kSystem, "E")});
  EXPECT_FALSE(FitSame({}, false, &request, &notes));
  EXPECT_EQ(Show(request), "system(S) user(hi) system(E)");
}

TEST(FitTurnsTest, SameFormatKeepsWhatIsBroken) {
  ModelRequest request;
  Notes notes;
  const std::string given = "user(hi) assistant(A#1) assistant( ) user()";
  Add(&request, {Say(Role::kUser, "hi"), Say(Role::kAssistant, {Call("1")}), Say(Role::kAssistant, " "),
                 Say(Role::kUser, std::vector<Part>{})});
  EXPECT_FALSE(FitSame({}, false, &request, &notes));
  EXPECT_EQ(Show(request), given);
  EXPECT_TRUE(notes.empty());
}

TEST(FitTurnsTest, SameFormatPutsTheUsersTextIntoResults) {
  ModelRequest request;
  Notes notes;
  Add(&request, {Say(Role::kUser, "hi"), Say(Role::kAssistant, {Call("1")}), Say(Role::kTool, {Result("1", "x")}),
                 Say(Role::kUser, "r")});
  ASSERT_TRUE(FitSame(NoUserAfterTool(), false, &request, &notes));
  EXPECT_EQ(Show(request), "user(hi) assistant(A#1) tool(#1=x+r)");
}

TEST(FitTurnsTest, SameFormatAlternatesWhereTheRulesSaySo) {
  ProviderRules rules;
  rules.alternate = true;
  ModelRequest request;
  Notes notes;
  Add(&request, {Say(Role::kUser, "a"), Say(Role::kUser, "b"), Say(Role::kAssistant, "c")});
  ASSERT_TRUE(FitSame(rules, false, &request, &notes));
  EXPECT_EQ(Show(request), "user(a, b) assistant(c)");
  EXPECT_FALSE(FitSame(rules, false, &request, &notes));
}

TEST(FitTurnsTest, DevelopersBecomeSystemUnlessTheProviderKnowsThem) {
  for (const bool knows : {false, true}) {
    ProviderRules rules;
    rules.developer = knows;
    ModelRequest request;
    Notes notes;
    Add(&request, {Say(Role::kDeveloper, "D"), Say(Role::kUser, "hi")});
    EXPECT_EQ(FitSame(rules, false, &request, &notes), !knows);
    EXPECT_EQ(Show(request), knows ? "developer(D) user(hi)" : "system(D) user(hi)");
  }
}

}  // namespace
}  // namespace ccr::proxy
