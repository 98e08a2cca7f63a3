#include "broker/base/file_content.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

namespace ccr {
namespace {

class FileContentTest : public ::testing::Test {
 protected:
  FileContentTest() {
    std::string name = (std::filesystem::temp_directory_path() / "ccr-content-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    pipe_ = folder_ + "/pipe";
    mkfifo(pipe_.c_str(), 0600);
  }
  ~FileContentTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_, pipe_;
};

TEST_F(FileContentTest, APipeThatNobodyWritesToHoldsUpNobody) {
  const absl::StatusOr<FileContent> content = ReadFileContent(pipe_, 100);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_TRUE(content->text.empty());
}

// As a shell gives what a command prints: <(command).
TEST_F(FileContentTest, APipeIsReadToItsEndHoweverSlowly) {
  const int reader = open(pipe_.c_str(), O_RDONLY | O_NONBLOCK);
  const int writer = open(pipe_.c_str(), O_WRONLY);
  std::thread slow([writer] {
    for (const char c : std::string("canary")) {
      ASSERT_EQ(write(writer, &c, 1), 1);
      std::this_thread::yield();
    }
    close(writer);
  });
  const absl::StatusOr<FileContent> content = ReadFileContent(pipe_, 100);
  slow.join();
  close(reader);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(content->text.Reveal(), "canary");
}

TEST_F(FileContentTest, AFolderIsNoFile) {
  EXPECT_EQ(ReadFileContent(folder_, 100).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ccr
