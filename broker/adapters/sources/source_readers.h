// All kinds of sources.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "broker/adapters/sources/exec_reader.h"
#include "broker/adapters/sources/vault_reader.h"
#include "broker/config/secret_source.h"

namespace ccr {

// A reader for each kind, as KeySources takes them. Thread-safe.
class SourceReaders {
 public:
  // As VaultReader.
  SourceReaders(const Clock* clock, std::string ca_file) : vaults_(clock, std::move(ca_file)) {}

  std::map<SecretSource::Kind, SecretReader*> All() {
    return {{SecretSource::Kind::kFile, &files_},
            {SecretSource::Kind::kExec, &programs_},
            {SecretSource::Kind::kVault, &vaults_}};
  }

 private:
  FileReader files_;
  ExecReader programs_;
  VaultReader vaults_;
};

}  // namespace ccr
