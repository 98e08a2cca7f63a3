#include "broker/adapters/sources/vault_reader.h"

#include <algorithm>
#include <memory>

namespace ccr {
namespace {

constexpr size_t kMaxClients = 4;

}  // namespace

absl::StatusOr<SecretReading> VaultReader::Read(const SecretSource& source) {
  return ClientOf(*source.vault)->Read(source.vault_path, source.vault_field);
}

std::shared_ptr<VaultClient> VaultReader::ClientOf(const VaultConfig& config) {
  MutexLock lock(mutex_);
  const auto found = std::find_if(clients_.begin(), clients_.end(),
                                  [&config](const auto& client) { return client->config() == config; });
  if (found != clients_.end()) {
    clients_.splice(clients_.begin(), clients_, found);
  } else {
    clients_.push_front(std::make_shared<VaultClient>(config, ca_file_, clock_, &stop_));
    if (clients_.size() > kMaxClients) clients_.pop_back();
  }
  return clients_.front();
}

}  // namespace ccr
