// What the provider's rules make of a request: thinking, sampling, limits, tools, members it refuses.
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
using Forced = ProviderRules::Forced;
using Mode = Reasoning::Mode;
using Thinking = ProviderRules::Thinking;
using ChoiceKind = ToolChoice::Kind;

ProviderRules With(Thinking thinking, std::vector<std::string> efforts = {}) {
  ProviderRules rules;
  rules.thinking = thinking;
  rules.efforts = std::move(efforts);
  return rules;
}

std::string Said(const ModelRequest& request) {
  static const std::vector<std::string> kModes = {"", "off", "adaptive", "budget"};
  std::string said = kModes[static_cast<size_t>(request.reasoning.mode)];
  if (request.reasoning.budget) said += " " + std::to_string(*request.reasoning.budget);
  if (!request.reasoning.effort.empty()) said += (said.empty() ? "" : " ") + request.reasoning.effort;
  if (!request.extra.empty()) said += (said.empty() ? "" : " ") + ToJson(json::value(request.extra));
  return said;
}

Reasoning Effort(std::string_view effort, Mode mode = Mode::kUnset) {
  Reasoning reasoning;
  reasoning.effort = effort;
  reasoning.mode = mode;
  return reasoning;
}

Reasoning Budget(uint64_t budget) {
  Reasoning reasoning;
  reasoning.mode = Mode::kBudget;
  reasoning.budget = budget;
  return reasoning;
}

struct AskCase {
  std::string name;
  Format origin, provider;
  Reasoning asked;
  ProviderRules rules;
  std::string said;
};

std::vector<AskCase> Asks() {
  const Format chat = Format::kChat;
  const Format anthropic = Format::kAnthropic;
  const Format gemini = Format::kGemini;
  const Format responses = Format::kResponses;
  const ProviderRules plain;
  const Reasoning off = Effort("high", Mode::kOff);
  const Reasoning adaptive = Effort("", Mode::kAdaptive);
  const std::vector<std::string> low_high = {"low", "high"};
  return {
      {"nothing", anthropic, chat, {}, plain, ""},
      {"small budget", anthropic, chat, Budget(1024), plain, "low"},
      {"budget", anthropic, chat, Budget(8192), plain, "medium"},
      {"large budget", anthropic, chat, Budget(8193), plain, "high"},
      {"adaptive", anthropic, chat, adaptive, plain, "medium"},
      {"effort wins", anthropic, chat, Effort("low", Mode::kAdaptive), plain, "low"},
      {"effort alone", anthropic, chat, Effort("low"), plain, "low"},
      {"max is high", anthropic, chat, Effort("max"), plain, "high"},
      {"max where it is known", anthropic, chat, Effort("max"), With(Thinking::kEffort, {"high", "max"}), "max"},
      {"xhigh of OpenAI's own client", responses, chat, Effort("xhigh"), plain, "xhigh"},
      {"nearest", anthropic, chat, Effort("max"), With(Thinking::kEffort, low_high), "high"},
      {"the stronger of two", anthropic, chat, adaptive, With(Thinking::kEffort, low_high), "high"},
      {"unknown effort", responses, chat, Effort("huge"), With(Thinking::kEffort, low_high), ""},
      {"off", anthropic, chat, off, plain, ""},
      {"off as none", anthropic, chat, off, With(Thinking::kEffort, {"none", "low"}), "none"},
      {"off as object", anthropic, chat, off, With(Thinking::kObject), R"({"thinking":{"type":"disabled"}})"},
      {"off as switch", anthropic, chat, off, With(Thinking::kEnable), R"({"enable_thinking":false})"},
      {"effort none is off", responses, chat, Effort("none"), With(Thinking::kEnable), R"({"enable_thinking":false})"},
      {"off to who never thinks", anthropic, chat, off, With(Thinking::kNone), ""},
      {"on to who never thinks", anthropic, chat, adaptive, With(Thinking::kNone), ""},
      {"on as object", anthropic, chat, adaptive, With(Thinking::kObject), R"({"thinking":{"type":"enabled"}})"},
      {"on as object and effort", anthropic, chat, Effort("max"), With(Thinking::kObject, {"high", "max"}),
       R"(max {"thinking":{"type":"enabled"}})"},
      {"on as switch", anthropic, chat, Budget(2000), With(Thinking::kEnable),
       R"({"enable_thinking":true,"thinking_budget":2000})"},
      {"responses as chat", anthropic, responses, adaptive, plain, "medium"},
      {"low to anthropic", chat, anthropic, Effort("minimal"), plain, "budget 1024"},
      {"medium to anthropic", chat, anthropic, Effort("medium"), plain, "budget 8192"},
      {"xhigh to anthropic", chat, anthropic, Effort("xhigh"), plain, "budget 24576"},
      {"unknown to anthropic", chat, anthropic, Effort("huge"), plain, ""},
      {"none to anthropic", chat, anthropic, Effort("none"), plain, "off"},
      {"none to Claude that thinks only if asked", chat, anthropic, Effort("none"), With(Thinking::kBudget), ""},
      {"none to who cannot be told", chat, anthropic, Effort("none"), With(Thinking::kAdaptive), ""},
      {"budget of Gemini's client", gemini, anthropic, Budget(100), plain, "budget 1024"},
      {"adaptive for current Claude", chat, anthropic, Effort("high"), With(Thinking::kAdaptive), "adaptive high"},
      {"minimal for current Claude", chat, anthropic, Effort("minimal"), With(Thinking::kAdaptive), "adaptive low"},
      {"budget for current Claude", gemini, anthropic, Budget(5000), With(Thinking::kAdaptive), "adaptive medium"},
      {"Claude that does not think", chat, anthropic, Effort("high"), With(Thinking::kNone), ""},
      {"off to gemini", anthropic, gemini, off, plain, "off"},
      {"budget to gemini", anthropic, gemini, Budget(5000), plain, "budget 5000 medium"},
      {"adaptive to gemini", anthropic, gemini, adaptive, plain, "adaptive medium"},
      {"gemini that does not think", anthropic, gemini, adaptive, With(Thinking::kNone), ""},
  };
}

TEST(FitRulesTest, ThinkingIsAskedForInTheProvidersWay) {
  for (AskCase& one : Asks()) {
    ModelRequest request;
    Notes notes;
    request.origin = one.origin;
    request.reasoning = one.asked;
    Add(&request, {Say(Role::kUser, "hi")});
    Fit(one.rules, one.provider, &request, &notes);
    EXPECT_EQ(Said(request), one.said) << one.name;
  }
}

TEST(FitRulesTest, SameFormatSaysWhatTheClientSays) {
  for (const Format format : {Format::kChat, Format::kAnthropic, Format::kResponses, Format::kGemini}) {
    for (const Reasoning& asked :
         {Effort("high", Mode::kOff), Effort("xhigh"), Effort("none"), Effort("", Mode::kAdaptive), Budget(5000)}) {
      ModelRequest request;
      Notes notes;
      request.origin = format;
      request.reasoning = asked;
      Add(&request, {Say(Role::kUser, "hi")});
      EXPECT_FALSE(FitSame({}, false, &request, &notes));
      EXPECT_EQ(request.reasoning.mode, asked.mode);
      EXPECT_EQ(request.reasoning.effort, asked.effort);
      EXPECT_EQ(request.reasoning.budget, asked.budget);
      EXPECT_TRUE(notes.empty());
    }
  }
}

TEST(FitRulesTest, SameFormatObeysTheRules) {
  struct Case {
    Format format;
    Reasoning asked;
    ProviderRules rules;
    std::string said;
  };
  const std::vector<Case> cases = {
      {Format::kChat, Effort("high"), With(Thinking::kNone), ""},
      {Format::kChat, Effort("xhigh"), With(Thinking::kEffort, {"low", "high"}), "high"},
      {Format::kChat, Effort("none"), With(Thinking::kObject), R"({"thinking":{"type":"disabled"}})"},
      {Format::kChat, Effort("none"), With(Thinking::kEnable), R"({"enable_thinking":false})"},
      {Format::kAnthropic, Effort("", Mode::kAdaptive), With(Thinking::kBudget), "budget 8192"},
      {Format::kAnthropic, Budget(30000), With(Thinking::kAdaptive), "adaptive high"},
      {Format::kAnthropic, Effort("", Mode::kAdaptive), With(Thinking::kNone), ""},
      {Format::kResponses, Effort("high"), With(Thinking::kNone), ""},
      {Format::kResponses, Effort("", Mode::kOff), With(Thinking::kEffort, {"low", "high"}), ""},
      {Format::kAnthropic, Effort("medium"), With(Thinking::kDefault, {"low", "high"}), "high"},
      {Format::kAnthropic, Effort("minimal", Mode::kAdaptive), With(Thinking::kAdaptive, {"low"}), "adaptive low"},
  };
  for (const Case& one : cases) {
    ModelRequest request;
    Notes notes;
    request.origin = one.format;
    request.reasoning = one.asked;
    request.max_tokens = 1000;
    Add(&request, {Say(Role::kUser, "hi")});
    EXPECT_TRUE(FitSame(one.rules, false, &request, &notes));
    EXPECT_EQ(Said(request), one.said);
  }
}

// A client of Chat Completions may know the provider's own switch.
TEST(FitRulesTest, SameFormatLeavesTheClientsOwnSwitch) {
  for (const Thinking thinking : {Thinking::kDefault, Thinking::kNone, Thinking::kObject, Thinking::kAdaptive}) {
    ModelRequest request;
    Notes notes;
    request.own["thinking"] = json::object({{"type", "enabled"}});
    request.reasoning.mode = Mode::kAdaptive;
    Add(&request, {Say(Role::kUser, "hi")});
    EXPECT_FALSE(FitSame(With(thinking), false, &request, &notes));
    request.reasoning.effort = "high";
    EXPECT_EQ(FitSame(With(thinking), false, &request, &notes),
              thinking == Thinking::kNone || thinking == Thinking::kObject);
    EXPECT_TRUE(request.extra.empty());
    EXPECT_TRUE(request.own.contains("thinking"));
  }
}

TEST(FitRulesTest, AnthropicHasRoomForThinking) {
  struct Case {
    uint64_t given, max_output, limit;
    std::string said;
  };
  for (const Case& one : std::vector<Case>{{0, 0, 8192 + 4096, "budget 8192"},
                                           {100, 0, 8292, "budget 8192"},
                                           {50000, 0, 50000, "budget 8192"},
                                           {50000, 8192, 8192, "budget 4096"},
                                           {50000, 5120, 5120, "budget 1024"},
                                           {50000, 5119, 5119, ""}}) {
    ProviderRules rules;
    rules.max_output = one.max_output;
    ModelRequest request;
    Notes notes;
    request.reasoning = Effort("medium");
    if (one.given > 0) request.max_tokens = one.given;
    Add(&request, {Say(Role::kUser, "hi")});
    Fit(rules, Format::kAnthropic, &request, &notes);
    EXPECT_EQ(request.max_tokens.value_or(0), one.limit);
    EXPECT_EQ(Said(request), one.said);
  }
}

// Thinking without a budget comes out of max_tokens.
TEST(FitRulesTest, AdaptiveThinkingHasRoomForAnAnswer) {
  struct Case {
    Thinking thinking;
    std::string effort;
    uint64_t given, max_output, limit;
  };
  for (const Case& one : std::vector<Case>{{Thinking::kAdaptive, "xhigh", 0, 0, 32000},
                                           {Thinking::kAdaptive, "", 0, 0, 32000},
                                           {Thinking::kAdaptive, "xhigh", 0, 64000, 64000},
                                           {Thinking::kAdaptive, "xhigh", 0, 8192, 8192},
                                           {Thinking::kAdaptive, "xhigh", 100, 64000, 100},
                                           {Thinking::kNone, "xhigh", 0, 64000, 4096},
                                           {Thinking::kBudget, "", 0, 64000, 4096}}) {
    ProviderRules rules = With(one.thinking);
    rules.max_output = one.max_output;
    ModelRequest request;
    Notes notes;
    request.origin = Format::kResponses;
    request.reasoning = Effort(one.effort);
    if (one.given > 0) request.max_tokens = one.given;
    Add(&request, {Say(Role::kUser, "hi")});
    Fit(rules, Format::kAnthropic, &request, &notes);
    EXPECT_EQ(request.max_tokens.value_or(0), one.limit) << one.effort << " " << one.max_output;
  }
}

TEST(FitRulesTest, ForcedToolAndThinkingGiveWay) {
  struct Case {
    Forced forced;
    Format provider;
    Thinking thinking;
    ChoiceKind choice;
    std::string said;
  };
  for (const Case& one : std::vector<Case>{
           {Forced::kKeep, Format::kChat, Thinking::kDefault, ChoiceKind::kTool, "high"},
           {Forced::kAuto, Format::kChat, Thinking::kDefault, ChoiceKind::kAuto, "high"},
           {Forced::kThinkingOff, Format::kChat, Thinking::kObject, ChoiceKind::kTool,
            R"({"thinking":{"type":"disabled"}})"},
           {Forced::kThinkingOff, Format::kChat, Thinking::kEnable, ChoiceKind::kTool, R"({"enable_thinking":false})"},
           {Forced::kKeep, Format::kAnthropic, Thinking::kBudget, ChoiceKind::kTool, ""},
           {Forced::kKeep, Format::kAnthropic, Thinking::kAdaptive, ChoiceKind::kAuto, "adaptive high"},
           {Forced::kThinkingOff, Format::kAnthropic, Thinking::kAdaptive, ChoiceKind::kAuto, "adaptive high"},
           {Forced::kAuto, Format::kAnthropic, Thinking::kAdaptive, ChoiceKind::kAuto, "adaptive high"}}) {
    ProviderRules rules = With(one.thinking);
    rules.forced = one.forced;
    for (const bool same : {false, true}) {
      if (same && one.forced == Forced::kKeep) continue;
      ModelRequest request;
      Notes notes;
      request.origin = same ? one.provider : Format::kResponses;
      request.reasoning = Effort("high", one.provider == Format::kAnthropic ? Mode::kAdaptive : Mode::kUnset);
      request.tool_choice.kind = ChoiceKind::kTool;
      request.tool_choice.name = "A";
      Add(&request, {Say(Role::kUser, "a")});
      if (same) {
        EXPECT_TRUE(FitSame(rules, false, &request, &notes));
      } else {
        Fit(rules, one.provider, &request, &notes);
      }
      EXPECT_EQ(request.tool_choice.kind, one.choice);
      EXPECT_EQ(Said(request), one.said);
    }
  }
}

TEST(FitRulesTest, ForcedToolStaysWhereThinkingIsTurnedOff) {
  for (const Thinking thinking : {Thinking::kObject, Thinking::kDefault, Thinking::kNone}) {
    ProviderRules rules = With(thinking);
    rules.forced = Forced::kAuto;
    ModelRequest request;
    Notes notes;
    request.origin = Format::kAnthropic;
    request.reasoning = Effort("", Mode::kOff);
    request.tool_choice.kind = ChoiceKind::kAny;
    Add(&request, {Say(Role::kUser, "a")});
    Fit(rules, Format::kChat, &request, &notes);
    // Who cannot be told may think all the same.
    EXPECT_EQ(request.tool_choice.kind, thinking == Thinking::kObject ? ChoiceKind::kAny : ChoiceKind::kAuto);
  }
}

// A choice is kept where nobody asked for thinking, and thinking gives way to an answer that is begun.
TEST(FitRulesTest, CurrentClaudeIsNeverToldNotToThink) {
  struct Case {
    Reasoning asked;
    bool begun;
    ChoiceKind choice, fitted;
    std::string said;
  };
  for (const Case& one : std::vector<Case>{
           {Effort("none"), false, ChoiceKind::kAny, ChoiceKind::kAny, ""},
           {Effort(""), false, ChoiceKind::kAny, ChoiceKind::kAny, ""},
           {Effort("low"), false, ChoiceKind::kAny, ChoiceKind::kAuto, "adaptive low"},
           {Effort("low"), false, ChoiceKind::kNone, ChoiceKind::kNone, "adaptive low"},
           {Effort("low"), true, ChoiceKind::kAuto, ChoiceKind::kAuto, ""},
       }) {
    ModelRequest request;
    Notes notes;
    request.reasoning = one.asked;
    request.tool_choice.kind = one.choice;
    Add(&request, {Say(Role::kUser, "a")});
    if (one.begun) Add(&request, {Say(Role::kAssistant, "b")});
    Fit(With(Thinking::kAdaptive), Format::kAnthropic, &request, &notes);
    EXPECT_EQ(Said(request), one.said);
    EXPECT_EQ(request.tool_choice.kind, one.fitted);
  }
}

TEST(FitRulesTest, CurrentClaudeTakesNoSampling) {
  ProviderRules rules = With(Thinking::kAdaptive);
  rules.sampling = false;
  ModelRequest request;
  Notes notes;
  request.sampling.temperature = 0.2;
  request.sampling.top_k = 3;
  Add(&request, {Say(Role::kUser, "a")});
  EXPECT_TRUE(FitSame(rules, false, &request, &notes));
  EXPECT_FALSE(request.sampling.temperature || request.sampling.top_k);
  EXPECT_FALSE(FitSame(rules, false, &request, &notes));
}

TEST(FitRulesTest, AnthropicTakesNoSamplingWhileItThinks) {
  for (const bool thinks : {false, true}) {
    ModelRequest request;
    Notes notes;
    request.sampling.temperature = 0.2;
    if (thinks) request.reasoning = Effort("low");
    Add(&request, {Say(Role::kUser, "a")});
    Fit({}, Format::kAnthropic, &request, &notes);
    EXPECT_EQ(request.sampling.temperature.has_value(), !thinks);
  }
}

TEST(FitRulesTest, MaxTokensAreBounded) {
  ProviderRules rules;
  rules.max_output = 8192;
  for (const uint64_t given : {8192, 8193}) {
    ModelRequest request;
    Notes notes;
    request.max_tokens = given;
    Add(&request, {Say(Role::kUser, "a")});
    EXPECT_EQ(FitSame(rules, false, &request, &notes), given > 8192);
    EXPECT_EQ(request.max_tokens, 8192);
  }
}

TEST(FitRulesTest, CacheMarksGoWhereTheyAreRead) {
  struct Case {
    Format provider;
    bool reads, kept;
  };
  for (const Case& one : std::vector<Case>{{Format::kChat, false, false},
                                           {Format::kChat, true, true},
                                           {Format::kAnthropic, false, true},
                                           {Format::kResponses, true, false}}) {
    ProviderRules rules;
    rules.cache_control = one.reads;
    ModelRequest request;
    Notes notes;
    Add(&request, {Say(Role::kUser, "a")});
    request.messages[0].parts[0].cache_control = json::object({{"type", "ephemeral"}});
    request.tools.emplace_back().cache_control = json::object({{"type", "ephemeral"}});
    Fit(rules, one.provider, &request, &notes);
    EXPECT_EQ(!request.messages[0].parts[0].cache_control.is_null(), one.kept);
    EXPECT_EQ(!request.tools[0].cache_control.is_null(), one.kept);
  }
}

TEST(FitRulesTest, MembersGoByTheirNames) {
  ProviderRules rules;
  rules.drop = {"temperature", "parallel_tool_calls", "reasoning_effort", "metadata", "stop", "thinking", "unknown"};
  for (const bool same : {false, true}) {
    ModelRequest request;
    Notes notes;
    request.origin = same ? Format::kChat : Format::kAnthropic;
    request.sampling.temperature = 1;
    request.sampling.top_p = 0.5;
    request.tool_choice.parallel = false;
    request.reasoning = Effort("high");
    request.stop = {"x"};
    request.own["metadata"] = 1;
    request.own["service_tier"] = 1;
    request.extra["thinking"] = 1;
    Add(&request, {Say(Role::kUser, "a")});
    if (same) {
      EXPECT_TRUE(FitSame(rules, false, &request, &notes));
    } else {
      Fit(rules, Format::kChat, &request, &notes);
    }
    EXPECT_FALSE(request.sampling.temperature || request.tool_choice.parallel || !request.stop.empty());
    EXPECT_TRUE(request.sampling.top_p);
    EXPECT_EQ(Said(request), "");
    EXPECT_EQ(request.own.size(), same ? 1 : 2);
    EXPECT_FALSE(FitSame(rules, false, &request, &notes) && same);
  }
}

// A rare name takes nothing away from who used the usual one.
TEST(FitRulesTest, RareNamesGoAlone) {
  ProviderRules rules;
  rules.drop = {"max_completion_tokens", "safety_identifier", "reasoning"};
  for (const bool rare : {false, true}) {
    ModelRequest request;
    Notes notes;
    request.max_tokens = 5;
    request.user = "u";
    request.reasoning.effort = "low";
    if (rare) {
      request.own["max_completion_tokens"] = 0;
      request.own["safety_identifier"] = "u";
      request.own["reasoning"] = json::object({{"effort", "low"}});
    }
    Add(&request, {Say(Role::kUser, "a")});
    EXPECT_EQ(FitSame(rules, false, &request, &notes), rare);
    EXPECT_EQ(request.max_tokens, 5);  // the writer's name for it is max_tokens now
    EXPECT_EQ(request.user.empty(), rare);
    EXPECT_EQ(request.reasoning.effort.empty(), rare);
    EXPECT_TRUE(request.own.empty());
  }
}

TEST(FitRulesTest, GeminisMembersGoByTheirNames) {
  ProviderRules rules;
  rules.drop = {"topK", "thinkingConfig"};
  ModelRequest request;
  Notes notes;
  request.sampling.top_k = 3;
  request.sampling.top_p = 0.5;
  request.reasoning = Effort("high");
  Add(&request, {Say(Role::kUser, "a")});
  Fit(rules, Format::kGemini, &request, &notes);
  EXPECT_FALSE(request.sampling.top_k);
  EXPECT_TRUE(request.sampling.top_p);
  EXPECT_EQ(Said(request), "");
}

}  // namespace
}  // namespace ccr::proxy
