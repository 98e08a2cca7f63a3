#include "client/lib/broker_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/channel_arguments.h>

#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "broker/base/address.h"
#include "broker/base/private_path.h"
#include "client/lib/broker_token.h"

namespace ccr::client {
namespace {

constexpr int kMaxMessageBytes = 16 * 1024 * 1024;
constexpr unsigned kCertificateRefreshSeconds = 30;
// A fixed window, wide enough that neither probes nor window updates go between the messages of a lease stream.
constexpr int kWindowBytes = 4 * 1024 * 1024;

std::shared_ptr<grpc::ChannelCredentials> BrokerCredentials(const TlsFiles& tls) {
  if (!tls.used()) return grpc::InsecureChannelCredentials();
  using grpc::experimental::FileWatcherCertificateProvider;
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<FileWatcherCertificateProvider>(tls.key, tls.cert, tls.ca, kCertificateRefreshSeconds));
  options.watch_root_certs();
  if (!tls.cert.empty()) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

// gRPC reads an address as a URI.
std::string UriOf(const std::string& address) {
  if (UnixPath(address).empty()) return address;
  return absl::StrReplaceAll(address, {{"%", "%25"}, {"?", "%3F"}, {"#", "%23"}, {" ", "%20"}});
}

}  // namespace

absl::Status CheckBrokerTarget(const BrokerTarget& target) {
  if (target.tls.used() && target.tls.ca.empty()) {
    return absl::InvalidArgumentError("--broker-tls-cert needs --broker-tls-ca: who signed the broker's certificate");
  }
  if (const absl::Status files = CheckTlsFiles(target.tls); !files.ok()) return files;
  if (!target.token_file.empty()) {
    if (const absl::Status token = ReadTokenFile(target.token_file).status(); !token.ok()) return token;
  }
  const std::string path = UnixPath(target.address);
  return path.empty() ? ParseHostPort(target.address).status() : CheckSocketPath(path);
}

std::shared_ptr<grpc::Channel> MakeBrokerChannel(const BrokerTarget& target) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);  // in fact the time one attempt may take
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  args.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetMaxReceiveMessageSize(kMaxMessageBytes);
  args.SetMaxSendMessageSize(kMaxMessageBytes);
  const std::string uri = UriOf(target.address);
  // Over a unix socket the kernel says who is there.
  const auto credentials = BrokerCredentials(UnixPath(target.address).empty() ? target.tls : TlsFiles());
  if (target.token_file.empty()) return grpc::CreateCustomChannel(uri, credentials, args);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(TokenSender(target.token_file));
  return grpc::experimental::CreateCustomChannelWithInterceptors(uri, credentials, args, std::move(interceptors));
}

}  // namespace ccr::client
