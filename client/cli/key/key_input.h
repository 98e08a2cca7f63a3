// Keys as people hand them to `ccr key`: typed, in a file, in a list. No message ever shows one.
#pragma once

#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/base/secret.h"
#include "broker/config/config.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

// Whether a word looks like a key rather than like a name: it begins as keys of known providers do, or holds a long
// run of letters and digits.
bool LooksLikeKey(std::string_view word);

// One key: the content of `file` ("" and "-": of `in`), without white space around it. With `ask` a person types it,
// unseen. InvalidArgument when there is none, more than one, or no key has such characters; NotFound and the like of
// the file.
absl::StatusOr<Secret> ReadOneKey(const std::string& file, std::istream& in, bool ask, const Terminal& terminal);

// One entry of a list and the line where it stands, from 1. What `key` does not say has its default.
struct ListedKey {
  KeyConfig key;
  int line = 0;
};

struct KeyList {
  std::vector<ListedKey> keys;        // each once
  std::vector<std::string> repeated;  // "line 7: the same key as in line 3", a message for each that was left out
};

// All keys of a text: one a line, or "NAME KEY" a line, empty lines and those that begin with # apart; or a JSON list
// of texts and of objects {key, name, weight, rpm, tpm, rpd, tpd, max_concurrent, models}. `source` names it.
// InvalidArgument names every mistake with its line, one a line of the message.
absl::StatusOr<KeyList> ParseKeyList(std::string_view text, const std::string& source);

// The same of a file ("-": of `in`), which may have 64 MiB.
absl::StatusOr<KeyList> ReadKeyList(const std::string& file, std::istream& in);

// "30s", "15m", "2h", "1d", "1h30m"; at least a millisecond.
absl::StatusOr<absl::Duration> ParseTime(const std::string& text);

}  // namespace ccr::cli
