#include "proxy/core/routing_table.h"

#include "absl/strings/match.h"

namespace ccr::proxy {

const Provider* RoutingTable::FindProvider(std::string_view name) const {
  for (const Provider& provider : providers) {
    if (absl::EqualsIgnoreCase(provider.name, absl::string_view(name.data(), name.size()))) return &provider;
  }
  return nullptr;
}

}  // namespace ccr::proxy
