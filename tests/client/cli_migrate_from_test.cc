#include <unistd.h>

#include "tests/client/cli_migrate_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using MigrateFromTest = MigrateTest;

constexpr const char* kOne =
    R"([{"id": 1, "type": 1, "key": "canary-key-a1", "name": "one", "models": "gpt-4o", "tag": "x", "param_override": "{\"a\":1}"}])";
constexpr const char* kOther = R"([{"id": 1, "type": 1, "key": "canary-key-a2", "name": "one", "models": "gpt-4o"}])";

TEST_F(MigrateFromTest, NothingIsWrittenOver) {
  ASSERT_EQ(FromText("new-api", kOne), 0) << err_.str();
  const std::string before = Text();
  EXPECT_EQ(FromText("new-api", kOther), 1);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr(path() + " is there already, and stays as it is"), HasSubstr("--force")));
  std::filesystem::remove(path());
  EXPECT_EQ(FromText("new-api", kOther), 1);
  EXPECT_THAT(err_.str(), HasSubstr("keys/openai.one is there already"));
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_EQ(ReadFile(folder_ + "/new/keys/openai.one"), "canary-key-a1");
}

TEST_F(MigrateFromTest, ForceReplacesAndKeepsTheOldConfiguration) {
  ASSERT_EQ(FromText("new-api", kOne), 0) << err_.str();
  std::ofstream(path()) << "{} // mine";
  ASSERT_EQ(FromText("new-api", kOther, {"--force"}), 0) << err_.str();
  EXPECT_EQ(Loaded().providers.at(0).keys[0].secret.Reveal(), "canary-key-a2");
  EXPECT_EQ(ReadFile(path() + ".bak"), "{} // mine");
  EXPECT_EQ(ModeOf("keys/openai.one"), 0600U);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new/keys/openai.one.new"));
}

TEST_F(MigrateFromTest, ADryRunWritesNothing) {
  EXPECT_EQ(FromText("new-api", kOne, {"--dry-run"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr(R"({"file": "keys/openai.one", "name": "one"})"),
                                HasSubstr("Nothing was written. It would be "),
                                HasSubstr("1 key file in " + folder_ + "/new/keys"), HasSubstr("param_override")));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new"));
}

TEST_F(MigrateFromTest, JsonSaysTheSame) {
  ASSERT_EQ(FromText("new-api", kOne, {"--json"}), 0) << err_.str();
  const boost::json::value told = boost::json::parse(out_.str());
  EXPECT_EQ(told.at("written"), true);
  EXPECT_EQ(told.at("from"), "new-api");
  EXPECT_EQ(told.at("config"), path().c_str());
  EXPECT_EQ(told.at("key_files").at(0), (folder_ + "/new/keys/openai.one").c_str());
  EXPECT_EQ(told.at("not_taken").at(0).at("where"), "channel one (id 1)");
  EXPECT_EQ(told.at("configuration").at("Providers").at(0).at("name"), "openai");
  EXPECT_EQ(FromText("new-api", kOne, {"--json"}), 1);
  EXPECT_EQ(boost::json::parse(out_.str()).at("error").at("kind"), "failed");
  EXPECT_EQ(FromText("new-api", "[]", {"--json"}), 2);
  EXPECT_EQ(boost::json::parse(out_.str()).at("error").at("kind"), "bad_input");
}

TEST_F(MigrateFromTest, StdinIsAFileToo) {
  ServiceOptions service = options();
  service.config_path = path();
  std::istringstream in(kOne), empty(" \n");
  EXPECT_EQ(MigrateFrom(service, {"new-api", {"-"}, "", false, false}, in, terminal_), 0) << err_.str();
  EXPECT_EQ(Loaded().providers.at(0).keys[0].secret.Reveal(), "canary-key-a1");
  EXPECT_EQ(MigrateFrom(service, {"new-api", {"-"}, "", true, false}, empty, terminal_), 2);
  EXPECT_THAT(err_.str(), HasSubstr("stdin is empty"));
  all_shown_ = out_.str() + err_.str();
}

TEST_F(MigrateFromTest, FilesThatCannotBeRead) {
  EXPECT_EQ(From("litellm", {folder_ + "/none.yaml"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("none.yaml does not exist"));
  EXPECT_EQ(From("litellm", {folder_}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("is a folder: name the file in it"));
  EXPECT_EQ(FromText("litellm", ""), 2);
  EXPECT_THAT(err_.str(), HasSubstr("export is empty"));
  EXPECT_EQ(FromText("litellm", "\xff\xfe canary"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("is not UTF-8 text"));
  EXPECT_EQ(From("litellm", {}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("name what litellm exported"));
  if (geteuid() == 0) return;  // root reads everything
  chmod(Put("locked", kOne).c_str(), 0);
  EXPECT_EQ(From("new-api", {folder_ + "/locked"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("permission denied"));
}

TEST_F(MigrateFromTest, AFolderOfKeysThatOthersMayEnterIsRefused) {
  std::filesystem::create_directories(folder_ + "/new/keys");
  chmod((folder_ + "/new/keys").c_str(), 0755);
  EXPECT_EQ(FromText("new-api", kOne), 1);
  EXPECT_THAT(err_.str(), HasSubstr("run chmod 700 " + folder_ + "/new/keys"));
  EXPECT_FALSE(std::filesystem::exists(path()));
  std::filesystem::remove(folder_ + "/new/keys");
  std::ofstream(folder_ + "/new/keys") << "a file";
  EXPECT_EQ(FromText("new-api", kOne), 1);
  EXPECT_THAT(err_.str(), HasSubstr("is there and no folder"));
}

TEST_F(MigrateFromTest, ALinkIsNotFollowed) {
  std::filesystem::create_directories(folder_ + "/new");
  std::filesystem::create_symlink(folder_ + "/elsewhere", path());
  EXPECT_EQ(FromText("new-api", kOne), 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/elsewhere"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new/keys"));
}

TEST_F(MigrateFromTest, WhatIsWrittenPassesConfigCheck) {
  ASSERT_EQ(FromText("new-api", kOne), 0) << err_.str();
  EXPECT_EQ(Run({"config", "check", path()}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("ok: 1 provider, 1 key"));
}

TEST_F(MigrateFromTest, NoNameHoldsItsKey) {
  ASSERT_EQ(FromText("new-api", R"([
    {"id": 1, "type": 1, "key": "canary-key-b1", "name": "canary-key-b1", "models": "m", "base_url": "https://a.test"},
    {"id": 2, "type": 1, "key": "mine", "name": "mine", "models": "m"},
    {"id": 3, "type": 1, "key": "key", "name": "", "models": "m"},
    {"id": 4, "type": 1, "key": "1", "name": "\u001b[31mred\u0007", "models": "m", "group": "vip"},
    {"id": 5, "type": 1, "key": "canary-key-b2", "name": "with canary-key-b2 in it", "models": "m", "status": 2}])"),
            0)
      << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(NamesOf(config), "provider, openai");
  EXPECT_EQ(config.providers[1].keys[0].name, "key-1");
  EXPECT_EQ(config.providers[1].keys[1].name, "account.b");
  EXPECT_EQ(config.providers[1].keys[2].name, "key-3");
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("channel with (hidden) in it (id 5)"), Not(HasSubstr("\x1b"))));
}

TEST_F(MigrateFromTest, AModelForChatIsTheDefault) {
  ASSERT_EQ(FromText("new-api",
                     R"([{"id": 1, "type": 1, "key": "canary-key-c1", "models": "text-embedding-3-small,gpt-4o"}])"),
            0);
  EXPECT_EQ(Loaded().router.default_route, "openai,gpt-4o");
}

TEST_F(MigrateFromTest, TheCommandLine) {
  EXPECT_EQ(Run({"migrate", "--from", "unknown", "x"}), 2);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("--from"), HasSubstr("unknown")));
  EXPECT_EQ(Run({"migrate", "--force"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("--from"));
  EXPECT_EQ(Run({"migrate", "a", "b"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("one configuration at a time"));
  out_.str("");
  EXPECT_EQ(Run({"migrate"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("loads as it is; nothing was changed"));
  for (const char* shell : {"bash", "zsh", "fish"}) {
    out_.str("");
    EXPECT_EQ(Run({"completion", shell}), 0);
    EXPECT_THAT(out_.str(), AllOf(HasSubstr("dry-run"), HasSubstr("output"))) << shell;
  }
}

}  // namespace
}  // namespace ccr::cli
