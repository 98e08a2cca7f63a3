// All kinds of sources.
#pragma once

#include <map>

#include "broker/adapters/sources/exec_reader.h"
#include "broker/config/secret_source.h"

namespace ccr {

// A reader for each kind, as KeySources takes them. Thread-safe.
class SourceReaders {
 public:
  std::map<SecretSource::Kind, SecretReader*> All() {
    return {{SecretSource::Kind::kFile, &files_}, {SecretSource::Kind::kExec, &programs_}};
  }

 private:
  FileReader files_;
  ExecReader programs_;
};

}  // namespace ccr
