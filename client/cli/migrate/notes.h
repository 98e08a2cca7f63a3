// What `ccr migrate --from` says of the parts of a source, without its secrets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/base/secret.h"
#include "broker/config/node.h"

namespace ccr::cli::migration {

// One thing to tell: where it stands in the source, and what is to say of it.
struct Note {
  std::string where;
  std::string text;
};

struct Notes {
  std::vector<Note> taken;
  std::vector<Note> not_taken;  // and why
  std::vector<Note> different;  // taken, and works otherwise here

  void NotTaken(std::string where, std::string why) { not_taken.push_back({std::move(where), std::move(why)}); }
  void Different(std::string where, std::string how) { different.push_back({std::move(where), std::move(how)}); }
};

// Notes that say the same become one, at the place of the first: "a, b, c and 4 more".
std::vector<Note> Merged(const std::vector<Note>& notes);

// Knows the secrets of a source, and takes them out of texts that are shown: people name channels after their keys.
class Hider {
 public:
  // Secrets shorter than 8 bytes are none, such as the "none" of a server that asks for no key.
  void Add(std::string_view secret);
  // The texts of fields that are named like a secret, of a whole tree; several secrets in a text stand on lines.
  void AddAllOf(const Node& tree);

  bool Holds(std::string_view text) const;
  std::string Hidden(std::string text) const;  // each secret as "(hidden)"

 private:
  void AddNamed(const Node& value);

  std::vector<Secret> secrets_;
};

}  // namespace ccr::cli::migration
