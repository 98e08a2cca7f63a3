// Secrets that a program prints: sops, age, vault, aws, gcloud, op, pass.
#pragma once

#include "absl/time/time.h"
#include "broker/base/stop_event.h"
#include "broker/config/secret_source.h"

namespace ccr {

// Runs the program with the rights of this process, in the environment that the source describes and no other. It has
// 10 s and may print 1 MiB. When it fails, the message holds the beginning of what it says on stderr, without what it
// printed and what looks like a secret. Thread-safe.
class ExecReader final : public SecretReader {
 public:
  explicit ExecReader(absl::Duration limit = absl::Seconds(10)) : limit_(limit) {}

  absl::StatusOr<SecretReading> Read(const SecretSource& source) override;
  void Stop() override { stop_.Set(); }

 private:
  const absl::Duration limit_;
  StopEvent stop_;
};

}  // namespace ccr
