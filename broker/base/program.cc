#include "broker/base/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "broker/base/file_descriptor.h"

namespace ccr {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kLookMillis = 20;  // how often it is seen whether the program has ended
constexpr size_t kMaxErrors = 4096;
constexpr size_t kReadBytes = 65536;
constexpr int kFirstOther = 3;  // descriptor

struct Pipe {
  FileDescriptor read, write;

  absl::Status Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return absl::UnavailableError(absl::StrCat("no pipe: ", std::strerror(errno)));
    read = FileDescriptor(ends[0]);
    write = FileDescriptor(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return absl::OkStatus();
  }
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What the program begins with: our standard streams in place of all descriptors, no signal blocked or ignored.
class SpawnSettings {
 public:
  SpawnSettings(const std::string& folder, int out, int err) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, err, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, kFirstOther);
    if (!folder.empty()) posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str());
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

absl::Status CannotStart(int error) {
  if (error == ENOENT)
    return absl::NotFoundError("cannot be started: there is no such program in PATH, or its folder is gone");
  if (error == EACCES) return absl::PermissionDeniedError("cannot be started: this user may not run it");
  return absl::UnavailableError(absl::StrCat("cannot be started: ", std::strerror(error)));
}

// A program under way. Ended and waited for at the latest by the destructor.
class Running {
 public:
  Running() { out_.reserve(kReadBytes); }
  ~Running() {
    WipeText(&out_);
    if (pid_ > 0) End();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  absl::Status Start(const Program& program) {
    Pipe out, err;
    if (absl::Status opened = out.Open(); !opened.ok()) return opened;
    if (absl::Status opened = err.Open(); !opened.ok()) return opened;
    out_.reserve(program.max_output + 1);  // so that it is not moved while it grows: it is a secret
    const SpawnSettings settings(program.folder, out.write.get(), err.write.get());
    const std::vector<char*> argv = Pointers(program.argv);
    const std::vector<char*> environment = Pointers(program.environment);
    const int error =
        posix_spawnp(&pid_, argv[0], settings.actions(), settings.attributes(), argv.data(), environment.data());
    if (error != 0) {
      pid_ = 0;
      return CannotStart(error);
    }
    out_pipe_ = std::move(out.read);
    err_pipe_ = std::move(err.read);
    return absl::OkStatus();
  }

  absl::Status Wait(const Program& program, const StopEvent& stop) {
    const auto until = SteadyClock::now() + absl::ToChronoMilliseconds(program.limit);
    for (bool ended = false; !ended;) {
      ended = HasEnded();
      if (!ended) Poll(stop);
      ReadAll(program.max_output);
      if (stop.is_set()) return absl::CancelledError("was ended, as the program that wants to know ends");
      if (out_.size() > program.max_output) {
        return absl::InvalidArgumentError(absl::StrCat("prints more than ", program.max_output, " bytes"));
      }
      if (!ended && SteadyClock::now() >= until) {
        return absl::DeadlineExceededError(absl::StrCat("did not end within ", absl::FormatDuration(program.limit)));
      }
    }
    return absl::OkStatus();
  }

  ProgramEnd TakeEnd() {
    ProgramEnd end;
    end.wait_status = End();
    end.out = Secret(std::move(out_));
    end.err = std::move(err_);
    return end;
  }

 private:
  // It stays a zombie, so that its group is still its own.
  bool HasEnded() const {
    siginfo_t info = {};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  }

  void Poll(const StopEvent& stop) const {
    std::array<pollfd, 3> waits{{{stop.fd(), POLLIN, 0},
                                 {out_open_ ? out_pipe_.get() : -1, POLLIN, 0},
                                 {err_open_ ? err_pipe_.get() : -1, POLLIN, 0}}};
    poll(waits.data(), waits.size(), kLookMillis);
  }

  void ReadAll(size_t max_output) {
    std::array<char, kReadBytes> buffer;
    while (out_open_ && out_.size() <= max_output) {
      const ssize_t got = read(out_pipe_.get(), buffer.data(), std::min(buffer.size(), max_output + 1 - out_.size()));
      if (got == 0) out_open_ = false;
      if (got <= 0) break;
      out_.append(buffer.data(), static_cast<size_t>(got));
    }
    explicit_bzero(buffer.data(), buffer.size());
    while (err_open_) {
      const ssize_t got = read(err_pipe_.get(), buffer.data(), buffer.size());
      if (got == 0) err_open_ = false;
      if (got <= 0) break;
      err_.append(buffer.data(), std::min(static_cast<size_t>(got), kMaxErrors - err_.size()));
    }
  }

  // Its wait status.
  int End() {
    int status = 0;
    kill(-pid_, SIGKILL);
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

  pid_t pid_ = 0;
  FileDescriptor out_pipe_, err_pipe_;
  bool out_open_ = true, err_open_ = true;
  std::string out_, err_;
};

}  // namespace

absl::StatusOr<ProgramEnd> RunProgram(const Program& program, const StopEvent& stop) {
  Running running;
  absl::Status status = running.Start(program);
  if (status.ok()) status = running.Wait(program, stop);
  if (!status.ok()) return status;
  return running.TakeEnd();
}

absl::Status VerdictOf(const ProgramEnd& end) {
  if (WIFEXITED(end.wait_status) && WEXITSTATUS(end.wait_status) == 0) return absl::OkStatus();
  return absl::UnavailableError(WIFEXITED(end.wait_status)
                                    ? absl::StrCat("ended with status ", WEXITSTATUS(end.wait_status))
                                    : absl::StrCat("was ended by signal ", WTERMSIG(end.wait_status)));
}

}  // namespace ccr
