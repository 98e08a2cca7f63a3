#include "client/cli/foreground_child.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

bool IsExecutable(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

// What became of the child. True when it has ended; a stop is taken over.
bool HasEnded(pid_t child, int* status) {
  while (waitpid(child, status, WNOHANG | WUNTRACED) == child) {
    if (!WIFSTOPPED(*status)) return true;
    raise(SIGSTOP);
    kill(child, SIGCONT);
  }
  return false;
}

// Woken by the child's end itself: another thread of this process may be the one that SIGCHLD goes to.
int AwaitChild(pid_t child, int signals) {
  const int end = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  const absl::Cleanup close_end = [end] { close(end); };
  int status = 0;
  while (!HasEnded(child, &status)) {
    std::array<pollfd, 2> sources = {{{signals, POLLIN, 0}, {end, POLLIN, 0}}};
    poll(sources.data(), sources.size(), -1);
    if ((sources[0].revents & POLLIN) == 0) continue;
    signalfd_siginfo signal{};
    if (read(signals, &signal, sizeof signal) != sizeof signal) continue;
    if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGHUP) kill(child, static_cast<int>(signal.ssi_signo));
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
  sigset_t mask;
  sigset_t previous;
  sigemptyset(&mask);
  for (const int number : {SIGINT, SIGQUIT, SIGTSTP, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&mask, number);
  sigprocmask(SIG_BLOCK, &mask, &previous);
  std::signal(SIGCHLD, SIG_DFL);  // an ignored one would lose the exit status
  const int signals = signalfd(-1, &mask, SFD_CLOEXEC);
  const absl::Cleanup restore = [signals, &mask, &previous] {
    // A Ctrl-C that ended the program is not to end this process.
    for (const timespec at_once{}; sigtimedwait(&mask, nullptr, &at_once) > 0;) {
    }
    close(signals);
    sigprocmask(SIG_SETMASK, &previous, nullptr);
  };
  const pid_t child = fork();
  if (child < 0) return absl::InternalError(absl::StrCat("cannot start ", program, ": ", std::strerror(errno)));
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &previous, nullptr);
    execve(program.c_str(), argv.data(), envp.data());
    const std::string complaint = absl::StrCat("ccr: cannot run ", program, ": ", std::strerror(errno), "\n");
    [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, complaint.data(), complaint.size());
    _exit(127);
  }
  return AwaitChild(child, signals);
}

}  // namespace ccr::cli
