// Keys that are typed.
#pragma once

#include <termios.h>
#include <unistd.h>

namespace ccr::cli {

// The terminal at standard input does not show what is typed while this lives.
class HiddenInput {
 public:
  HiddenInput() {
    if (tcgetattr(STDIN_FILENO, &previous_) != 0) return;
    termios silent = previous_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    hidden_ = tcsetattr(STDIN_FILENO, TCSANOW, &silent) == 0;
  }
  ~HiddenInput() {
    if (hidden_) tcsetattr(STDIN_FILENO, TCSANOW, &previous_);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

 private:
  termios previous_{};
  bool hidden_ = false;
};

}  // namespace ccr::cli
