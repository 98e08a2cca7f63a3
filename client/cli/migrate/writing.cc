#include "client/cli/migrate/writing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/config/config_writer.h"
#include "client/cli/migrate/config_text.h"
#include "client/cli/service/service_files.h"

namespace ccr::cli::migration {
namespace {

constexpr mode_t kForOthers = 077;
constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr size_t kFilesSyncedEach = 32;  // 5 ms each; more wait once, for the whole file system

struct KeyFile {
  std::string path;
  std::string_view text;  // of the draft
};

std::string FolderOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

std::vector<KeyFile> KeyFilesOf(const Draft& draft, const std::string& config_path) {
  const std::string folder = FolderOf(config_path) + "/";
  std::vector<KeyFile> files;
  if (!draft.client_token_file.empty()) {
    files.push_back({folder + draft.client_token_file, draft.client_token->text.Reveal()});
  }
  for (const ProviderDraft& provider : draft.providers) {
    for (const KeyDraft& key : provider.keys) {
      if (!key.file.empty()) files.push_back({folder + key.file, key.key.text.Reveal()});
    }
  }
  return files;
}

bool IsThere(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", std::strerror(error)));
}

absl::Status CheckKeyFolder(const std::string& folder) {
  struct stat info {};
  if (lstat(folder.c_str(), &info) != 0) return absl::OkStatus();
  if (!S_ISDIR(info.st_mode)) {
    return absl::AlreadyExistsError(folder + " is there and no folder: move it away, or write elsewhere with --output");
  }
  if (info.st_uid == geteuid() && (info.st_mode & kForOthers) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(folder +
                                     " is to hold the keys, and others may enter it or own it: run chmod 700 " +
                                     folder + ", or write elsewhere with --output");
}

// With `sync`, the file is on the disk when it returns.
absl::Status WriteNew(const std::string& path, std::string_view text, bool sync) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kFileMode);
  if (fd < 0 && errno == EEXIST) return absl::AlreadyExistsError(path + " is there already");
  if (fd < 0) return CannotWrite(path, errno);
  int error = 0;
  while (error == 0 && !text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && (fchmod(fd, kFileMode) != 0 || (sync && fsync(fd) != 0))) error = errno;
  close(fd);
  if (error == 0) return absl::OkStatus();
  unlink(path.c_str());
  return CannotWrite(path, error);
}

// Replaces what is at `path`.
absl::Status WriteOver(const std::string& path, std::string_view text, bool sync) {
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  if (absl::Status written = WriteNew(temporary, text, sync); !written.ok()) return written;
  if (rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  unlink(temporary.c_str());
  return CannotWrite(path, error);
}

// Removes the files it was told of, unless they are kept.
class NewFiles {
 public:
  ~NewFiles() {
    for (const std::string& path : paths_) unlink(path.c_str());
  }
  NewFiles() = default;
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;

  void Add(std::string path) { paths_.push_back(std::move(path)); }
  void Keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

// The folder alone, or all of its file system.
absl::Status SyncFolder(const std::string& folder, bool all = false) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return CannotWrite(folder, errno);
  const bool synced = (all ? syncfs(fd) : fsync(fd)) == 0;
  const int error = errno;
  close(fd);
  return synced ? absl::OkStatus() : CannotWrite(folder, error);
}

absl::Status WriteKeys(const std::vector<KeyFile>& files, const std::string& folder, NewFiles* fresh) {
  if (files.empty()) return absl::OkStatus();
  if (mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) return CannotWrite(folder, errno);
  if (absl::Status fit = CheckKeyFolder(folder); !fit.ok()) return fit;
  const bool sync_each = files.size() <= kFilesSyncedEach;
  for (const KeyFile& file : files) {
    const bool was_there = IsThere(file.path);
    absl::Status written =
        was_there ? WriteOver(file.path, file.text, sync_each) : WriteNew(file.path, file.text, sync_each);
    if (!written.ok()) return written;
    if (!was_there) fresh->Add(file.path);
  }
  return SyncFolder(folder, !sync_each);
}

absl::Status WriteConfig(const std::string& path, const std::string& text) {
  if (!IsThere(path)) return WriteNew(path, text, true);
  absl::StatusOr<ConfigWriter> old = ConfigWriter::Open(path);
  return old.ok() ? old->Replace(text) : old.status();
}

}  // namespace

absl::Status CheckPlaces(const Draft& draft, const std::string& config_path, bool force) {
  constexpr char kHint[] =
      " is there already, and stays as it is: write elsewhere with --output, or over it with --force";
  if (!force && IsThere(config_path)) return absl::AlreadyExistsError(config_path + kHint);
  const std::vector<KeyFile> files = KeyFilesOf(draft, config_path);
  if (files.empty()) return absl::OkStatus();
  for (const KeyFile& file : files) {
    if (!force && IsThere(file.path)) return absl::AlreadyExistsError(file.path + kHint);
  }
  return CheckKeyFolder(absl::StrCat(FolderOf(config_path), "/", kKeyFolder));
}

absl::Status Write(const Draft& draft, const std::string& text, const std::string& config_path, bool force) {
  if (absl::Status fit = CheckPlaces(draft, config_path, force); !fit.ok()) return fit;
  const std::string folder = FolderOf(config_path);
  if (absl::Status made = ServiceFiles(config_path, folder).MakeFolder(); !made.ok()) return made;
  NewFiles fresh;
  absl::Status written = WriteKeys(KeyFilesOf(draft, config_path), absl::StrCat(folder, "/", kKeyFolder), &fresh);
  if (written.ok()) written = WriteConfig(config_path, text);
  if (!written.ok()) return written;
  fresh.Keep();
  return SyncFolder(folder);
}

}  // namespace ccr::cli::migration
