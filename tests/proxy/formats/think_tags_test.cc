#include "proxy/formats/conversation/think_tags.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "conversation_text.h"

namespace ccr::proxy {
namespace {

using in_words::Call;
using in_words::Text;
using in_words::Think;

struct Tagged {
  std::string text, thinking, rest;
};

const std::vector<Tagged>& Texts() {
  static const std::vector<Tagged> kTexts = {
      {"<think>a</think>\n\nb", "a", "b"},
      {"\n <think>\na\n\nc\n</think> b\n", "a\n\nc", "b\n"},
      {"<think>\n\n</think>\n\nb", "", "b"},
      {"<think>a", "a", ""},
      {"<think>a</think>", "a", ""},
      {"<think>a</thin", "a</thin", ""},
      {"<think>a < b </ c</think>d", "a < b </ c", "d"},
      {"b <think>a</think>", "", "b <think>a</think>"},
      {"<thinking>a</thinking>", "", "<thinking>a</thinking>"},
      {"<thin", "", "<thin"},
      {"  b", "", "  b"},
      {"<think>a</think><think>b</think>", "a", "<think>b</think>"},
  };
  return kTexts;
}

std::string Shown(const ModelAnswer& answer) {
  std::string text;
  for (const Part& part : answer.parts) text += "[" + in_words::Show(part) + "]";
  return text;
}

std::string Expected(const Tagged& one) {
  return (one.thinking.empty() ? "" : "[~" + one.thinking + "]") + (one.rest.empty() ? "" : "[" + one.rest + "]");
}

TEST(ThinkTagsTest, WholeAnswersAreSplit) {
  for (const Tagged& one : Texts()) {
    ModelAnswer answer;
    answer.parts.push_back(Text(one.text));
    answer.parts.push_back(Call("1"));
    SplitThinkTags(&answer);
    EXPECT_EQ(Shown(answer), Expected(one) + "[A#1]") << one.text;
  }
}

TEST(ThinkTagsTest, StreamsAreSplitWhereverTheyAreCut) {
  for (const Tagged& one : Texts()) {
    for (size_t size = 1; size <= one.text.size(); ++size) {
      AnswerCollector collector;
      ThinkTags tags(&collector);
      tags.Start("id", "m");
      tags.StartPart(3, {PartKind::kText, {}, {}, {}});
      for (size_t at = 0; at < one.text.size(); at += size) tags.Delta(3, std::string_view(one.text).substr(at, size));
      tags.EndPart(3);
      tags.StartPart(7, {PartKind::kToolCall, "1", "A", {}});
      tags.EndPart(7);
      tags.End({});
      ASSERT_TRUE(collector.ended());
      EXPECT_EQ(Shown(collector.Take()), Expected(one) + "[A#1]") << one.text << " by " << size;
    }
  }
}

TEST(ThinkTagsTest, TextBehindThinkingStaysAsItIs) {
  ModelAnswer answer;
  answer.parts.push_back(Think("t"));
  answer.parts.push_back(Text("<think>a</think>b"));
  AnswerCollector collector;
  ThinkTags tags(&collector);
  ModelAnswer copy = answer;
  Replay(std::move(copy), &tags);
  SplitThinkTags(&answer);
  EXPECT_EQ(Shown(answer), "[~t][<think>a</think>b]");
  EXPECT_EQ(Shown(collector.Take()), "[~t][<think>a</think>b]");
}

TEST(ThinkTagsTest, SecondTextStaysAsItIs) {
  ModelAnswer answer;
  answer.parts.push_back(Text("b"));
  answer.parts.push_back(Text("<think>a</think>"));
  SplitThinkTags(&answer);
  EXPECT_EQ(Shown(answer), "[b][<think>a</think>]");
}

// Notes how the parts are numbered.
class Numbers final : public AnswerSink {
 public:
  void Start(std::string_view, std::string_view) override {}
  void StartPart(size_t part, const PartHead&) override { text += "+" + std::to_string(part); }
  void Delta(size_t part, std::string_view) override { text += " " + std::to_string(part); }
  void AddState(size_t part, const OpaqueState&) override { text += "!" + std::to_string(part); }
  void EndPart(size_t part) override { text += "-" + std::to_string(part); }
  void WholePart(size_t part, Part) override { text += "*" + std::to_string(part); }
  void SetUsage(const Usage&) override {}
  void End(const Stop&) override { text += "."; }
  void Fail(const AnswerError&) override { text += "x"; }

  std::string text;
};

TEST(ThinkTagsTest, PartsAreNumberedAsTheyBegin) {
  Numbers numbers;
  ThinkTags tags(&numbers);
  tags.StartPart(0, {PartKind::kText, {}, {}, {}});
  tags.Delta(0, "<think>");
  tags.StartPart(1, {PartKind::kToolCall, "1", "A", {}});
  tags.Delta(0, "a");
  tags.Delta(1, "{}");
  tags.Delta(0, "</think>");
  tags.Delta(0, "b");
  tags.WholePart(2, Text("w"));
  tags.AddState(0, {StateKind::kGeminiSignature, "s"});
  tags.EndPart(0);
  tags.EndPart(1);
  tags.Delta(9, "of no part");
  tags.End({});
  EXPECT_EQ(numbers.text, "+0+1 1 0-1+2 2*3!2-2-0.");
}

TEST(ThinkTagsTest, WhatIsHeldComesBeforeAFailure) {
  Numbers numbers;
  ThinkTags tags(&numbers);
  tags.StartPart(0, {PartKind::kText, {}, {}, {}});
  tags.Delta(0, "<thi");
  tags.Fail({});
  EXPECT_EQ(numbers.text, "+0 0x");
}

TEST(ThinkTagsTest, WhiteSpaceIsNotHeldForEver) {
  Numbers numbers;
  ThinkTags tags(&numbers);
  tags.StartPart(0, {PartKind::kText, {}, {}, {}});
  tags.Delta(0, std::string(ThinkTags::kMaxHeld + 1, ' '));
  EXPECT_EQ(numbers.text, "+0 0");
}

}  // namespace
}  // namespace ccr::proxy
