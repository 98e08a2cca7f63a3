#include "broker/base/stranger_log.h"

#include <atomic>
#include <chrono>

namespace ccr {
namespace {

constexpr int kPerSecond = 10;

bool MayWrite() {
  static std::atomic<int64_t> second{0};
  static std::atomic<int> written{0};
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const int64_t present = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  if (second.exchange(present) != present) written = 0;
  return written++ < kPerSecond;
}

}  // namespace

void LogStranger(std::string_view event, std::initializer_list<LogField> fields) {
  if (MayWrite()) Log(LogLevel::kWarn, event, fields);
}

}  // namespace ccr
