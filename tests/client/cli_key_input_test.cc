#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/key/key_input.h"

namespace ccr::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> Names(const KeyList& list) {
  std::vector<std::string> names;
  for (const ListedKey& listed : list.keys) names.push_back(listed.key.name);
  return names;
}

std::vector<std::string> Secrets(const KeyList& list) {
  std::vector<std::string> secrets;
  for (const ListedKey& listed : list.keys) secrets.emplace_back(listed.key.secret.Reveal());
  return secrets;
}

std::string Mistake(std::string_view text) {
  const absl::StatusOr<KeyList> list = ParseKeyList(text, "keys.txt");
  EXPECT_TRUE(absl::IsInvalidArgument(list.status())) << list.status();
  EXPECT_THAT(std::string(list.status().message()), Not(HasSubstr("canary")));
  return std::string(list.status().message());
}

TEST(KeyInputTest, OneKeyALine) {
  const absl::StatusOr<KeyList> list =
      ParseKeyList("canary-a\r\n\n# two more\n  canary-b  \nteam canary-c\n", "keys.txt");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_THAT(Secrets(*list), ElementsAre("canary-a", "canary-b", "canary-c"));
  EXPECT_THAT(Names(*list), ElementsAre("", "", "team"));
  EXPECT_EQ(list->keys[2].line, 5);
}

TEST(KeyInputTest, JsonOfTextsAndObjects) {
  const absl::StatusOr<KeyList> list = ParseKeyList(
      R"(["canary-a",
          {"key": "canary-b", "name": "team", "weight": 2.5, "rpm": 60, "tpd": 7, "max_concurrent": 3,
           "models": ["m"]}])",
      "keys.json");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_THAT(Secrets(*list), ElementsAre("canary-a", "canary-b"));
  const KeyConfig& key = list->keys[1].key;
  EXPECT_EQ(key.name, "team");
  EXPECT_EQ(key.weight, 2.5);
  EXPECT_EQ(key.limits.rpm, 60U);
  EXPECT_EQ(key.limits.tpd, 7U);
  EXPECT_EQ(key.max_concurrent, 3U);
  EXPECT_THAT(key.models, ElementsAre("m"));
  EXPECT_EQ(list->keys[1].line, 2);
}

TEST(KeyInputTest, WhatIsThereTwiceIsToldAndLeftOut) {
  const absl::StatusOr<KeyList> list = ParseKeyList("canary-a\ncanary-b\nteam canary-a\n", "keys.txt");
  ASSERT_TRUE(list.ok());
  EXPECT_THAT(Secrets(*list), ElementsAre("canary-a", "canary-b"));
  EXPECT_THAT(list->repeated, ElementsAre("line 3: the same key as in line 1"));
}

TEST(KeyInputTest, EveryMistakeIsNamedWithItsLine) {
  EXPECT_THAT(Mistake("canary-a canary-b canary-c\nok canary-d\nno/name canary-e\n"),
              AllOf(HasSubstr("keys.txt:1: has more than two words"), HasSubstr("keys.txt:3: a key's name is"),
                    Not(HasSubstr("keys.txt:2"))));
  EXPECT_THAT(Mistake("team canary-a\nteam canary-b\n"), HasSubstr("keys.txt:2: the same name as in line 1"));
  EXPECT_THAT(Mistake("$CANARY_KEY\n"), HasSubstr("keys.txt:1: is the name of a variable"));
  EXPECT_THAT(Mistake("\n# nothing\n"), HasSubstr("there is no key in it"));
  EXPECT_THAT(Mistake(""), HasSubstr("there is no key in it"));
}

TEST(KeyInputTest, MistakesInJson) {
  EXPECT_THAT(Mistake("[\"canary-a\",\n 7]"), HasSubstr("keys.txt:2: [1]: must be a text"));
  EXPECT_THAT(Mistake("[\"canary-a\",\n {\"key\": \"canary-b\", \"rmp\": 3}]"), HasSubstr("rmp"));
  EXPECT_THAT(Mistake("[{\"name\": \"team\"}]"), HasSubstr("the key is missing"));
  EXPECT_THAT(Mistake("[{\"key\": \"canary-a\", \"weight\": 0}]"), HasSubstr("weight 0"));
  EXPECT_THAT(Mistake("[{\"key\": \"canary-a\", \"weight\": \"canary\"}]"), HasSubstr("weight"));
  EXPECT_THAT(Mistake("{\"key\": \"canary-a\"}"), HasSubstr("must be a list"));
  EXPECT_THAT(Mistake("[\"canary-a\""), HasSubstr("keys.txt:1: column"));
  EXPECT_THAT(Mistake("[\"canary-a\",\n\"\xff\"]"), HasSubstr("keys.txt:2: is not UTF-8"));
}

TEST(KeyInputTest, ManyMistakesAreCut) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "a b c\n";
  EXPECT_THAT(Mistake(text), HasSubstr("and 10 more"));
}

TEST(KeyInputTest, OneKeyOfAStreamOrAFile) {
  std::ostringstream nothing;
  const Terminal terminal{nothing, nothing};
  std::istringstream in("  canary-a \n");
  EXPECT_EQ(ReadOneKey("", in, false, terminal)->Reveal(), "canary-a");
  const std::string path = ::testing::TempDir() + "ccr-one-key.txt";
  std::ofstream(path) << "canary-b\r\n";
  EXPECT_EQ(ReadOneKey(path, in, true, terminal)->Reveal(), "canary-b");
  EXPECT_EQ(nothing.str(), "");
  std::istringstream typed("canary-c\n");
  EXPECT_EQ(ReadOneKey("", typed, true, terminal)->Reveal(), "canary-c");
  EXPECT_THAT(nothing.str(), HasSubstr("not shown"));
}

TEST(KeyInputTest, WhatIsNoKey) {
  std::ostringstream nothing;
  const Terminal terminal{nothing, nothing};
  const auto problem = [&](const std::string& text) {
    std::istringstream in(text);
    const absl::StatusOr<Secret> key = ReadOneKey("", in, false, terminal);
    EXPECT_FALSE(key.ok());
    return std::string(key.status().message());
  };
  EXPECT_THAT(problem(" \n"), HasSubstr("no key came"));
  EXPECT_THAT(problem("canary-a\ncanary-b\n"), AllOf(HasSubstr("ccr key import"), Not(HasSubstr("canary"))));
  EXPECT_THAT(problem("canary a"), AllOf(HasSubstr("holds a space"), Not(HasSubstr("canary"))));
  EXPECT_THAT(problem(std::string(100'000, 'x')), HasSubstr("more than 65536 bytes"));
  std::istringstream in;
  EXPECT_THAT(std::string(ReadOneKey("/nowhere/key", in, false, terminal).status().message()),
              HasSubstr("/nowhere/key"));
}

TEST(KeyInputTest, WhatLooksLikeAKey) {
  EXPECT_TRUE(LooksLikeKey("sk-canary-key-of-nobody"));
  EXPECT_TRUE(LooksLikeKey("0123456789abcdef0123456789abcdef"));
  for (const char* name : {"", "team", "sk-team", "key-3f9a21c7", "3f9a21c7deadbeef", "openrouter",
                           "production-account-of-the-second-team", "claude-code-2026-11-29"}) {
    EXPECT_FALSE(LooksLikeKey(name)) << name;
  }
}

TEST(KeyInputTest, Times) {
  EXPECT_EQ(*ParseTime("30s"), absl::Seconds(30));
  EXPECT_EQ(*ParseTime("2h"), absl::Hours(2));
  EXPECT_EQ(*ParseTime("1h30m"), absl::Minutes(90));
  EXPECT_EQ(*ParseTime("2d"), absl::Hours(48));
  for (const char* text : {"", "2", "0s", "-1h", "2x", "inf", "d", "1us"}) EXPECT_FALSE(ParseTime(text).ok()) << text;
}

}  // namespace
}  // namespace ccr::cli
