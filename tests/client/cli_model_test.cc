#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/client/cli_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kTwoProviders = R"({
  providers: [  // lower case is known too
    {name: "Demo", api_base_url: "http://127.0.0.1:9/v1/messages", models: ["m1", "m2"], api_keys: ["canary-key-a1", "canary-key-a2"]},
    {name: "other", api_base_url: "http://127.0.0.1:9/v1/chat/completions", models: ["x/y:free"], api_key: "canary-key-a3"},
  ],
  Router: {default: "Demo,m1"},
})";

class ModelTest : public AppTest {
 protected:
  void SetUp() override {
    AppTest::SetUp();
    WriteConfig(kTwoProviders);
  }
  std::string Text() const { return ReadFile(folder_ + "/config.json"); }
};

TEST_F(ModelTest, ShowsRoutesAndModels) {
  EXPECT_EQ(Run({"model"}), 0) << err_.str();
  EXPECT_EQ(
      out_.str(),
      "Router\n  default       Demo,m1\n  background    -\n  think         -\n  longContext   -\n  webSearch     -\n"
      "  image         -\n\nModels\n  Demo          m1\n                m2\n  other         x/y:free\n");
  out_.str("");
  EXPECT_EQ(Run({"model", "default"}), 0);
  EXPECT_EQ(out_.str(), "  default       Demo,m1\n");
  out_.str("");
  EXPECT_EQ(Run({"--json", "model"}), 0);
  const boost::json::value json = boost::json::parse(out_.str());
  EXPECT_EQ(json.at("router").at("default"), "Demo,m1");
  EXPECT_TRUE(json.at("router").at("think").is_null());
  EXPECT_EQ(json.at("providers").at(1).at("models").at(0), "x/y:free");
}

TEST_F(ModelTest, ChangesOneEntryInPlace) {
  EXPECT_EQ(Run({"model", "think", "demo, m2"}), 0) << err_.str();
  std::string expected = kTwoProviders;
  expected.replace(expected.find("\"Demo,m1\""), 9, R"("Demo,m1", think: "Demo,m2")");
  EXPECT_EQ(Text(), expected);
  EXPECT_EQ(ReadFile(folder_ + "/config.json.bak"), kTwoProviders);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("think: Demo,m2 (was nothing)"), HasSubstr("config.json.bak")));
  EXPECT_EQ(Run({"model", "think", "--unset"}), 0) << err_.str();
  EXPECT_EQ(Run({"model", "default", "other,x/y:free"}), 0) << err_.str();
  EXPECT_THAT(Text(), AllOf(HasSubstr(R"(default: "other,x/y:free")"), Not(HasSubstr("think"))));
}

TEST_F(ModelTest, SameValueWritesNothing) {
  EXPECT_EQ(Run({"model", "default", "Demo,m1"}), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/config.json.bak"));
}

TEST_F(ModelTest, WrongNamesChangeNothing) {
  EXPECT_EQ(Run({"model", "thinc", "Demo,m1"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("there is no route 'thinc': did you mean think?"));
  EXPECT_EQ(Run({"model", "think", "demmo,m1"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("there is no provider demmo: did you mean Demo?"));
  EXPECT_EQ(Run({"model", "think", "Demo,sonnet-9"}), 2);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("does not list model sonnet-9: there is m1, m2"), HasSubstr("--force")));
  EXPECT_EQ(Run({"model", "think", "m1"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("'m1' is no PROVIDER,MODEL; write for example: ccr model think Demo,m1"));
  EXPECT_EQ(Run({"model", "think", "Demo,m1", "--unset"}), 2);
  EXPECT_EQ(Run({"model", "--unset"}), 2);
  EXPECT_EQ(Text(), kTwoProviders);
}

TEST_F(ModelTest, UnlistedModelByForce) {
  EXPECT_EQ(Run({"model", "think", "Demo,m9", "--force"}), 0) << err_.str();
  EXPECT_THAT(Text(), HasSubstr(R"(think: "Demo,m9")"));
}

TEST_F(ModelTest, WrongEntryCanBePutRight) {
  std::string wrong = kTwoProviders;
  wrong.replace(wrong.find("Demo,m1"), 7, "gone,m1");
  WriteConfig(wrong);
  EXPECT_EQ(Run({"model", "default", "Demo,m2"}), 0) << err_.str();
  EXPECT_THAT(Text(), HasSubstr(R"(default: "Demo,m2")"));
}

TEST_F(ModelTest, BrokenFileIsLeftAlone) {
  for (const char* text : {"{", "", "{Router: {default: 'Demo,m1'}}"}) {
    WriteConfig(text);
    EXPECT_EQ(Run({"model", "think", "Demo,m1"}), 2) << text;
    EXPECT_EQ(Run({"model"}), 2) << text;
    EXPECT_EQ(Text(), text);
  }
  std::filesystem::remove(folder_ + "/config.json");
  EXPECT_EQ(Run({"model", "think", "Demo,m1"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("config.json does not exist"));
}

TEST_F(ModelTest, CheckTellsTheVerdictInALine) {
  EXPECT_EQ(Run({"config", "check"}), 0);
  EXPECT_THAT(out_.str(), StartsWith(folder_ + "/config.json: ok: 2 providers, 3 keys, routes default\n"));
  EXPECT_THAT(out_.str(), HasSubstr("\n  Demo: Anthropic Messages, POST http://127.0.0.1:9/v1/messages\n"));
  EXPECT_EQ(err_.str(), "");
  out_.str("");
  EXPECT_EQ(Run({"config", "check", "--print"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("(hidden)"), Not(HasSubstr("canary"))));
  EXPECT_THAT(err_.str(), HasSubstr("2 providers"));
  WriteConfig("{\n Providers: [{name: 'demo'}]}", "bad.json");
  out_.str("");
  EXPECT_EQ(Run({"config", "check", folder_ + "/bad.json"}), 2);
  EXPECT_THAT(out_.str(), HasSubstr("bad.json: wrong: "));
  EXPECT_THAT(err_.str(), HasSubstr("bad.json:2: error: provider 'demo'"));
  out_.str("");
  EXPECT_EQ(Run({"--json", "config", "check", folder_ + "/none.json"}), 2);
  EXPECT_EQ(boost::json::parse(out_.str()).at("ok"), false);
  out_.str("");
  EXPECT_EQ(Run({"--json", "config", "check"}), 0);
  const boost::json::value told = boost::json::parse(out_.str());
  const boost::json::value& demo = told.at("providers").at(0);
  EXPECT_EQ(demo.at("format"), "Anthropic Messages");
  EXPECT_EQ(demo.at("rules").at("system"), "anywhere");
}

TEST_F(ModelTest, MigrateTellsWhatBecomesOfAFile) {
  WriteConfig(R"({
    HOST: "0.0.0.0", CUSTOM_ROUTER_PATH: "/home/me/router.js", transformers: [{path: "x.js"}], StatusLine: {enabled: true},
    Providers: [{name: "demo", api_base_url: "http://127.0.0.1:9/v1/chat/completions", models: ["m"],
                 api_keys: ["canary-key-a1", "canary-key-a2"], transformer: {use: ["deepseek", "vercel"]}}],
    Router: {default: "demo,m"}, fallback: {default: ["demo,m"]},
  })");
  chmod((folder_ + "/config.json").c_str(), 0644);
  const std::string before = Text();
  EXPECT_EQ(Run({"migrate"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("2 keys by round_robin"), HasSubstr("Router.default"),
                                HasSubstr("CUSTOM_ROUTER_PATH  JavaScript"), HasSubstr("StatusLine"),
                                HasSubstr("127.0.0.1 is used instead of 0.0.0.0"), HasSubstr("0644: others can read")));
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("unknown transformer"), HasSubstr("LOG_LEVEL"), Not(HasSubstr("canary"))));
  EXPECT_EQ(Text(), before);
  EXPECT_EQ(Run({"migrate", folder_ + "/none.json"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("does not exist"));
}

TEST_F(ModelTest, CompletionComesFromTheCommandsThemselves) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    out_.str("");
    EXPECT_EQ(Run({"completion", shell}), 0);
    EXPECT_THAT(out_.str(), AllOf(HasSubstr("rotation"), HasSubstr("watch"), HasSubstr("check"), HasSubstr("unset"),
                                  HasSubstr("__complete")))
        << shell;
  }
  EXPECT_EQ(Run({"completion", "tcsh"}), 2);
  out_.str("");
  EXPECT_EQ(Run({"__complete", "PROVIDER,MODEL"}), 0);
  EXPECT_EQ(out_.str(), "Demo,m1\nDemo,m2\nother,x/y:free\n");
  out_.str("");
  EXPECT_EQ(Run({"__complete", "STRATEGY"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("round_robin\n"), HasSubstr("fill_first\n")));
}

}  // namespace
}  // namespace ccr::cli
