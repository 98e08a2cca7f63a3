// Schemas of tools, behind Fit().
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "conversation_text.h"
#include "proxy/formats/conversation/fit.h"

namespace ccr::proxy {
namespace {

ProviderRules NoCombinators() {
  ProviderRules rules;
  rules.schema_combinators = false;
  return rules;
}

ProviderRules NoMissingItems() {
  ProviderRules rules;
  rules.schema_items = false;
  return rules;
}

ProviderRules NoRefs() {
  ProviderRules rules;
  rules.schema_refs = false;
  return rules;
}

// What becomes of the parameters; "" where nothing had to change.
std::string Fitted(const ProviderRules& rules, std::string_view schema) {
  ModelRequest request;
  Notes notes;
  request.messages.push_back(in_words::Say(Role::kUser, "hi"));
  request.tools.emplace_back().parameters = ParseJson(schema, request.memory).value();
  const bool changed = FitSame(rules, false, &request, &notes);
  const std::string fitted = ToJson(request.tools[0].parameters);
  EXPECT_TRUE(changed || json::parse(fitted) == json::parse(schema));
  return changed ? fitted : "";
}

void ExpectFitted(const ProviderRules& rules, const std::vector<std::pair<std::string, std::string>>& cases) {
  for (const auto& [schema, expected] : cases) {
    const std::string fitted = Fitted(rules, schema);
    EXPECT_EQ(fitted, expected) << schema;
    if (!fitted.empty()) EXPECT_EQ(Fitted(rules, fitted), "") << "not once and for all: " << schema;
  }
}

TEST(FitSchemasTest, CombinatorsAtTheTopAreMerged) {
  ExpectFitted(
      NoCombinators(),
      {{R"({"type":"object","properties":{"a":{"anyOf":[{"type":"string"}]}}})", ""},
       {R"({"type":"object","properties":{"a":{}},"anyOf":[{"required":["a"]},{"properties":{"b":{"type":"string"}},"required":["b"]}]})",
        R"({"type":"object","properties":{"a":{},"b":{"type":"string"}}})"},
       {R"({"oneOf":[{"properties":{"k":{"const":1},"a":{}},"required":["k","a"]},{"properties":{"k":{"const":2}},"required":["k"]}]})",
        R"({"type":"object","properties":{"k":{"anyOf":[{"const":1},{"const":2}]},"a":{}},"required":["k"]})"},
       {R"({"description":"d","allOf":[{"properties":{"a":{}},"required":["a"]},{"properties":{"b":{}},"required":["b","c"]}]})",
        R"({"type":"object","description":"d","properties":{"a":{},"b":{}},"required":["a","b"]})"},
       {R"({"$ref":"#/$defs/T","$defs":{"T":{"properties":{"a":{}},"anyOf":[{"properties":{"b":{}}}]}}})",
        R"({"type":"object","$defs":{"T":{"properties":{"a":{}},"anyOf":[{"properties":{"b":{}}}]}},"properties":{"a":{},"b":{}}})"},
       {R"({"anyOf":[{"type":"null"},{"properties":{"a":{}},"required":["a"]}]})",
        R"({"type":"object","properties":{"a":{}},"required":["a"]})"},
       {R"({"type":"object","not":{"required":["a"]}})", R"({"type":"object","properties":{}})"},
       {R"({"anyOf":"no list"})", R"({"type":"object","properties":{}})"},
       {R"({"anyOf":[1,"x",null]})", R"({"type":"object","properties":{}})"}});
}

TEST(FitSchemasTest, MissingItemsAreAddedAtAnyDepth) {
  ExpectFitted(NoMissingItems(),
               {{R"({"type":"object","properties":{"a":{"type":"array","items":{}}}})", ""},
                {R"({"type":"object","properties":{"a":{"type":"array"}}})",
                 R"({"type":"object","properties":{"a":{"type":"array","items":{}}}})"},
                {R"({"properties":{"type":{"type":["array","null"]}}})",
                 R"({"properties":{"type":{"type":["array","null"],"items":{}}}})"},
                {R"({"anyOf":[{"items":{"additionalProperties":{"type":"array"}}}]})",
                 R"({"anyOf":[{"items":{"additionalProperties":{"type":"array","items":{}}}}]})"},
                {R"({"$defs":{"T":{"type":"array"}}})", R"({"$defs":{"T":{"type":"array","items":{}}}})"},
                {R"({"const":{"type":"array"},"enum":[{"type":"array"}],"default":{"type":"array"}})", ""}});
}

TEST(FitSchemasTest, ReferencesBecomeWhatTheyName) {
  ExpectFitted(
      NoRefs(),
      {{R"({"type":"object","$defs":{"T":{}}})", ""},
       {R"({"properties":{"a":{"$ref":"#/$defs/T","description":"mine"}},"$defs":{"T":{"type":"string","description":"its"}}})",
        R"({"properties":{"a":{"type":"string","description":"mine"}}})"},
       {R"({"properties":{"a":{"$ref":"#/definitions/A"}},"definitions":{"A":{"items":{"$ref":"#/definitions/B"}},"B":{"type":"string"}}})",
        R"({"properties":{"a":{"items":{"type":"string"}}}})"},
       {R"({"$ref":"#/$defs/N","$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}}})",
        R"({"type":"object","properties":{"next":{}}})"},
       {R"({"properties":{"a":{"$ref":"#/$defs/none"},"b":{"$ref":"http://x/y"}}})",
        R"({"properties":{"a":{},"b":{}}})"},
       {R"({"$ref":"#"})", R"({})"}});
}

TEST(FitSchemasTest, WhatReferencesStandForIsBounded) {
  std::string schema = R"({"properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{)";
  for (int i = 0; i < 30; ++i) {
    const std::string next = "{\"$ref\":\"#/$defs/d" + std::to_string(i + 1) + "\"}";
    schema += "\"d" + std::to_string(i) + "\":{\"anyOf\":[" + next + "," + next + "]},";
  }
  schema += R"("d30":{"type":"string"}}})";
  EXPECT_LT(Fitted(NoRefs(), schema).size(), size_t{4} << 20);
}

TEST(FitSchemasTest, ManyAlternativesAreBounded) {
  std::string schema = R"({"anyOf":[)";
  for (int i = 0; i < 5000; ++i)
    schema += std::string(i > 0 ? "," : "") + R"({"properties":{"k":{"const":)" + std::to_string(i) + "}}}";
  const std::string fitted = Fitted(NoCombinators(), schema + "]}");
  EXPECT_LT(fitted.size(), 1000);
  EXPECT_GT(fitted.size(), 100);
}

TEST(FitSchemasTest, OnlyFunctionsHaveThem) {
  ModelRequest request;
  Notes notes;
  request.messages.push_back(in_words::Say(Role::kUser, "hi"));
  Tool& tool = request.tools.emplace_back();
  tool.kind = Tool::Kind::kOther;
  tool.parameters = ParseJson(R"({"anyOf":[]})", request.memory).value();
  request.tools.emplace_back();  // without parameters
  EXPECT_FALSE(FitSame(NoCombinators(), false, &request, &notes));
}

}  // namespace
}  // namespace ccr::proxy
