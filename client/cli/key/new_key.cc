#include "client/cli/key/new_key.h"

#include <string>

namespace ccr::cli {

broker::v1::NewKey ToProto(const KeyConfig& config, const Secret& secret) {
  broker::v1::NewKey key;
  key.set_name(config.name);
  *key.mutable_secret() = std::string(secret.Reveal());
  key.set_weight(config.weight);
  key.set_max_concurrent(config.max_concurrent);
  broker::v1::Limits& limits = *key.mutable_limits();
  limits.set_rpm(config.limits.rpm);
  limits.set_tpm(config.limits.tpm);
  limits.set_rpd(config.limits.rpd);
  limits.set_tpd(config.limits.tpd);
  for (const std::string& model : config.models) key.add_models(model);
  return key;
}

}  // namespace ccr::cli
