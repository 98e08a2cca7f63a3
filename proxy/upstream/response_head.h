// The head of a response as it comes in.
#pragma once

#include <cstddef>
#include <string_view>

#include "proxy/upstream/client.h"

namespace ccr::proxy {

// How much a provider may say besides the body of its answer: all heads with the interim ones, the line of a chunk, all
// trailers.
inline constexpr size_t kMaxHead = 256 * 1024;

inline constexpr int kSwitchingProtocols = 101;
inline constexpr std::string_view kNobodySwitches = "the answer is 101 Switching Protocols, which nobody asked for";

class ResponseHead {
 public:
  enum class Line { kMore, kLast, kRefused };

  // Forgets the head that was there, and begins anew.
  void Begin(int status);
  void AddHeader(std::string_view name, std::string_view value);
  // Takes one line with its line break, as curl hands it over. After the last of the final head, Take() it. Interim
  // heads (1xx) and whatever follows the final head (trailers) are skipped. Refused are control characters, more than
  // kMaxHead, and 101, as nobody asks to switch protocols: see fault().
  Line AddLine(std::string_view line);
  std::string_view fault() const { return fault_; }
  size_t bytes() const { return bytes_; }  // of all lines
  // Once the head is complete, until Take(): whether the connection's bytes are the answer's own, with HTTP/1.x.
  int status() const { return head_.status; }
  bool http1() const { return http1_; }
  bool chunked() const;
  // Hop-by-hop headers are gone, those that Connection names too.
  UpstreamHead Take();
  void Clear();

 private:
  Line Refuse(std::string_view fault);
  void AddHeaderLine(std::string_view line);

  UpstreamHead head_;
  bool complete_ = false;
  bool http1_ = false;
  size_t bytes_ = 0;
  std::string_view fault_;
};

}  // namespace ccr::proxy
