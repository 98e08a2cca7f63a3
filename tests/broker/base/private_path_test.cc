#include "broker/base/private_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ccr {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;

class PrivatePathTest : public ::testing::Test {
 protected:
  PrivatePathTest() {
    std::string pattern = ::testing::TempDir() + "ccr-path-XXXXXX";
    dir_ = std::filesystem::canonical(mkdtemp(pattern.data())).string();
    path_ = dir_ + "/broker.sock";
  }
  ~PrivatePathTest() override {
    if (fd_ >= 0) close(fd_);
    std::filesystem::remove_all(dir_);
  }

  void Bind() {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    fd_ = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  std::string Why(const absl::Status& status) { return std::string(status.message()); }

  std::string dir_, path_;
  int fd_ = -1;
};

TEST_F(PrivatePathTest, UnixAddresses) {
  EXPECT_EQ(UnixPath("unix:/run/a b.sock"), "/run/a b.sock");
  EXPECT_EQ(UnixPath("127.0.0.1:1"), "");
  EXPECT_EQ(UnixPath("unix:"), "");
}

TEST_F(PrivatePathTest, AFolderIsWrittenByItsOwnerOnly) {
  EXPECT_TRUE(CheckPrivateFolder(dir_).ok());
  chmod(dir_.c_str(), 0755);
  EXPECT_TRUE(CheckPrivateFolder(dir_).ok());
  for (const mode_t mode : {0775, 0757, 0777}) {
    chmod(dir_.c_str(), mode);
    EXPECT_THAT(Why(CheckPrivateFolder(dir_)), HasSubstr("chmod go-w " + dir_));
  }
  chmod(dir_.c_str(), 01777);
  EXPECT_FALSE(CheckPrivateFolder(dir_).ok());
  EXPECT_TRUE(CheckPrivateFolder(dir_, true).ok());
  EXPECT_EQ(CheckPrivateFolder(dir_ + "/missing").code(), absl::StatusCode::kNotFound);
}

TEST_F(PrivatePathTest, ASocketOfOursOrNone) {
  EXPECT_TRUE(CheckSocketPath(path_).ok());
  EXPECT_TRUE(CheckSocketPath("/nonexistent/folder/broker.sock").ok());
  Bind();
  EXPECT_TRUE(CheckSocketPath(path_).ok());
  EXPECT_TRUE(CheckSocketPath(dir_ + "/../" + dir_.substr(dir_.rfind('/') + 1) + "/broker.sock").ok());
  std::ofstream(dir_ + "/file") << "x";
  EXPECT_THAT(Why(CheckSocketPath(dir_ + "/file")), HasSubstr("no socket"));
}

TEST_F(PrivatePathTest, NoSocketWhereOthersCouldPutOne) {
  chmod(dir_.c_str(), 0777);
  EXPECT_THAT(Why(CheckSocketPath(path_)), HasSubstr("could answer in the broker's place"));
  Bind();
  EXPECT_THAT(Why(CheckSocketPath(path_)), HasSubstr("could answer in the broker's place"));
  chmod(dir_.c_str(), 01777);
  EXPECT_TRUE(CheckSocketPath(path_).ok());
  EXPECT_FALSE(CheckSocketPath(dir_ + "/other.sock").ok());
}

TEST_F(PrivatePathTest, NoWayThroughAFolderThatOthersMayReplace) {
  chmod(dir_.c_str(), 0777);
  std::filesystem::create_directory(dir_ + "/inner");
  chmod((dir_ + "/inner").c_str(), 0700);
  EXPECT_THAT(Why(CheckSocketPath(dir_ + "/inner/broker.sock")), HasSubstr("can replace what lies in " + dir_));
  chmod(dir_.c_str(), 01777);
  EXPECT_TRUE(CheckSocketPath(dir_ + "/inner/broker.sock").ok());
}

TEST_F(PrivatePathTest, AStrangersSocketOrFolder) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  Bind();
  ASSERT_EQ(chown(path_.c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(Why(CheckSocketPath(path_)), HasSubstr("belongs to another user (uid 65534)"));
  // A folder of another user's under /tmp: anybody could have made it.
  ASSERT_EQ(chown(dir_.c_str(), kNobody, kNobody), 0);
  EXPECT_FALSE(CheckSocketPath(path_).ok());
}

TEST_F(PrivatePathTest, AStrangersFolderSeenByAnOrdinaryUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  constexpr uid_t kStranger = 65533;
  chmod(dir_.c_str(), 0755);
  ASSERT_EQ(chown(dir_.c_str(), kStranger, kStranger), 0);
  ASSERT_EQ(seteuid(kNobody), 0);
  const absl::Status strangers = CheckPrivateFolder(dir_);
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_THAT(Why(strangers), HasSubstr("belongs to another user (uid 65533)"));
  for (const uid_t owner : {kNobody, uid_t{0}}) {
    ASSERT_EQ(chown(dir_.c_str(), owner, owner), 0);
    ASSERT_EQ(seteuid(kNobody), 0);
    const absl::Status own = CheckPrivateFolder(dir_);
    ASSERT_EQ(seteuid(0), 0);
    EXPECT_TRUE(own.ok()) << own;
  }
}

}  // namespace
}  // namespace ccr
