#include "client/cli/rotation/rotation.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/broker_call.h"
#include "client/cli/event_follower.h"
#include "client/cli/rotation/rotation_view.h"
#include "client/cli/text.h"
#include "client/lib/broker_channel.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;

constexpr absl::Duration kRedraw = absl::Seconds(1);
constexpr absl::Duration kShortestRedraw = absl::Milliseconds(100);  // however many events come
constexpr size_t kFrameLines = 3;                                    // title, blank line, the cursor's line
constexpr size_t kEnd = std::numeric_limits<size_t>::max() / 2;
constexpr const char* kClear = "\x1b[H\x1b[J";
constexpr const char* kHideCursor = "\x1b[?25l";
constexpr const char* kShowCursor = "\x1b[?25h";

std::string Table(const v1::ListPoolsResponse& response, const RotationOptions& options, const Terminal& terminal) {
  return RotationTable(response, {NowOf(response), terminal.width, terminal.color, options.wide, options.watch});
}

// SIGINT and SIGTERM as a file to poll, while it lives.
class Interrupt {
 public:
  Interrupt() {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &mask, &previous_);
    fd_ = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Interrupt() {
    signalfd_siginfo signal{};
    while (read(fd_, &signal, sizeof signal) > 0) {
    }
    close(fd_);
    pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  int fd() const { return fd_; }

 private:
  sigset_t previous_{};
  int fd_ = -1;
};

// False when interrupted; else there are events or something was pressed, or `timeout` is over.
bool Await(const Interrupt& interrupt, int keyboard, const EventFollower* follower, absl::Duration timeout) {
  std::array<pollfd, 3> fds{pollfd{interrupt.fd(), POLLIN, 0},
                            pollfd{follower == nullptr ? -1 : follower->fd(), POLLIN, 0}, pollfd{keyboard, POLLIN, 0}};
  const int ms = timeout == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(timeout));
  poll(fds.data(), fds.size(), ms);
  return (fds[0].revents & POLLIN) == 0;
}

// What a person presses, without Enter, while it lives. Of a stdin that is no terminal nothing comes.
class Keyboard {
 public:
  Keyboard() {
    if (tcgetattr(STDIN_FILENO, &previous_) != 0) return;
    termios raw = previous_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    // A background job must not touch the terminal.
    if (tcgetpgrp(STDIN_FILENO) == getpgrp()) is_raw_ = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~Keyboard() {
    if (is_raw_) tcsetattr(STDIN_FILENO, TCSANOW, &previous_);
  }
  Keyboard(const Keyboard&) = delete;
  Keyboard& operator=(const Keyboard&) = delete;

  int fd() const { return is_raw_ ? STDIN_FILENO : -1; }

  // "q", "\x1b[B", ...; empty when nothing was pressed.
  std::string Take() const {
    char text[16];
    const ssize_t size = is_raw_ ? read(STDIN_FILENO, text, sizeof text) : 0;
    return {text, size > 0 ? static_cast<size_t>(size) : 0};
  }

 private:
  termios previous_{};
  bool is_raw_ = false;
};

// Moves `offset` as `pressed` says. False for q.
bool Scroll(const std::string& pressed, size_t page, size_t* offset) {
  const auto back = [offset](size_t lines) { *offset -= std::min(*offset, lines); };
  if (pressed == "q" || pressed == "Q") return false;
  if (pressed == "j" || pressed == "\x1b[B") *offset += 1;
  if (pressed == "k" || pressed == "\x1b[A") back(1);
  if (pressed == " " || pressed == "\x1b[6~") *offset += page;
  if (pressed == "b" || pressed == "\x1b[5~") back(page);
  if (pressed == "g" || pressed == "\x1b[H") *offset = 0;
  if (pressed == "G" || pressed == "\x1b[F") *offset = kEnd;
  return true;
}

void Draw(const std::string& body, const Terminal& terminal, size_t* offset) {
  const std::string time = absl::FormatTime("%H:%M:%S", absl::Now(), absl::LocalTimeZone());
  const size_t room = terminal.height - std::min(terminal.height, kFrameLines);
  terminal.out << kClear
               << Fit(absl::StrCat("ccr rotation  ", time, "  (q ends, arrows and space scroll)"), terminal.width)
               << "\n\n"
               << Window(body, terminal.width, room, offset) << std::flush;
}

std::string Body(const RotationOptions& options, const Terminal& terminal, BrokerCall& broker) {
  const absl::StatusOr<v1::ListPoolsResponse> response = broker.ListPools(options.provider);
  return response.ok() ? Table(*response, options, terminal) : broker.Explain(response.status()) + "\n";
}

int WatchTable(const RotationOptions& options, const Terminal& terminal, BrokerCall& broker, const Interrupt& interrupt,
               EventFollower& follower) {
  const Keyboard keyboard;
  size_t offset = 0;
  terminal.out << kHideCursor;
  for (bool go_on = true; go_on;) {
    const Terminal now = terminal.Resized();
    const std::string body = Body(options, now, broker);
    const absl::Time next = absl::Now() + kRedraw;
    Draw(body, now, &offset);
    go_on = Await(interrupt, -1, nullptr, kShortestRedraw);
    follower.Take();
    while (go_on) {
      go_on = Await(interrupt, keyboard.fd(), &follower, std::max(next - absl::Now(), absl::ZeroDuration()));
      const std::string pressed = go_on ? keyboard.Take() : "";
      if (pressed.empty()) break;
      go_on = Scroll(pressed, now.height, &offset);
      if (go_on) Draw(body, now, &offset);
    }
  }
  terminal.out << kShowCursor << std::flush;
  return 0;
}

int WatchLines(const RotationOptions& options, const Terminal& terminal, const Interrupt& interrupt,
               EventFollower& follower) {
  while (Await(interrupt, -1, &follower, absl::InfiniteDuration()) && terminal.out.good()) {
    for (const v1::Event& event : follower.Take()) {
      terminal.out << (options.json ? EventJson(event) : EventLine(event, absl::LocalTimeZone())) << "\n";
    }
    terminal.out << std::flush;
  }
  return 0;
}

}  // namespace

int ShowRotation(const RotationOptions& options, const Terminal& terminal) {
  std::optional<Interrupt> interrupt;
  if (options.watch) interrupt.emplace();
  BrokerCall broker(options.broker);
  const absl::StatusOr<v1::ListPoolsResponse> response = broker.ListPools(options.provider);
  if (!response.ok()) {
    terminal.err << "ccr: " << broker.Explain(response.status()) << broker.Meant(options.provider, response.status())
                 << "\n";
    return broker.ExitStatus(response.status());
  }
  if (options.watch) {
    EventFollower follower(client::MakeBrokerChannel(options.broker), options.provider);
    const bool drawn = terminal.interactive() && !options.json && !options.lines;
    if (drawn) return WatchTable(options, terminal, broker, *interrupt, follower);
    return WatchLines(options, terminal, *interrupt, follower);
  }
  terminal.out << (options.json ? RotationJson(*response) + "\n" : Table(*response, options, terminal));
  return 0;
}

}  // namespace ccr::cli
