#include "broker/base/master_key_file.h"

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

namespace ccr {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// 32 times "m".
constexpr char kText[] = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0=";

class MasterKeyFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "ccr-master-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& text, mode_t mode = 0600) const {
    const std::string path = folder_ + "/master.key";
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  static std::string Content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  size_t Files() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {})); }

  std::string folder_;
};

TEST_F(MasterKeyFileTest, ReadsWhatItMade) {
  const std::string path = folder_ + "/master.key";
  ASSERT_TRUE(MakeMasterKeyFile(path, [](size_t bytes) { return std::string(bytes, 'm'); }).ok());
  EXPECT_EQ(Content(path), std::string(kText) + "\n");
  struct stat info = {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  const absl::StatusOr<Secret> key = ReadMasterKeyFile(path);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->Reveal(), std::string(32, 'm'));
  EXPECT_EQ(Files(), 1U);
}

TEST_F(MasterKeyFileTest, TwoAreNotTheSame) {
  ASSERT_TRUE(MakeMasterKeyFile(folder_ + "/a", RandomBytes).ok());
  ASSERT_TRUE(MakeMasterKeyFile(folder_ + "/b", RandomBytes).ok());
  EXPECT_NE(Content(folder_ + "/a"), Content(folder_ + "/b"));
}

TEST_F(MasterKeyFileTest, OneThatIsThereStays) {
  const std::string path = Write("anything");
  const absl::Status made = MakeMasterKeyFile(path, RandomBytes);
  EXPECT_EQ(made.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(made.message(), path + " is there already, and stays as it is");
  EXPECT_EQ(Content(path), "anything");
  EXPECT_EQ(Files(), 1U);
}

TEST_F(MasterKeyFileTest, CannotBeMadeWithoutItsFolder) {
  const absl::Status made = MakeMasterKeyFile(folder_ + "/none/master.key", RandomBytes);
  EXPECT_THAT(std::string(made.message()), StartsWith("cannot make the master key " + folder_ + "/none/master.key"));
}

TEST_F(MasterKeyFileTest, ModesThatAreSecretEnough) {
  for (const mode_t mode : {0600, 0400, 0640, 0440}) {
    EXPECT_TRUE(ReadMasterKeyFile(Write(kText, mode)).ok()) << std::oct << mode;
    std::filesystem::remove(folder_ + "/master.key");
  }
  for (const mode_t mode : {0644, 0604, 0660, 0620, 0602, 0601, 0666}) {
    const std::string path = Write(kText, mode);
    const absl::Status status = ReadMasterKeyFile(path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << std::oct << mode;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path), HasSubstr("run chmod 600 " + path)));
    std::filesystem::remove(path);
  }
}

TEST_F(MasterKeyFileTest, AFolderThatOthersMayWriteIsRefused) {
  const std::string path = Write(kText);
  chmod(folder_.c_str(), 0777);
  const absl::Status status = ReadMasterKeyFile(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path), HasSubstr("chmod go-w " + folder_)));
}

TEST_F(MasterKeyFileTest, WhiteSpaceAroundItDoesNotCount) {
  for (const char* around : {"\n", "\r\n", " \n\n"}) {
    const absl::StatusOr<Secret> key = ReadMasterKeyFile(Write(std::string(around) + kText + around));
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(key->Reveal(), std::string(32, 'm'));
  }
}

TEST_F(MasterKeyFileTest, ContentsThatAreNoMasterKey) {
  const std::string good = kText;
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "has 0 characters"},
      {"c", "has 1 character"},
      {"canary-text", "has 11 characters"},
      {good.substr(0, 43), "has 43 characters"},
      {good + "A", "has 45 characters"},
      {good + "\n" + good, "has 89 characters"},
      {std::string(32, 'm'), "has 32 characters"},
      {std::string(64, 'a'), "has 64 characters"},
      {good.substr(0, 42) + "==", "has 44 characters"},
      {good.substr(0, 42) + "1=", "has 44 characters"},
      {good.substr(0, 20) + "_" + good.substr(21), "has 44 characters"},
      {good.substr(0, 20) + "\x80" + good.substr(21), "has 44 characters"},
      {std::string(5000, 'x'), "is larger than 4096 bytes"}};
  for (const auto& [text, why] : wrong) {
    const std::string path = Write(text);
    const absl::Status status = ReadMasterKeyFile(path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()),
                AllOf(StartsWith("the master key " + path + " is "), HasSubstr(why), Not(HasSubstr("canary"))));
  }
}

TEST_F(MasterKeyFileTest, AFileThatIsNotThere) {
  const absl::Status status = ReadMasterKeyFile(folder_ + "/none").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "the master key " + folder_ + "/none does not exist");
  EXPECT_THAT(std::string(ReadMasterKeyFile(folder_).status().message()), HasSubstr("is a folder"));
}

}  // namespace
}  // namespace ccr
