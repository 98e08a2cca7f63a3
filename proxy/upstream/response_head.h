// The head of a response, line by line as curl hands it over.
#pragma once

#include <string_view>

#include "proxy/upstream/client.h"

namespace ccr::proxy {

class ResponseHead {
 public:
  // Takes one line with its line break. True when it was the last of the final head: then Take() it. Interim heads
  // (1xx) and whatever follows the final head (trailers) are skipped.
  bool AddLine(std::string_view line);
  // Hop-by-hop headers are gone, those that Connection names too.
  UpstreamHead Take();
  void Clear();

 private:
  void Begin(std::string_view status_line);
  void AddHeader(std::string_view line);

  UpstreamHead head_;
  bool complete_ = false;
};

}  // namespace ccr::proxy
