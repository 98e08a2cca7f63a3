// From single entries of another system, each one endpoint with one key, to providers with the keys of one endpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/migrate/draft.h"
#include "client/cli/migrate/notes.h"

namespace ccr::cli::migration {

struct Deployment {
  std::string where;     // in the source
  std::string name;      // what its provider may be called
  std::string key_name;  // what its key may be called; empty: by number
  std::string url;       // the full endpoint
  std::string auth_header;
  KeyText key;
  std::vector<std::string> models;
  int64_t rank = 0;  // those of a lower one come first
  double weight = 1;
  uint64_t rpm = 0, tpm = 0, max_concurrent = 0;
  ProviderSettings settings;
};

struct Pools {
  std::vector<ProviderDraft> providers;  // by rank, then as in the source
  std::vector<std::string> provider_of;  // the name of each deployment's provider; empty: it was not taken
};

// Deployments with the same endpoint, header, settings and rank become one provider; those with the same key, one key
// with all their models, whose limits are the sums. Names are made valid, unique, and free of secrets. What cannot be
// taken, for want of a model, a valid key or a valid URL, is told.
Pools BuildPools(std::vector<Deployment> deployments, const Hider& hider, Notes* notes);

// What is wrong with a text as a key; empty when nothing is, and for the empty text.
std::string KeyProblem(std::string_view key);

// Whether a model answers messages, as far as its name tells.
bool LooksLikeChat(std::string_view model);

// `name` without what the names of keys and files may not hold: letters, digits, '.', '_' and '-' are kept, 48 bytes.
std::string PlainName(std::string_view name);

}  // namespace ccr::cli::migration
