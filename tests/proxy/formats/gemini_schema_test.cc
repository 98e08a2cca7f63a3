#include <gtest/gtest.h>

#include <string>

#include "proxy/formats/gemini/schema.h"
#include "tests/proxy/formats/dice.h"
#include "tests/proxy/formats/gemini_validators.h"

namespace ccr::proxy::gemini {
namespace {

// Both as JSON; the result must be valid too.
std::string Reduced(std::string_view schema) {
  SchemaBudget budget;
  const json::object reduced = GeminiSchema(json::parse({schema.data(), schema.size()}), {}, &budget);
  EXPECT_EQ(CheckGeminiSchema(ToJson(reduced)), "");
  return ToJson(reduced);
}

TEST(GeminiSchema, Rules) {
  const struct {
    std::string schema, expected;
  } rows[] = {
      {R"({"type":"string","description":"d","title":"t"})", R"({"type":"STRING","title":"t","description":"d"})"},
      {R"({"type":"string","format":"uri","pattern":"^[a-z]$","default":"a","minLength":1})",
       R"({"type":"STRING","minLength":1})"},
      {R"({"type":"string","format":"date-time"})", R"({"type":"STRING","format":"date-time"})"},
      {R"({"type":"integer","exclusiveMinimum":0,"maximum":9,"format":"int64","multipleOf":3})",
       R"({"type":"INTEGER","format":"int64","minimum":1,"maximum":9})"},
      {R"({"type":"integer","exclusiveMaximum":2.5})", R"({"type":"INTEGER","maximum":2})"},
      {R"({"type":"number","exclusiveMinimum":0.5,"format":"int32"})", R"({"type":"NUMBER","minimum":0.5})"},
      {R"({"type":["string","null"]})", R"({"type":"STRING","nullable":true})"},
      {R"({"type":["string","integer","null"],"description":"d"})",
       R"({"anyOf":[{"type":"STRING","description":"d","nullable":true},)"
       R"({"type":"INTEGER","description":"d","nullable":true}]})"},
      {R"({"anyOf":[{"type":"string"},{"type":"null"}],"description":"d"})",
       R"({"type":"STRING","nullable":true,"description":"d"})"},
      {R"({"oneOf":[{"type":"string","description":"own"},{"const":5}],"description":"d"})",
       R"({"anyOf":[{"type":"STRING","description":"own"},{"type":"INTEGER","description":"One of: 5."}]})"},
      {R"({"type":"object","properties":{"a":{}},"anyOf":[{"required":["a"]},{"required":["b"]}]})",
       R"({"type":"OBJECT","properties":{"a":{"type":"STRING"}}})"},
      {R"({"enum":["a","",null,"b"]})", R"({"type":"STRING","enum":["a","b"]})"},
      {R"({"const":"a"})", R"({"type":"STRING","enum":["a"]})"},
      {R"({"type":"integer","enum":[1,2],"description":"How many?"})",
       R"({"type":"INTEGER","description":"How many? One of: 1, 2."})"},
      {R"({"type":"array","items":{"type":"number"},"minItems":2,"uniqueItems":true})",
       R"({"type":"ARRAY","minItems":2,"items":{"type":"NUMBER"}})"},
      {R"({"type":"array"})", R"({"type":"ARRAY","items":{"type":"STRING"}})"},
      {R"({"prefixItems":[{"type":"string"},{"type":"number"}]})",
       R"({"type":"ARRAY","items":{"anyOf":[{"type":"STRING"},{"type":"NUMBER"}]}})"},
      {R"({"allOf":[{"properties":{"a":{"type":"boolean"}},"required":["a"]},{"properties":{"b":true}}]})",
       R"({"type":"OBJECT","properties":{"a":{"type":"BOOLEAN"},"b":{"type":"STRING"}},"required":["a"]})"},
      {R"({"properties":{"p":{"$ref":"#/$defs/P","description":"own"}},"$defs":{"P":{"type":"integer"}}})",
       R"({"type":"OBJECT","properties":{"p":{"type":"INTEGER","description":"own"}}})"},
      {R"({"type":"object","additionalProperties":{"type":"string"},"$schema":"s"})", R"({"type":"OBJECT"})"},
      {R"({"additionalProperties":{"type":"string"}})", R"({"type":"OBJECT"})"},
      {R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a","b","a"],"additionalProperties":false})",
       R"({"type":"OBJECT","properties":{"a":{"type":"STRING"}},"required":["a"]})"},
      {R"(true)", R"({"type":"STRING"})"},
      {R"({"type":"file"})", R"({"type":"STRING"})"},
      {R"({"$ref":"https://example.com/other"})", R"({"type":"STRING"})"},
  };
  for (const auto& row : rows) EXPECT_EQ(Reduced(row.schema), row.expected) << row.schema;
}

TEST(GeminiSchema, WhatRefersToItselfIsCut) {
  const std::string tree = Reduced(R"({"$defs":{"T":{"type":"object","properties":{"l":{"$ref":"#/$defs/T"},)"
                                   R"("r":{"$ref":"#/$defs/T"}}}},"$ref":"#/$defs/T"})");
  EXPECT_EQ(tree, R"({"type":"OBJECT","properties":{"l":{"type":"OBJECT"},"r":{"type":"OBJECT"}}})");
  EXPECT_EQ(Reduced(R"({"$ref":"#"})"), R"({"type":"OBJECT"})");
  Reduced(R"({"allOf":[{"$ref":"#"},{"$ref":"#"}]})");
  Reduced(R"({"anyOf":[{"$ref":"#"},{"$ref":"#"}]})");
}

TEST(GeminiSchema, ParametersAreAnObject) {
  const auto parameters = [](std::string_view schema) {
    SchemaBudget budget;
    return ToJson(GeminiParameters(json::parse({schema.data(), schema.size()}), {}, &budget));
  };
  EXPECT_EQ(parameters(R"({"type":"string"})"), R"({"type":"OBJECT"})");
  EXPECT_EQ(parameters(R"({"type":"object","properties":{}})"), R"({"type":"OBJECT"})");
  EXPECT_EQ(parameters(R"({"anyOf":[{"properties":{"a":{}},"required":["a"]},{"properties":{"b":{}}}]})"),
            R"({"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"STRING"}}})");
}

// Any JSON with the words of schemas strewn in.
json::value RandomSchema(Dice& dice, int depth = 0) {
  static const std::vector<std::string> kWords = {"type",        "properties",
                                                  "items",       "anyOf",
                                                  "oneOf",       "allOf",
                                                  "$ref",        "enum",
                                                  "const",       "format",
                                                  "required",    "minimum",
                                                  "maxLength",   "title",
                                                  "nullable",    "prefixItems",
                                                  "description", "exclusiveMinimum",
                                                  "minItems",    "additionalProperties"};
  static const std::vector<std::string> kValues = {
      R"("string")",   R"("object")",    R"("array")",          R"("integer")", R"("null")",
      R"(["string"])", R"("#")",         R"("#/properties/a")", R"(["a","b"])", R"(5)",
      R"(true)",       R"("date-time")", R"(["object","null"])"};
  if (depth > 5 || dice.OneIn(4)) return json::parse(dice.Pick(kValues));
  if (dice.OneIn(5)) {
    json::array list;
    for (size_t n = dice.Below(3); n > 0; --n) list.push_back(RandomSchema(dice, depth + 1));
    return list;
  }
  json::object object;
  for (size_t n = dice.Below(5); n > 0; --n) {
    object[dice.OneIn(4) ? "a" : dice.Pick(kWords)] = RandomSchema(dice, depth + 1);
  }
  return object;
}

TEST(GeminiSchema, AnythingBecomesAValidSchema) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    Dice dice(seed);
    const std::string schema = json::serialize(RandomSchema(dice));
    SchemaBudget budget;
    const json::object reduced = GeminiSchema(json::parse(schema), {}, &budget);
    ASSERT_EQ(CheckGeminiSchema(ToJson(reduced)), "") << "seed " << seed << " " << schema;
    const json::object parameters = GeminiParameters(json::parse(schema), {}, &budget);
    ASSERT_EQ(CheckGeminiSchema(ToJson(parameters)), "") << "seed " << seed << " " << schema;
  }
}

}  // namespace
}  // namespace ccr::proxy::gemini
