// By hand, from the top of the checkout, behind a build with preset release:
//   g++ -O2 -std=c++20 -I. -pthread tests/bench/record_bench.cc -o /tmp/record_bench -Wl,--start-group
//   $(find build/release/broker -name 'lib*.a' ! -name '*grpc*') -Wl,--end-group -lspdlog -lfmt -lyaml-cpp -lsodium
//   -lcrypto -ljemalloc $(pkg-config --libs absl_flat_hash_map absl_hash absl_statusor absl_strings absl_time
//   absl_inlined_vector absl_random_random)
//
// What recording for `ccr simulate` costs a caller: a Lease with its Report, in nanoseconds of processor time of its
// thread, of two services that differ in nothing else. They take turns of TURN requests, in both orders; told are the
// medians of all turns, and the median of the ratio of the two turns of a pair.
//   record_bench [KEYS [PAIRS]]     default: 10 400
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "broker/adapters/store/memory_store.h"
#include "broker/base/clock.h"
#include "broker/base/log.h"
#include "broker/service/broker_service.h"

namespace {

constexpr int kTurn = 5000;

double CpuNs() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

class Subject {
 public:
  Subject(int keys, size_t record_bytes)
      : service_({&clock_, &store_, {}, ccr::Secret(std::string(32, 's')), nullptr, nullptr, record_bytes}) {
    ccr::Config config;
    ccr::ProviderConfig& provider = config.providers.emplace_back();
    provider.name = "p";
    for (int i = 0; i < keys; ++i) {
      ccr::KeyConfig& key = provider.keys.emplace_back();
      key.name = "k" + std::to_string(i);
      key.secret = ccr::Secret("secret-" + key.name);
    }
    if (!service_.Apply(std::move(config)).ok()) std::abort();
  }

  // Nanoseconds a request.
  double Turn() {
    ccr::LeaseParams params;
    params.pool = "p";
    params.model = "gpt-5-mini";
    params.max_wait = absl::Seconds(30);
    ccr::core::Report report;
    report.evidence.http_status = 200;
    report.evidence.first_byte = absl::Milliseconds(200);
    report.evidence.total = absl::Milliseconds(900);
    const double begin = CpuNs();
    for (int i = 0; i < kTurn; ++i) {
      const auto answer = service_.Lease(params, [](const ccr::core::LeaseId&) { return ccr::LeaseCallback(); });
      report.id = answer->grant.id;
      service_.Report(report);
    }
    return (CpuNs() - begin) / kTurn;
  }

 private:
  ccr::MonotonicWallClock clock_;
  ccr::MemoryStore store_;
  ccr::BrokerService service_;
};

double Median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int keys = argc > 1 ? std::atoi(argv[1]) : 10;
  const int pairs = argc > 2 ? std::atoi(argv[2]) : 400;
  ccr::InitLog(ccr::LogFormat::kText, ccr::LogLevel::kOff);
  Subject without(keys, 0), with(keys, ccr::simulation::Recorder::kBytes);
  std::vector<double> off, on, ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    double first = 0, second = 0;
    if (pair % 2 == 0) {
      first = without.Turn();
      second = with.Turn();
    } else {
      second = with.Turn();
      first = without.Turn();
    }
    off.push_back(first);
    on.push_back(second);
    ratios.push_back(second / first);
  }
  std::printf("Lease + Report, %d keys, %d pairs of %d: %.0f ns without, %.0f ns with the record: ratio %.3f\n", keys,
              pairs, kTurn, Median(off), Median(on), Median(ratios));
  return 0;
}
