#include "proxy/core/request_facts.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "proxy/core/json/text.h"
#include "proxy/core/router.h"
#include "proxy/core/token_estimate.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

constexpr char kTag[] = "<CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>";

RequestFacts Facts(std::string_view body) {
  const BodyScan scan = ScanBody(body);
  EXPECT_TRUE(scan.valid) << body << scan.error;
  return ReadFacts(body, scan, true);
}

std::string Cut(std::string_view body, const SubagentTag& tag, std::string_view model = "new") {
  std::string storage, joined;
  for (const std::string_view piece : CutTag(body, SpliceModel(body, ScanBody(body), model, &storage), tag))
    joined += piece;
  return joined;
}

// `text` with every "TAG" replaced by a tag.
std::string WithTag(std::string text, std::string_view tag = kTag) {
  for (size_t at = text.find("TAG"); at != text.npos; at = text.find("TAG", at + tag.size())) text.replace(at, 3, tag);
  return text;
}

TEST(ReadFacts, Estimate) {
  const auto estimate = [](const std::string& body, bool count) {
    return ReadFacts(body, ScanBody(body), count).estimate;
  };
  const std::string text(4000, 'a');
  const std::string chat = R"({"system":")" + text + R"(","messages":[{"role":"user","content":")" + text + R"("}])";
  EXPECT_EQ(estimate(chat + "}", false), 2004U) << "of the texts with their quotes, and a message's frame";
  EXPECT_EQ(estimate(chat + "}", true), Facts(chat + "}").tokens);
  EXPECT_EQ(estimate(chat + R"(,"max_tokens":100})", false), 2104U);
  EXPECT_EQ(estimate(chat + R"(,"max_completion_tokens":100})", false), 2104U);
  EXPECT_EQ(estimate(chat + R"(,"max_tokens":128000})", false), 2004U + kMaxOutputEstimate);
  EXPECT_EQ(estimate(chat + R"(,"max_tokens":"many"})", false), 2004U);
  EXPECT_EQ(estimate(chat + R"(,"max_tokens":-1})", false), 2004U);
  EXPECT_EQ(estimate(R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:)" +
                         std::string(1'000'000, 'a') + R"("}}]}]})",
                     false),
            1503U)
      << "a picture costs what it costs, whatever its bytes";
  EXPECT_EQ(EstimateUnread(text), 1000U);
  EXPECT_EQ(EstimateUnread(std::string(10'000'000, 'a')), kMaxUnreadEstimate);
}

TEST(ReadFacts, Thinking) {
  const struct {
    std::string body;
    bool thinking;
  } cases[] = {
      {R"({})", false},
      {R"({"thinking":{"type":"enabled","budget_tokens":1024}})", true},
      {R"({"thinking":{"budget_tokens":1024,"type":"adaptive"}})", true},
      {R"({"thinking":{"type":"disabled"}})", false},
      {R"({"thinking":{"type":"dis\u0061bled"}})", false},
      {R"({"thinking":{}})", false},
      {R"({"thinking":null})", false},
      {R"({"thinking":{"type":"enabled"},"thinking":{"type":"disabled"}})", false},
      {R"({"metadata":{"thinking":{"type":"enabled"}}})", false},
      {R"({"reasoning_effort":"high"})", true},
      {R"({"reasoning_effort":"none"})", false},
      {R"({"reasoning_effort":"minimal"})", false},
      {R"({"reasoning_effort":null})", false},
  };
  for (const auto& c : cases) EXPECT_EQ(Facts(c.body).thinking, c.thinking) << c.body;
}

TEST(ReadFacts, WebSearch) {
  const struct {
    std::string body;
    bool web_search;
  } cases[] = {
      {R"({"tools":[]})", false},
      {R"({"tools":[{"name":"a","input_schema":{}},{"type":"web_search_20250305","name":"web_search"}]})", true},
      {R"({"tools":[{"name":"web_search","input_schema":{"type":"web_search"}}]})", false},
      {R"({"tools":[{"type":"function","function":{"name":"web_search"}}]})", false},
      {R"({"tools":[{"type":"my_web_search"}]})", false},
      {R"({"tools":{"type":"web_search"}})", false},
      {R"({"web_search_options":{}})", true},
      {R"({"web_search_options":null})", false},
  };
  for (const auto& c : cases) EXPECT_EQ(Facts(c.body).web_search, c.web_search) << c.body;
}

TEST(ReadFacts, ImageInTheLastUserMessage) {
  const std::string image = R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}})";
  const struct {
    std::string messages;
    bool image;
  } cases[] = {
      {R"({"role":"user","content":"image"})", false},
      {R"({"role":"user","content":[)" + image + "]}", true},
      {R"({"content":[{"type":"text","text":"see"},)" + image + R"(],"role":"user"})", true},
      {R"({"role":"user","content":[)" + image + R"(]},{"role":"assistant","content":"a cat"})", true},
      {R"({"role":"user","content":[)" + image + R"(]},{"role":"user","content":"and now?"})", false},
      {R"({"role":"assistant","content":[)" + image + "]}", false},
      {R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[)" + image + "]}]}", true},
      {R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x/y.png"}}]})", true},
      {R"({"role":"user","content":[{"type":"text","text":"{\"type\":\"image\"}"}]})", false},
  };
  for (const auto& c : cases) EXPECT_EQ(Facts(R"({"messages":[)" + c.messages + "]}").image, c.image) << c.messages;
}

TEST(ReadFacts, SubagentTagPlaces) {
  const struct {
    std::string body, model;
  } cases[] = {
      {R"({"system":"TAG go"})", "p,m"},
      {R"({"system":[{"type":"text","text":"first"},{"type":"text","text":"TAG go"}]})", "p,m"},
      {R"({"system":"go TAG"})", ""},
      {R"({"system":" TAG"})", ""},
      {R"({"messages":[{"role":"user","content":"TAG"}]})", "p,m"},
      {R"({"messages":[{"content":[{"text":"TAG","type":"text"}],"role":"user"}]})", "p,m"},
      {R"({"messages":[{"role":"user","content":[{"type":"text","text":"<reminder>"},{"type":"text","text":"TAG"}]}]})",
       "p,m"},
      {R"({"messages":[{"role":"assistant","content":"TAG"}]})", ""},
      {R"({"messages":[{"role":"system","content":"TAG go"},{"role":"user","content":"1"}]})", "p,m"},
      {R"({"messages":[{"role":"system","content":"1"},{"content":[{"type":"text","text":"TAG"}],"role":"developer"}]})",
       "p,m"},
      {R"({"messages":[{"role":"tool","content":"TAG"}]})", ""},
      {R"({"messages":[{"role":"user","content":"1"},{"role":"assistant","content":"2"},{"role":"user","content":"TAG"}]})",
       "p,m"},
      {R"({"messages":[{"role":"user","content":"1"},{"role":"user","content":"2"},{"role":"user","content":"TAG"}]})",
       ""},
      {R"({"messages":[{"role":"user","content":[{"type":"tool_result","content":"TAG"}]}]})", ""},
      {R"({"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"TAG"}]}]}]})",
       ""},
      {R"({"metadata":"TAG"})", ""},
  };
  for (const auto& c : cases) {
    const auto tag = Facts(WithTag(c.body)).subagent;
    EXPECT_EQ(tag ? tag->model : "", c.model) << c.body;
  }
}

TEST(ReadFacts, TheSystemsTagComesFirst) {
  const std::string message = R"("messages":[{"role":"user","content":"<CCR-SUBAGENT-MODEL>b</CCR-SUBAGENT-MODEL>"}])";
  const std::string system = R"("system":"<CCR-SUBAGENT-MODEL>a</CCR-SUBAGENT-MODEL>")";
  EXPECT_EQ(Facts("{" + message + "," + system + "}").subagent->model, "a");
  EXPECT_EQ(Facts("{" + message + "}").subagent->model, "b");
  const std::string role = R"({"role":"system","content":"<CCR-SUBAGENT-MODEL>c</CCR-SUBAGENT-MODEL>"})";
  const std::string both = R"({"role":"user","content":"<CCR-SUBAGENT-MODEL>b</CCR-SUBAGENT-MODEL>"},)" + role;
  EXPECT_EQ(Facts(R"({"messages":[)" + both + "]}").subagent->model, "c");
}

TEST(ReadFacts, SubagentTagSpellings) {
  const struct {
    std::string tag, model;
  } cases[] = {
      {"<CCR-SUBAGENT-MODEL> p,m\\n</CCR-SUBAGENT-MODEL>", "p,m"},
      {"\\u003cCCR-SUBAGENT-MODEL\\u003ep,m\\u003c\\/CCR-SUBAGENT-MODEL\\u003E", "p,m"},
      {"<CCR-SUBAGENT-MODEL>p,a\\\"\\u00e9</CCR-SUBAGENT-MODEL>", "p,a\"\xC3\xA9"},
      {"<CCR-SUBAGENT-MODEL>p,<m></CCR-SUBAGENT-MODEL>", "p,<m>"},
      {"<CCR-SUBAGENT-MODEL></CCR-SUBAGENT-MODEL>", ""},
      {"<CCR-SUBAGENT-MODEL> \\t</CCR-SUBAGENT-MODEL>", ""},
      {"<CCR-SUBAGENT-MODEL>p,m", ""},
      {"<CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODE", ""},
      {"<ccr-subagent-model>p,m</ccr-subagent-model>", ""},
      {"<CCR-SUBAGENT-MODEL>" + std::string(256, 'm') + "</CCR-SUBAGENT-MODEL>", std::string(256, 'm')},
      {"<CCR-SUBAGENT-MODEL>" + std::string(257, 'm') + "</CCR-SUBAGENT-MODEL>", ""},
  };
  for (const auto& c : cases) {
    const auto tag = Facts(WithTag(R"({"system":"TAG go"})", c.tag)).subagent;
    EXPECT_EQ(tag ? tag->model : "", c.model) << c.tag;
    if (!tag) continue;
    EXPECT_EQ(Cut(WithTag(R"({"system":"TAG go"})", c.tag), *tag), R"({"model":"new","system":" go"})");
  }
}

// Whatever is around it, the body without the tag is the body that never had it.
TEST(CutTag, LeavesAllElse) {
  for (const std::string body : {
           R"({"model":"x","system":"TAGgo \"on\"","stream":true})",
           R"({"system":[{"type":"text","text":"TAG\nYou are","cache_control":{"type":"ephemeral"}}],"model":"x"})",
           R"( { "messages" : [ { "role":"user", "content" : "TAG" } ] , "model" : null } )",
           R"({"messages":[{"role":"user","content":[{"type":"text","text":"TAG\u00e9"}]}]})",
           R"({"model":"new","messages":[{"role":"user","content":"TAG<CCR-SUBAGENT-MODEL>"}]})",
       }) {
    const std::string tagged = WithTag(body);
    const auto tag = Facts(tagged).subagent;
    ASSERT_TRUE(tag) << body;
    EXPECT_EQ(tag->end - tag->begin, sizeof(kTag) - 1);
    json::value expected = json::parse(WithTag(body, ""));
    expected.as_object()["model"] = "new";
    EXPECT_EQ(json::parse(Cut(tagged, *tag)), expected) << body;
  }
}

TEST(ReadFacts, Session) {
  EXPECT_EQ(Facts(R"({"metadata":{"user_id":"u_session_s1"}})").session, "s1");
}

uint64_t Tokens(std::string_view body) {
  return Facts(body).tokens;
}

TEST(ReadFacts, CountsWhatTheModelReads) {
  const std::string text = "The quick brown fox jumps over the lazy dog, and then it goes home to sleep for a while.";
  const uint64_t n = EstimateTokens(text);
  const std::string quoted = JsonString(text);
  const auto near = [&](const std::string& body, uint64_t expected) {
    EXPECT_NEAR(static_cast<double>(Tokens(body)), static_cast<double>(expected), 3) << body;
  };
  const auto message = [](const std::string& content) {
    return R"({"messages":[{"role":"user","content":)" + content + "}]}";
  };
  near(R"({"model":)" + quoted + R"(,"metadata":{"text":)" + quoted + "}}", 0);
  near(R"({"system":)" + quoted + "}", n);
  near(R"({"system":[{"type":"text","text":)" + quoted + R"(},{"type":"text","text":)" + quoted + "}]}", 2 * n);
  near(R"({"system":)" + quoted + R"(,"system":)" + quoted + "}", n);
  near(message(quoted), n + 3);
  near(message(R"([{"type":"text","text":)" + quoted + "}]"), n + 3);
  near(message(R"([{"type":"tool_result","content":)" + quoted + "}]"), n + 3);
  near(message(R"([{"type":"tool_result","content":[{"type":"text","text":)" + quoted + "}]}]"), n + 3);
  near(message(R"([{"type":"tool_use","id":"t","name":"Bash","input":{"a":)" + quoted + "}}]"), n + 8);
  near(message(R"([{"type":"thinking","thinking":)" + quoted + R"(,"signature":)" + quoted + "}]"), 3);
  near(message(R"([{"type":"document","source":{"type":"text","media_type":"text/plain","data":)" + quoted + "}}]"),
       n + 3);
  near(R"({"tools":[{"name":"f","description":)" + quoted + R"(,"input_schema":{"type":"object"}}]})", n + 6);
  near(R"({"tools":[{"type":"function","function":{"name":"f","description":)" + quoted + "}}]}", n + 9);
  near(
      R"({"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f",)"
      R"("arguments":)" +
          quoted + "}}]}]}",
      n + 4);
}

TEST(ReadFacts, AttachmentsCountByKind) {
  const std::string data(96000, 'A');
  const auto block = [&](const std::string& type, const std::string& bytes) {
    return R"({"messages":[{"role":"user","content":[{"source":{"type":"base64","data":")" + bytes + R"("},"type":")" +
           type + R"("}]}]})";
  };
  EXPECT_EQ(Tokens(block("image", data)), 1503U);
  EXPECT_EQ(Tokens(block("document", data)), 3003U);
  EXPECT_EQ(Tokens(block("document", "AAAA")), 1503U);
  EXPECT_EQ(
      Tokens(
          R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
          data + R"("}}]}]})"),
      1503U);
}

TEST(ReadFacts, WithoutCountingOnlyTheTokensAreMissing) {
  const std::string body =
      WithTag(R"({"thinking":{"type":"enabled"},"tools":[{"type":"web_search_1"}],"system":"TAG",)"
              R"("messages":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"hello"}]}]})");
  const RequestFacts facts = ReadFacts(body, ScanBody(body), false);
  EXPECT_EQ(facts.tokens, 0U);
  EXPECT_TRUE(facts.thinking && facts.web_search && facts.image && facts.subagent);
}

TEST(ReadFacts, MembersOfTheWrongKindAreNoFacts) {
  for (
      const std::string body : {
          R"({"system":7,"messages":{"role":"user"},"tools":"x","thinking":"enabled"})",
          R"({"messages":["user",7,null,[[]],{"role":7,"content":{"text":"x"}},{"content":[7,"x",null,[]]}]})",
          R"({"messages":[{"role":"user","content":[{"type":7,"text":[1],"source":"x","content":7}]}],"tools":[1,[2]]})",
      }) {
    const RequestFacts facts = Facts(body);
    EXPECT_FALSE(facts.thinking || facts.web_search || facts.image || facts.subagent) << body;
  }
}

TEST(ReadFacts, OfResponsesAndGemini) {
  const std::string responses = R"({"instructions":"i","input":[
      {"role":"user","content":[{"type":"input_text","text":"TAG hi"}]},
      {"type":"function_call","name":"f","arguments":"{}","call_id":"c"},
      {"type":"function_call_output","call_id":"c","output":"a long result of a tool"},
      {"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}],
      "tools":[{"type":"web_search"}],"reasoning":{"effort":"high"},"max_output_tokens":9000,"prompt_cache_key":"s"})";
  RequestFacts facts = Facts(WithTag(responses));
  EXPECT_TRUE(facts.image && facts.web_search && facts.thinking && facts.asks.tools && facts.asks.thinking);
  EXPECT_EQ(facts.asks.max_output, 9000);
  EXPECT_EQ(facts.session, "s");
  EXPECT_EQ(facts.subagent.value().model, "p,m");
  EXPECT_GT(facts.tokens, 1500);
  facts = Facts(R"({"input":"hello there","reasoning":{"effort":"none"}})");
  EXPECT_FALSE(facts.image || facts.web_search || facts.thinking);
  EXPECT_GT(facts.tokens, 0);

  const std::string gemini = R"({"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[
      {"parts":[{"text":"TAG hi"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}],
      "tools":[{"googleSearch":{}}],"generationConfig":{"maxOutputTokens":7,"thinkingConfig":{"thinkingBudget":1024}}})";
  facts = Facts(WithTag(gemini));
  EXPECT_TRUE(facts.image && facts.web_search && facts.thinking);
  EXPECT_EQ(facts.asks.max_output, 7);
  EXPECT_EQ(facts.subagent.value().model, "p,m");
  facts = Facts(R"({"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[
      {"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}})");
  EXPECT_FALSE(facts.image || facts.web_search || facts.thinking);
}

TEST(ReadFacts, WhatRulesMayBeAgainst) {
  const auto asks = [](std::string_view body) { return Facts(body).asks; };
  EXPECT_TRUE(asks(R"({"messages":[{"role":"user","content":"x"},{"role":"system","content":"y"}]})").late_system);
  EXPECT_TRUE(asks(R"({"messages":[{"role":"system","content":"x"},{"role":"developer","content":"y"}]})").late_system);
  EXPECT_FALSE(asks(R"({"messages":[{"role":"system","content":"x"},{"role":"user","content":"y"}]})").late_system);
  EXPECT_TRUE(asks(R"({"messages":[{"role":"developer","content":"x"}]})").developer);
  EXPECT_TRUE(asks(R"({"tool_choice":{"type":"tool","name":"t"}})").forced_tool);
  EXPECT_TRUE(asks(R"({"tool_choice":"required"})").forced_tool);
  EXPECT_FALSE(asks(R"({"tool_choice":"auto"})").forced_tool);
  EXPECT_TRUE(asks(R"({"top_p":1})").sampling);
  const RequestFacts::Asks none = asks(R"({"messages":[{"role":"user","content":"x"}]})");
  EXPECT_FALSE(none.late_system || none.developer || none.tools || none.forced_tool || none.sampling || none.thinking);
}

TEST(CountTokensAnswer, IsTheClients) {
  EXPECT_EQ(CountTokensAnswer(Format::kAnthropic, 42), R"({"input_tokens":42})");
  EXPECT_EQ(CountTokensAnswer(Format::kGemini, 42), R"({"totalTokens":42})");
}

}  // namespace
}  // namespace ccr::proxy
