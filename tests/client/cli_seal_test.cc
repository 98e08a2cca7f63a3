#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "client/cli/key/seal.h"
#include "tests/client/cli_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class SealTest : public AppTest {
 protected:
  // With `typed` on standard input. Nothing of a canary may ever be said.
  int Seal(const SealOptions& seal, const std::string& typed, bool ask = false) {
    out_.str("");
    err_.str("");
    const std::string path = folder_ + "/typed";
    std::ofstream(path) << typed;
    const int in = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const int exit_status = SealKey(service_, seal, in, ask, terminal_);
    close(in);
    EXPECT_THAT(out_.str() + err_.str(), Not(HasSubstr("canary")));
    return exit_status;
  }
  std::string Sealed() const { return out_.str().substr(0, out_.str().find('\n')); }

  // The key of a configuration whose provider has this text.
  std::string Opened(const std::string& sealed, const std::string& broker = "", const std::string& provider = "demo") {
    Write(sealed, broker, provider);
    const ConfigResult loaded = LoadConfig(service_.config_path, ProcessEnv(), nullptr, MasterKeyPlaceOf(service_));
    if (loaded.config) return std::string(loaded.config->providers[0].keys[0].secret.Reveal());
    return loaded.problems[0].ToString();
  }
  void Write(const std::string& sealed, const std::string& broker = "", const std::string& provider = "demo") {
    WriteConfig("{Providers: [{name: '" + provider +
                "', api_base_url: 'http://127.0.0.1:9/v1/messages', models: ['m'], " +
                (sealed.empty() ? "" : "api_key: {sealed: '" + sealed + "'}") + "}], Broker: {" + broker + "}}");
  }

  void SetUp() override {
    AppTest::SetUp();
    service_ = options();
    Write("");
  }

  ServiceOptions service_;
};

TEST_F(SealTest, WhatItPrintsOpens) {
  ASSERT_EQ(Seal({"demo", "", ""}, "canary-key-a1\n"), 0) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(StartsWith("ccr-sealed:1:"), EndsWith("\n")));
  EXPECT_THAT(err_.str(), StartsWith(folder_ + "/state/master.key is made: keep a copy"));
  EXPECT_EQ(Opened(Sealed()), "canary-key-a1");
  ASSERT_EQ(Seal({"Demo", "", ""}, "canary-key-a2\r\n\n"), 0) << err_.str();
  EXPECT_EQ(err_.str(), "");
  EXPECT_EQ(Opened(Sealed()), "canary-key-a2");
}

TEST_F(SealTest, AFileHoldsTheKey) {
  std::ofstream(folder_ + "/key") << "canary-key-a1\n";
  ASSERT_EQ(Seal({"demo", folder_ + "/key", ""}, "canary-other"), 0) << err_.str();
  EXPECT_EQ(Opened(Sealed()), "canary-key-a1");
  EXPECT_EQ(Seal({"demo", folder_ + "/none", ""}, ""), 1);
  EXPECT_EQ(err_.str(), "ccr: the key file " + folder_ + "/none does not exist\n");
}

TEST_F(SealTest, APersonIsAsked) {
  ASSERT_EQ(Seal({"demo", "", ""}, "canary-key-a1\n", true), 0) << err_.str();
  EXPECT_THAT(err_.str(), StartsWith("Key (not shown): \n"));
  EXPECT_EQ(Opened(Sealed()), "canary-key-a1");
}

TEST_F(SealTest, WhatIsNoKeyIsRefused) {
  for (const char* typed : {"", "\n", "canary key", "canary-1\ncanary-2\n", "canary\x01"}) {
    EXPECT_EQ(Seal({"demo", "", ""}, typed), 2) << typed;
    EXPECT_THAT(err_.str(), StartsWith("ccr: the key "));
  }
  EXPECT_EQ(Seal({"demo", "", ""}, std::string(20000, 'k')), 2);
  EXPECT_THAT(err_.str(), HasSubstr("standard input is larger than"));
  EXPECT_EQ(Seal({"", "", ""}, "canary-key-a1"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("name the provider"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/state"));
}

TEST_F(SealTest, AProviderThatIsNotThereIsTold) {
  EXPECT_EQ(Seal({"demmo", "", ""}, "canary-key-a1"), 0);
  EXPECT_THAT(err_.str(), HasSubstr("warning: the configuration has no provider 'demmo' yet (did you mean demo?)"));
  EXPECT_EQ(Seal({"canary-key-a1", "", ""}, "canary-key-a1"), 0);
  EXPECT_THAT(err_.str(), HasSubstr("no provider of this name yet"));
}

TEST_F(SealTest, TheMasterKeyIsTheConfigurations) {
  ASSERT_EQ(Seal({"", "", folder_ + "/first.key"}, ""), 0) << err_.str();
  EXPECT_THAT(out_.str(), StartsWith(folder_ + "/first.key is made: the master key "));
  struct stat info = {};
  ASSERT_EQ(stat((folder_ + "/first.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  Write("", "master_key: {file: 'first.key'}");
  ASSERT_EQ(Seal({"demo", "", ""}, "canary-key-a1"), 0) << err_.str();
  const std::string sealed = Sealed();
  EXPECT_EQ(Opened(sealed, "master_key: {file: 'first.key'}"), "canary-key-a1");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/state"));
  EXPECT_THAT(Opened(sealed), HasSubstr("there is no master key"));
  Write("", "master_key: {file: 'none.key'}");
  EXPECT_EQ(Seal({"demo", "", ""}, "canary-key-a1"), 1);
  EXPECT_THAT(err_.str(), HasSubstr("none.key does not exist: make one with ccr key seal --new-master-key"));
  Write("", "master_key: 'first.key'");
  EXPECT_EQ(Seal({"demo", "", ""}, "canary-key-a1"), 2);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("Broker.master_key: must be {file: PATH}"), HasSubstr("nothing was sealed")));
}

// The steps of the broker's README.
TEST_F(SealTest, TheMasterKeyIsChanged) {
  ASSERT_EQ(Seal({"demo", "", ""}, "canary-key-a1"), 0) << err_.str();
  const std::string old = Sealed();
  ASSERT_EQ(Seal({"", "", folder_ + "/new.key"}, ""), 0) << err_.str();
  const std::string both = "master_key: [{file: 'new.key'}, {file: 'state/master.key'}]";
  EXPECT_EQ(Opened(old, both), "canary-key-a1");
  ASSERT_EQ(Seal({"demo", "", ""}, old + "\n"), 0) << err_.str();
  const std::string renewed = Sealed();
  EXPECT_EQ(Opened(renewed, "master_key: {file: 'new.key'}"), "canary-key-a1");
  EXPECT_THAT(Opened(old, "master_key: {file: 'new.key'}"),
              HasSubstr("sealed key demo/file was sealed with the master"));
  // A text of another provider, and one that is damaged, is not sealed anew.
  EXPECT_EQ(Seal({"other", "", ""}, renewed), 1);
  EXPECT_THAT(err_.str(), HasSubstr("sealed key other/file is refused"));
  EXPECT_EQ(Seal({"demo", "", ""}, renewed.substr(0, 40)), 2);
  EXPECT_THAT(err_.str(), HasSubstr("sealed key demo/file is no sealed text, or it is cut"));
}

TEST_F(SealTest, AMasterKeyIsNeverOverwritten) {
  std::ofstream(folder_ + "/first.key") << "anything";
  EXPECT_EQ(Seal({"", "", folder_ + "/first.key"}, ""), 1);
  EXPECT_EQ(err_.str(), "ccr: " + folder_ + "/first.key is there already, and stays as it is\n");
  EXPECT_EQ(ReadFile(folder_ + "/first.key"), "anything");
  EXPECT_EQ(Seal({"demo", "", folder_ + "/second.key"}, ""), 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/second.key"));
}

TEST_F(SealTest, WithoutAConfiguration) {
  service_.config_path = folder_ + "/none.json";
  EXPECT_EQ(Seal({"demo", "", ""}, "canary-key-a1"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("none.json: error: the configuration file does not exist: write it with ccr init"));
}

TEST_F(SealTest, TheStateFolderOfRunDir) {
  service_.run_dir = folder_ + "/run";
  ASSERT_EQ(Seal({"demo", "", ""}, "canary-key-a1"), 0) << err_.str();
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/run/state/master.key"));
  EXPECT_EQ(Opened(Sealed()), "canary-key-a1");
}

TEST_F(SealTest, AnswersInJson) {
  service_.json = true;
  ASSERT_EQ(Seal({"demo", "", ""}, "canary-key-a1"), 0) << err_.str();
  const boost::json::object answer = boost::json::parse(out_.str()).as_object();
  EXPECT_EQ(answer.at("provider").as_string(), "demo");
  EXPECT_THAT(std::string(answer.at("sealed").as_string()),
              StartsWith("ccr-sealed:1:" + std::string(answer.at("master_key").as_string()) + ":"));
}

TEST_F(SealTest, TheKeyIsNoArgument) {
  EXPECT_EQ(Run({"key", "seal", "demo", "canary-key-a1"}), 2);
  EXPECT_THAT(err_.str(), StartsWith("ccr: an argument is unknown or one too many (it is not shown, it may be a key)"));
  EXPECT_EQ(Run({"key", "seal", "demo", "--key", "canary-key-a1"}), 2);
  EXPECT_EQ(Run({"key", "seal", "demo", "--key=canary-key-a1"}), 2);
  EXPECT_EQ(Run({"--json", "key", "seal", "demo", "canary-key-a1"}), 2);
  EXPECT_THAT(out_.str() + err_.str(), Not(HasSubstr("canary")));
}

TEST_F(SealTest, TheCommandLine) {
  std::ofstream(folder_ + "/key") << "canary-key-a1\n";
  ASSERT_EQ(Run({"key", "seal", "demo", "--file", folder_ + "/key"}), 0) << err_.str();
  EXPECT_EQ(Opened(Sealed()), "canary-key-a1");
  EXPECT_EQ(Run({"key", "seal", "--new-master-key", folder_ + "/m.key"}), 0);
  EXPECT_EQ(Run({"config", "check"}), 0);
  Write(Sealed(), "master_key: {credential: 'm'}");
  EXPECT_EQ(Run({"config", "check"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("Broker.master_key: the master key of {credential: m} is known only to a systemd"));
  EXPECT_EQ(Run({"key"}), 2);
  EXPECT_THAT(out_.str() + err_.str(), Not(HasSubstr("canary")));
}

}  // namespace
}  // namespace ccr::cli
