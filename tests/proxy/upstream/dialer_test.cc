#include "proxy/upstream/dialer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>

#include "tests/proxy/upstream/scripted_server.h"

namespace ccr::proxy {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

tcp::endpoint Loopback(int port) {
  return {boost::asio::ip::address_v4::loopback(), static_cast<uint16_t>(port)};
}

class DialerTest : public ::testing::Test {
 protected:
  void SetUp() override { listener_ = ScriptedServer::Listen(16, &port_); }
  void TearDown() override { close(listener_); }

  int RefusingPort() {
    int port = 0;
    close(ScriptedServer::Listen(1, &port));
    return port;
  }

  // The name has these addresses.
  error_code Dial(Addresses addresses) {
    book_.Keep("name", "80", std::move(addresses), std::chrono::steady_clock::now());
    return Dial("name", "80");
  }

  error_code Dial(const std::string& host, const std::string& port) {
    std::optional<error_code> result;
    std::make_shared<Dialer>(loop_, book_)->Start(host, port, [&](const error_code& error, tcp::socket socket) {
      result = error;
      error_code ignored;
      remote_ = socket.remote_endpoint(ignored);
    });
    EXPECT_FALSE(result) << "not from inside";
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!result && std::chrono::steady_clock::now() < until) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(5));
    }
    return result.value_or(boost::asio::error::timed_out);
  }

  boost::asio::io_context loop_{1};
  AddressBook book_{loop_};
  int port_ = 0;
  int listener_ = -1;
  tcp::endpoint remote_;
};

TEST_F(DialerTest, AnAddressNeedsNoName) {
  EXPECT_FALSE(Dial("127.0.0.1", std::to_string(port_)));
  EXPECT_EQ(remote_, Loopback(port_));
}

TEST_F(DialerTest, ANameIsLookedUp) {
  EXPECT_FALSE(Dial("localhost", std::to_string(port_)));
  EXPECT_EQ(remote_, Loopback(port_));
}

TEST_F(DialerTest, WhatANameMeansIsForgottenAfterAMinute) {
  const auto long_ago = std::chrono::steady_clock::now() - std::chrono::seconds(61);
  book_.Keep("localhost", std::to_string(port_), {Loopback(RefusingPort())}, long_ago);
  EXPECT_FALSE(Dial("localhost", std::to_string(port_)));
  EXPECT_EQ(remote_, Loopback(port_));
}

TEST_F(DialerTest, AnUnknownNameIsAnError) {
  EXPECT_TRUE(Dial("provider.invalid", "80"));
}

TEST_F(DialerTest, TheNextAddressIsTriedWhenOneRefuses) {
  EXPECT_FALSE(Dial({Loopback(RefusingPort()), Loopback(RefusingPort()), Loopback(port_)}));
  EXPECT_EQ(remote_, Loopback(port_));
}

TEST_F(DialerTest, TheNextAddressIsTriedWhenOneIsSilent) {
  int silent_port = 0;
  const int silent = ScriptedServer::Listen(0, &silent_port);  // nobody accepts: the queue fills, then nothing answers
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    connect(fillers.back(), Loopback(silent_port).data(), static_cast<socklen_t>(Loopback(silent_port).size()));
  }
  EXPECT_FALSE(Dial({Loopback(silent_port), Loopback(port_)}));
  EXPECT_EQ(remote_, Loopback(port_));
  for (const int fd : fillers) close(fd);
  close(silent);
}

TEST_F(DialerTest, ItFailsWhenAllHave) {
  EXPECT_EQ(Dial({Loopback(RefusingPort()), Loopback(RefusingPort())}), boost::asio::error::connection_refused);
}

TEST_F(DialerTest, NothingIsHeardAfterCancel) {
  auto dialer = std::make_shared<Dialer>(loop_, book_);
  dialer->Start("127.0.0.1", std::to_string(port_), [](const error_code&, tcp::socket) { FAIL(); });
  dialer->Cancel();
  auto looking_up = std::make_shared<Dialer>(loop_, book_);
  looking_up->Start("localhost", std::to_string(port_), [](const error_code&, tcp::socket) { FAIL(); });
  looking_up->Cancel();
  EXPECT_FALSE(Dial("localhost", std::to_string(port_))) << "the same lookup, and a turn of the loop";
}

TEST_F(DialerTest, ALookupMayOutliveTheBook) {
  auto book = std::make_unique<AddressBook>(loop_);
  book->LookUp("localhost", "1", [](const error_code&, const Addresses&) { FAIL(); });
  book.reset();
  EXPECT_FALSE(Dial("localhost", std::to_string(port_)));
}

}  // namespace
}  // namespace ccr::proxy
