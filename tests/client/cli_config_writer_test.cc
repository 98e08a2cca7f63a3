#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "client/cli/config/config_writer.h"
#include "tests/client/cli_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::HasSubstr;

class ConfigWriterTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    path_ = folder_ + "/config.json";
    WriteConfig("old");
  }

  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
  }

  std::string path_;
};

TEST_F(ConfigWriterTest, ReplacesAndKeepsTheOldOne) {
  chmod(path_.c_str(), 0644);
  absl::StatusOr<ConfigWriter> file = ConfigWriter::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->text().Reveal(), "old");
  ASSERT_TRUE(file->Replace("new").ok());
  EXPECT_EQ(ReadFile(path_), "new");
  EXPECT_EQ(ReadFile(path_ + ".bak"), "old");
  EXPECT_EQ(ModeOf(path_), 0600U);
  EXPECT_EQ(ModeOf(path_ + ".bak"), 0600U);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(ConfigWriterTest, StricterModeStays) {
  chmod(path_.c_str(), 0400);
  absl::StatusOr<ConfigWriter> file = ConfigWriter::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(file->Replace("new").ok());
  EXPECT_EQ(ModeOf(path_), 0400U);
}

TEST_F(ConfigWriterTest, LinksAreFollowed) {
  std::filesystem::create_directory(folder_ + "/dotfiles");
  std::filesystem::rename(path_, folder_ + "/dotfiles/real.json");
  std::filesystem::create_symlink("dotfiles/real.json", path_);
  absl::StatusOr<ConfigWriter> file = ConfigWriter::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(file->Replace("new").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
  EXPECT_EQ(ReadFile(folder_ + "/dotfiles/real.json"), "new");
  EXPECT_EQ(file->backup_path(), std::filesystem::canonical(folder_).string() + "/dotfiles/real.json.bak");
}

TEST_F(ConfigWriterTest, SomebodyElsesChangeIsNotLost) {
  absl::StatusOr<ConfigWriter> file = ConfigWriter::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  WriteConfig("an editor's");
  const absl::Status replaced = file->Replace("new");
  EXPECT_EQ(replaced.code(), absl::StatusCode::kAborted) << replaced;
  EXPECT_EQ(ReadFile(path_), "an editor's");
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(ConfigWriterTest, WritersTakeTurns) {
  absl::StatusOr<ConfigWriter> first = ConfigWriter::Open(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  std::string seen;
  std::thread second([this, &seen] {
    const absl::StatusOr<ConfigWriter> file = ConfigWriter::Open(path_);
    if (file.ok()) seen = file->text().Reveal();
  });
  ASSERT_TRUE(first->Replace("first").ok());
  { const ConfigWriter done = *std::move(first); }
  second.join();
  EXPECT_EQ(seen, "first");
}

TEST_F(ConfigWriterTest, WhatCannotBeWrittenStays) {
  std::filesystem::create_directories(path_ + ".new/in the way");
  absl::StatusOr<ConfigWriter> file = ConfigWriter::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(std::string(file->Replace("new").message()), HasSubstr("cannot write " + file->path() + ".new"));
  EXPECT_EQ(ReadFile(path_), "old");
}

TEST_F(ConfigWriterTest, MissingFileIsNamed) {
  const absl::StatusOr<ConfigWriter> file = ConfigWriter::Open(folder_ + "/none.json");
  EXPECT_EQ(file.status().message(), folder_ + "/none.json does not exist");
  EXPECT_THAT(std::string(ConfigWriter::Open(folder_).status().message()), HasSubstr("is a folder"));
}

}  // namespace
}  // namespace ccr::cli
