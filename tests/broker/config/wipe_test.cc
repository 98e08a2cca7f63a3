// What is left of keys in the memory of the process when a configuration is gone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "broker/base/master_key_file.h"
#include "broker/config/config.h"
#include "broker/config/sealed_keys.h"
#include "tests/broker/base/sanitized.h"
#include "tests/broker/config/texts.h"

namespace ccr {
namespace {

constexpr char kMask = 0x15;
constexpr size_t kKeyBytes = 44;
constexpr size_t kFound = 20;  // so much of a key in one piece counts

// Keys that are in memory only in disguise.
std::string MaskedKey() {
  std::string masked;
  for (const char c : RandomBytes(kKeyBytes)) {
    masked += static_cast<char>(('a' + static_cast<unsigned char>(c) % 26) ^ kMask);
  }
  return masked;
}

void AppendKey(const std::string& masked, std::string* out) {
  for (const char c : masked) *out += static_cast<char>(c ^ kMask);
}

// How often the begin of the key is in writable memory, but for the stack: there the dynamic linker leaves registers.
int CountInMemory(const std::string& masked) {
  static std::array<char, 1 << 20> buffer;
  int count = 0;
  std::ifstream maps("/proc/self/maps");
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    std::array<char, 5> mode{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, mode.data()) != 3 || mode[1] != 'w') continue;
    if (line.ends_with("[stack]")) continue;
    for (unsigned long at = begin; at < end; at += buffer.size() - kFound) {
      const ssize_t got =
          pread(memory, buffer.data(), std::min<size_t>(buffer.size(), end - at), static_cast<off_t>(at));
      for (ssize_t i = 0; i + static_cast<ssize_t>(kFound) <= got; ++i) {
        size_t same = 0;
        while (same < kFound && buffer[static_cast<size_t>(i) + same] == (masked[same] ^ kMask)) ++same;
        count += same == kFound;
      }
      std::fill(buffer.begin(), buffer.end(), '\0');
    }
  }
  close(memory);
  return count;
}

TEST(ConfigWipeTest, NoKeyOutlivesItsConfiguration) {
  if (kSanitized) GTEST_SKIP() << "too much memory to search";
  const std::array<std::string, 3> keys = {MaskedKey(), MaskedKey(), MaskedKey()};
  {
    std::string text;
    text.reserve(4096);
    text += R"({"Providers": [{"name": "p", "api_base_url": "http://127.0.0.1:9/v1/chat/completions",)";
    text += R"("models": ["m"], "api_keys": [)";
    for (const std::string& key : keys) {
      text += &key == keys.data() ? "\"" : ",\"";
      AppendKey(key, &text);
      text += "\"";
    }
    text += "]}]}";
    const Secret content(std::move(text));
    const ConfigResult result =
        ParseConfig(content.Reveal(), "config.json", [](const std::string&) { return std::nullopt; });
    ASSERT_TRUE(result.config.has_value()) << result.problems.at(0).ToString();
    ASSERT_EQ(result.config->providers[0].keys.size(), keys.size());
    EXPECT_GE(CountInMemory(keys[0]), 2);
  }
  for (const std::string& key : keys) EXPECT_EQ(CountInMemory(key), 0);
}

TEST(ConfigWipeTest, NeitherASealedKeyNorItsMasterKeyOutlivesIt) {
  if (kSanitized) GTEST_SKIP() << "too much memory to search";
  std::string folder = ::testing::TempDir() + "ccr-wipe-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string key = MaskedKey();
  const std::string master_key = MaskedKey();
  const auto random = [&master_key](size_t bytes) {
    std::string text;
    text.reserve(kKeyBytes);
    AppendKey(master_key.substr(0, bytes), &text);
    return text;
  };
  ASSERT_TRUE(MakeMasterKeyFile(folder + "/master.key", random).ok());
  const MasterKeys keys({}, folder, folder, ProcessEnv());
  {
    const auto sealer = keys.ToSeal();
    ASSERT_TRUE(sealer.ok()) << sealer.status();
    const Secret plain = Secret::Filled(kKeyBytes, [&key](char* out) {
      for (const char c : key) *out++ = static_cast<char>(c ^ kMask);
    });
    const std::string sealed = (*sealer)->Seal(plain, ContextOfFileKey("p"));
    const ConfigResult result = ParseConfig(OneProvider(kUrl + ("api_key: {sealed: '" + sealed) + "'}"),
                                            folder + "/config.json", ProcessEnv(), nullptr, MasterKeyPlace{folder, ""});
    ASSERT_TRUE(result.config.has_value()) << result.problems.at(0).ToString();
    EXPECT_EQ(CountInMemory(key), 2);  // `plain`, and that of the configuration
  }
  EXPECT_EQ(CountInMemory(key), 0);
  EXPECT_EQ(CountInMemory(master_key), 0);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ccr
