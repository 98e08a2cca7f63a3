// ccr-proxy: wiring.
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "broker/base/absl_text.h"
#include "broker/base/address.h"
#include "broker/base/certificate_metrics.h"
#include "broker/base/clock.h"
#include "broker/base/grpc_log.h"
#include "broker/base/log.h"
#include "broker/base/metrics_server.h"
#include "broker/base/process_limits.h"
#include "broker/base/shutdown.h"
#include "proxy/bridge/broker_bridge.h"
#include "proxy/bridge/routing_feed.h"
#include "proxy/core/descriptors.h"
#include "proxy/worker/worker_pool.h"

namespace ccr::proxy {
namespace {

constexpr int kExitFailed = 1;  // also when requests were cut off at the end
constexpr int kExitUsage = 2;

struct Flags {
  client::BrokerTarget broker{"127.0.0.1:50061"};
  std::string listen = "127.0.0.1:3456";
  std::string metrics_listen = "127.0.0.1:9462";
  unsigned workers = 0;
  double drain_timeout = 30;
  double broker_wait = 5;
  std::optional<LogFormat> log_format;  // not given: the configuration's, which the broker tells
  std::optional<LogLevel> log_level;
};

void Declare(CLI::App& app, Flags& flags) {
  app.add_option("--broker", flags.broker.address, "The broker: HOST:PORT or unix:PATH")->capture_default_str();
  app.add_option("--broker-tls-ca", flags.broker.tls.ca, "TLS to the broker: who signed its certificate (PEM)");
  app.add_option("--broker-tls-cert", flags.broker.tls.cert, "TLS to the broker: the proxy's certificate (PEM)");
  app.add_option("--broker-tls-key", flags.broker.tls.key, "TLS to the broker: the key of that certificate (PEM)");
  app.add_option("--broker-token-file", flags.broker.token_file, "What the broker knows the proxy by: a file");
  app.add_option("--listen", flags.listen, "HTTP: HOST:PORT, port 0 = any")->capture_default_str();
  app.add_option("--metrics-listen", flags.metrics_listen, "Prometheus: HOST:PORT")->capture_default_str();
  app.add_option("--workers", flags.workers, "Event loops; 0 = one per core")->check(CLI::Range(0, 256));
  app.add_option("--drain-timeout", flags.drain_timeout, "Seconds that requests in flight get to end on SIGTERM")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_option("--broker-wait", flags.broker_wait, "Seconds that requests wait for a broker that is away")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  const auto set_format = [&flags](const std::string& name) { flags.log_format = ParseLogFormat(name); };
  const auto set_level = [&flags](const std::string& name) { flags.log_level = ParseLogLevel(name); };
  app.add_option_function<std::string>("--log-format", set_format, "text or json (default LOG_FORMAT of the broker)")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option_function<std::string>("--log-level", set_level,
                                       "debug, info, warn, error or off (default LOG_LEVEL of the broker)")
      ->check([](const std::string& word) { return LogLevelProblem(word); });
  app.set_version_flag("-v,--version", "ccr-proxy " CCR_VERSION);
}

void SetLog(const Flags& flags, std::string_view format, std::string_view level) {
  InitLog(flags.log_format.value_or(ParseLogFormat(format).value_or(LogFormat::kText)),
          flags.log_level.value_or(ParseLogLevel(level).value_or(LogLevel::kInfo)));
}

int Fail(const absl::Status& status) {
  LogNotice(LogLevel::kError, "ccr-proxy", ToStd(status.message()));
  return absl::IsUnavailable(status) ? kExitFailed : kExitUsage;
}

// With the settings that choose the address.
int CannotListen(const absl::Status& status, const char* settings) {
  if (!absl::IsUnavailable(status)) return Fail(status);
  return Fail(absl::UnavailableError(std::string(status.message()) +
                                     ": end what listens there, or choose another address with " + settings));
}

std::string WhoAmI() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return std::string("ccr-proxy/" CCR_VERSION " ") + host + " " + std::to_string(getpid());
}

ClientShare ClientsByDescriptors(size_t workers) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  const ClientShare share = ShareDescriptors(limit.rlim_cur, workers);
  Log(LogLevel::kInfo, "descriptors", {{"limit", limit.rlim_cur}, {"client_connections", share.served}});
  return share;
}

int Run(const Flags& flags, SignalWatcher& signals) {
  if (const absl::Status status = client::CheckBrokerTarget(flags.broker); !status.ok()) return Fail(status);
  const absl::StatusOr<HostPort> listen = ParseHostPort(flags.listen);
  if (!listen.ok()) return Fail(listen.status());
  const absl::StatusOr<HostPort> metrics_listen = ParseHostPort(flags.metrics_listen);
  if (!metrics_listen.ok()) return Fail(metrics_listen.status());

  const size_t workers = flags.workers > 0 ? flags.workers : std::max(1U, std::thread::hardware_concurrency());
  const auto registry = std::make_shared<prometheus::Registry>();
  ProxyMetrics metrics(*registry);
  const MonotonicWallClock clock;
  WorkerShared shared{metrics, clock, listen->host, {}, {}, {}, {}};
  shared.broker_wait = absl::Seconds(flags.broker_wait);
  shared.clients = ClientsByDescriptors(workers);
  if (const char* authorities = std::getenv("SSL_CERT_FILE")) shared.upstream.ca_file = authorities;
  shared.upstream.max_idle_connections = shared.clients.idle_upstream;
  std::optional<RoutingFeed> feed(std::in_place, flags.broker, WhoAmI(), [&flags](const RoutingTable& table) {
    SetLog(flags, table.log_format, table.log_level);
  });
  const auto make_leases = [&](boost::asio::io_context& loop) -> std::unique_ptr<LeaseSource> {
    const BrokerBridge::Options options{flags.broker, WhoAmI(),
                                        [&metrics](bool connected) { metrics.OnBrokerConnection(connected); },
                                        shared.broker_wait};
    return std::make_unique<BrokerBridge>(loop, options, feed->Subscribe(loop));
  };
  auto pool = WorkerPool::Start(*listen, workers, shared, make_leases);
  if (!pool.ok()) return CannotListen(pool.status(), "PORT or Proxy.listen in the configuration or --listen");
  auto metrics_server = MetricsServer::Start(*metrics_listen, registry);
  if (!metrics_server.ok()) {
    feed.reset();
    return CannotListen(metrics_server.status(), "Proxy.metrics_listen in the configuration or --metrics-listen");
  }

  if (flags.broker.tls.used()) (*metrics_server)->Add(std::make_shared<CertificateMetrics>(flags.broker.tls));

  std::promise<void> stop;
  signals.Run([&stop] { stop.set_value(); }, [] {});
  LogReady("ccr-proxy",
           {{"http", (*pool)->address().ToString()}, {"metrics", (*metrics_server)->address().ToString()}});
  stop.get_future().wait();

  Log(LogLevel::kInfo, "draining", {{"timeout_seconds", flags.drain_timeout}});
  const bool drained = (*pool)->Drain(absl::Seconds(flags.drain_timeout));
  feed.reset();
  if (!drained) Log(LogLevel::kWarn, "drain_timeout", {{"action", "requests in flight are cut off"}});
  return drained ? 0 : kExitFailed;
}

}  // namespace
}  // namespace ccr::proxy

int main(int argc, char** argv) {
  // Debian's Abseil would look for deadlocks at every lock that gRPC takes.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Each thread that waits for the broker then watches its own connection; by default gRPC's threads hand that around.
  setenv("GRPC_POLL_STRATEGY", "poll", 0);
  ccr::ProtectProcess();
  ccr::RaiseOpenFiles();
  ccr::LogForGrpc();
  ccr::SignalWatcher signals;
  ccr::proxy::Flags flags;
  CLI::App app("The HTTP edge: leases a key from ccr-broker for each request and streams the provider's answer.",
               "ccr-proxy");
  ccr::proxy::Declare(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "ccr-proxy: %s\n", error.what());
    return ccr::proxy::kExitUsage;
  }
  ccr::proxy::SetLog(flags, "", "");
  // Everything of ours has ended; gRPC's own threads end in their own time, and static destructors must not run beside
  // them.
  std::_Exit(ccr::proxy::Run(flags, signals));
}
