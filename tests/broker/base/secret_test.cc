#include "broker/base/secret.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <type_traits>
#include <vector>

#include "broker/base/secret_memory.h"
#include "tests/broker/base/sanitized.h"

namespace ccr {
namespace {

template <typename T, typename = void>
struct IsStreamable : std::false_type {};
template <typename T>
struct IsStreamable<T, std::void_t<decltype(std::declval<std::ostream&>() << std::declval<const T&>())>>
    : std::true_type {};

static_assert(!IsStreamable<Secret>::value, "a secret must not be printable");
static_assert(!std::is_copy_constructible_v<Secret>, "copies of a secret are explicit");
static_assert(!std::is_convertible_v<Secret, std::string>);

TEST(SecretTest, MovesEmptyTheSource) {
  Secret a("canary-key-a1");
  Secret b = std::move(a);
  EXPECT_EQ(b.Reveal(), "canary-key-a1");
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(b.Clone().Reveal(), b.Reveal());
}

TEST(SecretTest, WhatItWasMadeFromAndWhereItWasKeepNothing) {
  const std::string pattern = "key-a1";  // short: kept inside std::string
  std::string text = pattern;
  const char* const characters = text.data();
  const char* place = nullptr;
  {
    Secret secret(std::move(text));
    EXPECT_EQ(std::string(characters, pattern.size()), std::string(pattern.size(), '\0'));
    alignas(Secret) char box[sizeof(Secret)];
    auto* moved = new (box) Secret(std::move(secret));
    place = moved->Reveal().data();
    EXPECT_EQ(moved->Reveal(), pattern);
    moved->~Secret();
    EXPECT_EQ(std::string_view(box, sizeof(box)).find(pattern), std::string_view::npos);
  }
  EXPECT_NE(std::string_view(place, pattern.size()), pattern);
}

TEST(SecretTest, IsNotSwappedNorDumped) {
  if (kSanitized) GTEST_SKIP() << "nothing is locked";
  const Secret secret("canary-key-a1");
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  std::string flags;
  for (std::string line; flags.empty() && std::getline(maps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    const auto at = reinterpret_cast<uintptr_t>(secret.Reveal().data());
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) inside = begin <= at && at < end;
    if (inside && line.starts_with("VmFlags:")) flags = line;
  }
  EXPECT_NE(flags.find(" lo"), std::string::npos) << flags;
  EXPECT_NE(flags.find(" dd"), std::string::npos) << flags;
}

void ExitWithManySecrets() {
  const rlimit low{128 * 1024, 128 * 1024};
  if (setrlimit(RLIMIT_MEMLOCK, &low) != 0 || (getuid() == 0 && setuid(65534) != 0)) _exit(1);
  std::vector<Secret> few;
  for (int i = 0; i < 300; ++i) few.emplace_back("canary-key-of-some-length-" + std::to_string(i));
  const bool locked = SecretsAreLocked();
  std::vector<Secret> many;
  for (int i = 0; i < 20000; ++i) many.emplace_back("canary-key-of-some-length-" + std::to_string(i));
  _exit(locked && !SecretsAreLocked() && many.back().Reveal() == "canary-key-of-some-length-19999" ? 7 : 1);
}

// In a process of its own: the limit is not raised again.
TEST(SecretDeathTest, ThousandsAreKeptWhateverTheLimitOfLockedMemory) {
  if (kSanitized) GTEST_SKIP() << "nothing is locked";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(ExitWithManySecrets(), testing::ExitedWithCode(7), "");
}

TEST(FingerprintTest, DependsOnKeyAndSalt) {
  const Fingerprinter one{Secret(std::string(32, 'a'))};
  const Fingerprinter two{Secret(std::string(32, 'b'))};
  const Secret key("canary-key-a1");
  const Secret other("canary-key-a2");
  EXPECT_EQ(one.Of(key).size(), 16U);
  EXPECT_EQ(one.Of(key), one.Of(key));
  EXPECT_NE(one.Of(key), one.Of(other));
  EXPECT_NE(one.Of(key), two.Of(key));
}

TEST(FingerprintTest, SaltIsMadeOnceAndPrivate) {
  const std::string folder = testing::TempDir() + "salt_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  const std::string path = folder + "/fingerprint.salt";
  const auto first = Fingerprinter::LoadOrCreateSalt(path);
  const auto second = Fingerprinter::LoadOrCreateSalt(path);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->Reveal(), second->Reveal());
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);

  std::ofstream(path) << "short";
  EXPECT_EQ(Fingerprinter::LoadOrCreateSalt(path).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(Fingerprinter::LoadOrCreateSalt(folder + "/no/such/folder").ok());
}

TEST(Sha256Test, KnownAnswer) {  // FIPS 180-4, "abc"
  EXPECT_EQ(Sha256("abc").substr(0, 4), std::string("\xba\x78\x16\xbf", 4));
}

}  // namespace
}  // namespace ccr
