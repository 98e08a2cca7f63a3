#include "broker/base/master_key_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "broker/base/absl_text.h"
#include "broker/base/file_content.h"
#include "broker/base/file_descriptor.h"
#include "broker/base/private_path.h"

namespace ccr {
namespace {

constexpr size_t kMaxFileBytes = 4096;
constexpr size_t kTextBytes = sodium_base64_ENCODED_LEN(kMasterKeyBytes, sodium_base64_VARIANT_ORIGINAL) - 1;
constexpr mode_t kNotForOthers = S_IWGRP | S_IRWXO;

// With a final newline.
Secret Encoded(const Secret& key) {
  return Secret::Filled(kTextBytes + 1, [&key](char* out) {
    sodium_bin2base64(out, kTextBytes + 1, reinterpret_cast<const unsigned char*>(key.Reveal().data()), kMasterKeyBytes,
                      sodium_base64_VARIANT_ORIGINAL);
    out[kTextBytes] = '\n';
  });
}

absl::Status CannotMake(const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot make the master key ", path));
}

// A name in a folder is on the disk when the folder is.
bool SyncFolder(const std::string& folder) {
  const FileDescriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.valid() && fsync(fd.get()) == 0;
}

// Of who owns the folder, when root makes it: a service that does not run as root must be able to read it.
bool GiveToOwner(int fd, const std::string& folder) {
  struct stat info = {};
  if (geteuid() != 0 || stat(folder.c_str(), &info) != 0 || info.st_uid == 0) return true;
  return fchown(fd, info.st_uid, info.st_gid) == 0;
}

std::string FolderOf(const std::string& path) {
  return std::filesystem::path(AbsolutePath(path)).parent_path().string();
}

}  // namespace

absl::StatusOr<Secret> DecodeMasterKey(std::string_view text) {
  text = ToStd(absl::StripAsciiWhitespace(ToAbsl(text)));
  bool decoded = text.size() == kTextBytes;
  Secret key = Secret::Filled(kMasterKeyBytes, [&](char* out) {
    size_t size = 0;
    const char* end = nullptr;
    decoded = decoded &&
              sodium_base642bin(reinterpret_cast<unsigned char*>(out), kMasterKeyBytes, text.data(), text.size(),
                                nullptr, &size, &end, sodium_base64_VARIANT_ORIGINAL) == 0 &&
              size == kMasterKeyBytes && end == text.data() + text.size();
  });
  if (decoded && Encoded(key).Reveal().substr(0, kTextBytes) == text) return key;
  return absl::InvalidArgumentError(absl::StrCat(
      "is not ", kMasterKeyBytes, " random bytes as base64 (", kTextBytes, " characters, as of openssl rand -base64 ",
      kMasterKeyBytes, "), but has ", text.size(), text.size() == 1 ? " character" : " characters"));
}

absl::StatusOr<Secret> ReadMasterKeyFile(const std::string& path) {
  const std::string name = absl::StrCat("the master key ", path, " ");
  const auto with_name = [&name](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(name, status.message()));
  };
  const absl::StatusOr<FileContent> content = ReadFileContent(path, kMaxFileBytes);
  if (!content.ok()) return with_name(content.status());
  if (content->mode & kNotForOthers) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "%sis not secret: other users can read or change it (mode %04o): run chmod 600 %s, and make a new one if one "
        "of them may have read it",
        name, content->mode, path));
  }
  if (content->owner != geteuid() && content->owner != 0 && geteuid() != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(name, "belongs to another user (uid ", content->owner, "): use one of your own"));
  }
  if (const absl::Status kept = CheckPrivateFolder(FolderOf(path), /*allow_sticky=*/true); !kept.ok()) {
    return absl::PermissionDeniedError(absl::StrCat(name, "can be replaced: ", kept.message()));
  }
  absl::StatusOr<Secret> key = DecodeMasterKey(content->text.Reveal());
  if (key.ok()) return key;
  return with_name(key.status());
}

absl::Status MakeMasterKeyFile(const std::string& path, const Sealer::Random& random) {
  const std::string folder = FolderOf(path);
  std::string written = absl::StrCat(path, ".XXXXXX");
  const FileDescriptor fd(mkostemp(written.data(), O_CLOEXEC));
  if (!fd.valid()) return CannotMake(path);
  const absl::Cleanup remove_it = [&written] { unlink(written.c_str()); };
  const Secret text = Encoded(Secret(random(kMasterKeyBytes)));
  const auto size = static_cast<ssize_t>(text.Reveal().size());
  if (fchmod(fd.get(), 0600) != 0 || write(fd.get(), text.Reveal().data(), text.Reveal().size()) != size ||
      !GiveToOwner(fd.get(), folder) || fsync(fd.get()) != 0) {
    return CannotMake(path);
  }
  // Takes the name only when nobody has it.
  if (link(written.c_str(), path.c_str()) != 0) {
    if (errno != EEXIST) return CannotMake(path);
    return absl::AlreadyExistsError(absl::StrCat(path, " is there already, and stays as it is"));
  }
  return SyncFolder(folder) ? absl::OkStatus() : CannotMake(path);
}

}  // namespace ccr
