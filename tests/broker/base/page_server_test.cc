#include "broker/base/page_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <vector>

#include "broker/base/file_descriptor.h"

namespace ccr {
namespace {

constexpr char kGet[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

FileDescriptor NewSocket() {
  FileDescriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience = {60, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  return fd;
}

class PageServerTest : public ::testing::Test {
 protected:
  void Start(PageServer::Options options = {}) {
    options.listen = {"127.0.0.1", 0};
    options.path = "/metrics";
    options.content_type = "text/plain";
    auto server = PageServer::Start(options, [this] { return page_; });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void Connect(const FileDescriptor& fd) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->address().port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  FileDescriptor Connected() const {
    FileDescriptor fd = NewSocket();
    Connect(fd);
    return fd;
  }
  static std::string ReadAll(const FileDescriptor& fd) {
    std::string text;
    char buffer[65536];
    for (ssize_t got = 0; (got = recv(fd.get(), buffer, sizeof(buffer), 0)) > 0;) {
      text.append(buffer, static_cast<size_t>(got));
    }
    return text;
  }
  std::string Ask(const std::string& request) const {
    const FileDescriptor fd = Connected();
    EXPECT_EQ(send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    return ReadAll(fd);
  }

  std::string page_ = "ccr_x 1\n";
  std::unique_ptr<PageServer> server_;
};

TEST_F(PageServerTest, AnswersGetAndHeadOfItsPathAndRefusesTheRest) {
  Start();
  EXPECT_EQ(Ask(kGet),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\nConnection: close\r\n\r\n" + page_);
  EXPECT_TRUE(Ask("GET /metrics?x=y HTTP/1.0\r\n\r\n").ends_with(page_));
  EXPECT_TRUE(Ask("HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("Content-Length: 8\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(Ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(Ask("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  for (const char* bad : {"\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n", "GET /metrics FTP/1\r\n\r\n"}) {
    EXPECT_TRUE(Ask(bad).starts_with("HTTP/1.1 400 ")) << bad;
  }
  EXPECT_TRUE(Ask("GET /metrics HTTP/1.1\r\nx: " + std::string(9000, 'x')).starts_with("HTTP/1.1 431 "));
}

TEST_F(PageServerTest, ScrapesAndTheEndDoNotWaitForTheSilent) {
  Start();
  std::vector<FileDescriptor> silent;
  for (int i = 0; i < 200; ++i) {
    silent.push_back(Connected());
    if (i % 2 == 0) send(silent.back().get(), "GET /met", 8, MSG_NOSIGNAL);
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(Ask(kGet).ends_with(page_));
  server_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10)) << "their deadline is later";
}

TEST_F(PageServerTest, WhoDripsIsCutOffAtTheDeadline) {
  PageServer::Options options;
  options.deadline = std::chrono::milliseconds(200);
  Start(options);
  const FileDescriptor fd = Connected();
  bool cut = false;
  for (int i = 0; i < 3000 && !cut; ++i) {
    pollfd closed = {fd.get(), POLLIN, 0};
    cut = send(fd.get(), "x", 1, MSG_NOSIGNAL) < 0 || poll(&closed, 1, 10) > 0;
  }
  EXPECT_TRUE(cut);
}

TEST_F(PageServerTest, WhoAsksAndDoesNotReadHoldsFewPages) {
  page_ = std::string(16 * 1024 * 1024, 'x');
  PageServer::Options options;
  options.deadline = std::chrono::minutes(5);  // a slow machine under a sanitizer takes its time to read it
  Start(options);
  std::vector<FileDescriptor> deaf;
  for (int i = 0; i < 40; ++i) {
    deaf.push_back(Connected());
    send(deaf.back().get(), kGet, sizeof(kGet) - 1, MSG_NOSIGNAL);
  }
  EXPECT_TRUE(Ask(kGet).ends_with(page_));
  size_t whole = 0;
  for (const FileDescriptor& fd : deaf) whole += ReadAll(fd).size() > page_.size();
  EXPECT_LE(whole, 4U);
}

TEST_F(PageServerTest, AScrapeIsAnsweredWhenNoDescriptorIsLeft) {
  Start();
  EXPECT_TRUE(Ask(kGet).ends_with(page_));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit low = {256, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  const FileDescriptor first = NewSocket();
  const FileDescriptor second = NewSocket();
  std::vector<FileDescriptor> all;
  do all.push_back(FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC)));
  while (all.back().valid());
  for (const FileDescriptor* fd : {&first, &second}) {
    Connect(*fd);
    send(fd->get(), kGet, sizeof(kGet) - 1, MSG_NOSIGNAL);
    EXPECT_TRUE(ReadAll(*fd).ends_with(page_));
  }
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace
}  // namespace ccr
