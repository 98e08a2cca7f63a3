// Who asks a provider whether a disabled key is good again.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/secret.h"
#include "broker/core/types.h"

namespace ccr {

// One cheap authenticated GET, such as the provider's list of models.
struct KeyProbe {
  std::string url;  // http or https, at the key's own provider
  std::vector<std::pair<std::string, std::string>> headers;
  std::string auth_header;
  std::string auth_prefix;
  Secret key;
  std::string proxy_url;    // empty: none
  std::string authorities;  // PEM of who may sign the provider's certificate; empty: the system's
};

// Law: Start does not block and does not call `done` itself. `done` is called once, on any thread, within a bounded
// time, unless the prober ends before; then never. The key goes to the host of the URL and nowhere else. Thread-safe.
class KeyProber {
 public:
  using Done = std::function<void(const core::Evidence& evidence)>;

  virtual ~KeyProber() = default;
  virtual void Start(KeyProbe probe, Done done) = 0;
};

// Probes nothing: disabled keys stay where they are.
class NoProber final : public KeyProber {
 public:
  void Start(KeyProbe, Done) override {}
};

}  // namespace ccr
