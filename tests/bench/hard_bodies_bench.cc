// By hand, from the top of the checkout, behind a build with preset release:
//   g++ -O2 -std=c++20 -I. tests/bench/hard_bodies_bench.cc tests/proxy/formats/hard_{bodies,forms}.cc
//   build/release/proxy/formats/libproxy_formats.a build/release/proxy/core/libproxy_core.a -o /tmp/hard_bodies_bench
//   -lboost_json -ljemalloc $(pkg-config --libs absl_flat_hash_set absl_flat_hash_map absl_hash absl_status
//   absl_statusor absl_strings absl_time absl_inlined_vector)
//
// What hard bodies cost: milliseconds of processor time for each of the given sizes, the least of three runs, the
// costliest first.
//   hard_bodies_bench [BYTES...]     default: 1250000 2500000 5000000
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "tests/proxy/formats/hard_bodies.h"

namespace ccr::proxy {
namespace {

constexpr double kHopeless = 2000;  // ms, above which one run is enough and larger bodies are not tried

double RunMs(const HardWork& work, const std::string& body) {
  timespec begin{};
  timespec end{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  work.run(body);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
  return static_cast<double>(end.tv_sec - begin.tv_sec) * 1e3 + static_cast<double>(end.tv_nsec - begin.tv_nsec) / 1e6;
}

double LeastMs(const HardWork& work, const std::string& body) {
  double least = std::numeric_limits<double>::max();
  for (int run = 0; run < 3 && (run == 0 || least < kHopeless); ++run) least = std::min(least, RunMs(work, body));
  return least;
}

struct Row {
  std::string name;
  std::vector<double> ms;
};

void Run(const std::vector<size_t>& sizes) {
  std::vector<Row> rows;
  for (const HardWork& work : AllHardWork()) {
    Row row{work.name, {}};
    for (const size_t size : sizes) {
      row.ms.push_back(LeastMs(work, work.Body(size)));
      if (row.ms.back() > kHopeless) break;
    }
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.ms.size() != b.ms.size() ? a.ms.size() < b.ms.size() : a.ms.back() > b.ms.back();
  });
  for (const size_t size : sizes) std::printf("%9zu ", size);
  std::printf(" bytes, ms each\n");
  for (const Row& row : rows) {
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (i < row.ms.size()) {
        std::printf("%9.1f ", row.ms[i]);
      } else {
        std::printf("        - ");
      }
    }
    std::printf(" %s\n", row.name.c_str());
  }
}

}  // namespace
}  // namespace ccr::proxy

int main(int count, char** arguments) {
  std::vector<size_t> sizes;
  for (int i = 1; i < count; ++i) sizes.push_back(std::strtoul(arguments[i], nullptr, 10));
  ccr::proxy::Run(sizes.empty() ? std::vector<size_t>{1'250'000, 2'500'000, 5'000'000} : sizes);
}
