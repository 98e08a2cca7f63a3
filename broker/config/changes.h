// What one configuration has that another has not, in words.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/config/config.h"

namespace ccr {

// What of a configuration can change, without its keys: of these it holds hashes.
class ConfigOutline {
 public:
  // Of nothing: everything differs from it, and nothing is told of that.
  ConfigOutline() = default;
  // Keys are told apart by name: NameKeys comes first.
  explicit ConfigOutline(const Config& config);

  // What is different in `after`, a line each: "provider 'openai': key 'b' added", "Router.think: a,m -> b,m". In the
  // order of names, at most 100 lines.
  std::vector<std::string> ChangesTo(const ConfigOutline& after) const;

  // Those fields that differ in `after` and are read only when a process starts: "PORT", "Broker.listen".
  std::vector<std::string> NeedRestart(const ConfigOutline& after) const;

 private:
  struct Value {
    std::string shown;  // may be told
    std::string exact;  // may not: a hash

    bool operator==(const Value&) const = default;
  };
  using Values = std::map<std::string, Value>;
  struct Pool {
    Values fields;
    Values keys;  // `exact` is of the key itself
  };

  void TakeLines(const Config& config);
  static void Compare(const std::string& prefix, const Values& before, const Values& after,
                      std::vector<std::string>* lines);
  static void CompareKeys(const std::string& prefix, const Values& before, const Values& after,
                          std::vector<std::string>* lines);

  Values fields_;
  std::map<std::string, Pool> pools_;
};

}  // namespace ccr
