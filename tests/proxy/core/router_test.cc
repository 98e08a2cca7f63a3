#include "proxy/core/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "proxy/core/format.h"

namespace ccr::proxy {
namespace {

using ::testing::HasSubstr;

RoutingTable Table() {
  RoutingTable table;
  table.providers.resize(2);
  table.providers[0].name = "OpenRouter";
  table.providers[0].models = {"claude-opus", "GPT-5"};
  table.providers[1].name = "local";
  table.providers[1].models = {"gpt-5", "qwen"};
  table.default_route = "local,qwen";
  return table;
}

// Of a request that no rule of the Router is about.
absl::StatusOr<Route> PickByName(const RoutingTable& table, std::string_view model) {
  return PickRoute(table, Format::kChat, model, RequestFacts(), 0);
}

TEST(PickRoute, Rules) {
  const RoutingTable table = Table();
  const struct {
    std::string model, provider, sent;
  } cases[] = {
      {"OpenRouter,x", "OpenRouter", "x"},
      {"openrouter,Some/Model,with,commas", "OpenRouter", "Some/Model,with,commas"},
      {"LOCAL,QWEN", "local", "QWEN"},
      {"claude-opus", "OpenRouter", "claude-opus"},
      {"gpt-5", "local", "gpt-5"},       // as written, before
      {"Gpt-5", "OpenRouter", "GPT-5"},  // in another case
      {"unheard-of", "local", "qwen"},
      {"", "local", "qwen"},
  };
  for (const auto& c : cases) {
    const auto route = PickByName(table, c.model);
    ASSERT_TRUE(route.ok()) << c.model << route.status();
    EXPECT_EQ(route->provider->name, c.provider) << c.model;
    EXPECT_EQ(route->model, c.sent) << c.model;
  }
}

TEST(PickRoute, DefaultMayBeAListedModel) {
  RoutingTable table = Table();
  table.default_route = "QWEN";
  EXPECT_EQ(PickByName(table, "unheard-of")->model, "qwen");
}

TEST(PickRoute, Errors) {
  RoutingTable table = Table();
  const auto expect = [&](std::string_view model, absl::StatusCode code, const std::string& said) {
    const absl::Status status = PickByName(table, model).status();
    EXPECT_EQ(status.code(), code) << model;
    EXPECT_THAT(std::string(status.message()), HasSubstr(said));
    EXPECT_THAT(std::string(status.message()), HasSubstr("OpenRouter, local"));
  };
  expect("nobody,x", absl::StatusCode::kNotFound, "no provider 'nobody'");
  expect("local,", absl::StatusCode::kInvalidArgument, "provider,model");
  expect(",x", absl::StatusCode::kInvalidArgument, "provider,model");
  table.default_route = "nobody,x";
  expect("", absl::StatusCode::kNotFound, "no provider 'nobody'");
  table.default_route = "unlisted";
  expect("", absl::StatusCode::kNotFound, "Router.default 'unlisted'");
  table.default_route = "";
  expect("unheard-of", absl::StatusCode::kNotFound, "'unheard-of'");
  expect("", absl::StatusCode::kInvalidArgument, "names no model");
}

// A table whose every rule is set, each to a model of its own name.
RoutingTable Rules() {
  RoutingTable table;
  table.providers.resize(2);
  table.providers[0].name = "Up";
  table.providers[0].models = {"listed", "claude-listed", "claude-haiku-listed"};
  table.providers[1].name = "other";
  table.image = "up,image";
  table.long_context = "up,longContext";
  table.background = "up,background";
  table.web_search = "up,webSearch";
  table.think = "up,think";
  table.default_route = "up,default";
  return table;
}

// Facts under which every rule of the table holds.
RequestFacts AllFacts() {
  RequestFacts facts;
  facts.tokens = 60001;
  facts.thinking = facts.web_search = facts.image = true;
  facts.subagent = SubagentTag{"up,subagent", 0, 0};
  facts.session = "s";
  return facts;
}

std::string Pick(const RoutingTable& table, std::string_view model, const RequestFacts& facts, uint64_t last = 0,
                 Format client = Format::kAnthropic) {
  const auto route = PickRoute(table, client, model, facts, last);
  if (!route.ok()) return std::string(route.status().message());
  return std::string(RuleName(route->rule)) + "=" + route->provider->name + "," + route->model;
}

// All rules hold; one after the other is taken away, and the next one decides.
TEST(PickRouteByFacts, EachRuleGoesBeforeTheNext) {
  RoutingTable table = Rules();
  RequestFacts facts = AllFacts();
  const std::string model = "claude-haiku-listed";
  EXPECT_EQ(Pick(table, "Other,x", facts), "explicit=other,x");
  EXPECT_EQ(Pick(table, "LISTED", facts), "listed=Up,listed");
  EXPECT_EQ(Pick(table, model, facts), "image=Up,image");
  facts.image = false;
  EXPECT_EQ(Pick(table, model, facts), "longContext=Up,longContext");
  facts.tokens = 60000;
  EXPECT_EQ(Pick(table, model, facts), "subagent=Up,subagent");
  facts.subagent.reset();
  EXPECT_EQ(Pick(table, model, facts), "background=Up,background");
  EXPECT_EQ(Pick(table, "claude-listed", facts), "webSearch=Up,webSearch");
  facts.web_search = false;
  EXPECT_EQ(Pick(table, "claude-listed", facts), "think=Up,think");
  facts.thinking = false;
  EXPECT_EQ(Pick(table, "claude-listed", facts), "default=Up,default");
  table.default_route.clear();
  EXPECT_EQ(Pick(table, "claude-listed", facts), "listed=Up,claude-listed");
}

// The same, by what the Router sets.
TEST(PickRouteByFacts, ARuleThatIsNotSetDoesNotHold) {
  RoutingTable table = Rules();
  RequestFacts facts = AllFacts();
  const std::string model = "claude-haiku-x";
  table.image.clear();
  EXPECT_EQ(Pick(table, model, facts), "longContext=Up,longContext");
  table.long_context.clear();
  EXPECT_EQ(Pick(table, model, facts), "subagent=Up,subagent");
  facts.subagent.reset();
  EXPECT_EQ(Pick(table, model, facts), "background=Up,background");
  table.background.clear();
  EXPECT_EQ(Pick(table, model, facts), "webSearch=Up,webSearch");
  table.web_search.clear();
  EXPECT_EQ(Pick(table, model, facts), "think=Up,think");
  table.think.clear();
  EXPECT_EQ(Pick(table, model, facts), "default=Up,default");
}

TEST(PickRouteByFacts, LongContextThresholds) {
  const RoutingTable table = Rules();
  const struct {
    uint64_t tokens, last;
    bool holds;
  } cases[] = {
      {60000, 0, false},    {60001, 0, true},      {0, 60001, false},     {20000, 60001, false},
      {20001, 60001, true}, {20001, 60000, false}, {60000, 60000, false},
  };
  for (const auto& c : cases) {
    RequestFacts facts;
    facts.tokens = c.tokens;
    EXPECT_EQ(Pick(table, "m", facts, c.last), c.holds ? "longContext=Up,longContext" : "default=Up,default")
        << c.tokens << " " << c.last;
  }
}

TEST(PickRouteByFacts, LongContextSuffix) {
  RoutingTable table = Rules();
  table.think = "up,claude[1M]";
  table.providers[1].models = {"big[1m]"};
  RequestFacts facts;
  facts.session = "s";
  EXPECT_EQ(Pick(table, "claude-x[1m]", facts), "longContext=Up,longContext");
  EXPECT_EQ(Pick(table, "claude-x[1M]", facts), "longContext=Up,longContext");
  EXPECT_EQ(Pick(table, "up,claude-x[1m]", facts), "explicit=Up,claude-x");
  EXPECT_EQ(Pick(table, "listed[1m]", facts), "listed=Up,listed");
  EXPECT_EQ(Pick(table, "BIG[1m]", facts), "listed=other,big");
  facts.thinking = true;
  EXPECT_EQ(Pick(table, "m", facts), "think=Up,claude");
  table.long_context.clear();
  facts.thinking = false;
  EXPECT_EQ(Pick(table, "claude-haiku[1m]", facts), "background=Up,background");
  table.default_route.clear();
  EXPECT_EQ(Pick(table, "claude-listed[1m]", facts), "listed=Up,claude-listed");
  EXPECT_THAT(Pick(table, "up,[1m]", facts), HasSubstr("provider,model"));
}

TEST(PickRouteByFacts, BackgroundIsClaudesHaiku) {
  const RoutingTable table = Rules();
  EXPECT_EQ(Pick(table, "claude-3-5-haiku-20241022", {}), "background=Up,background");
  EXPECT_EQ(Pick(table, "anthropic/Claude-HAIKU", {}), "background=Up,background");
  EXPECT_EQ(Pick(table, "haiku", {}), "default=Up,default");
  EXPECT_EQ(Pick(table, "claude-sonnet", {}), "default=Up,default");
}

TEST(PickRouteByFacts, OnlyClaudeCodesOwnChoiceIsLeftToTheRouter) {
  const RoutingTable table = Rules();
  RequestFacts facts;
  EXPECT_EQ(Pick(table, "claude-listed", facts), "listed=Up,claude-listed");  // no session: somebody's program
  facts.session = "s";
  EXPECT_EQ(Pick(table, "claude-listed", facts), "default=Up,default");
  EXPECT_EQ(Pick(table, "CLAUDE-listed", facts), "default=Up,default");
  EXPECT_EQ(Pick(table, "claude-listed", facts, 0, Format::kChat), "listed=Up,claude-listed");
  EXPECT_EQ(Pick(table, "listed", facts), "listed=Up,listed");
}

TEST(PickRouteByFacts, EntriesMayNameAListedModel) {
  RoutingTable table = Rules();
  table.think = "LISTED";
  RequestFacts facts;
  facts.thinking = true;
  EXPECT_EQ(Pick(table, "m", facts), "think=Up,listed");
  facts.subagent = SubagentTag{"listed", 0, 0};
  EXPECT_EQ(Pick(table, "m", facts), "subagent=Up,listed");
}

TEST(PickRouteByFacts, ErrorsSayWhoseEntryIsWrong) {
  RoutingTable table = Rules();
  table.think = "nobody,x";
  RequestFacts facts;
  facts.thinking = true;
  EXPECT_THAT(Pick(table, "m", facts), HasSubstr("Router.think: there is no provider 'nobody'"));
  facts.subagent = SubagentTag{"unlisted", 0, 0};
  EXPECT_THAT(Pick(table, "m", facts), HasSubstr("the subagent tag's model 'unlisted' is listed by no provider"));
}

TEST(NeedsTokenCount, ForLongContextOnly) {
  RoutingTable table = Rules();
  EXPECT_TRUE(NeedsTokenCount(table));
  table.long_context.clear();
  EXPECT_FALSE(NeedsTokenCount(table));
}

std::string FallbackModels(const RoutingTable& table, std::string_view name) {
  return absl::StrJoin(Fallbacks(table, name), " ", [](std::string* out, const Route& route) {
    *out += route.provider->name + "," + route.model;
    EXPECT_EQ(route.rule, Rule::kFallback);
  });
}

TEST(Fallbacks, AreTheListOfTheRoute) {
  RoutingTable table = Rules();
  table.fallback["default"] = {"other,a", "UP,b[1m]", "nobody,c", "unlisted", "", ",", "listed", "Other,a"};
  table.fallback["think"] = {"up,t"};
  EXPECT_EQ(FallbackModels(table, "default"), "other,a Up,b Up,listed");
  EXPECT_EQ(FallbackModels(table, "think"), "Up,t");
  EXPECT_EQ(FallbackModels(table, "webSearch"), "");
  for (const Rule rule : {Rule::kExplicit, Rule::kListed, Rule::kSubagent})
    EXPECT_EQ(FallbackModels(table, RuleName(rule)), "other,a Up,b Up,listed");
}

std::string Splice(const std::string& body, std::string_view model, size_t pieces) {
  std::string storage;
  const auto parts = SpliceModel(body, ScanBody(body), model, &storage);
  EXPECT_EQ(parts.size(), pieces) << body;
  std::string joined;
  for (const std::string_view part : parts) joined += part;
  return joined;
}

TEST(SpliceModel, ChangesTheModelOnly) {
  EXPECT_EQ(Splice(R"({ "a" : 1, "model" : "p,m" ,"z":"\u0041"} )", "m", 3),
            R"({ "a" : 1, "model" : "m" ,"z":"\u0041"} )");
  EXPECT_EQ(Splice(R"({"model":"m"})", "m", 1), R"({"model":"m"})");
  EXPECT_EQ(Splice(R"({"model":"\u006d"})", "m", 1), R"({"model":"\u006d"})");
  EXPECT_EQ(Splice(R"({"model":"x"})", "a\"b", 3), R"({"model":"a\"b"})");
  EXPECT_EQ(Splice(R"({"model":null})", "m", 3), R"({"model":"m"})");
  EXPECT_EQ(Splice(R"({"model":""})", "m", 3), R"({"model":"m"})");
}

TEST(SpliceModel, PutsOneInWhereThereIsNone) {
  EXPECT_EQ(Splice(R"( { "a":1})", "m", 3), R"( {"model":"m", "a":1})");
  EXPECT_EQ(Splice("{ }", "m", 3), R"({"model":"m" })");
}

TEST(Format, OfClients) {
  EXPECT_EQ(ClientFormat(Endpoint::kMessages), Format::kAnthropic);
  EXPECT_EQ(ClientFormat(Endpoint::kCountTokens), Format::kAnthropic);
  EXPECT_EQ(ClientFormat(Endpoint::kChatCompletions), Format::kChat);
  EXPECT_EQ(ClientFormat(Endpoint::kNotFound), Format::kChat);
  EXPECT_TRUE(SameFormat(Endpoint::kMessages, Format::kAnthropic));
  EXPECT_FALSE(SameFormat(Endpoint::kMessages, Format::kChat));
  EXPECT_FALSE(SameFormat(Endpoint::kEmbeddings, Format::kAnthropic));
  EXPECT_TRUE(SameFormat(Endpoint::kPassthrough, Format::kAnthropic));
  EXPECT_TRUE(SameFormat(Endpoint::kPassthrough, Format::kChat));
}

}  // namespace
}  // namespace ccr::proxy
