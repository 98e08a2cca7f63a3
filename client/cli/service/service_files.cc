#include "client/cli/service/service_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "broker/base/address.h"
#include "broker/base/private_path.h"
#include "broker/base/secret.h"
#include "broker/config/config.h"

namespace ccr::cli {
namespace {

constexpr size_t kMaxDepth = 100;  // of folders that are made

struct flock WholeFile() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

bool IsStillAt(int fd, const std::string& path) {
  struct stat opened {};
  struct stat present {};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &present) == 0 && opened.st_dev == present.st_dev &&
         opened.st_ino == present.st_ino;
}

bool WriteAll(int fd, std::string_view text) {
  return write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

absl::Status FileError(const std::string& what, const std::string& path) {
  const char* hint = errno == EACCES || errno == EROFS ? "; --run-dir names another folder for it" : "";
  return absl::InternalError(absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno), hint));
}

absl::Status NotForThisUser(const std::string& path, const char* other_way) {
  return absl::PermissionDeniedError(absl::StrCat(path, ": permission denied for this user (uid ", getuid(),
                                                  "): run ccr as the user whose service it is", other_way));
}

std::string Parent(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

std::string Variable(const char* name) {
  return ProcessEnv()(name).value_or("");
}

// Where the files of a configuration are when nobody says.
std::string FolderFor(const std::string& config_path) {
  const std::string beside = Parent(config_path);
  if (access(beside.c_str(), W_OK) == 0 || errno == ENOENT) return beside;
  // Another user's service runs there, which is to be told.
  if (access((beside + "/.claude-code-router.pid").c_str(), F_OK) == 0) return beside;
  std::string state = Variable("XDG_STATE_HOME");
  if (state.empty() && !Variable("HOME").empty()) state = Variable("HOME") + "/.local/state";
  if (state.empty()) return beside;
  const std::string hash = absl::BytesToHexString(Sha256(config_path).substr(0, 8));
  return absl::StrCat(state, "/ccr/", hash);
}

}  // namespace

std::string EncodeAddresses(const ServiceAddresses& addresses) {
  boost::json::array listen;
  for (const std::string& address : addresses.broker_listen) listen.emplace_back(address);
  return boost::json::serialize(boost::json::object{{"broker", addresses.broker},
                                                    {"broker_listen", std::move(listen)},
                                                    {"broker_metrics", addresses.broker_metrics},
                                                    {"http", addresses.http},
                                                    {"metrics", addresses.metrics},
                                                    {"config", addresses.config}});
}

std::optional<ServiceAddresses> DecodeAddresses(std::string_view json) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse({json.data(), json.size()}, error);
  if (error || !value.is_object()) return std::nullopt;
  const auto text = [&value](const char* name) {
    const boost::json::value* field = value.get_object().if_contains(name);
    return field != nullptr && field->is_string() ? std::string(field->get_string()) : std::string();
  };
  ServiceAddresses addresses{text("broker"), text("broker_metrics"), text("http"), text("metrics"), text("config"), {}};
  const boost::json::value* listen = value.get_object().if_contains("broker_listen");
  if (listen == nullptr || !listen->is_array()) return addresses;
  for (const boost::json::value& address : listen->get_array()) {
    if (address.is_string()) addresses.broker_listen.emplace_back(address.get_string());
  }
  return addresses;
}

std::string Connectable(std::string_view address) {
  absl::StatusOr<HostPort> parsed = ParseHostPort(address);
  if (!parsed.ok()) return std::string(address);
  if (parsed->host == "0.0.0.0" || parsed->host == "*") parsed->host = "127.0.0.1";
  if (parsed->host == "::") parsed->host = "::1";
  return parsed->ToString();
}

ServiceFiles::ServiceFiles(const std::string& config_path, const std::string& run_dir)
    : config_path_(AbsolutePath(config_path)),
      folder_(run_dir.empty() ? FolderFor(config_path_) : AbsolutePath(run_dir)) {}

bool ServiceFiles::beside_config() const {
  return folder_ == Parent(config_path_);
}

absl::Status ServiceFiles::MakeFolder() const {
  std::error_code error;
  std::vector<std::string> missing;
  for (std::string path = folder_; !std::filesystem::exists(path, error) && missing.size() < kMaxDepth;) {
    missing.push_back(path);
    path = Parent(path);
  }
  for (auto path = missing.rbegin(); path != missing.rend(); ++path) {
    if (mkdir(path->c_str(), 0700) != 0 && errno != EEXIST) return FileError("make the folder", *path);
  }
  return absl::OkStatus();
}

absl::Status ServiceFiles::WriteAddresses(const ServiceAddresses& addresses) const {
  const std::string temporary = addr_path() + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return FileError("write", temporary);
  const bool written = WriteAll(fd, EncodeAddresses(addresses) + "\n");
  close(fd);
  if (!written || rename(temporary.c_str(), addr_path().c_str()) != 0) return FileError("write", addr_path());
  return absl::OkStatus();
}

std::optional<ServiceAddresses> ServiceFiles::ReadAddresses() const {
  std::ifstream file(addr_path());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return DecodeAddresses(text);
}

void ServiceFiles::RemoveAddresses() const {
  unlink(addr_path().c_str());
}

std::optional<RunningService> FindRunning(const ServiceFiles& files) {
  const int fd = open(files.pid_path().c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct flock lock = WholeFile();
  struct stat info {};
  const bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  fstat(fd, &info);
  close(fd);
  if (!held) return std::nullopt;
  return RunningService{lock.l_pid > 0 ? lock.l_pid : 0, absl::TimeFromTimespec(info.st_mtim),
                        files.ReadAddresses().value_or(ServiceAddresses{}).config};
}

absl::Status CheckUsable(const ServiceFiles& files) {
  struct stat info {};
  const std::string pid_path = files.pid_path();
  const bool is_known = stat(pid_path.c_str(), &info) == 0;
  if (!is_known && errno == EACCES) return NotForThisUser(files.folder(), "; --run-dir names another folder");
  if (is_known && access(pid_path.c_str(), R_OK | W_OK) != 0 && errno == EACCES) {
    return absl::PermissionDeniedError(absl::StrCat(pid_path,
                                                    ": permission denied: the service is another user's (uid ",
                                                    info.st_uid, "); name a configuration of your own with --config"));
  }
  const std::optional<RunningService> service = FindRunning(files);
  if (!service && access(files.config_path().c_str(), R_OK) != 0 && errno == EACCES) {
    return NotForThisUser(files.config_path(), "; name a configuration of your own with --config");
  }
  if (!service || service->config_path.empty() || service->config_path == files.config_path()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the service of ", files.folder(), " runs with ",
                                                    service->config_path, ", not with ", files.config_path(),
                                                    ": name that one with --config, or another folder with --run-dir"));
}

absl::StatusOr<PidFile> PidFile::Acquire(const ServiceFiles& files) {
  const std::string path = files.pid_path();
  while (true) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return FileError("write", path);
    PidFile file(path, fd);
    struct flock lock = WholeFile();
    if (fcntl(fd, F_SETLK, &lock) != 0) {
      file.path_.clear();
      if (errno == EACCES || errno == EAGAIN) return absl::AlreadyExistsError("ccr is already running");
      return FileError("lock", path);
    }
    if (!IsStillAt(fd, path)) {  // the one before us removed it between our open and our lock
      file.path_.clear();
      continue;
    }
    if (ftruncate(fd, 0) != 0 || !WriteAll(fd, absl::StrCat(getpid(), "\n"))) return FileError("write", path);
    return file;
  }
}

PidFile::PidFile(PidFile&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {
  other.path_.clear();
}

PidFile::~PidFile() {
  if (!path_.empty()) unlink(path_.c_str());
  if (fd_ >= 0) close(fd_);
}

}  // namespace ccr::cli
