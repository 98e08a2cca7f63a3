#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/config/route_edit.h"

namespace ccr::cli {
namespace {

using ::testing::HasSubstr;

std::string Json(std::string_view text, std::string_view name, std::optional<std::string> route) {
  const absl::StatusOr<std::string> changed = ChangeRoute(text, false, {name, std::move(route)});
  return changed.ok() ? *changed : "failed: " + std::string(changed.status().message());
}

std::string Yaml(std::string_view text, std::string_view name, std::optional<std::string> route) {
  const absl::StatusOr<std::string> changed = ChangeRoute(text, true, {name, std::move(route)});
  return changed.ok() ? *changed : "failed: " + std::string(changed.status().message());
}

TEST(Json5Route, OnlyTheValueChanges) {
  EXPECT_EQ(Json("// é\n{ Router : {default:'a,b', /* x */ think: \"c,d\" // y\n} }", "default", "p,m"),
            "// é\n{ Router : {default:'p,m', /* x */ think: \"c,d\" // y\n} }");
  EXPECT_EQ(Json(R"({"Router": {"think": null}})", "think", "p,m"), R"({"Router": {"think": "p,m"}})");
  EXPECT_EQ(Json("\xEF\xBB\xBF{Router:{think:'a,b'}}", "think", "p,m"), "\xEF\xBB\xBF{Router:{think:'p,m'}}");
}

TEST(Json5Route, NewEntryIsWrittenAsTheOthers) {
  EXPECT_EQ(Json("{\n  \"Router\": {\n    \"default\": \"a,b\" // x\n  }\n}\n", "think", "p,m"),
            "{\n  \"Router\": {\n    \"default\": \"a,b\", // x\n    \"think\": \"p,m\"\n  }\n}\n");
  EXPECT_EQ(Json("{\n\tRouter: {\n\t\tdefault: 'a,b', // x\n\t},\n}\n", "think", "p,m"),
            "{\n\tRouter: {\n\t\tdefault: 'a,b', // x\n\t\tthink: \"p,m\",\n\t},\n}\n");
  EXPECT_EQ(Json("{Router: {default: 'a,b'}}", "think", "p,m"), "{Router: {default: 'a,b', think: \"p,m\"}}");
  EXPECT_EQ(Json("{Router: {default: 'a,b',}}", "think", "p,m"), "{Router: {default: 'a,b', think: \"p,m\",}}");
  EXPECT_EQ(Json("{Router: {}}", "think", "p,m"), "{Router: { think: \"p,m\" }}");
  EXPECT_EQ(Json("{\n  Router: {\n    // none\n  }\n}", "think", "p,m"),
            "{\n  Router: {\n    think: \"p,m\"\n    // none\n  }\n}");
}

TEST(Json5Route, CommaBehindACommentOrOnTheNextLine) {
  EXPECT_EQ(Json("{Router: {\n a: 'x' /* , */\n , b: 'y'\n}}", "think", "p,m"),
            "{Router: {\n a: 'x' /* , */\n , b: 'y', think: \"p,m\"\n}}");
  EXPECT_EQ(Json("{Router: {\n a: 'x' // ,\n ,\n}}", "think", "p,m"),
            "{Router: {\n a: 'x' // ,\n ,\n think: \"p,m\",\n}}");
}

TEST(Json5Route, RouterIsAddedWhenMissing) {
  EXPECT_EQ(Json("{\n  \"PORT\": 1\n}\n", "default", "p,m"),
            "{\n  \"PORT\": 1,\n  \"Router\": {\n    \"default\": \"p,m\"\n  }\n}\n");
  EXPECT_EQ(Json("{\n  providers: [],  // all\n}\n", "default", "p,m"),
            "{\n  providers: [],  // all\n  Router: {\n    default: \"p,m\"\n  },\n}\n");
  EXPECT_EQ(Json("{PORT: 1}", "default", "p,m"), "{PORT: 1, Router: { default: \"p,m\" }}");
  EXPECT_EQ(Json("{PORT: 1, Router: null}", "default", "p,m"), "{PORT: 1, Router: { default: \"p,m\" }}");
  EXPECT_EQ(Json("{}", "default", "p,m"), R"({ "Router": { "default": "p,m" } })");
}

TEST(Json5Route, LineEndsStay) {
  EXPECT_EQ(Json("{\r\n  Router: {\r\n    default: 'a,b'\r\n  }\r\n}\r\n", "think", "p,m"),
            "{\r\n  Router: {\r\n    default: 'a,b',\r\n    think: \"p,m\"\r\n  }\r\n}\r\n");
  EXPECT_EQ(Json("{\r\n  Router: {\r\n    default: 'a,b',\r\n    think: 'c,d'\r\n  }\r\n}\r\n", "think", std::nullopt),
            "{\r\n  Router: {\r\n    default: 'a,b'\r\n  }\r\n}\r\n");
}

TEST(Json5Route, RemovalTakesItsCommaAlong) {
  const char* three = "{Router: {\n  a: 'x', // 1\n  think: 'y',\n  c: 'z' // 3\n}}";
  EXPECT_EQ(Json(three, "think", std::nullopt), "{Router: {\n  a: 'x', // 1\n  c: 'z' // 3\n}}");
  EXPECT_EQ(Json("{Router: {a: 'x', think: 'y'}}", "think", std::nullopt), "{Router: {a: 'x' }}");
  EXPECT_EQ(Json("{Router: {think: 'y', a: 'x'}}", "think", std::nullopt), "{Router: {a: 'x'}}");
  EXPECT_EQ(Json("{Router: {think: 'y'}}", "think", std::nullopt), "{Router: {}}");
  EXPECT_EQ(Json("{Router: {think: 'y', a: 'x', think: 'z'}}", "think", std::nullopt), "{Router: {a: 'x' }}");
}

TEST(Json5Route, LastOfSeveralCounts) {
  EXPECT_EQ(Json("{Router: {think: 'a,b', think: 'c,d'}}", "think", "p,m"), "{Router: {think: 'a,b', think: 'p,m'}}");
}

TEST(Json5Route, ValuesAreQuoted) {
  EXPECT_EQ(Json("{Router: {think: 'a'}}", "think", "p,it's \"\\\n"), R"({Router: {think: 'p,it\'s "\\\u000a'}})");
}

TEST(Json5Route, NothingToRemoveChangesNothing) {
  EXPECT_EQ(Json("{PORT: 1}", "think", std::nullopt), "{PORT: 1}");
}

TEST(Json5Route, WhatIsNoConfigurationIsRefused) {
  EXPECT_THAT(Json("{Router: ", "think", "p,m"), HasSubstr("failed: line 1"));
  EXPECT_THAT(Json("[]", "think", "p,m"), HasSubstr("must hold a map"));
  EXPECT_THAT(Json("{Router: 'a,b'}", "think", "p,m"), HasSubstr("Router must be a map"));
}

TEST(YamlRoute, OnlyTheValueChanges) {
  EXPECT_EQ(Yaml("# é\nRouter:\n  default: a,b  # x\n  think: 'c,d' # y\nPORT: 1\n", "default", "p,m"),
            "# é\nRouter:\n  default: \"p,m\"  # x\n  think: 'c,d' # y\nPORT: 1\n");
  EXPECT_EQ(Yaml("Router:\n  think: 'c''s,d' # y\n", "think", "p,m"), "Router:\n  think: \"p,m\" # y\n");
  EXPECT_EQ(Yaml("Router: {default: \"a,b\", think: \"c,d\"}\n", "default", "p,m"),
            "Router: {default: \"p,m\", think: \"c,d\"}\n");
  EXPECT_EQ(Yaml("\xEF\xBB\xBFRouter:\n  think: a,b\n", "think", "p,m"), "\xEF\xBB\xBFRouter:\n  think: \"p,m\"\n");
}

TEST(YamlRoute, NewEntryIsWrittenAsTheOthers) {
  EXPECT_EQ(Yaml("Router:\n    default: a,b # x\n\n# end\nPORT: 1\n", "think", "p,m"),
            "Router:\n    default: a,b # x\n    think: \"p,m\"\n\n# end\nPORT: 1\n");
  EXPECT_EQ(Yaml("Router:\r\n  default: a,b\r\n", "think", "p,m"), "Router:\r\n  default: a,b\r\n  think: \"p,m\"\r\n");
  EXPECT_EQ(Yaml("Router:\n  default: a,b", "think", "p,m"), "Router:\n  default: a,b\n  think: \"p,m\"");
  EXPECT_EQ(Yaml("Router:\n  default:\n", "think", "p,m"), "Router:\n  think: \"p,m\"\n  default:\n");
  EXPECT_EQ(Yaml("Router: {default: \"a,b\"}\n", "think", "p,m"), "Router: {think: \"p,m\", default: \"a,b\"}\n");
  EXPECT_EQ(Yaml("Router: {}\n", "think", "p,m"), "Router: {think: \"p,m\"}\n");
}

TEST(YamlRoute, RouterIsAddedWhenMissing) {
  EXPECT_EQ(Yaml("PORT: 1", "default", "p,m"), "PORT: 1\nRouter:\n  default: \"p,m\"\n");
  EXPECT_EQ(Yaml("PORT: 1\nRouter:  # none\nHOST: h\n", "default", "p,m"),
            "PORT: 1\nRouter:  # none\n  default: \"p,m\"\nHOST: h\n");
}

TEST(YamlRoute, RemovalTakesTheLine) {
  EXPECT_EQ(Yaml("Router:\n  a: x,y\n  think: p,m # gone\n  b: x,y\n", "think", std::nullopt),
            "Router:\n  a: x,y\n  b: x,y\n");
  EXPECT_EQ(Yaml("Router:\n  think: p,m\nPORT: 1\n", "think", std::nullopt), "Router:\nPORT: 1\n");
  EXPECT_EQ(Yaml("Router: {a: \"x,y\", think: \"p,m\"}\n", "think", std::nullopt), "Router: {a: \"x,y\"}\n");
  EXPECT_EQ(Yaml("Router: {think: \"p,m\", a: \"x,y\"}\n", "think", std::nullopt), "Router: {a: \"x,y\"}\n");
}

TEST(YamlRoute, WhatCannotBeChangedAloneIsLeftToPeople) {
  const char* alias = "base: &r\n  think: a,b\nRouter: *r\n";
  EXPECT_THAT(Yaml(alias, "think", "p,m"), HasSubstr("write it by hand: think: \"p,m\""));
  EXPECT_THAT(Yaml("base: &r {think: \"a,b\"}\nRouter:\n  <<: *r\n", "think", std::nullopt),
              HasSubstr("remove it by hand"));
  EXPECT_THAT(Yaml("Router:\n  think: >-\n    a,b\n", "think", "p,m"), HasSubstr("by hand"));
  EXPECT_THAT(Yaml("{PORT: 1}\n", "think", "p,m"), HasSubstr("by hand"));
}

}  // namespace
}  // namespace ccr::cli
