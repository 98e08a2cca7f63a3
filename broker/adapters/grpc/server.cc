#include "broker/adapters/grpc/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/adapters/grpc/services.h"
#include "broker/base/address.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"

namespace ccr {
namespace {

constexpr char kUnixPrefix[] = "unix:";
constexpr int kMaxMessageBytes = 16 * 1024 * 1024;
constexpr unsigned kCertificateRefreshSeconds = 30;
// A fixed window, wide enough that neither probes nor window updates go between the messages of a lease stream.
constexpr int kWindowBytes = 4 * 1024 * 1024;

bool IsUnix(const std::string& address) {
  return address.rfind(kUnixPrefix, 0) == 0;
}

// Removes the socket file of a server that is gone. False when somebody listens on it.
bool RemoveStaleSocket(const std::string& path) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return true;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool alive = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return !alive && unlink(path.c_str()) == 0;
}

// Clients may ping often, also while they hold no call; a client whose machine is gone is noticed within 15 s.
void SetChannelArguments(grpc::ServerBuilder* builder) {
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder->SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder->SetMaxSendMessageSize(kMaxMessageBytes);
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const TlsFiles& tls) {
  if (!tls.used()) return grpc::InsecureServerCredentials();
  using grpc::experimental::FileWatcherCertificateProvider;
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<FileWatcherCertificateProvider>(tls.key, tls.cert, tls.ca, kCertificateRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  if (!tls.ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(const Options& options, BrokerService* service, EventHub* events)
      : key_broker(service), key_admin(service, events, options.config_path) {}

  void SetServing(bool serving) {
    grpc::HealthCheckServiceInterface* health = server->GetHealthCheckService();
    health->SetServingStatus(serving);
    for (const char* name : {"", "ccr.broker.v1.KeyBroker", "ccr.broker.v1.KeyAdmin"}) {
      health->SetServingStatus(name, serving);
    }
  }

  KeyBrokerService key_broker;
  KeyAdminService key_admin;
  std::string address;
  std::unique_ptr<grpc::Server> server;
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options, BrokerService* service,
                                                              EventHub* events) {
  const std::string path = IsUnix(options.listen) ? options.listen.substr(std::strlen(kUnixPrefix)) : "";
  if (!IsUnix(options.listen)) {
    const absl::StatusOr<HostPort> parsed = ParseHostPort(options.listen);
    if (!parsed.ok()) return parsed.status();
  } else if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("'", options.listen, "': the socket's path is empty or too long"));
  } else if (!RemoveStaleSocket(path)) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", options.listen, ": somebody else does"));
  }
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  auto impl = std::make_unique<Impl>(options, service, events);
  grpc::ServerBuilder builder;
  SetChannelArguments(&builder);
  int port = 0;
  builder.AddListeningPort(options.listen, Credentials(options.tls), &port);
  builder.RegisterService(&impl->key_broker);
  builder.RegisterService(&impl->key_admin);
  const mode_t mask = umask(0177);
  impl->server = builder.BuildAndStart();
  umask(mask);
  if (impl->server == nullptr || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen, ": the address is taken or not ours"));
  }
  impl->address = options.listen;
  if (!IsUnix(options.listen)) {
    impl->address = HostPort{ParseHostPort(options.listen)->host, static_cast<uint16_t>(port)}.ToString();
  }
  impl->SetServing(true);
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() {
  impl_->server->Shutdown(std::chrono::system_clock::now());
  impl_->server->Wait();
}

const std::string& GrpcServer::address() const {
  return impl_->address;
}

void GrpcServer::Drain(absl::Duration deadline) {
  impl_->SetServing(false);
  impl_->key_broker.streams().GoAway();
  impl_->server->Shutdown(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(deadline));
}

}  // namespace ccr
