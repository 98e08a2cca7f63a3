#include "broker/base/certificate_metrics.h"

#include <prometheus/metric_family.h>

namespace ccr {

std::vector<prometheus::MetricFamily> CertificateMetrics::Collect() const {
  prometheus::MetricFamily family;
  family.name = "ccr_tls_certificate_expiry_timestamp_seconds";
  family.help = "When a certificate in use ends.";
  family.type = prometheus::MetricType::Gauge;
  for (const std::string* path : {&files_.cert, &files_.ca}) {
    if (path->empty()) continue;
    const absl::StatusOr<absl::Time> end = CertificateEnd(*path);
    if (!end.ok()) continue;
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label.push_back({"file", *path});
    metric.gauge.value = static_cast<double>(absl::ToUnixSeconds(*end));
  }
  if (family.metric.empty()) return {};
  return {family};
}

}  // namespace ccr
