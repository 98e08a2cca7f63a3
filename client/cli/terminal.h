// Where a command writes.
#pragma once

#include <cstddef>
#include <ostream>

namespace ccr::cli {

struct Terminal {
  std::ostream& out;
  std::ostream& err;
  size_t width = 0;    // columns of `out`; 0 = not a terminal, so no limit
  size_t height = 0;   // its lines; 0 = not a terminal
  bool color = false;  // `out` understands ANSI colours

  bool interactive() const { return width > 0; }

  // This one with the window's size of now.
  Terminal Resized() const;

  // std::cout and std::cerr as they are now: window size, NO_COLOR, TERM=dumb.
  static Terminal OfProcess();
};

}  // namespace ccr::cli
