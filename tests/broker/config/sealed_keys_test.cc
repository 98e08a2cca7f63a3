// Keys that stand sealed in a configuration, and the master keys that open them.
#include "broker/config/sealed_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/absl_text.h"
#include "broker/base/master_key_file.h"
#include "broker/config/config.h"
#include "tests/broker/config/problems.h"
#include "tests/broker/config/texts.h"

namespace ccr {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SealedKeysTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "ccr-sealed-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string path = folder_ + "/" + name;
    std::filesystem::remove(path);
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string Content(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string MakeMasterKey(const std::string& name) const {
    const std::string path = folder_ + "/" + name;
    EXPECT_TRUE(MakeMasterKeyFile(path, RandomBytes).ok());
    return path;
  }

  // Under `Broker`, the text of that section.
  ConfigResult Load(const std::string& keys, const std::string& broker = "", MasterKeyPlace place = {}) const {
    const std::string path = Write("config.json", OneProvider(kUrl + keys, "Broker: {" + broker + "}"));
    return LoadConfig(path, env_, nullptr, place);
  }
  // As ccr key seal does.
  std::string Seal(const std::string& key, const std::string& broker = "", const std::string& provider = "p") const {
    const std::string path = Write("config.json", OneProvider(kUrl, "Broker: {" + broker + "}"));
    const SealingConfig sealing = LoadSealingConfig(path, env_, {});
    if (sealing.master_keys == nullptr) return Show(sealing.problems);
    const MasterKeys::SealerResult sealer = sealing.master_keys->ToSeal();
    if (!sealer.ok()) return std::string(sealer.status().message());
    return (*sealer)->Seal(Secret(key), ContextOfFileKey(provider));
  }

  std::string folder_;
  EnvLookup env_ = Env({{"PATH", "/usr/bin:/bin"}});
};

std::string Sealed(const std::string& text) {
  return "{sealed: '" + text + "'}";
}

std::vector<std::string> KeysOf(const ConfigResult& result) {
  std::vector<std::string> keys;
  if (!result.config) return {Show(result.problems)};
  for (const KeyConfig& key : result.config->providers[0].keys) keys.emplace_back(key.secret.Reveal());
  return keys;
}

// One character of the text changed.
std::string Damaged(std::string sealed) {
  char& last = sealed[sealed.size() - 10];
  last = last == 'A' ? 'B' : 'A';
  return sealed;
}

TEST_F(SealedKeysTest, EveryFormOpens) {
  const std::string sealed = Seal("canary-key-a1");
  EXPECT_EQ(sealed.find("canary"), std::string::npos);
  for (const std::string& keys :
       {"api_key: " + Sealed(sealed), "api_key: {key: " + Sealed(sealed) + "}", "api_keys: [" + Sealed(sealed) + "]",
        "api_keys: [{sealed: '" + sealed + "', name: 'first', rpm: 3}]", "api_keys: [{key: " + Sealed(sealed) + "}]"}) {
    const ConfigResult result = Load(keys);
    EXPECT_THAT(KeysOf(result), ::testing::ElementsAre("canary-key-a1"));
    EXPECT_THAT(Show(result.problems), IsEmpty());
  }
  EXPECT_EQ(Load("api_keys: [{sealed: '" + sealed + "', rpm: 3}]").config->providers[0].keys[0].limits.rpm, 3U);
}

TEST_F(SealedKeysTest, TheMasterKeyOfTheStateFolderIsMadeAtFirstNeed) {
  Seal("canary-key-a1");
  struct stat info = {};
  ASSERT_EQ(stat((folder_ + "/state/master.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  ASSERT_EQ(stat((folder_ + "/state").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
  const std::string made = Content("state/master.key");
  Seal("canary-key-a2");
  EXPECT_EQ(Content("state/master.key"), made);
}

TEST_F(SealedKeysTest, LoadingMakesNone) {
  const std::string sealed = Seal("canary-key-a1");
  std::filesystem::remove_all(folder_ + "/state");
  const ConfigResult result = Load("api_key: " + Sealed(sealed));
  EXPECT_THAT(Show(result.problems),
              HasSubstr("Providers[0].api_key: there is no master key: " + folder_ + "/state/master.key is made when"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/state"));
}

TEST_F(SealedKeysTest, IsBoundToItsProvider) {
  const std::string other = Seal("canary-key-a1", "", "q");
  EXPECT_THAT(Show(Load("api_key: " + Sealed(other)).problems),
              HasSubstr("error: provider 'p': Providers[0].api_key: sealed key p/file is refused: it is not as it was "
                        "sealed, or it was sealed for another key: seal the key again with ccr key seal"));
  EXPECT_THAT(KeysOf(Load("api_key: " + Sealed(Seal("canary-key-a1", "", "P")))),
              ::testing::ElementsAre("canary-key-a1"));
}

TEST_F(SealedKeysTest, ADamagedOneIsNamedAndTheOthersServe) {
  const std::string good = Seal("canary-key-a1");
  const std::string damaged = Damaged(Seal("canary-key-a2"));
  const ConfigResult result =
      Load("api_keys: [" + Sealed(good) + ", {sealed: '" + damaged + "', name: 'second'}, 'canary-key-a3']");
  EXPECT_THAT(KeysOf(result), ::testing::ElementsAre("canary-key-a1", "canary-key-a3"));
  EXPECT_THAT(Show(result.problems),
              AllOf(HasSubstr("warning: provider 'p': Providers[0].api_keys[1]: is left out: sealed key p/file is "
                              "refused"),
                    Not(HasSubstr("canary")), Not(HasSubstr(damaged))));
}

TEST_F(SealedKeysTest, WhenNoneOpensItIsAnError) {
  const std::string damaged = Damaged(Seal("canary-key-a1"));
  const std::string shown = Show(Load("api_keys: [" + Sealed(damaged) + ", " + Sealed(damaged) + "]").problems);
  EXPECT_THAT(shown, AllOf(HasSubstr("error: provider 'p': Providers[0].api_keys[0]: sealed key p/file"),
                           HasSubstr("error: provider 'p': Providers[0].api_keys[1]: sealed key p/file")));
}

TEST_F(SealedKeysTest, PositionsInMessagesAreThoseOfTheFile) {
  const std::string damaged = Damaged(Seal("canary-key-a1"));
  const std::string shown =
      Show(Load("api_keys: [" + Sealed(damaged) + ", 'canary-key-a3', 'canary-key-a3']").problems);
  EXPECT_THAT(shown, HasSubstr("api_keys[2]: the same key as api_keys[1]: remove one"));
}

TEST_F(SealedKeysTest, WithoutAnOpenerTheyAreThereWithoutCharacters) {
  const std::string path =
      Write("config.json", OneProvider(kUrl + ("api_keys: [" + Sealed("ccr-sealed:1:x")) + ", 'canary-key-a2']",
                                       "Broker: {master_key: {exec: ['/none']}}"));
  const ConfigResult result = LoadConfig(path, env_);
  EXPECT_THAT(Show(result.problems), IsEmpty());
  EXPECT_THAT(KeysOf(result), ::testing::ElementsAre("", "canary-key-a2"));
}

TEST_F(SealedKeysTest, WhatIsWrongWithTheField) {
  const std::string sealed = Seal("canary-key-a1");
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"api_key: {sealed: 'canary-key-a1'}", "api_key.sealed: must be what ccr key seal prints"},
      {"api_key: {sealed: 7}", "api_key.sealed: must be text"},
      {"api_key: {sealed: ''}", "api_key.sealed: must be what ccr key seal prints"},
      {"api_key: {sealed: '" + sealed + "', file: 'a.key'}", "sealed stands beside key or file"},
      {"api_key: {sealed: '" + sealed + "', key: 'canary-key-a1'}", "sealed stands beside key or file"},
      {"api_key: {sealed: 'ccr-sealed:9:abc'}", "has a format that is not known here"},
      {"api_key: {sealed: '" + Seal("canary key") + "'}", "the key holds a space"},
      {"api_key: {sealed: '" + Seal("") + "'}", "the key is empty"}};
  for (const auto& [keys, why] : wrong) {
    const ConfigResult result = Load(keys);
    EXPECT_FALSE(result.config) << keys;
    EXPECT_THAT(Show(result.problems), AllOf(HasSubstr(why), Not(HasSubstr("canary"))));
  }
  const std::string path =
      Write("config.json", OneProvider(kUrl + std::string("api_key: 'k'"), "APIKEY: " + Sealed(sealed)));
  EXPECT_THAT(Show(LoadConfig(path, env_, nullptr, MasterKeyPlace{}).problems),
              HasSubstr("APIKEY: only the keys of providers can be sealed"));
}

TEST_F(SealedKeysTest, MasterKeysOfAllSources) {
  MakeMasterKey("m.key");
  const std::string program = Write("program", "#!/bin/sh\ncat m.key\n", 0700);
  env_ = Env({{"PATH", "/usr/bin:/bin"}, {"HOME", folder_}, {"CREDENTIALS_DIRECTORY", folder_}});
  const std::string sealed = Seal("canary-key-a1", "master_key: {file: 'm.key'}");
  for (const char* source :
       {"{file: 'm.key'}", "{file: '~/m.key'}", "[{file: 'm.key'}]", "{exec: ['cat', 'm.key']}",
        "{exec: ['./program']}", "{exec: ['/bin/sh', '-c', 'cat $HOME/m.key']}", "{credential: 'm.key'}"}) {
    const ConfigResult result = Load("api_key: " + Sealed(sealed), std::string("master_key: ") + source);
    EXPECT_THAT(KeysOf(result), ::testing::ElementsAre("canary-key-a1")) << source;
    EXPECT_THAT(Show(result.problems), IsEmpty());
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/state"));
}

TEST_F(SealedKeysTest, TheMasterKeyIsChanged) {
  MakeMasterKey("old.key");
  const std::string both = "master_key: [{file: 'new.key'}, {file: 'old.key'}]";
  const std::string before = Seal("canary-key-a1", "master_key: {file: 'old.key'}");
  MakeMasterKey("new.key");
  const std::string after = Seal("canary-key-a2", both);
  const ConfigResult result = Load("api_keys: [" + Sealed(before) + ", " + Sealed(after) + "]", both);
  EXPECT_THAT(KeysOf(result), ::testing::ElementsAre("canary-key-a1", "canary-key-a2"));
  EXPECT_THAT(Show(result.problems),
              AllOf(HasSubstr("warning: provider 'p': Providers[0].api_keys[0]: was sealed with an older master key"),
                    Not(HasSubstr("api_keys[1]"))));
  const ConfigResult renewed =
      Load("api_keys: [" + Sealed(before) + ", " + Sealed(after) + "]", "master_key: {file: 'new.key'}");
  EXPECT_THAT(KeysOf(renewed), ::testing::ElementsAre("canary-key-a2"));
  EXPECT_THAT(Show(renewed.problems), HasSubstr(": name that one in Broker.master_key too, or seal the key again"));
}

TEST_F(SealedKeysTest, MasterKeysThatCannotBeUsed) {
  MakeMasterKey("open.key");
  chmod((folder_ + "/open.key").c_str(), 0644);
  MakeMasterKey("good.key");
  Write("bad.key", "canary-master-key");
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"{file: 'none.key'}", "none.key does not exist: make one with ccr key seal --new-master-key " + folder_},
      {"{file: 'open.key'}", "run chmod 600 " + folder_ + "/open.key"},
      {"{file: 'bad.key'}", "bad.key is not 32 random bytes as base64"},
      {"[{file: 'good.key'}, {file: 'bad.key'}]", "bad.key is not 32 random bytes as base64"},
      {"[{file: 'good.key'}, {exec: ['cat', 'good.key']}]", "is given twice: remove one"},
      {"{exec: ['/none/program', 'canary']}", "the master key of {exec: [/none/program, ...]} cannot be started"},
      {"{exec: ['sh', '-c', 'echo canary; exit 3']}", "{exec: [sh, ...]} ended with status 3"},
      {"{exec: ['echo', 'canary']}", "{exec: [echo, ...]} is not 32 random bytes as base64"},
      {"{credential: 'm'}", "known only to a systemd service that has LoadCredential=m:FILE"},
      {"{file: ''}", "master_key.file: is empty"},
      {"{exec: []}", "master_key.exec: is empty"},
      {"{exec: ['']}", "master_key.exec: is empty"},
      {"{credential: '../m'}", "master_key.credential: must be the name of a credential, without a folder"},
      {"{credential: ''}", "must be the name of a credential"},
      {"{file: 'good.key', exec: ['cat']}", "must be {file: PATH}, {exec: [PROGRAM, ...]} or {credential: NAME}"},
      {"{fiel: 'good.key'}", "master_key"},
      {"'good.key'", "must be {file: PATH}"},
      {"[]", "is empty: name a master key, or leave it out"},
      {"['good.key']", "Broker.master_key[0]: must be {file: PATH}"}};
  for (const auto& [source, why] : wrong) {
    const ConfigResult result = Load("api_key: 'k'", "master_key: " + source);
    EXPECT_FALSE(result.config) << source;
    EXPECT_THAT(Show(result.problems),
                AllOf(HasSubstr("config.json:1: error: Broker.master_key"), HasSubstr(why), Not(HasSubstr("canary"))));
  }
}

// Every sealed key would say the same.
TEST_F(SealedKeysTest, AMasterKeyThatCannotBeUsedIsToldOnce) {
  const std::string sealed = Seal("canary-key-a1");
  const ConfigResult result =
      Load("api_keys: [" + Sealed(sealed) + ", " + Sealed(sealed) + "]", "master_key: {file: 'none.key'}");
  EXPECT_EQ(result.problems.size(), 1U) << Show(result.problems);
}

TEST_F(SealedKeysTest, AProgramRunsOnceForAllKeys) {
  MakeMasterKey("m.key");
  Write("program", "#!/bin/sh\necho ran >> runs\ncat m.key\n", 0700);
  const std::string a = Seal("canary-key-a1", "master_key: {file: 'm.key'}");
  const std::string b = Seal("canary-key-a2", "master_key: {file: 'm.key'}");
  EXPECT_TRUE(Load("api_keys: [" + Sealed(a) + ", " + Sealed(b) + "]", "master_key: {exec: ['./program']}").config);
  EXPECT_EQ(Content("runs"), "ran\n");
}

TEST_F(SealedKeysTest, TheStateFolderMayBeElsewhere) {
  const std::string sealed = Seal("canary-key-a1");
  std::filesystem::rename(folder_ + "/state", folder_ + "/moved");
  const std::string keys = "api_key: " + Sealed(sealed);
  EXPECT_FALSE(Load(keys).config);
  EXPECT_TRUE(Load(keys, "state_dir: 'moved'").config);
  EXPECT_TRUE(Load(keys, "", {folder_ + "/moved", ""}).config);
  EXPECT_TRUE(Load(keys, "", {"", folder_ + "/moved"}).config);
  EXPECT_TRUE(Load(keys, "state_dir: 'other'", {folder_ + "/moved", ""}).config);
  EXPECT_FALSE(Load(keys, "state_dir: 'other'", {"", folder_ + "/moved"}).config);
}

TEST_F(SealedKeysTest, SealsForAConfigurationThatLacksItsKey) {
  const std::string path = Write("config.json", "{Providers: [{name: 'p'}, {name: 'Q'}, 7], Broker: {state_dir: 's'}}");
  const SealingConfig sealing = LoadSealingConfig(path, env_, {});
  ASSERT_NE(sealing.master_keys, nullptr) << Show(sealing.problems);
  EXPECT_THAT(sealing.providers, ::testing::ElementsAre("p", "Q"));
  EXPECT_TRUE(sealing.master_keys->ToSeal().ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/s/master.key"));
  EXPECT_THAT(Show(LoadSealingConfig(folder_ + "/none", env_, {}).problems), HasSubstr("does not exist"));
  EXPECT_EQ(LoadSealingConfig(Write("config.json", "{Broker: {master_key: 7}}"), env_, {}).master_keys, nullptr);
}

TEST_F(SealedKeysTest, IsDescribedWithoutArguments) {
  MakeMasterKey("m.key");
  const ConfigResult result = Load("api_key: 'k'",
                                   "master_key: [{file: 'm.key'}, {exec: ['printf', '%s', "
                                   "'bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0=']}]");
  ASSERT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(DescribeConfig(*result.config),
              AllOf(HasSubstr("master_key: [{file: " + folder_ + "/m.key}, {exec: [printf, \"(hidden)\"]}]\n"),
                    Not(HasSubstr("bW1t"))));
}

}  // namespace
}  // namespace ccr
