#include "broker/base/metrics_server.h"

#include <prometheus/collectable.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace ccr {

void MetricsServer::Add(std::shared_ptr<prometheus::Collectable> metrics) {
  MutexLock lock(mutex_);
  sources_.push_back(std::move(metrics));
}

std::string MetricsServer::Render() {
  std::vector<std::shared_ptr<prometheus::Collectable>> sources;
  {
    MutexLock lock(mutex_);
    sources = sources_;
  }
  std::vector<prometheus::MetricFamily> families;
  for (const auto& source : sources) {
    std::vector<prometheus::MetricFamily> more = source->Collect();
    std::move(more.begin(), more.end(), std::back_inserter(families));
  }
  return prometheus::TextSerializer().Serialize(families);
}

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const HostPort& listen,
                                                                    std::shared_ptr<prometheus::Registry> registry) {
  std::unique_ptr<MetricsServer> metrics(new MetricsServer());
  metrics->Add(std::move(registry));
  PageServer::Options options;
  options.listen = listen;
  options.path = "/metrics";
  options.content_type = "text/plain; version=0.0.4; charset=utf-8";
  auto server = PageServer::Start(std::move(options), [raw = metrics.get()] { return raw->Render(); });
  if (!server.ok()) {
    absl::string_view why = server.status().message();
    absl::ConsumePrefix(&why, ": ");
    return absl::UnavailableError(absl::StrCat("cannot listen for metrics on ", listen.ToString(), ": ", why));
  }
  metrics->server_ = *std::move(server);
  return metrics;
}

}  // namespace ccr
