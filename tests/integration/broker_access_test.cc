#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "broker/adapters/grpc/access.h"
#include "broker/adapters/grpc/connections.h"
#include "client/lib/health_client.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/integration/broker_fixture.h"

namespace ccr {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;
constexpr char kLeaseToken[] = "canary-token-lease-0123456789";
constexpr char kObserveToken[] = "canary-token-observe-0123456789";
constexpr char kAdminToken[] = "canary-token-admin-0123456789";
constexpr char kForPToken[] = "canary-token-for-p-0123456789";

IdentityConfig WithToken(const std::string& name, Role role, const std::string& token,
                         std::vector<std::string> pools = {}) {
  IdentityConfig identity;
  identity.name = name;
  identity.role = role;
  identity.pools = std::move(pools);
  identity.token_sha256 = Sha256(token);
  return identity;
}

IdentityConfig WithUid(uid_t uid, Role role) {
  IdentityConfig identity;
  identity.name = "by-uid";
  identity.role = role;
  identity.uid = uid;
  return identity;
}

IdentityConfig WithCertificate(const std::string& certificate, Role role) {
  IdentityConfig identity;
  identity.name = "by-certificate";
  identity.role = role;
  identity.certificate = certificate;
  return identity;
}

std::vector<IdentityConfig> Tokens() {
  return {WithToken("proxies", Role::kLease, kLeaseToken), WithToken("grafana", Role::kObserve, kObserveToken),
          WithToken("boss", Role::kAdmin, kAdminToken), WithToken("p-only", Role::kLease, kForPToken, {"P"})};
}

// "name:role", or the code of the refusal.
std::string Who(const Access& access, const Proof& proof) {
  const auto caller = access.Identify(proof);
  if (!caller.ok()) return absl::StatusCodeToString(caller.status().code());
  return (*caller)->name() + ":" + std::string(RoleName((*caller)->role()));
}

TEST(AccessTest, WithoutIdentitiesTheOwnUserAndCertificatesMayAll) {
  const Access access({});
  EXPECT_TRUE(access.Admits(geteuid()));
  EXPECT_TRUE(access.Admits(0));
  EXPECT_FALSE(access.Admits(kNobody));
  EXPECT_EQ(Who(access, {.uid = 0}), "uid 0:admin");
  EXPECT_EQ(Who(access, {.uid = kNobody}), "UNAUTHENTICATED");
  EXPECT_EQ(Who(access, {.verified = true, .certificate_names = {"x"}}), "a certificate of client_ca:admin");
  EXPECT_EQ(Who(access, {}), "anybody:admin");
  EXPECT_EQ(Who(access, {.token = "anything"}), "anybody:admin");
}

TEST(AccessTest, TokensAreReplacedWhileItRuns) {
  Access access({WithToken("proxies", Role::kLease, kLeaseToken), WithCertificate("ci", Role::kObserve)});
  access.SetTokens({WithToken("proxies", Role::kObserve, kObserveToken), WithCertificate("other", Role::kAdmin)});
  EXPECT_EQ(Who(access, {.token = kLeaseToken}), "UNAUTHENTICATED");
  EXPECT_EQ(Who(access, {.token = kObserveToken}), "proxies:observe");
  EXPECT_EQ(Who(access, {.verified = true, .certificate_names = {"ci"}}), "by-certificate:observe");
  EXPECT_EQ(Who(access, {.verified = true, .certificate_names = {"other"}}), "UNAUTHENTICATED");
  access.SetTokens({});
  EXPECT_EQ(Who(access, {.token = kObserveToken}), "UNAUTHENTICATED") << "nobody is let in since nobody is named";
}

TEST(AccessTest, IdentitiesDecide) {
  std::vector<IdentityConfig> identities = Tokens();
  identities.push_back(WithUid(kNobody, Role::kObserve));
  identities.push_back(WithCertificate("ci.internal", Role::kLease));
  const Access access(identities);
  EXPECT_TRUE(access.Admits(kNobody));
  EXPECT_FALSE(access.Admits(kNobody - 1));
  EXPECT_EQ(Who(access, {.uid = kNobody}), "by-uid:observe");
  EXPECT_EQ(Who(access, {.uid = kNobody - 1}), "UNAUTHENTICATED");
  EXPECT_EQ(Who(access, {.verified = true, .certificate_names = {"cn", "ci.internal"}}), "by-certificate:lease");
  EXPECT_EQ(Who(access, {.verified = true, .certificate_names = {"cn"}}), "UNAUTHENTICATED");
  EXPECT_EQ(Who(access, {.certificate_names = {"ci.internal"}}), "UNAUTHENTICATED");
  EXPECT_EQ(Who(access, {}), "UNAUTHENTICATED");
  EXPECT_EQ(Who(access, {.token = kLeaseToken}), "proxies:lease");
  EXPECT_EQ(Who(access, {.token = std::string(kLeaseToken) + "x"}), "UNAUTHENTICATED");
  EXPECT_EQ(Who(access, {.token = ""}), "UNAUTHENTICATED");
  EXPECT_EQ(Who(access, {.uid = 0, .token = kObserveToken}), "grafana:observe");
  EXPECT_EQ(Who(access, {.uid = 0, .token = "wrong"}), "UNAUTHENTICATED");
}

TEST(AccessTest, AnyIdentityClosesTcp) {
  EXPECT_EQ(Who(Access({WithUid(kNobody, Role::kLease)}), {}), "UNAUTHENTICATED");
}

TEST(AccessTest, RolesAndCalls) {
  const std::vector<std::pair<const char*, std::vector<Role>>> calls = {
      {"/ccr.broker.v1.KeyBroker/Lease", {Role::kLease, Role::kAdmin}},
      {"/ccr.broker.v1.KeyBroker/LeaseStream", {Role::kLease, Role::kAdmin}},
      {"/ccr.broker.v1.KeyBroker/WatchRouting", {Role::kLease, Role::kAdmin}},
      {"/ccr.broker.v1.KeyAdmin/ListPools", {Role::kObserve, Role::kAdmin}},
      {"/ccr.broker.v1.KeyAdmin/GetStatus", {Role::kObserve, Role::kAdmin}},
      {"/ccr.broker.v1.KeyAdmin/Simulate", {Role::kObserve, Role::kAdmin}},
      {"/ccr.broker.v1.KeyAdmin/Reload", {Role::kAdmin}},
      {"/grpc.health.v1.Health/Check", {Role::kLease, Role::kObserve, Role::kAdmin}},
      {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {Role::kObserve, Role::kAdmin}},
      {"/ccr.broker.v1.KeyBroker/NoSuchCall", {}},
      {"/ccr.broker.v1.KeyBroker/", {}},
  };
  for (const auto& [call, roles] : calls) {
    for (const Role role : {Role::kLease, Role::kObserve, Role::kAdmin}) {
      const bool may = std::find(roles.begin(), roles.end(), role) != roles.end();
      EXPECT_EQ(Access::Authorize(Caller("x", role, {}), call).ok(), may) << call << " " << RoleName(role);
    }
  }
}

// "/package.Service/Method" of every call of the contract.
std::vector<std::string> AllCalls() {
  std::vector<std::string> calls;
  for (const google::protobuf::Descriptor* of_file :
       {v1::LeaseRequest::descriptor(), v1::ListPoolsRequest::descriptor()}) {
    const google::protobuf::FileDescriptor* file = of_file->file();
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        calls.push_back("/" + file->service(s)->full_name() + "/" + file->service(s)->method(m)->name());
      }
    }
  }
  return calls;
}

// A call by its name alone, with an empty message.
grpc::Status CallByName(const std::shared_ptr<grpc::Channel>& channel, const std::string& call, const char* token) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  if (token != nullptr) context.AddMetadata("authorization", std::string("Bearer ") + token);
  grpc::CompletionQueue queue;
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto reader = grpc::GenericStub(channel).PrepareUnaryCall(&context, call, request, &queue);
  reader->StartCall();
  reader->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return status;
}

class BrokerAccessTest : public ::testing::Test {
 protected:
  BrokerAccessTest()
      : broker_(&store_, Configuration(Provider("p", {"a"}), Provider("q", {"x"})), "127.0.0.1:0", Tokens()) {}

  std::unique_ptr<grpc::ClientContext> Context(const char* token) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->AddMetadata("authorization", std::string("Bearer ") + token);
    return context;
  }
  std::pair<grpc::Status, v1::LeaseResponse> LeaseAs(const char* token, const std::string& pool) {
    v1::LeaseRequest request;
    request.set_pool(pool);
    v1::LeaseResponse response;
    const grpc::Status status = broker_.broker().Lease(Context(token).get(), request, &response);
    return {status, response};
  }

  MemoryStore store_;
  RunningBroker broker_;
};

TEST_F(BrokerAccessTest, EveryCallHasARuleAndIsRefusedWithoutAToken) {
  ASSERT_GE(AllCalls().size(), 7u);
  for (const std::string& call : AllCalls()) {
    EXPECT_TRUE(Access::HasRule(call)) << call;
    const grpc::Status none = CallByName(broker_.channel(), call, nullptr);
    EXPECT_EQ(none.error_code(), grpc::StatusCode::UNAUTHENTICATED) << call << ": " << none.error_message();
    EXPECT_THAT(none.error_message(), HasSubstr("--broker-token-file"));
    const grpc::Status wrong = CallByName(broker_.channel(), call, "canary-token-wrong");
    EXPECT_EQ(wrong.error_code(), grpc::StatusCode::UNAUTHENTICATED) << call;
    const bool admin = call.find("KeyAdmin") != std::string::npos;
    const grpc::Status denied = CallByName(broker_.channel(), call, admin ? kLeaseToken : kObserveToken);
    EXPECT_EQ(denied.error_code(), grpc::StatusCode::PERMISSION_DENIED) << call << ": " << denied.error_message();
    EXPECT_THAT(denied.error_message(), HasSubstr(call));
    EXPECT_THAT(denied.error_message(), HasSubstr(admin ? "the role lease" : "the role observe"));
  }
  EXPECT_EQ(broker_.service().GetPool("p")->snapshot.acquired, 0u);
}

TEST_F(BrokerAccessTest, HealthIsOpenAndReflectionIsForThoseWhoMayLook) {
  EXPECT_TRUE(client::CheckHealth(broker_.channel(), absl::Now() + absl::Minutes(1)).ok());
  const std::string reflect = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  EXPECT_EQ(CallByName(broker_.channel(), reflect, nullptr).error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(CallByName(broker_.channel(), reflect, kLeaseToken).error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(CallByName(broker_.channel(), reflect, kObserveToken).ok());
}

TEST_F(BrokerAccessTest, RolesMayWhatTheyAreFor) {
  EXPECT_TRUE(LeaseAs(kLeaseToken, "p").first.ok());
  EXPECT_TRUE(LeaseAs(kAdminToken, "q").first.ok());
  v1::ListPoolsResponse pools;
  for (const char* token : {kObserveToken, kAdminToken}) {
    EXPECT_TRUE(broker_.admin().ListPools(Context(token).get(), {}, &pools).ok());
  }
}

TEST_F(BrokerAccessTest, ACallerBoundToAPoolReachesNoOther) {
  EXPECT_TRUE(LeaseAs(kForPToken, "p").first.ok());
  const auto [refused, nothing] = LeaseAs(kForPToken, "Q");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(refused.error_message(), HasSubstr("p-only"));
  EXPECT_TRUE(nothing.credential().secret().empty());

  const v1::LeaseResponse foreign = LeaseAs(kLeaseToken, "q").second;
  v1::ReportResponse reported;
  EXPECT_EQ(
      broker_.broker().Report(Context(kForPToken).get(), ReportOf(foreign.lease_id(), 401), &reported).error_code(),
      grpc::StatusCode::PERMISSION_DENIED);
  v1::ReportRequest with_next = ReportOf(LeaseAs(kForPToken, "p").second.lease_id(), 429);
  with_next.mutable_next()->set_pool("q");
  EXPECT_EQ(broker_.broker().Report(Context(kForPToken).get(), with_next, &reported).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  v1::ProgressRequest progress;
  progress.set_lease_id(foreign.lease_id());
  progress.set_http_status(200);
  v1::ProgressResponse progressed;
  EXPECT_EQ(broker_.broker().Progress(Context(kForPToken).get(), progress, &progressed).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  v1::RenewRequest renew;
  renew.set_lease_id(foreign.lease_id());
  v1::RenewResponse renewed;
  EXPECT_EQ(broker_.broker().Renew(Context(kForPToken).get(), renew, &renewed).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(broker_.service().GetPool("q")->snapshot.acquired, 1u);
  EXPECT_EQ(broker_.service().GetPool("q")->snapshot.reported, 0u);
}

TEST_F(BrokerAccessTest, NorOnAStream) {
  const v1::LeaseResponse foreign = LeaseAs(kLeaseToken, "q").second;
  auto context = Context(kForPToken);
  const auto stream = broker_.broker().LeaseStream(context.get());
  v1::LeaseStreamRequest request;
  request.mutable_hello()->set_session_token(std::string(32, 't'));
  const auto add = [&request](uint64_t id) {
    v1::Operation* operation = request.add_operations();
    operation->set_correlation_id(id);
    return operation;
  };
  v1::ProgressRequest progress;
  progress.set_lease_id(foreign.lease_id());
  progress.set_http_status(200);
  *add(0)->mutable_progress() = progress;
  add(1)->mutable_lease()->set_pool("p");
  add(2)->mutable_lease()->set_pool("q");
  *add(3)->mutable_report() = ReportOf(foreign.lease_id(), 401);
  add(4)->mutable_renew()->set_lease_id(foreign.lease_id());
  ASSERT_TRUE(stream->Write(request));
  std::map<uint64_t, v1::Result> results;
  v1::LeaseStreamResponse response;
  while (results.size() < 4 && stream->Read(&response)) {
    for (const v1::Result& result : response.results()) results[result.correlation_id()] = result;
  }
  EXPECT_EQ(results[1].lease().pool(), "p");
  for (const uint64_t refused : {2, 3, 4}) {
    EXPECT_EQ(results[refused].error().code(), grpc::StatusCode::PERMISSION_DENIED) << refused;
  }
  context->TryCancel();
  stream->Finish();
  EXPECT_EQ(broker_.service().GetPool("q")->snapshot.reported, 0u);
  v1::ProgressResponse progressed;
  EXPECT_TRUE(broker_.broker().Progress(Context(kLeaseToken).get(), progress, &progressed).ok());
  EXPECT_TRUE(progressed.applied()) << "the one on the stream was not";

  auto thief = Context(kForPToken);
  const auto taking = broker_.broker().LeaseStream(thief.get());
  v1::LeaseStreamRequest hello;
  hello.mutable_hello()->set_session_token(std::string(32, 'u'));
  v1::HeldLease* held = hello.mutable_hello()->add_held();
  held->set_lease_id(foreign.lease_id());
  held->set_pool("q");
  held->set_key_fingerprint(foreign.key_fingerprint());
  ASSERT_TRUE(taking->Write(hello));
  EXPECT_FALSE(taking->Read(&response));
  EXPECT_EQ(taking->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(BrokerAccessTest, TheRoutingOfACallerBoundToAPoolHasNoOther) {
  auto context = Context(kForPToken);
  const auto reader = broker_.broker().WatchRouting(context.get(), v1::WatchRoutingRequest());
  v1::RoutingTable table;
  ASSERT_TRUE(reader->Read(&table));
  ASSERT_EQ(table.providers_size(), 1);
  EXPECT_EQ(table.providers(0).name(), "p");
  context->TryCancel();
  reader->Finish();
}

class UnixAccessTest : public ::testing::Test {
 protected:
  UnixAccessTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ccr-access-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
    chmod(dir_.c_str(), 0711);
    path_ = dir_ + "/broker.sock";
  }
  ~UnixAccessTest() override { std::filesystem::remove_all(dir_); }

  // How many bytes of the server's greeting a process of that user gets before the end of its connection; -1: it cannot
  // connect.
  int GreetingFor(uid_t uid) {
    const pid_t child = fork();
    if (child == 0) {
      sockaddr_un address = {};
      address.sun_family = AF_UNIX;
      path_.copy(address.sun_path, path_.size());
      const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
      if (setuid(uid) != 0) _exit(101);
      if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) _exit(102);
      char bytes[64];
      const ssize_t got = read(fd, bytes, sizeof(bytes));
      _exit(got < 0 ? 0 : static_cast<int>(got));
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status) > 100 ? -1 : WEXITSTATUS(status);
  }

  std::string dir_, path_;
  MemoryStore store_;
};

TEST_F(UnixAccessTest, OthersAreTurnedAwayWhateverTheFileAllows) {
  RunningBroker broker(&store_, Configuration(Provider("p", {"a"})), "unix:" + path_);
  EXPECT_EQ(broker.LeaseOk("p").key_name(), "name-of-a");
  EXPECT_GT(GreetingFor(geteuid()), 0);
  EXPECT_FALSE(Access({}).Admits(kNobody));
  if (geteuid() != 0) return;  // only root can be somebody else
  EXPECT_EQ(GreetingFor(kNobody), -1);
  ASSERT_EQ(chmod(path_.c_str(), 0666), 0);
  EXPECT_EQ(GreetingFor(kNobody), 0);
}

TEST_F(UnixAccessTest, AnIdentityLetsAnotherUserIn) {
  RunningBroker broker(&store_, Configuration(Provider("p", {"a"})), "unix:" + path_,
                       {WithUid(kNobody, Role::kObserve)});
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666u);
  EXPECT_EQ(broker.LeaseOk("p").key_name(), "name-of-a");
  if (geteuid() != 0) return;
  EXPECT_GT(GreetingFor(kNobody), 0);
  EXPECT_EQ(GreetingFor(kNobody - 1), 0);
}

TEST_F(UnixAccessTest, AFolderThatOthersMayWriteIsRefused) {
  RunningBroker broker(&store_, Configuration(Provider("p", {"a"})));
  for (const mode_t mode : {0777, 0770}) {
    ASSERT_EQ(chmod(dir_.c_str(), mode), 0);
    const auto server = GrpcServer::Start({{"unix:" + path_}, ""}, &broker.service(), nullptr);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("chmod go-w " + dir_));
  }
}

TEST_F(UnixAccessTest, SocketsAndPortsTogether) {
  RunningBroker broker(&store_, Configuration(Provider("p", {"a"})));
  const auto both = GrpcServer::Start({{"unix:" + path_, "127.0.0.1:0"}, ""}, &broker.service(), nullptr);
  ASSERT_TRUE(both.ok()) << both.status();
  ASSERT_EQ((*both)->addresses().size(), 2u);
  for (const std::string& address : (*both)->addresses()) {
    const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
    EXPECT_TRUE(client::CheckHealth(channel, absl::Now() + absl::Minutes(1)).ok()) << address;
  }
  (*both)->Drain(absl::ZeroDuration());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

int NewSocket() {
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

TEST(ConnectionsTest, ANumberStaysWithItsOrigin) {
  Connections connections(3);
  std::map<int, Connections::Origin> owners;
  for (int i = 0; i < 300; ++i) {
    const Connections::Origin origin = (i * 7 + i / 5) % 3 - 1;
    const auto number = connections.Admit(NewSocket(), origin);
    ASSERT_TRUE(number.ok()) << number.status();
    const auto [owner, is_new] = owners.emplace(*number, origin);
    EXPECT_EQ(owner->second, origin);
    EXPECT_EQ(connections.Find("fd:" + std::to_string(*number)), origin);
    close(*number);  // as gRPC does when the connection ends
  }
  EXPECT_LE(owners.size(), 3u);
  EXPECT_EQ(connections.Find("ipv4:127.0.0.1:1"), std::nullopt);
  EXPECT_EQ(connections.Find("fd:99999"), std::nullopt);
  EXPECT_EQ(connections.Find("fd:"), std::nullopt);
}

TEST(ConnectionsTest, EachOriginHasItsShare) {
  Connections connections(1000000);  // so that a share is small
  std::vector<int> numbers;
  for (size_t i = 0; i < connections.limit(); ++i) numbers.push_back(*connections.Admit(NewSocket(), 7));
  EXPECT_EQ(connections.Admit(NewSocket(), 7).status().code(), absl::StatusCode::kResourceExhausted);
  const auto other = connections.Admit(NewSocket(), 8);
  EXPECT_TRUE(other.ok());
  close(numbers.back());
  const auto again = connections.Admit(NewSocket(), 7);
  EXPECT_TRUE(again.ok());
  numbers.back() = again.ok() ? *again : -1;
  for (const int number : numbers) close(number);
  close(*other);
}

TEST_F(UnixAccessTest, AShortageOfDescriptorsIsToldByHealthAndSurvived) {
  RunningBroker broker(&store_, Configuration(Provider("p", {"a"})), "unix:" + path_);
  const auto healthy = [&broker] { return client::CheckHealth(broker.channel(), absl::Now() + absl::Minutes(1)).ok(); };
  ASSERT_TRUE(Eventually(healthy));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, path_.size());
  const int early = NewSocket();
  const int late = NewSocket();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = dup(early);
  close(lowest_free);
  rlimit none_left = before;
  none_left.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_left), 0);
  ASSERT_EQ(connect(early, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  char byte = 0;
  EXPECT_LE(read(early, &byte, 1), 0);  // dropped, not left hanging
  EXPECT_TRUE(Eventually([&] { return !healthy(); }));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(Eventually(healthy));
  ASSERT_EQ(connect(late, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(read(late, &byte, 1), 1);  // gRPC greets
  close(early);
  close(late);
}

}  // namespace
}  // namespace ccr
