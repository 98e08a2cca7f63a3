#include "broker/adapters/grpc/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/adapters/grpc/acceptor.h"
#include "broker/adapters/grpc/access.h"
#include "broker/adapters/grpc/connections.h"
#include "broker/adapters/grpc/gate.h"
#include "broker/adapters/grpc/services.h"
#include "broker/base/absl_text.h"
#include "broker/base/mutex.h"
#include "broker/base/private_path.h"
#include "broker/base/stranger_log.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "grpcpp/server_posix.h"

namespace ccr {
namespace {

using grpc::experimental::ExternalConnectionAcceptor;

constexpr int kMaxMessageBytes = 16 * 1024 * 1024;
constexpr unsigned kCertificateRefreshSeconds = 30;
// A fixed window, wide enough that neither probes nor window updates go between the messages of a lease stream.
constexpr int kWindowBytes = 4 * 1024 * 1024;
constexpr mode_t kOwnersSocket = 0600;
constexpr mode_t kSharedSocket = 0666;

// Clients may ping often, also while they hold no call; a client whose machine is gone is noticed within 15 s.
void SetChannelArguments(grpc::ServerBuilder* builder) {
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

std::shared_ptr<grpc::ServerCredentials> TlsCredentials(const TlsFiles& tls) {
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

// The user at the other end of a unix socket; nothing when the kernel does not tell.
std::optional<uid_t> PeerUser(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(const Options& options, BrokerService* service, EventHub* events)
      : access_(options.identities),
        connections_(access_.foreign_uids() + 3),  // this user, root, the network
        gate_(&access_, &connections_),
        key_broker_(service, &gate_),
        key_admin_(service, &gate_, events, options.config_path, options.reload, options.source_problems) {}
  ~Impl() {
    acceptor_.reset();  // first: it gives connections to the server
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  absl::Status Start(const Options& options);
  void Drain(absl::Duration deadline);
  void SetTokens(const std::vector<IdentityConfig>& identities) { access_.SetTokens(identities); }
  const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  absl::Status Listen(const Options& options, std::vector<Acceptor::Listener>* listeners);
  void TakeUnix(int fd);
  void TakeTcp(int fd);
  void TakeTls(int fd);
  void Give(int fd, Connections::Origin origin);
  void SetDraining();
  void SetShortage(bool shortage);
  void TellHealth() CCR_REQUIRES(mutex_);

  Access access_;
  Connections connections_;
  const Gate gate_;
  KeyBrokerService key_broker_;
  KeyAdminService key_admin_;
  std::vector<std::string> addresses_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ExternalConnectionAcceptor> tls_;  // set when TCP speaks TLS
  Mutex mutex_;
  bool draining_ CCR_GUARDED_BY(mutex_) = false;
  bool shortage_ CCR_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Acceptor> acceptor_;  // the last: its thread uses all of these
};

absl::Status GrpcServer::Impl::Start(const Options& options) {
  std::vector<Acceptor::Listener> listeners;
  if (const absl::Status listening = Listen(options, &listeners); !listening.ok()) return listening;
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetChannelArguments(&builder);
  if (options.tls.used()) {
    using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
    tls_ = builder.experimental().AddExternalConnectionAcceptor(Type::FROM_FD, TlsCredentials(options.tls));
  }
  builder.RegisterService(&key_broker_);
  builder.RegisterService(&key_admin_);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(gate_.Interceptor());
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::InternalError("gRPC does not start");
  {
    MutexLock lock(mutex_);
    TellHealth();
  }
  acceptor_ = std::make_unique<Acceptor>(std::move(listeners), [this](bool shortage) { SetShortage(shortage); });
  return absl::OkStatus();
}

absl::Status GrpcServer::Impl::Listen(const Options& options, std::vector<Acceptor::Listener>* listeners) {
  const mode_t mode = access_.foreign_uids() > 0 ? kSharedSocket : kOwnersSocket;
  for (const std::string& address : options.listen) {
    if (address.starts_with("unix:")) {
      absl::StatusOr<ListeningSocket> socket = ListeningSocket::Unix(UnixPath(address), mode);
      if (!socket.ok()) return socket.status();
      addresses_.push_back(socket->address());
      listeners->push_back({*std::move(socket), [this](int fd) { TakeUnix(fd); }});
      continue;
    }
    absl::StatusOr<std::vector<ListeningSocket>> sockets = ListeningSocket::Tcp(address);
    if (!sockets.ok()) return sockets.status();
    addresses_.push_back(sockets->front().address());
    for (ListeningSocket& socket : *sockets) {
      listeners->push_back({std::move(socket), [this](int fd) { tls_ == nullptr ? TakeTcp(fd) : TakeTls(fd); }});
    }
  }
  return absl::OkStatus();
}

void GrpcServer::Impl::TakeUnix(int fd) {
  const std::optional<uid_t> user = PeerUser(fd);
  if (user && access_.Admits(*user)) return Give(fd, *user);
  LogStranger("connection_refused", {{"uid", user ? static_cast<int64_t>(*user) : -1}});
  close(fd);
}

void GrpcServer::Impl::TakeTcp(int fd) {
  Give(fd, Connections::kNetwork);
}

void GrpcServer::Impl::TakeTls(int fd) {
  const absl::StatusOr<int> admitted = connections_.Admit(fd, Connections::kNetwork);
  if (!admitted.ok()) return;
  ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = *admitted;
  tls_->HandleNewConnection(&connection);
}

void GrpcServer::Impl::Give(int fd, Connections::Origin origin) {
  const absl::StatusOr<int> admitted = connections_.Admit(fd, origin);
  if (admitted.ok()) return grpc::AddInsecureChannelFromFd(server_.get(), *admitted);
  LogStranger("connection_refused", {{"why", ToStd(admitted.status().message())}});
}

void GrpcServer::Impl::SetShortage(bool shortage) {
  MutexLock lock(mutex_);
  shortage_ = shortage;
  TellHealth();
}

void GrpcServer::Impl::SetDraining() {
  MutexLock lock(mutex_);
  draining_ = true;
  TellHealth();
}

void GrpcServer::Impl::TellHealth() {
  const bool serving = !draining_ && !shortage_;
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus(serving);
  for (const char* name : {"", "ccr.broker.v1.KeyBroker", "ccr.broker.v1.KeyAdmin"}) {
    health->SetServingStatus(name, serving);
  }
}

void GrpcServer::Impl::Drain(absl::Duration deadline) {
  SetDraining();
  key_broker_.streams().GoAway();
  acceptor_.reset();  // before the server ends: nothing is given to it afterwards
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(deadline));
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options, BrokerService* service,
                                                              EventHub* events) {
  auto impl = std::make_unique<Impl>(options, service, events);
  if (const absl::Status started = impl->Start(options); !started.ok()) return started;
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() = default;

const std::vector<std::string>& GrpcServer::addresses() const {
  return impl_->addresses();
}

void GrpcServer::SetTokens(const std::vector<IdentityConfig>& identities) {
  impl_->SetTokens(identities);
}

void GrpcServer::Drain(absl::Duration deadline) {
  impl_->Drain(deadline);
}

}  // namespace ccr
