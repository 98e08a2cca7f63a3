// Only providers whose certificate is trusted, and theirs, get a request.
#include <unistd.h>

#include <string>

#include "tests/proxy/upstream/tls_server.h"
#include "tests/proxy/upstream/upstream_fixture.h"

namespace ccr::proxy {
namespace {

class TlsTest : public UpstreamTest {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.WriteCertificate(ca_file_)); }
  void TearDown() override { unlink(ca_file_.c_str()); }

  void DoTrusting(UpstreamRequest request, Recorder& recorder) {
    UpstreamClient client(loop_, {.ca_file = ca_file_});
    client.Start(std::move(request), &recorder);
    ASSERT_TRUE(RunUntil([&] { return recorder.result.has_value(); }));
  }

  const std::string ca_file_ = ::testing::TempDir() + "ccr-ca-" + std::to_string(getpid()) + ".pem";
  TlsServer server_;
};

TEST_F(TlsTest, UntrustedCertificateGetsNothing) {
  Recorder recorder;
  Do(Post(server_.Url("127.0.0.1"), {"{}"}), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kTls);
  EXPECT_THAT(recorder.result->detail, ::testing::HasSubstr("self-signed certificate"));
  EXPECT_FALSE(recorder.head.has_value());
}

TEST_F(TlsTest, TrustedCertificateIsServed) {
  Recorder recorder;
  DoTrusting(Post(server_.Url("127.0.0.1"), {"{}"}), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kNone);
  EXPECT_EQ(recorder.body, "ok");
  EXPECT_EQ(server_.handshakes(), 1);
}

// Not even over the connection of one that trusts more.
TEST_F(TlsTest, ARequestsOwnAuthoritiesAreItsOwn) {
  TlsServer server([](Peer& peer) {
    while (!peer.ReadRequest().empty()) peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  const auto authorities = std::make_shared<const std::string>(server.Pem());
  for (const bool trusting : {false, true, true, false}) {
    auto request = Post(server.Url("127.0.0.1"), {"{}"});
    if (trusting) request.authorities = authorities;
    Recorder recorder;
    Do(std::move(request), recorder);
    EXPECT_EQ(recorder.result->error, trusting ? TransportError::kNone : TransportError::kTls)
        << recorder.result->detail;
  }
  EXPECT_EQ(server.handshakes(), 1);
}

TEST_F(TlsTest, CertificateOfAnotherHostGetsNothing) {
  Recorder recorder;
  DoTrusting(Post(server_.Url("localhost"), {"{}"}), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kTls);
  EXPECT_THAT(recorder.result->detail, ::testing::HasSubstr("subject name"));
}

}  // namespace
}  // namespace ccr::proxy
