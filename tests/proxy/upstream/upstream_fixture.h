// A client on a loop that the test turns by hand, and a handler that records.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/upstream/client.h"
#include "tests/proxy/upstream/scripted_server.h"

namespace ccr::proxy {

class Recorder : public UpstreamHandler {
 public:
  void OnHead(UpstreamHead h) override {
    EXPECT_FALSE(head) << "one head only";
    head = std::move(h);
    if (on_head) on_head();
  }
  bool OnData(std::string_view bytes) override {
    EXPECT_TRUE(head && !result) << "data comes between head and end";
    received += bytes.size();
    if (keep) body.append(bytes);
    return on_data ? on_data() : true;
  }
  void OnDone(const UpstreamResult& r) override {
    EXPECT_FALSE(result) << "one end only";
    result = r;
    if (on_done) on_done();
  }

  std::optional<UpstreamHead> head;
  std::optional<UpstreamResult> result;
  std::string body;
  size_t received = 0;
  bool keep = true;
  std::function<void()> on_head;
  std::function<bool()> on_data;
  std::function<void()> on_done;
};

class UpstreamTest : public ::testing::Test {
 protected:
  explicit UpstreamTest(UpstreamClient::Options options = {}) : client_(loop_, std::move(options)) {}

  static UpstreamRequest Get(const std::string& url) {
    UpstreamRequest request;
    request.method = "GET";
    request.url = url;
    request.connect_timeout = request.first_byte_timeout = request.idle_timeout = absl::Minutes(1);
    request.total_timeout = absl::Minutes(2);
    return request;
  }

  static UpstreamRequest Post(const std::string& url, std::vector<std::string_view> body) {
    UpstreamRequest request = Get(url);
    request.method = "POST";
    request.headers = {{"content-type", "application/json"}};
    request.has_body = true;
    request.body = std::move(body);
    return request;
  }

  // Turns the loop until `condition` holds; false after a minute.
  bool RunUntil(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  // Sends it and waits for the end.
  void Do(UpstreamRequest request, Recorder& recorder) {
    client_.Start(std::move(request), &recorder);
    ASSERT_TRUE(RunUntil([&] { return recorder.result.has_value(); }));
    EXPECT_EQ(client_.active(), 0u);
  }

  boost::asio::io_context loop_{1};
  UpstreamClient client_;
};

// What holds for plain http with sockets of our own, and with curl.
class EnginesTest : public UpstreamTest, public ::testing::WithParamInterface<bool> {
 protected:
  EnginesTest() : UpstreamTest(Options()) {}

  static UpstreamClient::Options Options() {
    UpstreamClient::Options options;
    options.all_with_curl = GetParam();
    return options;
  }
};

inline std::string EngineName(const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "Curl" : "OwnSockets";
}

}  // namespace ccr::proxy
