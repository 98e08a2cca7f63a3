// What people change while the broker runs: in effect at once, on disk before it is acknowledged, over the file's entry
// until that changes, over restarts too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "broker/core/strategies/strategy.h"
#include "tests/broker/service/broker_service_fixture.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PeopleTest : public BrokerServiceTest {
 protected:
  PeopleTest() {
    UseMasterKeys("1");
    StartAgain();
  }
  ~PeopleTest() override { std::filesystem::remove_all(folder_); }

  // With the same store.
  void StartAgain() {
    service_.reset();
    service_ = std::make_unique<BrokerService>(BrokerService::Options{.clock = &clock_,
                                                                      .store = &store_,
                                                                      .observers = {&observer_},
                                                                      .fingerprint_salt = TestSalt(),
                                                                      .wake = [](absl::Time) {}});
  }
  Config Of(const std::vector<std::string>& keys) {
    ProviderConfig provider = MakeProvider("p", keys);
    for (size_t i = 0; i < keys.size(); ++i) provider.keys[i].name = keys[i];
    Config config = MakeConfig(std::move(provider));
    config.broker.master_keys = master_keys_;
    return config;
  }
  // "a active", "b disabled operator", in the order of the pool.
  std::vector<std::string> Keys() {
    std::vector<std::string> keys;
    const PoolStatus pool = Pool("p");
    for (const core::KeySnapshot& key : pool.snapshot.keys) {
      std::string line = absl::StrCat(pool.info->keys[key.key].name, " ", std::string(core::ToString(key.state)));
      if (!key.reason.empty()) absl::StrAppend(&line, " ", std::string(key.reason));
      keys.push_back(std::move(line));
    }
    return keys;
  }
  absl::Status Disable(const std::string& key, absl::Duration time = absl::InfiniteDuration()) {
    return service_->DisableKey({"p", key}, time).status();
  }
  absl::Status Enable(const std::string& key) { return service_->EnableKey({"p", key}).status(); }
  static KeyConfig New(const std::string& name) {
    KeyConfig key;
    key.name = name;
    key.secret = Secret("canary-key-" + name);
    return key;
  }
  BrokerService::AddedKey Add(KeyConfig key) {
    std::vector<KeyConfig> keys;
    keys.push_back(std::move(key));
    auto added = service_->AddKeys("p", std::move(keys), false);
    EXPECT_TRUE(added.ok()) << added.status();
    return added.ok() ? added->at(0) : BrokerService::AddedKey();
  }

  // Files of such master keys; the first seals.
  void UseMasterKeys(const std::string& letters) {
    std::vector<MasterKeySource> sources;
    for (const char letter : letters) {
      const std::string file = absl::StrCat(folder_, "/", std::string(1, letter));
      std::ofstream(file) << absl::Base64Escape(std::string(kMasterKeyBytes, letter));
      std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
      sources.push_back({.path = file});
    }
    master_keys_ = std::make_shared<const MasterKeys>(std::move(sources), folder_, folder_, ProcessEnv());
  }

  const std::string folder_ = [] {
    std::string name = (std::filesystem::temp_directory_path() / "ccr-people-XXXXXX").string();
    return std::string(mkdtemp(name.data()));
  }();
  std::shared_ptr<const MasterKeys> master_keys_;
};

TEST_F(PeopleTest, ADisabledKeyIsOutAtOnceAndOverRestarts) {
  Apply(Of({"a", "b"}));
  ASSERT_TRUE(Disable("a").ok());
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(LeaseNow(*service_, "p").pool->keys[LeaseNow(*service_, "p").grant.key].name, "b");
  EXPECT_THAT(Keys(), ElementsAre("a disabled operator", "b active"));
  StartAgain();
  Apply(Of({"a", "b"}));
  EXPECT_THAT(Keys(), ElementsAre("a disabled operator", "b active"));
  ASSERT_TRUE(Enable("a").ok());
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
  EXPECT_THAT(store_.Load()->changes, IsEmpty());
}

TEST_F(PeopleTest, AnAbsenceEndsInTimeOverARestartToo) {
  Apply(Of({"a", "b"}));
  ASSERT_TRUE(Disable("a", absl::Hours(2)).ok());
  StartAgain();
  clock_.Advance(absl::Hours(1));
  Apply(Of({"a", "b"}));
  EXPECT_THAT(Keys(), ElementsAre("a disabled operator", "b active"));
  clock_.Advance(absl::Hours(1));
  service_->Sweep();
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
  Apply(Of({"a", "b"}));  // the record is old
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
}

TEST_F(PeopleTest, AChangeStandsUntilTheFileChangesThatEntry) {
  Apply(Of({"a", "b"}));
  ASSERT_TRUE(Disable("a").ok());
  Config other = Of({"a", "b"});
  other.providers[0].keys[1].weight = 2;  // another entry
  Apply(std::move(other));
  EXPECT_THAT(Keys(), ElementsAre("a disabled operator", "b active"));
  Config same = Of({"a", "b"});
  same.providers[0].keys[0].weight = 2;
  Apply(std::move(same));
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
  ASSERT_TRUE(service_->Settle().ok());
  EXPECT_THAT(store_.Load()->changes, IsEmpty());
}

TEST_F(PeopleTest, TheFileMayHaveAKeyOutAndPeopleMayPutItBack) {
  const auto file = [this] {
    Config config = Of({"a", "b"});
    config.providers[0].keys[0].enabled = false;
    return config;
  };
  Apply(file());
  EXPECT_THAT(Keys(), ElementsAre("a disabled configuration", "b active"));
  EXPECT_THAT(std::string(Disable("a").message()), HasSubstr("enabled: false"));
  ASSERT_TRUE(Enable("a").ok());
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
  StartAgain();
  Apply(file());
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
  ASSERT_TRUE(Disable("a").ok());
  ASSERT_TRUE(Enable("a").ok());
  Apply(file());
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
  Apply(Of({"a", "b"}));
  Apply(file());
  EXPECT_THAT(Keys(), ElementsAre("a disabled configuration", "b active"));
}

TEST_F(PeopleTest, EnableBringsBackWhatRefusalsDisabled) {
  Apply(Of({"a", "b"}));
  BrokerServiceTest::Disable("p");
  EXPECT_THAT(Keys(), ElementsAre("a disabled auth", "b active"));
  ASSERT_TRUE(Enable("a").ok());
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
}

TEST_F(PeopleTest, ResetForgetsWhatWasSaid) {
  Apply(Of({"a", "b"}));
  BrokerServiceTest::Disable("p");
  ASSERT_TRUE(service_->ResetKey({"p", "a"}).ok());
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
  EXPECT_EQ(service_->GetKey({"p", "a"})->last_errors[0].text, "");
  StartAgain();
  Apply(Of({"a", "b"}));
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active"));
}

TEST_F(PeopleTest, AnAddedKeyServesAndIsSealedAndSurvives) {
  Apply(Of({"a"}));
  const BrokerService::AddedKey added = Add(New("new"));
  EXPECT_EQ(added.outcome, BrokerService::AddedKey::Outcome::kAdded);
  EXPECT_THAT(Keys(), ElementsAre("a active", "new active"));
  std::vector<std::string> served;
  for (int i = 0; i < 2; ++i) {
    const LeaseAnswer lease = LeaseNow(*service_, "p");
    served.emplace_back(lease.pool->secrets[lease.grant.key].Reveal());
  }
  EXPECT_THAT(served, ::testing::UnorderedElementsAre("canary-key-a", "canary-key-new"));
  const auto loaded = store_.Load();
  for (const ChangeRecord& change : loaded->changes) EXPECT_THAT(change.content, ::testing::Not(HasSubstr("canary")));
  StartAgain();
  Apply(Of({"a"}));
  EXPECT_THAT(Keys(), ElementsAre("a active", "new active"));
  EXPECT_EQ(Pool("p").info->secrets[1].Reveal(), "canary-key-new");
}

TEST_F(PeopleTest, AddingTellsOfEachKeyWhatBecameOfIt) {
  Apply(Of({"a"}));
  std::vector<KeyConfig> keys;
  for (const char* name : {"a", "x", "x", "y"}) keys.push_back(New(name));
  keys[2].secret = Secret("canary-key-other");
  keys.push_back(New("z"));
  keys[4].secret = Secret("canary key");
  keys.push_back(New(""));
  keys[5].secret = Secret("canary-key-unnamed");
  const auto dry = service_->AddKeys(
      "p",
      [&] {
        std::vector<KeyConfig> copy;
        for (const KeyConfig& key : keys) {
          copy.push_back(New(key.name));
          copy.back().secret = key.secret.Clone();
        }
        return copy;
      }(),
      true);
  ASSERT_TRUE(dry.ok());
  EXPECT_THAT(Keys(), ElementsAre("a active"));
  const auto added = service_->AddKeys("p", std::move(keys), false);
  ASSERT_TRUE(added.ok());
  std::vector<int> outcomes;
  std::string messages;
  for (const auto& key : *added) {
    outcomes.push_back(static_cast<int>(key.outcome));
    absl::StrAppend(&messages, key.message, "\n");
  }
  EXPECT_THAT(outcomes, ElementsAre(1, 0, 2, 0, 2, 0));
  EXPECT_THAT(messages, HasSubstr("'a' is this key already"));
  EXPECT_THAT(messages, HasSubstr("there is a key 'x' already"));
  EXPECT_THAT(messages, ::testing::Not(HasSubstr("canary")));
  EXPECT_EQ(Keys().size(), 4u);
  EXPECT_THAT((*added)[5].name, ::testing::StartsWith("key-"));
}

TEST_F(PeopleTest, ARemovedKeyStaysAwayUntilItsEntryChanges) {
  Apply(Of({"a", "b"}));
  ASSERT_TRUE(service_->RemoveKey({"p", "a"}).ok());
  EXPECT_THAT(Keys(), ElementsAre("b active"));
  StartAgain();
  Apply(Of({"a", "b"}));
  EXPECT_THAT(Keys(), ElementsAre("b active"));
  EXPECT_THAT(std::string(service_->RemoveKey({"p", "b"}).message()), HasSubstr("last key"));
  KeyConfig back = New("back");
  back.secret = Secret("canary-key-a");
  back.max_concurrent = 7;
  EXPECT_EQ(Add(std::move(back)).outcome, BrokerService::AddedKey::Outcome::kAdded);
  EXPECT_THAT(Keys(), ElementsAre("b active", "back active"));
  StartAgain();
  Apply(Of({"a", "b"}));
  EXPECT_THAT(Keys(), ElementsAre("b active", "back active")) << "as it was added";
  const PoolStatus pool = Pool("p");
  EXPECT_EQ(pool.info->keys[pool.snapshot.keys[1].key].max_concurrent, 7u);
  Config edited = Of({"a", "b"});
  edited.providers[0].keys[0].weight = 2;
  Apply(std::move(edited));
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active")) << "the file changed that entry";
}

TEST_F(PeopleTest, AnAddedKeyCanBeRemovedAndDisabled) {
  Apply(Of({"a"}));
  Add(New("new"));
  ASSERT_TRUE(Disable("new").ok());
  StartAgain();
  Apply(Of({"a"}));
  EXPECT_THAT(Keys(), ElementsAre("a active", "new disabled operator"));
  ASSERT_TRUE(service_->RemoveKey({"p", "new"}).ok());
  EXPECT_THAT(store_.Load()->changes, IsEmpty());
  StartAgain();
  Apply(Of({"a"}));
  EXPECT_THAT(Keys(), ElementsAre("a active"));
}

TEST_F(PeopleTest, OnceTheFileHasTheKeyTheFileCounts) {
  Apply(Of({"a"}));
  Add(New("new"));
  Apply(Of({"a", "new"}));
  EXPECT_THAT(Keys(), ElementsAre("a active", "new active"));
  ASSERT_TRUE(service_->Settle().ok());
  EXPECT_THAT(store_.Load()->changes, IsEmpty());
}

TEST_F(PeopleTest, OnlyTheKeyThatCannotBeOpenedIsLeftOut) {
  Apply(Of({"a"}));
  Add(New("one"));
  Add(New("two"));
  const auto loaded = store_.Load();
  for (ChangeRecord change : loaded->changes) {
    if (change.content.find("\"one\"") == std::string::npos) continue;
    const size_t at = change.content.rfind('"') - 5;
    change.content[at] = change.content[at] == 'A' ? 'B' : 'A';
    const Record records[] = {change};
    ASSERT_TRUE(store_.Commit(records, *store_.Acquire()).ok());
  }
  StartAgain();
  Apply(Of({"a"}));
  EXPECT_THAT(Keys(), ElementsAre("a active", "two active"));
  EXPECT_EQ(store_.Load()->changes.size(), 2u) << "the record is kept";
}

TEST_F(PeopleTest, ANewMasterKeySealsAnewAndTheOldOneMayGo) {
  Apply(Of({"a"}));
  Add(New("one"));
  const std::string before = store_.Load()->changes.at(0).content;
  UseMasterKeys("21");
  Apply(Of({"a"}));
  ASSERT_TRUE(service_->Settle().ok());
  EXPECT_NE(store_.Load()->changes.at(0).content, before);
  UseMasterKeys("2");
  StartAgain();
  Apply(Of({"a"}));
  EXPECT_THAT(Keys(), ElementsAre("a active", "one active"));
  UseMasterKeys("1");
  Apply(Of({"a"}));
  EXPECT_THAT(Keys(), ElementsAre("a active", "one active")) << "it is in use, and sealed anew";
  StartAgain();
  Apply(Of({"a"}));
  EXPECT_THAT(Keys(), ElementsAre("a active", "one active"));
  UseMasterKeys("3");
  StartAgain();
  Apply(Of({"a"}));
  EXPECT_THAT(Keys(), ElementsAre("a active"));
  EXPECT_THAT(service_->change_problems(), ElementsAre(HasSubstr("'one'")));
}

TEST_F(PeopleTest, ALostMasterKeyTakesNoKeyAwayAndIsNotReplacedInSilence) {
  master_keys_ = std::make_shared<const MasterKeys>(std::vector<MasterKeySource>(), folder_, folder_, ProcessEnv());
  Apply(Of({"a"}));
  Add(New("one"));
  std::filesystem::remove(folder_ + "/master.key");
  master_keys_ = std::make_shared<const MasterKeys>(std::vector<MasterKeySource>(), folder_, folder_, ProcessEnv());
  Apply(Of({"a"}));
  EXPECT_THAT(Keys(), ElementsAre("a active", "one active"));
  EXPECT_THAT(service_->change_problems(), ElementsAre(HasSubstr("not after a restart")));
  std::vector<KeyConfig> keys;
  keys.push_back(New("two"));
  const auto added = service_->AddKeys("p", std::move(keys), false);
  EXPECT_EQ(added.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/master.key"));
  EXPECT_TRUE(service_->RemoveKey({"p", "one"}).ok());
  EXPECT_EQ(Add(New("two")).outcome, BrokerService::AddedKey::Outcome::kAdded);
}

TEST_F(PeopleTest, ANameIsNoFingerprint) {
  Apply(Of({"a"}));
  KeyConfig key = New("0123456789abcdef");
  key.secret = Secret("canary-key-x");
  EXPECT_EQ(Add(std::move(key)).outcome, BrokerService::AddedKey::Outcome::kInvalid);
}

TEST_F(PeopleTest, SettingsOfAPoolStandUntilTheFileChangesThem) {
  Apply(Of({"a", "b"}));
  PoolChange change;
  change.strategy = "fill_first";
  ASSERT_TRUE(service_->ChangePool("p", change).ok());
  PoolChange limit;
  limit.max_concurrent = 1;
  ASSERT_TRUE(service_->ChangePool("p", limit).ok());
  StartAgain();
  Apply(Of({"a", "b"}));
  EXPECT_EQ(Pool("p").info->rules.strategy, "fill_first");
  LeaseNow(*service_, "p");
  EXPECT_EQ(LeaseNow(*service_, "p").status.code(), absl::StatusCode::kResourceExhausted);
  Config file = Of({"a", "b"});
  file.providers[0].strategy = "random";
  Apply(std::move(file));
  EXPECT_EQ(Pool("p").info->rules.strategy, "random");
  EXPECT_EQ(Pool("p").info->rules.max_concurrent, 0u);
  change.strategy = "bogus";
  EXPECT_EQ(service_->ChangePool("p", change).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PeopleTest, WhatIsOutStaysOutWhenAnythingElseChanges) {
  Apply(Of({"a", "b", "c"}));
  ASSERT_TRUE(Disable("a").ok());
  Add(New("new"));
  EXPECT_THAT(Keys(), ElementsAre("a disabled operator", "b active", "c active", "new active"));
  ASSERT_TRUE(service_->RemoveKey({"p", "c"}).ok());
  EXPECT_THAT(Keys(), ElementsAre("a disabled operator", "b active", "new active"));
  ASSERT_TRUE(Enable("a").ok());
  Add(New("newer"));
  EXPECT_THAT(Keys(), ElementsAre("a active", "b active", "new active", "newer active"));
}

TEST_F(PeopleTest, UnknownNamesAreToldWithTheNearest) {
  Apply(Of({"alpha", "beta"}));
  EXPECT_THAT(std::string(Disable("alpah").message()), HasSubstr("did you mean 'alpha'?"));
  const absl::Status pool = service_->DisableKey({"q", "alpha"}, absl::Hours(1)).status();
  EXPECT_EQ(pool.code(), absl::StatusCode::kNotFound);
  const std::string fingerprint = Pool("p").info->keys[0].fingerprint;
  EXPECT_TRUE(Disable(fingerprint).ok());
}

}  // namespace
}  // namespace ccr
