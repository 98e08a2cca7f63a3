// What the commands about keys and pools are asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/config/config.h"

namespace ccr::cli {

struct KeyOptions {
  std::string provider;
  std::string key;                  // its name or its fingerprint
  std::string disable_for;          // "2h"; empty = until it is enabled
  KeyConfig fresh;                  // all of a new one but the key itself
  std::string file;                 // with the key, or the keys; empty or "-" = standard input
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
