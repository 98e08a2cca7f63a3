// ccr-broker: wiring only.
#include <future>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "broker/adapters/grpc/event_hub.h"
#include "broker/adapters/grpc/server.h"
#include "broker/adapters/log/log_observer.h"
#include "broker/adapters/metrics/broker_metrics.h"
#include "broker/adapters/metrics/state_registry.h"
#include "broker/adapters/probe/curl_prober.h"
#include "broker/adapters/sources/source_readers.h"
#include "broker/adapters/store/sqlite_store.h"
#include "broker/base/absl_text.h"
#include "broker/base/address.h"
#include "broker/base/certificate_metrics.h"
#include "broker/base/grpc_log.h"
#include "broker/base/log.h"
#include "broker/base/metrics_server.h"
#include "broker/base/process_limits.h"
#include "broker/base/secret_memory.h"
#include "broker/base/shutdown.h"
#include "broker/config/config.h"
#include "broker/config/key_sources.h"
#include "broker/service/broker_service.h"
#include "broker/service/config_watcher.h"
#include "broker/service/state_dir.h"
#include "broker/service/sweeper.h"

namespace {

constexpr int kBadUsage = 2;
constexpr absl::Duration kDrainTime = absl::Milliseconds(400);
constexpr absl::Duration kStatePatience = absl::Seconds(3);  // for a broker that is draining

struct Flags {
  std::string config = ccr::DefaultConfigPath();
  std::vector<std::string> listen;
  std::string metrics_listen, state_dir, log_format, log_level;
  ccr::TlsFiles tls;
  bool check = false;

  ccr::MasterKeyPlace master_key_place() const { return {state_dir, ""}; }

  // Flags win over the file.
  void Override(ccr::Config* file) const {
    if (!listen.empty()) file->broker.listen = listen;
    if (file->broker.listen.empty()) file->broker.listen = {ccr::kDefaultBrokerListen};
    if (!metrics_listen.empty()) file->broker.metrics_listen = metrics_listen;
    if (!state_dir.empty()) file->broker.state_dir = state_dir;
    if (!tls.cert.empty()) file->broker.tls.cert = tls.cert;
    if (!tls.key.empty()) file->broker.tls.key = tls.key;
    if (!tls.ca.empty()) file->broker.tls.ca = tls.ca;
    if (!log_format.empty()) file->log_format = log_format;
    if (!log_level.empty()) file->log_level = log_level;
  }
};

void Declare(CLI::App* app, Flags* flags) {
  app->set_version_flag("-v,--version", std::string("ccr-broker " CCR_VERSION));
  app->add_option("--config", flags->config, "config.json (JSON5) or .yaml")->capture_default_str();
  app->add_option("--listen", flags->listen, "gRPC: HOST:PORT or unix:PATH; may be repeated (default 127.0.0.1:50061)")
      ->allow_extra_args(false);
  app->add_option("--metrics-listen", flags->metrics_listen, "Prometheus: HOST:PORT (default 127.0.0.1:9461)");
  app->add_option("--state-dir", flags->state_dir, "durable state (default state/ beside the configuration)");
  app->add_option("--tls-cert", flags->tls.cert, "gRPC over TLS: the broker's certificate (PEM)");
  app->add_option("--tls-key", flags->tls.key, "gRPC over TLS: the key of that certificate (PEM)");
  app->add_option("--tls-client-ca", flags->tls.ca, "gRPC over TLS: clients must show a certificate of this CA (PEM)");
  app->add_option("--log-format", flags->log_format, "text or json")->check(CLI::IsMember({"text", "json"}));
  app->add_option("--log-level", flags->log_level, "debug, info, warn, error or off")
      ->check([](const std::string& word) { return ccr::LogLevelProblem(word); });
  app->add_flag("--check", flags->check, "validate, print the effective configuration without keys, and exit");
}

ccr::LogLevel LevelOf(const ccr::Config& config) {
  return config.log ? ccr::ParseLogLevel(config.log_level).value_or(ccr::LogLevel::kInfo) : ccr::LogLevel::kOff;
}

absl::Status CheckTls(const ccr::TlsFiles& files) {
  if (files.used() && files.cert.empty()) {
    return absl::InvalidArgumentError("--tls-client-ca needs --tls-cert and --tls-key: the broker's own certificate");
  }
  return ccr::CheckTlsFiles(files);
}

absl::Status CheckIdentities(const ccr::BrokerConfig& config) {
  for (const ccr::IdentityConfig& identity : config.identities) {
    if (identity.certificate.empty() || !config.tls.ca.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat("Broker.identities: ", identity.name,
                                                   " is known by a certificate, which nobody checks: set "
                                                   "Broker.tls.client_ca or --tls-client-ca"));
  }
  return absl::OkStatus();
}

int Fail(const absl::Status& status) {
  ccr::LogNotice(ccr::LogLevel::kError, "ccr-broker", ccr::ToStd(status.message()));
  return status.code() == absl::StatusCode::kInvalidArgument ? kBadUsage : 1;
}

absl::Status CannotServe(const std::string& address, const absl::Status& status) {
  return {status.code(), absl::StrCat("cannot serve at ", address, ": ", status.message())};
}

// With the settings that choose the address.
absl::Status CannotListen(const absl::Status& status, const char* field, const char* flag) {
  if (!absl::IsUnavailable(status)) return status;
  return {status.code(), absl::StrCat(status.message(), ": end what listens there, or choose another address with ",
                                      field, " in the configuration or ", flag)};
}

void InitLog(const ccr::Config& config) {
  ccr::InitLog(config.log_format == "json" ? ccr::LogFormat::kJson : ccr::LogFormat::kText, LevelOf(config));
}

// For people, or where the log is JSON and works already, as a line of it.
void Tell(const ccr::ConfigProblem& problem, const ccr::ConfigResult& loaded, const Flags& flags) {
  if (loaded.config.has_value() && !flags.check && loaded.config->log_format == "json") {
    return ccr::Log(ccr::LogLevel::kWarn, "config_problem", {{"problem", problem.ToString()}});
  }
  std::cerr << problem.ToString() << "\n";
}

int Serve(ccr::SignalWatcher* signals, const Flags& flags, const ccr::Clock& clock, ccr::KeySources* sources,
          ccr::ConfigResult loaded) {
  ccr::Config config = *std::move(loaded.config);
  if (!ccr::SecretsAreLocked()) {
    ccr::Log(ccr::LogLevel::kInfo, "keys_not_locked",
             {{"why", "the limit of locked memory (ulimit -l) is too low for all keys: they may be swapped out"}});
  }
  ccr::GrpcServer::Options listen{config.broker.listen, config.path, config.broker.tls, config.broker.identities};
  const std::string addresses = absl::StrJoin(listen.listen, ", ");
  const auto metrics_listen = ccr::ParseHostPort(config.broker.metrics_listen);
  if (!metrics_listen.ok()) return Fail(metrics_listen.status());
  if (const absl::Status tls = CheckTls(listen.tls); !tls.ok()) return Fail(tls);
  if (const absl::Status known = CheckIdentities(config.broker); !known.ok()) return Fail(known);
  ccr::BrokerConfig bound = config.broker;
  const auto state = ccr::StateDir::Open(config.broker.state_dir, kStatePatience);
  if (!state.ok()) return Fail(CannotServe(addresses, state.status()));

  const auto store = ccr::SqliteStore::Open(config.broker.state_dir + "/state.db");
  if (!store.ok()) return Fail(store.status());
  ccr::LogObserver log;
  ccr::EventHub events;
  const auto registry = std::make_shared<ccr::StateRegistry>();
  ccr::BrokerMetrics metrics(registry.get());
  ccr::CurlProber::Options probes;
  probes.ca_file = ccr::ProcessEnv()("SSL_CERT_FILE").value_or("");
  ccr::CurlProber prober(probes);
  ccr::Sweeper sweeper(&clock);
  ccr::BrokerService service({&clock,
                              store->get(),
                              {&log, &metrics, &events},
                              state->salt().Clone(),
                              [&sweeper](absl::Time when) { sweeper.WakeBy(when); },
                              &prober});
  service.NameKeys(&config);
  ccr::ConfigOutline started(config);
  const std::vector<ccr::SecretSource> used = config.sources;
  if (const absl::Status applied = service.Apply(std::move(config)); !applied.ok()) return Fail(applied);
  sources->Follow(used);
  ccr::Sweeper checkpoints(&clock);
  sweeper.Start([&service] { return service.Sweep(); });
  checkpoints.Start([&service] { return service.Checkpoint(); });
  const absl::Cleanup stop_working = [&sweeper, &checkpoints, &prober] {
    sweeper.Stop();
    checkpoints.Stop();
    prober.Stop();
  };
  registry->Watch(&service, [sources] { return sources->Problems().size(); });
  auto metrics_server = ccr::MetricsServer::Start(*metrics_listen, registry);
  if (!metrics_server.ok()) {
    return Fail(CannotListen(metrics_server.status(), "Broker.metrics_listen", "--metrics-listen"));
  }
  if (listen.tls.used()) (*metrics_server)->Add(std::make_shared<ccr::CertificateMetrics>(listen.tls));
  ccr::ConfigWatcher watcher(
      flags.config, ccr::ProcessEnv(), [&flags](ccr::Config* file) { flags.Override(file); }, &service,
      std::move(started), sources, std::move(loaded.text), flags.master_key_place());
  sources->Start([&watcher] { watcher.TakeKeysSoon(); });
  const absl::Cleanup stop_sources = [sources] { sources->Stop(); };
  listen.source_problems = [sources] { return sources->Problems(); };
  listen.reload = [&watcher](ccr::ReloadDone done) { watcher.ReloadSoon(std::move(done)); };
  auto server = ccr::GrpcServer::Start(listen, &service, &events);
  if (!server.ok()) return Fail(CannotListen(server.status(), "Broker.listen", "--listen"));

  bound.listen = (*server)->addresses();
  const std::string warning = ccr::OpenListenersWarning(ccr::OpenListeners(bound));
  watcher.FollowIdentities([&server](const auto& identities) { (*server)->SetTokens(identities); });
  const absl::Cleanup unfollow = [&watcher] { watcher.FollowIdentities(nullptr); };

  std::promise<void> drain;
  signals->Run([&drain] { drain.set_value(); }, [&watcher] { watcher.Reload(); });
  if (!warning.empty()) ccr::LogNotice(ccr::LogLevel::kWarn, "ccr-broker", warning);
  ccr::LogReady("ccr-broker", {{"grpc", absl::StrJoin((*server)->addresses(), ",")},
                               {"metrics", (*metrics_server)->address().ToString()}});
  drain.get_future().wait();
  service.BeginDrain();
  (*server)->Drain(kDrainTime);
  const absl::Status flushed = service.Flush();
  ccr::Log(ccr::LogLevel::kInfo, "stopped");
  return flushed.ok() ? 0 : Fail(flushed);
}

}  // namespace

int main(int argc, char** argv) {
  // Debian's Abseil would look for deadlocks at every lock that gRPC takes.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  ccr::ProtectProcess();
  ccr::RaiseOpenFiles();
  ccr::LogForGrpc();
  ccr::SignalWatcher signals;
  Flags flags;
  CLI::App app("Owns the keys of LLM providers and leases them: one to each request.", "ccr-broker");
  Declare(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  const ccr::MonotonicWallClock clock;
  ccr::SourceReaders readers(&clock, ccr::ProcessEnv()("SSL_CERT_FILE").value_or(""));
  ccr::KeySources sources(&clock, readers.All(), /*strict=*/flags.check);
  ccr::ConfigResult loaded = ccr::LoadConfig(flags.config, ccr::ProcessEnv(), &sources, flags.master_key_place());
  if (loaded.config.has_value()) flags.Override(&*loaded.config);
  if (loaded.config.has_value() && !flags.check) InitLog(*loaded.config);
  for (const ccr::ConfigProblem& problem : loaded.problems) Tell(problem, loaded, flags);
  if (!loaded.config.has_value()) return kBadUsage;
  if (flags.check) {
    std::cout << ccr::DescribeConfig(*loaded.config);
    return 0;
  }
  return Serve(&signals, flags, clock, &sources, std::move(loaded));
}
