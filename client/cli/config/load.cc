#include "client/cli/config/load.h"

#include "broker/adapters/sources/source_readers.h"
#include "broker/base/clock.h"
#include "broker/config/key_sources.h"

namespace ccr::cli {

ConfigResult LoadWithKeys(const std::string& path, bool strict, const MasterKeyPlace& place) {
  const MonotonicWallClock clock;
  SourceReaders readers(&clock, ProcessEnv()("SSL_CERT_FILE").value_or(""));
  KeySources sources(&clock, readers.All(), strict);
  return LoadConfig(path, ProcessEnv(), &sources, place);
}

}  // namespace ccr::cli
