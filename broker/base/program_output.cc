#include "broker/base/program_output.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "broker/base/file_descriptor.h"

namespace ccr {
namespace {

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// In a process group of its own, with the signals as they are for a new process, and only the descriptors it needs.
int Spawn(const Program& program, int out, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  const absl::Cleanup destroy = [&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  };
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  if (!program.folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, program.folder.c_str());
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  return posix_spawnp(pid, program.argv[0].c_str(), &actions, &attributes, Pointers(program.argv).data(),
                      Pointers(program.environment).data());
}

// What is there to read, up to the end of `space`; how many bytes.
size_t Take(int fd, char* space, size_t size) {
  size_t taken = 0;
  while (taken < size) {
    const ssize_t got = read(fd, space + taken, size - taken);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    taken += static_cast<size_t>(got);
  }
  return taken;
}

// Reads until the program ended or there is no more space; false when it took too long. Where the kernel knows no
// descriptors of processes (`program` is -1), the end of its output is its end.
bool Await(int program, int out, absl::Time deadline, char* space, size_t size, size_t* taken) {
  bool open = true;
  while (*taken < size) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    std::array<pollfd, 2> events = {{{program, POLLIN, 0}, {open ? out : -1, POLLIN, 0}}};
    const int64_t wait = absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)));
    if (poll(events.data(), events.size(), static_cast<int>(std::min<int64_t>(wait, 1'000'000))) < 0) continue;
    const size_t got = Take(out, space + *taken, size - *taken);
    *taken += got;
    if (events[0].revents != 0) return true;
    if (events[1].revents != 0 && got == 0) open = false;
    if (!open && program < 0) return true;
  }
  return true;
}

absl::Status Verdict(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::UnavailableError(
      WIFEXITED(status) ? absl::StrCat("failed with exit status ", WEXITSTATUS(status), ": run it yourself to see why")
                        : absl::StrCat("was ended by signal ", WTERMSIG(status)));
}

}  // namespace

absl::StatusOr<Secret> OutputOf(const Program& program, size_t max_bytes, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot be run");
  const FileDescriptor out(ends[0]);
  FileDescriptor in(ends[1]);
  fcntl(out.get(), F_SETFL, O_NONBLOCK);
  pid_t pid = 0;
  if (const int error = Spawn(program, in.get(), &pid); error != 0) {
    return absl::NotFoundError(absl::StrCat("cannot be run: ", std::strerror(error)));
  }
  in.Close();
  const FileDescriptor watched(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  size_t taken = 0;
  bool in_time = false;
  const Secret all = Secret::Filled(max_bytes + 1, [&](char* space) {
    in_time = Await(watched.get(), out.get(), deadline, space, max_bytes + 1, &taken);
  });
  if (!in_time || taken > max_bytes) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (!in_time) {
    return absl::DeadlineExceededError(absl::StrCat("did not end within ", absl::FormatDuration(patience)));
  }
  if (taken > max_bytes) return absl::InvalidArgumentError(absl::StrCat("wrote more than ", max_bytes, " bytes"));
  if (const absl::Status verdict = Verdict(status); !verdict.ok()) return verdict;
  return Secret(all.Reveal().substr(0, taken));
}

}  // namespace ccr
