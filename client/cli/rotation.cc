#include "client/cli/rotation.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/broker_call.h"
#include "client/cli/event_follower.h"
#include "client/cli/rotation_view.h"
#include "client/cli/text.h"
#include "client/lib/broker_channel.h"
#include "google/protobuf/util/time_util.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;

constexpr absl::Duration kRedraw = absl::Seconds(1);
constexpr absl::Duration kShortestRedraw = absl::Milliseconds(100);  // however many events come
constexpr size_t kFrameLines = 3;                                    // title, blank line, the cursor's line
constexpr size_t kNamedPools = 10;                                   // in a message
constexpr const char* kClear = "\x1b[H\x1b[J";
constexpr const char* kHideCursor = "\x1b[?25l";
constexpr const char* kShowCursor = "\x1b[?25h";

std::string Table(const v1::ListPoolsResponse& response, const RotationOptions& options, const Terminal& terminal) {
  const absl::Time now =
      response.has_now() ? absl::FromUnixNanos(google::protobuf::util::TimeUtil::TimestampToNanoseconds(response.now()))
                         : absl::Now();
  return RotationTable(response, {now, terminal.width, terminal.color, options.wide});
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

// False when interrupted; else there are events, or `timeout` is over.
bool Await(const Interrupt& interrupt, const EventFollower* follower, absl::Duration timeout) {
  std::array<pollfd, 2> fds{pollfd{interrupt.fd(), POLLIN, 0},
                            pollfd{follower == nullptr ? -1 : follower->fd(), POLLIN, 0}};
  const int ms = timeout == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(timeout));
  poll(fds.data(), fds.size(), ms);
  return (fds[0].revents & POLLIN) == 0;
}

std::string FirstLines(const std::string& text, size_t count) {
  size_t end = 0;
  while (count-- > 0 && end < text.size()) end = std::min(text.find('\n', end), text.size() - 1) + 1;
  return text.substr(0, end);
}

void Redraw(const RotationOptions& options, const Terminal& terminal, BrokerCall& broker) {
  const absl::StatusOr<v1::ListPoolsResponse> response = broker.ListPools(options.provider);
  const std::string body =
      response.ok() ? Table(*response, options, terminal) : broker.Explain(response.status()) + "\n";
  const std::string time = absl::FormatTime("%H:%M:%S", absl::Now(), absl::LocalTimeZone());
  terminal.out << kClear << Fit(absl::StrCat("ccr rotation  ", time, "  (Ctrl-C ends)"), terminal.width) << "\n\n"
               << FirstLines(body, terminal.height - std::min(terminal.height, kFrameLines)) << std::flush;
}

int WatchTable(const RotationOptions& options, const Terminal& terminal, BrokerCall& broker, const Interrupt& interrupt,
               EventFollower& follower) {
  terminal.out << kHideCursor;
  do {
    Redraw(options, terminal.Resized(), broker);
    if (!Await(interrupt, nullptr, kShortestRedraw)) break;
    follower.Take();
  } while (Await(interrupt, &follower, kRedraw - kShortestRedraw));
  terminal.out << kShowCursor << std::flush;
  return 0;
}

int WatchLines(const RotationOptions& options, const Terminal& terminal, const Interrupt& interrupt,
               EventFollower& follower) {
  while (Await(interrupt, &follower, absl::InfiniteDuration()) && terminal.out.good()) {
    for (const v1::Event& event : follower.Take()) {
      terminal.out << (options.json ? EventJson(event) : EventLine(event, absl::LocalTimeZone())) << "\n";
    }
    terminal.out << std::flush;
  }
  return 0;
}

// "; did you mean openrouter?", of a provider that is not there.
std::string Meant(const std::string& provider, const absl::Status& status, BrokerCall& broker) {
  if (!absl::IsNotFound(status)) return "";
  const absl::StatusOr<v1::ListPoolsResponse> all = broker.ListPools("");
  if (!all.ok()) return "";
  std::vector<std::string> names;
  for (const v1::PoolStatus& pool : all->pools()) names.push_back(pool.provider());
  const std::string nearest = Nearest(provider, names);
  if (!nearest.empty()) return absl::StrCat("; did you mean ", nearest, "?");
  if (names.size() > kNamedPools) names.resize(kNamedPools);
  return absl::StrCat("; there is ", absl::StrJoin(names, ", "));
}

}  // namespace

int ShowRotation(const RotationOptions& options, const Terminal& terminal) {
  std::optional<Interrupt> interrupt;
  if (options.watch) interrupt.emplace();
  BrokerCall broker(options.broker);
  const absl::StatusOr<v1::ListPoolsResponse> response = broker.ListPools(options.provider);
  if (!response.ok()) {
    terminal.err << "ccr: " << broker.Explain(response.status()) << Meant(options.provider, response.status(), broker)
                 << "\n";
    return broker.ExitStatus(response.status());
  }
  if (options.watch) {
    EventFollower follower(client::MakeBrokerChannel(options.broker), options.provider);
    if (terminal.interactive() && !options.json) return WatchTable(options, terminal, broker, *interrupt, follower);
    return WatchLines(options, terminal, *interrupt, follower);
  }
  terminal.out << (options.json ? RotationJson(*response) + "\n" : Table(*response, options, terminal));
  return 0;
}

}  // namespace ccr::cli
