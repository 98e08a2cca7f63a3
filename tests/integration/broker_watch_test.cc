#include "broker/adapters/grpc/watches.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/integration/broker_fixture.h"
#include "tests/integration/fake_calls.h"

namespace ccr {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class BrokerWatchTest : public ::testing::Test {
 protected:
  BrokerWatchTest()
      : broker_(
            std::make_unique<RunningBroker>(&store_, Configuration(Provider("p", {"a", "b"}), Provider("q", {"x"})))) {}

  MemoryStore store_;
  std::unique_ptr<RunningBroker> broker_;
};

TEST_F(BrokerWatchTest, RoutingIsSentAtOnceAndOnEveryReload) {
  grpc::ClientContext context;
  const auto reader = broker_->broker().WatchRouting(&context, v1::WatchRoutingRequest());
  v1::RoutingTable table;
  ASSERT_TRUE(reader->Read(&table));
  ASSERT_EQ(table.providers_size(), 2);
  EXPECT_EQ(table.providers(0).name(), "p");
  EXPECT_EQ(table.providers(0).base_url(), "http://127.0.0.1:9/p");
  EXPECT_EQ(table.providers(0).format(), v1::FORMAT_ANTHROPIC);
  EXPECT_EQ(table.providers(0).models(0), "model-1");
  EXPECT_EQ(table.providers(0).max_retries(), 3u);
  EXPECT_EQ(table.providers(0).timeouts().connect_ms(), 10000u);
  EXPECT_EQ(table.api_timeout_ms(), 600000u);
  EXPECT_TRUE(table.client_token_sha256().empty());
  EXPECT_THAT(table.ShortDebugString(), Not(HasSubstr("canary")));
  const uint64_t version = table.version();

  Config changed = Configuration(Provider("z", {"a"}));
  changed.client_token = Secret("canary-token");
  changed.providers[0].transformers = {{"groq", "{}"}, {"maxtoken", R"({"max_tokens": 5})"}};
  changed.providers[0].model_transformers["model-1"] = {{"tooluse", "{}"}};
  changed.router.default_route = "z,model-1";
  changed.fallback["default"] = {"z,model-1"};
  ASSERT_TRUE(broker_->service().Apply(std::move(changed)).ok());
  ASSERT_TRUE(reader->Read(&table));
  EXPECT_GT(table.version(), version);
  ASSERT_EQ(table.providers_size(), 1);
  EXPECT_EQ(table.router().default_route(), "z,model-1");
  EXPECT_EQ(table.fallback().at("default").models(0), "z,model-1");
  EXPECT_EQ(table.client_token_sha256(), Sha256("canary-token"));
  ASSERT_EQ(table.providers(0).transformers_size(), 2);
  EXPECT_EQ(table.providers(0).transformers(1).name(), "maxtoken");
  EXPECT_EQ(table.providers(0).transformers(1).options(), R"({"max_tokens": 5})");
  EXPECT_EQ(table.providers(0).model_transformers().at("model-1").transformers(0).name(), "tooluse");
  EXPECT_THAT(table.ShortDebugString(), Not(HasSubstr("canary")));
  context.TryCancel();
  EXPECT_FALSE(reader->Read(&table));
}

TEST_F(BrokerWatchTest, EventsComeInOrderAndOnlyThoseAskedFor) {
  grpc::ClientContext context;
  v1::WatchEventsRequest request;
  request.set_pool("P");
  const auto reader = broker_->admin().WatchEvents(&context, request);
  reader->WaitForInitialMetadata();
  broker_->Report(ReportOf(broker_->LeaseOk("q").lease_id(), 401));
  broker_->Report(ReportOf(broker_->LeaseOk("p").lease_id(), 200));
  broker_->Report(ReportOf(broker_->LeaseOk("p").lease_id(), 401));
  v1::Event event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.type(), v1::Event::FAILURE);
  EXPECT_EQ(event.pool(), "p");
  EXPECT_EQ(event.key_name(), "name-of-b");
  EXPECT_EQ(event.outcome(), v1::OUTCOME_AUTH);
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.type(), v1::Event::COOLING);
  EXPECT_EQ(event.reason(), "auth_suspected");
  EXPECT_THAT(event.ShortDebugString(), Not(HasSubstr("canary")));
  context.TryCancel();
}

TEST_F(BrokerWatchTest, SingleLeasesAreToldWhenAskedFor) {
  grpc::ClientContext context;
  v1::WatchEventsRequest request;
  request.set_include_leases(true);
  const auto reader = broker_->admin().WatchEvents(&context, request);
  reader->WaitForInitialMetadata();
  broker_->Report(ReportOf(broker_->LeaseOk("p").lease_id(), 200));
  v1::Event event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.type(), v1::Event::LEASED);
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.type(), v1::Event::SUCCESS);
  ASSERT_TRUE(broker_->service().Apply(Configuration(Provider("q", {"x"}))).ok());
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.type(), v1::Event::POOL_REGISTERED);
  EXPECT_EQ(event.pool(), "q");
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.type(), v1::Event::POOL_REMOVED);
  EXPECT_EQ(event.pool(), "p");
  context.TryCancel();
}

TEST_F(BrokerWatchTest, ASlowWatcherLosesTheOldestAndIsToldHowMany) {
  constexpr uint64_t kLeases = 20000;
  constexpr size_t kNameBytes = 8000;  // so that the events are more than what the connection buffers
  ProviderConfig provider = Provider("p", {"a"});
  provider.keys[0].name = std::string(kNameBytes, 'n');
  ASSERT_TRUE(broker_->service().Apply(Configuration(std::move(provider))).ok());
  grpc::ClientContext context;
  v1::WatchEventsRequest request;
  request.set_include_leases(true);
  const auto reader = broker_->admin().WatchEvents(&context, request);
  reader->WaitForInitialMetadata();
  LeaseParams params;
  params.pool = "p";
  for (uint64_t i = 0; i < kLeases; ++i) broker_->service().Lease(params, [](const auto&) { return LeaseCallback(); });
  uint64_t told = 0;
  uint64_t dropped = 0;
  v1::Event event;
  while (told + dropped < kLeases && reader->Read(&event)) {
    if (event.type() == v1::Event::EVENTS_DROPPED) {
      dropped += event.count();
    } else {
      ++told;
    }
  }
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(told + dropped, kLeases);
  context.TryCancel();
}

TEST_F(BrokerWatchTest, AWatcherThatNeverReadsKeepsAMegabyteAtMost) {
  constexpr uint64_t kBatches = 10000;
  EventHub hub;
  WatchSlots slots(1);
  v1::WatchEventsRequest all;
  auto* watch = new EventWatch(slots.Take(), all, &hub);
  FakeEventCall call(watch);
  const auto pool = std::make_shared<PoolNames>();
  pool->pool = std::string(8000, 'p');
  for (uint64_t i = 0; i < kBatches; ++i) hub.OnPoolAdded(pool);
  uint64_t dropped = 0;
  size_t bytes = 0;
  std::vector<v1::Event> kept = call.ReadAll();
  for (const v1::Event& event : kept) {
    dropped += event.count();
    bytes += event.ByteSizeLong();
  }
  EXPECT_EQ(dropped + kept.size() - 1, kBatches);
  EXPECT_LT(bytes, EventWatch::kMaxQueuedBytes + 20000);
  EXPECT_GT(bytes, EventWatch::kMaxQueuedBytes - 20000);
  EXPECT_EQ(slots.Take(), nullptr);
  call.Cancel();
  EXPECT_NE(slots.Take(), nullptr);
}

TEST_F(BrokerWatchTest, WatchersAreBoundedInNumber) {
  struct Watcher {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::Event>> reader;
  };
  std::vector<std::unique_ptr<Watcher>> watchers;
  const auto watch = [&] {
    watchers.push_back(std::make_unique<Watcher>());
    watchers.back()->reader = broker_->admin().WatchEvents(&watchers.back()->context, v1::WatchEventsRequest());
    watchers.back()->reader->WaitForInitialMetadata();
  };
  for (int i = 0; i < 64; ++i) watch();
  const auto refused = [&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
    const auto reader = broker_->admin().WatchEvents(&context, v1::WatchEventsRequest());
    v1::Event event;
    EXPECT_FALSE(reader->Read(&event));
    return reader->Finish().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  };
  EXPECT_TRUE(Eventually(refused));
  watchers.front()->context.TryCancel();
  bool room = false;
  EXPECT_TRUE(Eventually([&] { return room = room || !refused(); })) << "who leaves makes room";
  for (const auto& watcher : watchers) watcher->context.TryCancel();
}

// What gRPC's health checking and reflection look like on the wire, without their generated code.
class RawStream {
 public:
  RawStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) : stub_(channel) {
    stream_ = stub_.PrepareCall(&context_, method, &queue_);
    stream_->StartCall(nullptr);
    Next();
  }
  ~RawStream() {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  std::string Ask(const std::string& request) {
    grpc::Slice slice(request);
    stream_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    Next();
    grpc::ByteBuffer response;
    stream_->Read(&response, nullptr);
    if (!Next()) return "(end)";
    grpc::Slice flat;
    EXPECT_TRUE(response.DumpToSingleSlice(&flat).ok());
    return {reinterpret_cast<const char*>(flat.begin()), flat.size()};
  }

 private:
  bool Next() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

std::string Field(int number, const std::string& value) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(value.size()) + value;
}

TEST_F(BrokerWatchTest, HealthAnswersForTheServerAndForEachService) {
  const std::string serving = {8, 1};
  for (const char* service : {"", "ccr.broker.v1.KeyBroker", "ccr.broker.v1.KeyAdmin"}) {
    EXPECT_EQ(RawStream(broker_->channel(), "/grpc.health.v1.Health/Check").Ask(Field(1, service)), serving) << service;
  }
  RawStream watch(broker_->channel(), "/grpc.health.v1.Health/Watch");
  EXPECT_EQ(watch.Ask(Field(1, "ccr.broker.v1.KeyBroker")), serving);
}

TEST_F(BrokerWatchTest, ReflectionListsTheServices) {
  RawStream stream(broker_->channel(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  const std::string services = stream.Ask(Field(7, "*"));
  EXPECT_THAT(services, HasSubstr("ccr.broker.v1.KeyBroker"));
  EXPECT_THAT(services, HasSubstr("ccr.broker.v1.KeyAdmin"));
  EXPECT_THAT(services, HasSubstr("grpc.health.v1.Health"));
}

}  // namespace
}  // namespace ccr
