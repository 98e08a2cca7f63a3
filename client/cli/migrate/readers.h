// The systems from which `ccr migrate --from` takes. Each reader says in its file where its facts are from.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/config/config.h"
#include "client/cli/migrate/draft.h"
#include "client/cli/migrate/notes.h"
#include "client/cli/migrate/tree.h"

namespace ccr::cli::migration {

struct Migration {
  Draft draft;
  Notes notes;
  Hider hider;
};

// InvalidArgument when a source is not of the system. One that is, but of which nothing can be taken, is a migration
// without providers, whose notes say why.

// One config.yaml of LiteLLM's proxy. Variables it names are looked up in `env`: a key stays in its variable.
absl::StatusOr<Migration> ReadLitellm(const std::vector<Source>& sources, const EnvLookup& env);

// GPT-Load's groups (JSON of its API), and its exports of keys (text, one a line), in any order. An export belongs to
// the group that its file is named after.
absl::StatusOr<Migration> ReadGptLoad(const std::vector<Source>& sources);

// One JSON of New API's channels, with their keys.
absl::StatusOr<Migration> ReadNewApi(const std::vector<Source>& sources);

}  // namespace ccr::cli::migration
