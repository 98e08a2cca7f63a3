// When the certificates of this process end, for Prometheus.
#pragma once

#include <prometheus/collectable.h>

#include <string>
#include <vector>

#include "broker/base/tls_files.h"

namespace ccr {

// ccr_tls_certificate_expiry_timestamp_seconds{file}, of the certificates in use, read anew at every scrape; a file
// that cannot be read has no series. Thread-safe.
class CertificateMetrics final : public prometheus::Collectable {
 public:
  explicit CertificateMetrics(TlsFiles files) : files_(std::move(files)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const TlsFiles files_;
};

}  // namespace ccr
