// Counts the `ccr code` sessions that use one service, so that the last one ends what the first one started.
//
// The file .claude-code-router.sessions beside the configuration carries two locks, which the kernel gives back however
// their process ends: one is held by each session for its whole life, shared, and one for as long as a session begins
// or ends. Its text names the service that a session started.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/service/service_files.h"

namespace ccr::cli {

// Whether `service` is the one that a session started.
bool StartedBySession(const ServiceFiles& files, const RunningService& service);

class SessionLock {
 public:
  // Waits while another session begins or ends.
  static absl::StatusOr<SessionLock> Begin(const ServiceFiles& files);

  SessionLock(SessionLock&& other) noexcept;
  SessionLock& operator=(SessionLock&&) = delete;
  ~SessionLock();  // gives up both locks

  // `service` was started by a session.
  absl::Status Own(const RunningService& service) const;

  // The beginning is over; others may begin or end.
  void BeDone() const;

  // Waits as Begin does, then gives up this session's place. True when no session is left. Stop the service before this
  // object is destroyed: until then nobody begins.
  bool EndsLast() const;

 private:
  explicit SessionLock(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace ccr::cli
