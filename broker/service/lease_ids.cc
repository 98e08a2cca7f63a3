#include "broker/service/lease_ids.h"

#include <cstring>
#include <string>

#include "broker/base/secret.h"

namespace ccr {
namespace {

constexpr size_t kBufferBytes = 4096;

uint64_t RandomWord() {
  thread_local std::string buffer;
  thread_local size_t used = 0;
  if (used == buffer.size()) {
    buffer = RandomBytes(kBufferBytes);
    used = 0;
  }
  uint64_t word;
  std::memcpy(&word, buffer.data() + used, sizeof(word));
  std::memset(buffer.data() + used, 0, sizeof(word));
  used += sizeof(word);
  return word;
}

}  // namespace

core::LeaseId NewLeaseId(uint32_t epoch, uint32_t pool) {
  return {.epoch = epoch, .pool = pool, .random_high = RandomWord(), .random_low = RandomWord()};
}

uint32_t NewEpoch() {
  uint32_t epoch = 0;
  while (epoch == 0) epoch = static_cast<uint32_t>(RandomWord());
  return epoch;
}

}  // namespace ccr
