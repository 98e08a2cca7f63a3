#include "proxy/formats/transformers/json_repair.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/formats/json_util.h"

namespace ccr::proxy {
namespace {

std::string Repaired(std::string_view text) {
  JsonBudget budget;
  return RepairArguments(text, &budget);
}

struct RepairRow {
  std::string given, repaired;
};

class RepairTest : public ::testing::TestWithParam<RepairRow> {};

TEST_P(RepairTest, Repairs) {
  EXPECT_EQ(Repaired(GetParam().given), GetParam().repaired) << GetParam().given;
}

INSTANTIATE_TEST_SUITE_P(
    All, RepairTest,
    ::testing::Values(
        RepairRow{R"({"a": 1.50, "b":[ ]})", R"({"a": 1.50, "b":[ ]})"}, RepairRow{"", "{}"}, RepairRow{" \n", "{}"},
        RepairRow{"null", "null"}, RepairRow{"plain", "plain"}, RepairRow{"{'a': 'it''s'}", R"({"a":"it''s"})"},
        RepairRow{"{a: 1, b_2: true,}", R"({"a":1,"b_2":true})"},
        RepairRow{"{\"a\": True, \"b\": None, 'c': False}", R"({"a":true,"b":null,"c":false})"},
        RepairRow{"{\"a\": \"x\" \"b\": 2}", R"({"a":"x","b":2})"}, RepairRow{"{\"a\":1,,\"b\":2}", R"({"a":1,"b":2})"},
        RepairRow{"{\"a\": \"line\nbreak\ttab\"}", R"({"a":"line\nbreak\ttab"})"},
        RepairRow{R"({"a": "say "hi" now"})", R"({"a":"say \"hi\" now"})"},
        RepairRow{R"({"a": "cut of)", R"({"a":"cut of"})"}, RepairRow{R"({"a": {"b": [1, 2)", R"({"a":{"b":[1,2]}})"},
        RepairRow{"{// why\n\"a\":1 /* b */}", R"({"a":1})"}, RepairRow{"```json\n{\"a\":1}\n```", R"({"a":1})"},
        RepairRow{R"("{\"a\":1}")", R"({"a":1})"}, RepairRow{R"("{a:1}")", R"({"a":1})"},
        RepairRow{R"({"a":1} and more)", R"({"a":1})"}, RepairRow{"{a: word and word}", R"({"a":"word and word"})"},
        RepairRow{R"({'u': '\u6f22\ud83d\ude00\ud83d'})", "{\"u\":\"\xE6\xBC\xA2\xF0\x9F\x98\x80\xEF\xBF\xBD\"}"},
        RepairRow{R"({'p': 'C:\\x\'s'})", R"({"p":"C:\\x's"})"}, RepairRow{"{", "{}"},
        RepairRow{"{\"a\"", R"({"a":null})"}));

TEST(Repair, AlwaysEndsAndGivesAnObject) {
  std::mt19937_64 random(7);
  const std::string alphabet = "{}[]:,\"'\\ ua1/*\n=t\xC3\xA9";
  for (int i = 0; i < 20000; ++i) {
    std::string text = "{";
    const size_t size = random() % 24;
    for (size_t j = 0; j < size; ++j) text += alphabet[random() % alphabet.size()];
    const absl::StatusOr<json::value> parsed = ParseJson(Repaired(text));
    ASSERT_TRUE(parsed.ok() && parsed->is_object()) << text;
  }
  const std::string deep(100000, '[');
  EXPECT_TRUE(ParseJson(Repaired("{a:" + deep)).ok());
}

TEST(Repair, WhatAllCallsTogetherTakeHasALimit) {
  std::string many = "{a:[0";
  for (size_t i = 0; i < kMaxJsonValues / 3; ++i) many += ",0";
  std::string lines = "{";
  for (size_t i = 0; i < 3 * kMaxJsonValues; ++i) lines += "a\n";
  JsonBudget budget;
  EXPECT_EQ(RepairArguments(many, &budget).substr(0, 9), R"({"a":[0,0)") << "counts as given and as repaired";
  EXPECT_EQ(RepairArguments("{a:1", &budget), R"({"a":1})");
  EXPECT_EQ(RepairArguments(many, &budget), many);
  EXPECT_EQ(Repaired(lines), lines) << "values without commas";
}

}  // namespace
}  // namespace ccr::proxy
