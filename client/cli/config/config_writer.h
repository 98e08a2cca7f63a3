// Replaces a configuration file so that at every moment, whatever fails, either the old or the new one is there whole.
#pragma once

#include <sys/stat.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/base/secret.h"

namespace ccr::cli {

// A file, read and locked against other processes that use this class. Links are followed: the file they lead to is
// the one replaced, in its own folder.
class ConfigWriter {
 public:
  // NotFound, PermissionDenied, InvalidArgument: the message names the file.
  static absl::StatusOr<ConfigWriter> Open(const std::string& path);

  ConfigWriter(ConfigWriter&& other) noexcept;
  ConfigWriter& operator=(ConfigWriter&&) = delete;
  ~ConfigWriter();

  const Secret& text() const { return text_; }
  const std::string& path() const { return path_; }  // of the file itself, not of a link to it
  std::string backup_path() const { return path_ + ".bak"; }

  // The old text goes into the backup, the new one into the file, each by a synced file that is renamed into place.
  // Mode 0600 or what of it the file had, and the same owner. Aborted when somebody else changed the file since Open.
  absl::Status Replace(const std::string& text);

 private:
  ConfigWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  absl::Status Put(const std::string& path, const std::string& text) const;

  std::string path_;
  int fd_;
  struct stat info_ {};
  Secret text_;
};

}  // namespace ccr::cli
