// What the commands about keys and pools are asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ccr::cli {

struct KeyOptions {
  std::string provider;
  std::string key;               // its name or its fingerprint
  std::string disable_for;       // "2h"; empty = until it is enabled
  std::string name;              // of a new one, as the next ones
  std::string file;              // with the key, or the keys; empty or "-" = standard input
  std::optional<double> weight;  // 1
  uint32_t max_concurrent = 0;   // 0 = no limit, as for the next four
  uint64_t rpm = 0, tpm = 0, rpd = 0, tpd = 0;
  std::vector<std::string> models;  // that it may serve; empty = all
  std::vector<std::string> strays;  // words behind PROVIDER that make no sense there, maybe a key
  bool dry_run = false;
  bool validate = false;  // ask the provider about each key that was added
  uint32_t parallel = 8;  // so many at once
};

struct PoolOptions {
  std::string provider;
  std::vector<std::string> settings;  // "weighted", "rpm=100"
};

}  // namespace ccr::cli
