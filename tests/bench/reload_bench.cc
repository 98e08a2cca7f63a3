// By hand, from the top of the checkout, behind a build with preset release:
//   g++ -O2 -std=c++20 -I. -pthread tests/bench/reload_bench.cc -o /tmp/reload_bench -Wl,--start-group
//   $(find build/release/broker -name 'lib*.a' ! -name '*grpc*') -Wl,--end-group -lspdlog -lfmt -lyaml-cpp -lsodium
//   -lcrypto -ljemalloc $(pkg-config --libs absl_flat_hash_map absl_hash absl_statusor absl_strings absl_time
//   absl_inlined_vector absl_random_random)
//
// What callers of a pool see of a change of its configuration, for each kind of change:
//   held   the longest time for which the change holds a lock that callers take too, in milliseconds of processor time:
//          what else the machine does is not in it
//   turn   the longest Lease with its Report of a caller meanwhile, in milliseconds: that is in it
// "no change" is the caller alone; "somebody looks" is none either, but what `ccr rotation` and Prometheus ask for. Of
// ROUNDS, each with a new pool.
//   reload_bench [KEYS [ROUNDS]]     default: 100000 5
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "broker/adapters/store/memory_store.h"
#include "broker/base/clock.h"
#include "broker/base/log.h"
#include "broker/service/broker_service.h"

namespace {

double CpuMs() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// The locks of one thread: which it takes, and how long it has held each at most. Filled by the functions below, which
// stand before libc's, while the thread points here with `watch`; so it allocates nothing (allocators have locks).
struct Watch {
  struct Lock {
    pthread_mutex_t* mutex;
    double since;
    double longest;
  };
  std::array<Lock, 4096> locks = {};  // by address, in the next free place

  Lock& Find(pthread_mutex_t* mutex) {
    size_t place = reinterpret_cast<uintptr_t>(mutex) / sizeof(pthread_mutex_t) % locks.size();
    while (locks[place].mutex != nullptr && locks[place].mutex != mutex) place = (place + 1) % locks.size();
    locks[place].mutex = mutex;
    return locks[place];
  }
};
thread_local Watch* watch = nullptr;

}  // namespace

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static const auto real = reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  const int result = real(mutex);
  if (watch != nullptr) watch->Find(mutex).since = CpuMs();
  return result;
}

extern "C" int pthread_mutex_unlock(pthread_mutex_t* mutex) {
  static const auto real = reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_unlock"));
  if (watch != nullptr) {
    Watch::Lock& lock = watch->Find(mutex);
    if (lock.since > 0) lock.longest = std::max(lock.longest, CpuMs() - lock.since);
  }
  return real(mutex);
}

namespace ccr {
namespace {

using Steady = std::chrono::steady_clock;

double MsSince(Steady::time_point start) {
  return std::chrono::duration<double, std::milli>(Steady::now() - start).count();
}

// Keys [first, first + count) of one provider.
Config MakeConfig(size_t first, size_t count) {
  ProviderConfig provider;
  provider.name = "p";
  provider.base_url = "http://127.0.0.1:9/p";
  provider.auth_header = "authorization";
  provider.auth_prefix = "Bearer ";
  provider.models = {"m"};
  provider.probe.enabled = true;
  for (size_t i = first; i < first + count; ++i) {
    KeyConfig key;
    key.name = "k" + std::to_string(i);
    key.secret = Secret("test-key-" + std::to_string(i));
    provider.keys.push_back(std::move(key));
  }
  Config config;
  config.providers.push_back(std::move(provider));
  return config;
}

class Bench {
 public:
  explicit Bench(size_t keys) : service_({&clock_, &store_, {}, Salt(), [](absl::Time) {}}) {
    Apply(MakeConfig(0, keys));
  }

  // The broker remembers of every key that its provider accepts it no more.
  struct Disabled {};
  Bench(size_t keys, Disabled)
      : store_filled_(Disable(&store_, keys, clock_.Now())),
        service_({&clock_, &store_, {}, Salt(), [](absl::Time) {}}) {
    Apply(MakeConfig(0, keys));
  }

  // Turns of as many sessions, whose requests come back with `status`.
  void Serve(size_t turns, int status) {
    for (size_t i = 0; i < turns; ++i) Turn("session-" + std::to_string(i), status);
  }

  struct Result {
    double held = 0, turn = 0, took = 0;  // ms
  };
  Result Measure(const std::function<void()>& change) {
    const auto both = std::make_unique<std::array<Watch, 2>>();
    auto& [callers, changes] = *both;
    std::atomic<bool> stop{false};
    std::atomic<bool> started{false};
    Result result;
    std::thread caller([&] {
      watch = &callers;
      while (!stop.load(std::memory_order_relaxed)) {
        const auto begin = Steady::now();
        Turn("caller", 200);
        if (started) result.turn = std::max(result.turn, MsSince(begin));
        started = true;
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
    while (!started) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto begin = Steady::now();
    watch = &changes;
    change();
    watch = nullptr;
    result.took = MsSince(begin);
    stop = true;
    caller.join();
    for (const Watch::Lock& lock : callers.locks) {
      if (lock.mutex != nullptr) result.held = std::max(result.held, changes.Find(lock.mutex).longest);
    }
    return result;
  }

  void Look() { service_.ListPools(); }
  void Apply(Config config) {
    if (const absl::Status applied = service_.Apply(std::move(config)); !applied.ok()) {
      std::fprintf(stderr, "%s\n", std::string(applied.message()).c_str());
      std::exit(1);
    }
  }

 private:
  static Secret Salt() { return Secret(std::string(32, 's')); }

  static bool Disable(MemoryStore* store, size_t keys, absl::Time now) {
    const Fingerprinter fingerprinter(Salt());
    const Config config = MakeConfig(0, keys);
    std::vector<Record> records;
    for (const KeyConfig& key : config.providers[0].keys) {
      core::KeySnapshot state;
      state.state = core::KeyState::kDisabled;
      state.reason = "auth";
      state.available_at = now + absl::Hours(1);
      records.emplace_back(KeyRecord{"p", fingerprinter.Of(key.secret), state});
    }
    return store->Commit(records, *store->Acquire()).ok();
  }

  void Turn(const std::string& session, int status) {
    LeaseParams params;
    params.pool = "p";
    params.session = session;
    const std::optional<LeaseAnswer> answer = service_.Lease(params, [](const core::LeaseId&) -> LeaseCallback {
      std::abort();  // nobody asked to wait
    });
    if (!answer->status.ok()) return;
    core::Report report;
    report.id = answer->grant.id;
    report.evidence.http_status = status;
    service_.Report(report);
  }

  MonotonicWallClock clock_;
  MemoryStore store_;
  const bool store_filled_ = false;
  BrokerService service_;
};

struct Scenario {
  const char* name;
  std::function<std::unique_ptr<Bench>()> before;  // not measured
  std::function<Config()> after;                   // empty: no change
  bool look = false;
};

std::vector<Scenario> Scenarios(size_t keys) {
  const auto serve = [keys](size_t turns, int status) {
    return [=] {
      auto bench = std::make_unique<Bench>(keys);
      bench->Serve(turns, status);
      return bench;
    };
  };
  const auto remember = serve(70'000, 200);  // more sessions than it remembers
  const auto same = [keys] { return MakeConfig(0, keys); };
  const auto changed = [keys](auto change) {
    return [keys, change] {
      Config config = MakeConfig(0, keys);
      change(config.providers[0]);
      return config;
    };
  };
  const auto elsewhere = changed([](ProviderConfig& p) { p.base_url = "http://127.0.0.1:9/elsewhere"; });
  return {
      {"no change", remember, nullptr},
      {"somebody looks", remember, nullptr, true},
      {"the same keys", remember, same},
      {"all keys new", remember, [keys] { return MakeConfig(keys, keys); }},
      {"as many keys besides", remember, [keys] { return MakeConfig(0, 2 * keys); }},
      {"all keys but ten leave", remember, [keys] { return MakeConfig(keys - 10, 10); }},
      {"another strategy", remember, changed([](ProviderConfig& p) { p.strategy = "weighted"; })},
      {"limits per minute", remember, changed([](ProviderConfig& p) { p.limits.rpm = 1'000'000; })},
      {"another address", remember, elsewhere},
      {"another address, all cooling", serve(keys, 429), elsewhere},
      {"another address, all disabled", [keys] { return std::make_unique<Bench>(keys, Bench::Disabled()); }, elsewhere},
  };
}

void Run(size_t keys, size_t rounds) {
  std::printf("%zu keys, %zu rounds; ms\n%-30s%10s%10s%12s%12s%14s\n", keys, rounds, "change", "held: least",
              "greatest", "turn: least", "greatest", "took: least");
  for (const Scenario& scenario : Scenarios(keys)) {
    std::vector<double> held;
    std::vector<double> turn;
    std::vector<double> took;
    for (size_t round = 0; round < rounds; ++round) {
      const std::unique_ptr<Bench> bench = scenario.before();
      Config config = scenario.after ? scenario.after() : Config();
      const Bench::Result result = bench->Measure([&] {
        if (scenario.after) return bench->Apply(std::move(config));
        if (scenario.look) return bench->Look();
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
      });
      held.push_back(result.held);
      turn.push_back(result.turn);
      took.push_back(result.took);
    }
    const auto [least_held, most_held] = std::minmax_element(held.begin(), held.end());
    const auto [least_turn, most_turn] = std::minmax_element(turn.begin(), turn.end());
    std::printf("%-30s%10.2f%10.2f%12.2f%12.2f%14.1f\n", scenario.name, *least_held, *most_held, *least_turn,
                *most_turn, *std::min_element(took.begin(), took.end()));
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace ccr

int main(int argc, char** argv) {
  const size_t keys = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const size_t rounds = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 5;
  if (keys < 10 || rounds < 1) {
    std::fprintf(stderr, "usage: reload_bench [KEYS [ROUNDS]]; at least 10 and 1\n");
    return 2;
  }
  ccr::InitLog(ccr::LogFormat::kText, ccr::LogLevel::kOff);
  ccr::Run(keys, rounds);
}
