// The configuration and its keys in files: where they are, who may read them, what is wrong with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "broker/config/config.h"
#include "tests/broker/config/problems.h"
#include "tests/broker/config/texts.h"

namespace ccr {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TempDir {
 public:
  TempDir() {
    char path[] = "/tmp/ccr_config_XXXXXX";
    path_ = mkdtemp(path);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }

  std::string Write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr const char* kCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUQrhGeNUeNtrpQojS4uyQsFZv/f4wCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIY2NyLXRlc3QwIBcNMjYxMTI4MjAwMzQ0WhgPMjEyNjExMDQy
MDAzNDRaMBMxETAPBgNVBAMMCGNjci10ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE3kTkQHhSZYr+Drnhu1IOjU0BuW9EHuN3xXrZY2/B89StWZmi+paLYY5w
M5+iMSrqFrYsxwkEJPFjHsgvyHnHOqNTMFEwHQYDVR0OBBYEFDwqIi8KIy/lgw6q
m46dQ2u9qNDCMB8GA1UdIwQYMBaAFDwqIi8KIy/lgw6qm46dQ2u9qNDCMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhANraC7YAt2QtEIx3TAtG3Ffn
68Dc0vXdaLZ0uEPWRTvUAiB16IFLNvb7btnKKUAiZkD2u47LnuZ+3xzwNpPocOA1
Zg==
-----END CERTIFICATE-----
)";

TEST(LoadConfig, ReadsAuthoritiesOfAllAndOfOneProvider) {
  const TempDir dir;
  dir.Write("all.pem", kCertificate);
  const std::string own = dir.Write("own.pem", std::string("mine\n") + kCertificate);
  const std::string path =
      dir.Write("config.json",
                OneProvider(std::string(kUrl) + "api_key: 'canary-key-a1', ca_file: 'own.pem'", "ca_file: 'all.pem'"));
  const ConfigResult result = LoadConfig(path, Env({}));
  ASSERT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(Show(result.problems), IsEmpty());
  EXPECT_EQ(result.config->authorities, kCertificate);
  EXPECT_EQ(result.config->providers[0].ca_file, own);
  EXPECT_EQ(result.config->providers[0].authorities, std::string("mine\n") + kCertificate);
  EXPECT_THAT(DescribeConfig(*result.config), HasSubstr("ca_file: " + own + "\n"));
}

TEST(LoadConfig, SaysWhatIsWrongWithAuthorities) {
  const TempDir dir;
  dir.Write("empty.pem", "nothing");
  for (const auto& [file, why] : std::vector<std::pair<std::string, std::string>>{
           {"away.pem", "cannot be read"}, {"empty.pem", "holds no certificate"}}) {
    const std::string path =
        dir.Write("config.json", OneProvider(std::string(kUrl) + "api_key: 'canary-key-a1', ca_file: '" + file + "'"));
    const ConfigResult result = LoadConfig(path, Env({}));
    EXPECT_FALSE(result.config);
    EXPECT_THAT(Show(result.problems), HasSubstr("ca_file: " + dir.path() + "/" + file + ": " + why));
  }
}

TEST(LoadConfig, ReadsKeyFilesBesideTheConfiguration) {
  const TempDir dir;
  dir.Write("a.key", "canary-key-a1\r\n\n");
  dir.Write("b.key", "canary-key-b1", 0640);
  const std::string path = dir.Write(
      "config.json", OneProvider(std::string(kUrl) + "api_keys: [{file: 'a.key', rpm: 2}, {key: {file: '~/b.key'}}]",
                                 "APIKEY: {file: '$HOME/a.key'}"));
  const ConfigResult result = LoadConfig(path, Env({{"HOME", dir.path()}}));
  ASSERT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(Show(result.problems), IsEmpty());
  const std::vector<KeyConfig>& keys = result.config->providers[0].keys;
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].secret.Reveal(), "canary-key-a1");
  EXPECT_EQ(keys[0].limits.rpm, 2u);
  EXPECT_EQ(keys[1].secret.Reveal(), "canary-key-b1");
  EXPECT_EQ(result.config->client_token.Reveal(), "canary-key-a1");
  EXPECT_EQ(result.config->broker.state_dir, dir.path() + "/state");
}

TEST(LoadConfig, KeyFilesThatAreWrong) {
  const TempDir dir;
  dir.Write("open.key", "canary-key-a1\n", 0644);
  dir.Write("empty.key", "\n");
  dir.Write("two.key", "canary-key-a2\ncanary key a3\n");
  dir.Write("large.key", std::string(10'000, 'k'));
  const std::string path = dir.Write(
      "config.json",
      OneProvider(
          std::string(kUrl) +
          "api_keys: [{file: 'open.key'}, {file: 'empty.key'}, {file: 'two.key'}, {file: 'large.key'}, {file: ''}]"));
  const std::string shown = Show(LoadConfig(path, Env({})).problems);
  EXPECT_THAT(
      shown,
      HasSubstr("warning: provider 'p': Providers[0].api_keys[0]: every user can read the key file: run chmod 600 " +
                dir.path() + "/open.key"));
  EXPECT_THAT(shown, HasSubstr("api_keys[1]: key file " + dir.path() + "/empty.key holds no key: it is empty"));
  EXPECT_THAT(shown, HasSubstr("two.key line 2: the key holds a space, a control character"));
  EXPECT_THAT(shown, HasSubstr("large.key line 1: the key is longer than 8192 bytes"));
  EXPECT_THAT(shown, HasSubstr("api_keys[4]: must be text, {file: PATH}, {exec: [PROGRAM, ...]} or {vault: "));
  EXPECT_THAT(shown, Not(HasSubstr("canary")));
}

TEST(LoadConfig, WarnsWhenOthersCanReadTheFile) {
  const TempDir dir;
  const std::string text = OneProvider(std::string(kUrl) + "api_key: 'canary-key-a1'");
  EXPECT_THAT(Show(LoadConfig(dir.Write("a.json", text, 0600), Env({})).problems), IsEmpty());
  EXPECT_THAT(Show(LoadConfig(dir.Write("b.json", text, 0400), Env({})).problems), IsEmpty());
  for (const mode_t mode : {0640, 0604, 0644, 0620}) {
    const std::string path = dir.Write("c.json", text, mode);
    const ConfigResult result = LoadConfig(path, Env({}));
    EXPECT_TRUE(result.config);
    EXPECT_THAT(Show(result.problems), HasSubstr(path + ": warning: other users can read"));
    EXPECT_THAT(Show(result.problems), HasSubstr("run chmod 600 " + path));
  }
}

TEST(LoadConfig, FilesThatCannotBeRead) {
  const TempDir dir;
  EXPECT_THAT(
      Show(LoadConfig(dir.path() + "/none.json", Env({})).problems),
      HasSubstr("none.json: error: the configuration file does not exist: write it with ccr init, or by hand with"));
  EXPECT_THAT(Show(LoadConfig(dir.path(), Env({})).problems), HasSubstr("is a folder"));
  EXPECT_THAT(Show(LoadConfig(dir.Write("empty.yaml", ""), Env({})).problems), HasSubstr("is empty"));
  EXPECT_THAT(Show(LoadConfig(dir.Write("comment.yaml", "# x\n"), Env({})).problems), HasSubstr("is empty"));
  const std::string limit((16 << 20) - 2, ' ');
  EXPECT_THAT(Show(LoadConfig(dir.Write("full.json", "{}" + limit), Env({})).problems),
              HasSubstr("list at least one provider"));
  EXPECT_THAT(Show(LoadConfig(dir.Write("large.json", "{} " + limit), Env({})).problems),
              HasSubstr("is larger than 16777216 bytes"));
  if (geteuid() != 0) {
    EXPECT_THAT(Show(LoadConfig(dir.Write("closed.json", "{}", 0), Env({})).problems), HasSubstr("permission denied"));
  }
}

TEST(LoadConfig, TheDefaultPathIsClaudeCodeRouters) {
  EXPECT_THAT(DefaultConfigPath(), ::testing::EndsWith("/.claude-code-router/config.json"));
}

}  // namespace
}  // namespace ccr
