// The lines of a request head as curl takes them, in memory that is ours to wipe.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "proxy/upstream/wiped_text.h"

namespace ccr::proxy {

// Reusable: Clear() keeps the memory. Not thread-safe.
class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;

  // "NAME: PREFIX VALUE" without a space between the latter two.
  void Add(std::string_view name, std::string_view prefix, std::string_view value);
  void Suppress(std::string_view name);  // keeps curl from adding this one by itself

  // Whether some part holds a line break, which would smuggle in another header.
  bool broken() const { return broken_; }
  // Valid until the next change.
  curl_slist* Get();
  void Clear();  // wipes everything

 private:
  void Append(std::string_view text);
  void EndLine();

  WipedText text_;              // zero-terminated lines, one after the other
  std::vector<size_t> starts_;  // of each line in text_
  std::vector<curl_slist> nodes_;
  bool broken_ = false;
};

}  // namespace ccr::proxy
