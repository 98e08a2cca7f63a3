#include "broker/service/config_watcher.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "broker/base/master_key_file.h"
#include "broker/config/sealed_keys.h"
#include "tests/broker/service/fixture.h"

namespace ccr {
namespace {

class ConfigWatcherTest : public ::testing::Test {
 protected:
  ConfigWatcherTest() : service_({&clock_, &store_, {}, TestSalt(), nullptr}) {
    std::string pattern = (std::filesystem::temp_directory_path() / "ccr-watcher-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
    Write("first");
  }
  ~ConfigWatcherTest() override { std::filesystem::remove_all(dir_); }

  std::string path() const { return dir_ + "/config.json"; }
  void WriteText(const std::string& text) {
    std::ofstream(path() + ".new") << text;
    std::filesystem::rename(path() + ".new", path());
  }
  void Write(const std::string& provider) {
    WriteText("{Providers: [{name: '" + provider +
              "', api_base_url: 'http://127.0.0.1:9/v1/chat/completions', models: ['m'], api_key: 'canary-key-a'}]}");
  }
  bool Eventually(const std::function<bool()>& condition, std::chrono::milliseconds bound = std::chrono::minutes(1)) {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (!condition() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return condition();
  }

  ManualClock clock_;
  MemoryStore store_;
  BrokerService service_;
  std::string dir_;
};

TEST_F(ConfigWatcherTest, ReloadsAtOnceWhenAsked) {
  ConfigWatcher watcher(
      path(), [](const std::string&) { return std::nullopt; },
      [](Config* config) { config->broker.stream_grace = absl::Seconds(42); }, &service_);
  EXPECT_TRUE(watcher.Reload().accepted);
  EXPECT_TRUE(service_.GetPool("first").has_value());
  EXPECT_EQ(service_.stream_grace(), absl::Seconds(42));
}

TEST_F(ConfigWatcherTest, ABadFileLeavesTheOldConfiguration) {
  ConfigWatcher watcher(
      path(), [](const std::string&) { return std::nullopt; }, nullptr, &service_);
  ASSERT_TRUE(watcher.Reload().accepted);
  WriteText("{Providers: [{name: 'broken'}]}");
  const ReloadReport refused = watcher.Reload();
  EXPECT_FALSE(refused.accepted);
  EXPECT_FALSE(refused.problems.empty());
  EXPECT_FALSE(service_.last_reload()->accepted);
  EXPECT_TRUE(service_.GetPool("first").has_value());
  EXPECT_GE(service_.reloads().failed, 1u);
  EXPECT_FALSE(service_.reloads().last_succeeded);
}

TEST_F(ConfigWatcherTest, NoticesThatTheFileChanged) {
  ConfigWatcher watcher(
      path(), [](const std::string&) { return std::nullopt; }, nullptr, &service_);
  ASSERT_TRUE(watcher.Reload().accepted);
  Write("second");
  EXPECT_TRUE(Eventually([this] { return service_.GetPool("second").has_value(); }));
  EXPECT_FALSE(service_.GetPool("first").has_value());
}

TEST_F(ConfigWatcherTest, TellsWhatChangedAndWhatWaitsForAStart) {
  const EnvLookup env = [](const std::string&) { return std::nullopt; };
  ConfigResult started = LoadConfig(path(), env);
  service_.NameKeys(&*started.config);
  ConfigWatcher watcher(path(), env, nullptr, &service_, ConfigOutline(*started.config));
  WriteText(
      "{PORT: 4000, Providers: [{name: 'first', api_base_url: 'http://127.0.0.1:9/v1/chat/completions', models: ['m'],"
      " api_keys: ['canary-key-b', 'canary-key-a']}]}");
  const ReloadReport report = watcher.Reload();
  EXPECT_TRUE(report.accepted);
  const std::string added =
      "provider 'first': key 'key-" + Fingerprinter(TestSalt()).Of(Secret("canary-key-b")).substr(0, 8) + "' added";
  EXPECT_EQ(std::count(report.changes.begin(), report.changes.end(), added), 1);
  EXPECT_EQ(std::count(report.needs_restart.begin(), report.needs_restart.end(), "PORT"), 1);
  const ReloadReport again = watcher.Reload();
  EXPECT_TRUE(again.changes.empty());
  EXPECT_EQ(again.needs_restart, report.needs_restart);  // it still waits
}

// The same keys, sealed anew: nothing changes but how they are written.
TEST_F(ConfigWatcherTest, TheMasterKeyIsChanged) {
  const EnvLookup env = [](const std::string&) { return std::nullopt; };
  const auto write = [this](const std::string& master_keys, const std::string& key) {
    WriteText("{Broker: {master_key: [" + master_keys +
              "]}, Providers: [{name: 'first', api_base_url: 'http://127.0.0.1:9/v1/chat/completions', models: ['m'], "
              "api_key: " +
              key + "}]}");
  };
  const auto seal = [&] {
    const auto sealer = LoadSealingConfig(path(), env, {}).master_keys->ToSeal();
    return "{sealed: '" + (*sealer)->Seal(Secret("canary-key-a"), ContextOfFileKey("first")) + "'}";
  };
  const std::string both = "{file: 'new.key'}, {file: 'old.key'}";
  ASSERT_TRUE(MakeMasterKeyFile(dir_ + "/old.key", RandomBytes).ok());
  ASSERT_TRUE(MakeMasterKeyFile(dir_ + "/new.key", RandomBytes).ok());
  ConfigWatcher watcher(path(), env, nullptr, &service_);
  write("{file: 'old.key'}", "'canary-key-a'");
  const std::string old = seal();
  write("{file: 'old.key'}", old);
  ASSERT_TRUE(watcher.Reload().accepted);
  write("{file: 'none.key'}, {file: 'old.key'}", old);
  EXPECT_FALSE(watcher.Reload().accepted);
  write(both, old);
  EXPECT_TRUE(watcher.Reload().accepted);
  const std::string renewed = seal();
  EXPECT_NE(renewed, old);
  write(both, renewed);
  EXPECT_TRUE(watcher.Reload().changes.empty());
  write("{file: 'new.key'}", renewed);
  const ReloadReport report = watcher.Reload();
  EXPECT_TRUE(report.accepted);
  EXPECT_EQ(report.changes.size(), 1U);
  EXPECT_TRUE(report.changes[0].starts_with("Broker.master_key"));
  EXPECT_TRUE(report.needs_restart.empty());
}

TEST_F(ConfigWatcherTest, TakesKeysThatChangedWhateverHasBecomeOfTheFile) {
  const EnvLookup env = [](const std::string&) { return std::nullopt; };
  const auto write_key = [this](const std::string& key) {
    std::ofstream(dir_ + "/key.new") << key;
    std::filesystem::rename(dir_ + "/key.new", dir_ + "/key");
  };
  write_key("canary-key-a");
  WriteText(
      "{Providers: [{name: 'first', api_base_url: 'http://127.0.0.1:9/v1/chat/completions', models: ['m'],"
      " api_key: {file: 'key', name: 'team'}}]}");
  const MonotonicWallClock clock;
  FileReader reader;
  KeySources sources(&clock, {{SecretSource::Kind::kFile, &reader}});
  ConfigWatcher watcher(path(), env, nullptr, &service_, {}, &sources);
  sources.Start([&watcher] { watcher.TakeKeysSoon(); });
  ASSERT_TRUE(watcher.Reload().accepted);
  WriteText("{");
  EXPECT_FALSE(watcher.Reload().accepted);
  write_key("canary-key-b");
  EXPECT_TRUE(Eventually([this] { return KeyOf(LeaseNow(service_, "first")) == "canary-key-b"; }));
  EXPECT_FALSE(service_.last_reload()->accepted) << "the file is still refused";
  sources.Stop();
}

TEST_F(ConfigWatcherTest, AnswersThoseWhoAskOnItsThread) {
  std::promise<ReloadReport> answer;
  ConfigWatcher watcher(
      path(), [](const std::string&) { return std::nullopt; }, nullptr, &service_);
  watcher.ReloadSoon([&answer](const ReloadReport& report) { answer.set_value(report); });
  EXPECT_TRUE(answer.get_future().get().accepted);
}

TEST_F(ConfigWatcherTest, WhoAskedIsAnsweredWhenItEnds) {
  int answers = 0;
  for (int i = 0; i < 20; ++i) {
    ConfigWatcher watcher(
        path(), [](const std::string&) { return std::nullopt; }, nullptr, &service_);
    watcher.ReloadSoon([&answers](const ReloadReport&) { ++answers; });
  }
  EXPECT_EQ(answers, 20);
}

TEST_F(ConfigWatcherTest, DoesNotReloadTheFileItBeganWith) {
  ConfigWatcher watcher(
      path(), [](const std::string&) { return std::nullopt; }, nullptr, &service_);
  EXPECT_FALSE(Eventually([this] { return service_.reloads().succeeded > 0; }, std::chrono::milliseconds(1600)));
  Write("second");
  EXPECT_TRUE(Eventually([this] { return service_.reloads().succeeded > 0; })) << "counted once it has taken effect";
  EXPECT_TRUE(service_.GetPool("second").has_value());
  EXPECT_EQ(service_.reloads().succeeded, 1u);
}

}  // namespace
}  // namespace ccr
