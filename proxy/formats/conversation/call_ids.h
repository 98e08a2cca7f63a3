// Identifiers of calls that a provider takes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "proxy/core/provider_rules.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::fit {

// Those of one request between two formats: Anthropic's are [a-zA-Z0-9_-]+, Chat Completions' have 40 characters at
// most, Responses' 64; with CallIds::kShort nine letters and digits. The same one always becomes the same, so that
// providers' prompt caches hold. Not thread-safe.
class UniqueIds {
 public:
  UniqueIds(const ProviderRules& rules, Format provider)
      : short_(rules.call_ids == CallIds::kShort), format_(provider) {}

  // Made from `given`, itself where it fits; one that no other call has.
  std::string Make(std::string_view given);

 private:
  using CallIds = ProviderRules::CallIds;

  std::string Fitted(std::string_view id) const;

  const bool short_;
  const Format format_;
  absl::flat_hash_set<std::string> taken_;
  absl::flat_hash_map<std::string, size_t> numbers_;  // by fitted id: the first that may be free behind it
};

// Where both formats are the same and the provider takes short ones alone. Whether one had to change.
bool ShortenIds(const ProviderRules& rules, ModelRequest* request, Notes* notes);

}  // namespace ccr::proxy::fit
