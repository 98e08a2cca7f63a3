#include "client/cli/service/foreground_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

bool IsExecutable(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

std::atomic<int> noted = -1;  // where the handler writes
static_assert(std::atomic<int>::is_always_lock_free);

void Note(int number) {
  const int error = errno;
  const char byte = static_cast<char>(number);
  [[maybe_unused]] const ssize_t ignored = write(noted, &byte, 1);
  errno = error;
}

// The signals to this process, as bytes to read, while it lives. Handlers, since threads that block nothing may be
// there: a blocked signal would go to one of them and end the process.
class Signals {
 public:
  Signals() {
    if (pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
    noted = ends_[1];
    struct sigaction note {};
    note.sa_handler = Note;
    note.sa_flags = SA_RESTART;
    sigset_t taken;
    sigemptyset(&taken);
    for (size_t i = 0; i < kTaken.size(); ++i) {
      sigaction(kTaken[i], &note, &previous_[i]);
      sigaddset(&taken, kTaken[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &taken, &mask_);  // whoever started this process may have blocked them
  }
  ~Signals() {
    if (!ok()) return;
    Restore();
    for (const int end : ends_) close(end);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  bool ok() const { return ends_[0] >= 0; }

  void Restore() const {
    for (size_t i = 0; i < kTaken.size(); ++i) sigaction(kTaken[i], &previous_[i], nullptr);
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }

  std::string Await() const {
    pollfd source{ends_[0], POLLIN, 0};
    poll(&source, 1, -1);
    char numbers[64];
    const ssize_t count = read(ends_[0], numbers, sizeof numbers);
    return {numbers, static_cast<size_t>(std::max<ssize_t>(count, 0))};
  }

 private:
  static constexpr std::array kTaken = {SIGINT, SIGQUIT, SIGTSTP, SIGTERM, SIGHUP, SIGCHLD};

  std::array<int, 2> ends_ = {-1, -1};
  std::array<struct sigaction, kTaken.size()> previous_{};
  sigset_t mask_{};
};

// What became of the child. True when it has ended; a stop is taken over.
bool HasEnded(pid_t child, int* status) {
  while (waitpid(child, status, WNOHANG | WUNTRACED) == child) {
    if (!WIFSTOPPED(*status)) return true;
    raise(SIGSTOP);
    kill(child, SIGCONT);
  }
  return false;
}

int AwaitChild(pid_t child, const Signals& signals) {
  int status = 0;
  while (!HasEnded(child, &status)) {
    for (const char number : signals.Await()) {
      if (number == SIGTERM || number == SIGHUP) kill(child, number);
    }
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

std::string FindProgram(const std::string& name, const EnvLookup& env) {
  if (name.find('/') != std::string::npos) return IsExecutable(name) ? name : "";
  const std::string path = env("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  for (const absl::string_view folder : absl::StrSplit(path, ':')) {
    const std::string file = absl::StrCat(folder.empty() ? "." : folder, "/", name);
    if (IsExecutable(file)) return file;
  }
  return "";
}

absl::StatusOr<int> RunInForeground(const std::string& program, const std::vector<std::string>& arguments,
                                    const std::vector<std::string>& environment) {
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::vector<char*> argv = Pointers(words);
  const std::vector<char*> envp = Pointers(environment);
  std::signal(SIGCHLD, SIG_DFL);  // an ignored one would lose the exit status
  const Signals signals;
  if (!signals.ok()) return absl::InternalError(absl::StrCat("cannot open a pipe: ", std::strerror(errno)));
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &mask);  // what the child gets is noted here no more
  const pid_t child = fork();
  if (child == 0) {
    signals.Restore();
  } else {
    pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  }
  if (child < 0) return absl::InternalError(absl::StrCat("cannot start ", program, ": ", std::strerror(errno)));
  if (child == 0) {
    execve(program.c_str(), argv.data(), envp.data());
    const std::string complaint = absl::StrCat("ccr: cannot run ", program, ": ", std::strerror(errno), "\n");
    [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, complaint.data(), complaint.size());
    _exit(127);
  }
  return AwaitChild(child, signals);
}

}  // namespace ccr::cli
