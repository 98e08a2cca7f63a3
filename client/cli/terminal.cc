#include "client/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

namespace ccr::cli {
namespace {

std::string_view Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Zeros when stdout is not a terminal.
winsize WindowSize() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0) return size;
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
  if (!known) size = {.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  return size;
}

}  // namespace

Terminal Terminal::Resized() const {
  const winsize size = WindowSize();
  return size.ws_col == 0 ? *this : Terminal{out, err, size.ws_col, size.ws_row, color};
}

Terminal Terminal::OfProcess() {
  const winsize size = WindowSize();
  const bool color = size.ws_col > 0 && Env("NO_COLOR").empty() && Env("TERM") != "dumb";
  return {std::cout, std::cerr, size.ws_col, size.ws_row, color};
}

}  // namespace ccr::cli
