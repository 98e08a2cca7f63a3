// The head of a response as it comes in.
#pragma once

#include <string_view>

#include "proxy/upstream/client.h"

namespace ccr::proxy {

class ResponseHead {
 public:
  // Forgets what was there, and begins anew.
  void Begin(int status);
  void AddHeader(std::string_view name, std::string_view value);
  // Takes one line with its line break, as curl hands it over. True when it was the last of the final head: then Take()
  // it. Interim heads (1xx) and whatever follows the final head (trailers) are skipped.
  bool AddLine(std::string_view line);
  // Hop-by-hop headers are gone, those that Connection names too.
  UpstreamHead Take();
  void Clear();

 private:
  void AddHeaderLine(std::string_view line);

  UpstreamHead head_;
  bool complete_ = false;
};

}  // namespace ccr::proxy
