#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "client/cli/config/init.h"
#include "tests/client/cli_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class InitTest : public ServiceTest {
 protected:
  int Init(InitOptions init, const std::string& typed, bool ask = false) {
    ServiceOptions fresh = options();
    fresh.config_path = path();
    std::istringstream in(typed);
    return cli::Init(fresh, std::move(init), in, ask, terminal_);
  }
  std::string path() const { return folder_ + "/new/config.json"; }
  ConfigResult Loaded() const { return LoadConfig(path(), ProcessEnv()); }
};

TEST_F(InitTest, KeysOfStdinBecomeAPool) {
  ASSERT_EQ(Init({"deepseek", "", {}, ""}, "canary-key-1\n\n canary-key-2 \n"), 0) << err_.str();
  const ConfigResult loaded = Loaded();
  ASSERT_TRUE(loaded.config);
  EXPECT_TRUE(loaded.problems.empty());
  ASSERT_EQ(loaded.config->providers[0].keys.size(), 2U);
  EXPECT_EQ(loaded.config->providers[0].keys[1].secret.Reveal(), "canary-key-2");
  EXPECT_EQ(loaded.config->router.default_route, "deepseek,deepseek-v4-pro");
  struct stat info {};
  ASSERT_EQ(stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_THAT(out_.str() + err_.str(), AllOf(HasSubstr("2 keys"), Not(HasSubstr("canary"))));
}

TEST_F(InitTest, AFileThatIsThereStays) {
  ASSERT_EQ(Init({"deepseek", "", {}, ""}, "canary-key-1\n"), 0);
  const std::string before = ReadFile(path());
  EXPECT_EQ(Init({"openai", "", {}, ""}, "canary-key-2\n"), 1);
  EXPECT_THAT(err_.str(), HasSubstr("is there already"));
  EXPECT_EQ(ReadFile(path()), before);
}

TEST_F(InitTest, AVariableStaysOne) {
  ASSERT_EQ(setenv("CCR_INIT_TEST_key", "canary-key-9", 1), 0);
  ASSERT_EQ(Init({"own", "https://own.test/v1/messages", {"m1", "m2"}, "CCR_INIT_TEST_key"}, ""), 0) << err_.str();
  EXPECT_THAT(ReadFile(path()), AllOf(HasSubstr("${CCR_INIT_TEST_key}"), Not(HasSubstr("canary"))));
  EXPECT_EQ(Loaded().config->providers[0].keys[0].secret.Reveal(), "canary-key-9");
  EXPECT_EQ(Loaded().config->router.background, "own,m2");
}

TEST_F(InitTest, APersonIsAsked) {
  ASSERT_EQ(Init({}, "own\nhttps://own.test/v1/messages\nm1\ncanary-key-1\n\n", true), 0) << err_.str();
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("Provider (anthropic, "), HasSubstr("API key (not shown)")));
  EXPECT_EQ(Loaded().config->providers[0].keys.size(), 1U);
}

TEST_F(InitTest, WhatIsMissingIsSaid) {
  EXPECT_EQ(Init({}, "canary-key-1\n"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("name a provider"));
  EXPECT_EQ(Init({"deepsek", "", {}, ""}, "canary-key-1\n"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean deepseek?"));
  EXPECT_EQ(Init({"own", "https://own.test/v1/messages", {"m"}, ""}, "\n"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("no key"));
  EXPECT_EQ(Init({"own", "nonsense", {"m"}, ""}, "canary-key-1\n"), 2);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(InitTest, EveryKnownProviderIsRight) {
  for (const std::string& name : KnownProviders()) {
    std::filesystem::remove(path());
    EXPECT_EQ(Init({name, "", {}, ""}, "canary-key-1\n"), 0) << err_.str();
    EXPECT_TRUE(Loaded().problems.empty()) << name;
  }
}

}  // namespace
}  // namespace ccr::cli
