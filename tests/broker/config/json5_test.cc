#include "broker/config/json5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <string>

#include "broker/config/yaml_reader.h"

namespace ccr {
namespace {

using ::testing::HasSubstr;

// A tree on one line: text in <>, the line of each map entry after its name.
std::string Show(const Node& node) {
  std::string out;
  switch (node.kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kBool:
      return node.boolean ? "true" : "false";
    case Node::Kind::kNumber:
      return ::testing::PrintToString(node.number);
    case Node::Kind::kString:
      return "<" + node.text + ">";
    case Node::Kind::kList:
      for (const Node& item : node.items) out += (out.empty() ? "" : " ") + Show(item);
      return "[" + out + "]";
    case Node::Kind::kMap:
      for (const Node::Entry& e : node.entries) {
        out += (out.empty() ? "" : " ") + e.name + "@" + std::to_string(e.line) + "=" + Show(e.value);
      }
      return "{" + out + "}";
  }
  return out;
}

std::string Json5(std::string_view text) {
  Node root;
  SyntaxError error;
  if (ParseJson5(text, &root, &error)) return Show(root);
  return std::to_string(error.line) + ":" + std::to_string(error.column) + " " + error.message;
}

std::string Yaml(std::string_view text) {
  Node root;
  SyntaxError error;
  if (ParseYaml(text, &root, &error)) return Show(root);
  return std::to_string(error.line) + ":" + std::to_string(error.column) + " " + error.message;
}

double NumberOf(std::string_view text) {
  Node root;
  SyntaxError error;
  EXPECT_TRUE(ParseJson5(text, &root, &error)) << text << ": " << error.message;
  EXPECT_EQ(root.kind, Node::Kind::kNumber) << text;
  return root.number;
}

struct SyntaxRow {
  std::string_view text;
  std::string expected;
};

void PrintTo(const SyntaxRow& row, std::ostream* out) {
  *out << row.text;
}

class Json5Accepts : public ::testing::TestWithParam<SyntaxRow> {};

TEST_P(Json5Accepts, Text) {
  EXPECT_EQ(Json5(GetParam().text), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, Json5Accepts,
    ::testing::Values(
        SyntaxRow{"null", "null"}, SyntaxRow{" true ", "true"}, SyntaxRow{"false//x", "false"},
        SyntaxRow{"/*a\n*/[]/**/", "[]"}, SyntaxRow{"{}", "{}"}, SyntaxRow{"[1,2,]", "[1 2]"},
        SyntaxRow{"{a:1,}", "{a@1=1}"}, SyntaxRow{"\xEF\xBB\xBF{'a b':\"c\"}", "{a b@1=<c>}"},
        SyntaxRow{"{$_a1:null}", "{$_a1@1=null}"}, SyntaxRow{"{\xC3\xA4:1, \\u0062:2}", "{\xC3\xA4@1=1 b@1=2}"},
        SyntaxRow{"{null:1,true:2}", "{null@1=1 true@1=2}"}, SyntaxRow{"{a:1,\n\nb:{c:\n2}}", "{a@1=1 b@3={c@3=2}}"},
        SyntaxRow{"{a:1,\r\nb:2,\rc:3}", "{a@1=1 b@2=2 c@3=3}"}, SyntaxRow{"{a:1,a:2}", "{a@1=1 a@1=2}"},
        SyntaxRow{"/* a\n\n */ {// b\na:1}", "{a@4=1}"}, SyntaxRow{"'it\"s'", "<it\"s>"},
        SyntaxRow{"\"it's\"", "<it's>"}, SyntaxRow{R"('\'\"\\\/\q')", "<'\"\\/q>"},
        SyntaxRow{R"('\b\f\n\r\t\v')", "<\b\f\n\r\t\v>"}, SyntaxRow{R"('\x41\u00e4\u20AC')", "<A\xC3\xA4\xE2\x82\xAC>"},
        SyntaxRow{R"('\ud83d\ude00')", "<\xF0\x9F\x98\x80>"}, SyntaxRow{"'a\\\nb\\\r\nc'", "<abc>"},
        SyntaxRow{"['a\\\nb',\n{c:1}]", "[<ab> {c@3=1}]"}, SyntaxRow{R"('\0')", std::string("<\0>", 3)},
        SyntaxRow{"'\xE2\x80\xA8'", "<\xE2\x80\xA8>"}, SyntaxRow{"'\xF0\x9F\x98\x80'", "<\xF0\x9F\x98\x80>"},
        SyntaxRow{"\xC2\xA0\xE3\x80\x80[\v\f1]", "[1]"}));

TEST(Json5, ReadsEveryFormOfNumber) {
  const struct {
    std::string_view text;
    double value;
  } rows[] = {{"0", 0},
              {"12", 12},
              {"-3", -3},
              {"+4", 4},
              {".5", .5},
              {"5.", 5},
              {"-.5", -.5},
              {"1e3", 1000},
              {"1E-2", .01},
              {"2.5e+1", 25},
              {"0x1F", 31},
              {"-0Xff", -255},
              {"0.25", 0.25},
              {"5.e1", 50.0},
              {"+Infinity", INFINITY},
              {"-Infinity", -INFINITY},
              {"0e0", 0}};
  for (const auto& row : rows) EXPECT_EQ(NumberOf(row.text), row.value) << row.text;
  EXPECT_TRUE(std::isnan(NumberOf("NaN")));
  EXPECT_TRUE(std::isnan(NumberOf("-NaN")));
}

class Json5Refuses : public ::testing::TestWithParam<SyntaxRow> {};

TEST_P(Json5Refuses, Text) {
  EXPECT_THAT(Json5(GetParam().text), HasSubstr(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, Json5Refuses,
    ::testing::Values(
        SyntaxRow{"", "1:1 expected a value"}, SyntaxRow{"// only\n", "2:1 expected a value"},
        SyntaxRow{"{} x", "1:4 expected the end of the file"},
        SyntaxRow{"{a 1}", "1:4 expected ':' after a name, found '1'"},
        SyntaxRow{"{a:1 b:2}", "1:6 expected ',' or '}' after a value, found 'b'"},
        SyntaxRow{"[1 2]", "1:4 expected ',' or ']' after a value"}, SyntaxRow{"{\n  a:\n}", "3:1 expected a value"},
        SyntaxRow{"[1,,2]", "1:4 expected a value"}, SyntaxRow{"{,}", "1:2 expected a name or '}', found ','"},
        SyntaxRow{"{1:2}", "1:2 expected a name"},
        SyntaxRow{"[1", "1:3 expected ',' or ']' after a value, found the end of the file"},
        SyntaxRow{"{a:1", "found the end of the file"},
        SyntaxRow{"'abc", "1:1 this text is not closed: add ''' before the line ends"},
        SyntaxRow{"[\n 'a\n']", "2:2 this text is not closed"}, SyntaxRow{"/* a", "1:1 this comment is not closed"},
        SyntaxRow{"/*/", "this comment is not closed"}, SyntaxRow{"nul", "1:1 expected a value"},
        SyntaxRow{"nullx", "1:1 expected a value"}, SyntaxRow{"truefalse", "expected a value"},
        SyntaxRow{"012", "must not begin with 0"}, SyntaxRow{"0x", "hexadecimal digits after 0x"},
        SyntaxRow{"1e", "digits of the exponent"}, SyntaxRow{".", "expected a number"},
        SyntaxRow{"+", "expected a number"}, SyntaxRow{"--1", "expected a number"},
        SyntaxRow{"1a", "1:2 expected the end of the number, found 'a'"},
        SyntaxRow{"0xfg", "expected the end of the number"}, SyntaxRow{"1e999", "too large or too small"},
        SyntaxRow{"Infinit", "expected a number"}, SyntaxRow{R"('\x4')", "expected 2 hexadecimal digits"},
        SyntaxRow{R"('\u12')", "expected 4 hexadecimal digits"}, SyntaxRow{R"('\ud83d')", "half of a surrogate pair"},
        SyntaxRow{R"('\ude00')", "half of a surrogate pair"},
        SyntaxRow{R"('\ud83d\u0041')", "half of a surrogate pair"}, SyntaxRow{R"('\1')", "an escape that JSON5 knows"},
        SyntaxRow{R"('\01')", "no digit after"}, SyntaxRow{"'\\", "expected a character after"},
        SyntaxRow{"{\\x:1}", "\\u and four"}, SyntaxRow{"['\xC3\xA4\xC3\xA4' x]", "1:7 expected ','"},
        SyntaxRow{"[\x01]", "found a control character"}));

TEST(Json5, BoundsTheNesting) {
  const auto nested = [](int levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  EXPECT_EQ(Json5(nested(kMaxNesting + 1)), nested(kMaxNesting + 1));
  EXPECT_THAT(Json5(nested(kMaxNesting + 2)), HasSubstr("nested deeper than 200 levels"));
  EXPECT_THAT(Json5(std::string(1'000'000, '[')), HasSubstr("nested deeper"));
}

TEST(Json5, SurvivesEveryTruncationOfAFile) {
  const std::string text = "{a:[1,'\\u0041\\ud83d\\ude00',{b:0x1f,/*c*/d:null}],\n// e\n'f':-1.5e3,g:true}";
  ASSERT_THAT(Json5(text), HasSubstr("g@3=true"));
  for (size_t n = 0; n < text.size(); ++n) EXPECT_THAT(Json5(text.substr(0, n)), HasSubstr("")) << n;
}

class YamlRows : public ::testing::TestWithParam<SyntaxRow> {};

TEST_P(YamlRows, Text) {
  EXPECT_THAT(Yaml(GetParam().text), HasSubstr(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, YamlRows,
    ::testing::Values(SyntaxRow{"", "null"}, SyntaxRow{"# only\n", "null"},
                      SyntaxRow{"a: 1\nb:\n  - x\n  - 'true'\n", "{a@1=1 b@2=[<x> <true>]}"},
                      SyntaxRow{"[1, -2, 0x10, 1.5, 1e3, .inf]", "[1 -2 16 1.5 1000 inf]"},
                      SyntaxRow{"[true, False, ~, null, yes, \"5\", !!str 5]", "[true false null null <yes> <5> <5>]"},
                      SyntaxRow{"[1.2.3, --5, -, 1_000, 1e, v1, 12ab]", "[<1.2.3> <--5> <-> <1_000> <1e> <v1> <12ab>]"},
                      SyntaxRow{"1: x\ntrue: y\n", "{1@1=<x> true@2=<y>}"},
                      SyntaxRow{"a:\nb: |\n  x\n  y\n", "{a@1=null b@2=<x\ny\n>}"},
                      SyntaxRow{"a: &k [x]\nb: *k\n", "{a@1=[<x>] b@2=[<x>]}"},
                      SyntaxRow{"d: &d {x: 1, y: 2}\ne: {<<: *d, x: 3}\n", "e@2={x@2=3 y@1=2}"},
                      SyntaxRow{"a: 1\na: 2\n", "{a@1=1 a@2=2}"},
                      SyntaxRow{"a: *nothing\n", "1:4 the referenced anchor is not defined"},
                      SyntaxRow{"a: [1\n", "end of sequence flow not found"},
                      SyntaxRow{"? [a]\n: 1\n", "the name of a field must be text"},
                      SyntaxRow{"a: &a [*a]\n", "1:8 an alias inside its own anchor"},
                      SyntaxRow{"a: 1\n---\nb: 2\n", "3:1 a second document begins here"},
                      SyntaxRow{"a: b: c\n", "1:5 illegal map value"}));

TEST(Yaml, BoundsNestingAndAliases) {
  EXPECT_THAT(Yaml(std::string(250, '[') + std::string(250, ']')), HasSubstr("nested deeper than 200 levels"));
  EXPECT_THAT(Yaml(std::string(100'000, '[')), HasSubstr("1:"));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string one = std::to_string(i), last = "*a" + std::to_string(i - 1);
    bomb += "a" + one + ": &a" + one + " [";
    for (int j = 0; j < 10; ++j) bomb += (j ? ", " : "") + last;
    bomb += "]\n";
  }
  EXPECT_THAT(Yaml(bomb), HasSubstr("aliases make this file too large"));
}

}  // namespace
}  // namespace ccr
