#include "broker/base/secret.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <type_traits>

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

TEST(SecretTest, ComparesWhole) {
  const Secret secret("canary-key-a1");
  EXPECT_TRUE(secret.EqualsConstantTime("canary-key-a1"));
  EXPECT_FALSE(secret.EqualsConstantTime("canary-key-a2"));
  EXPECT_FALSE(secret.EqualsConstantTime("canary-key-a"));
  EXPECT_FALSE(secret.EqualsConstantTime(""));
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
