#include "broker/config/secret_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/file_content.h"
#include "broker/config/vault_config.h"

namespace ccr {
namespace {

constexpr mode_t kWorldReadable = 04;

// Texts one after the other, so that no two lists give the same.
void Append(std::string_view text, std::string* out) {
  absl::StrAppend(out, text.size(), ":", ToAbsl(text));
}

std::string VaultId(const VaultConfig& vault) {
  std::string id = absl::StrCat(static_cast<int>(vault.login), " ", absl::ToInt64Nanoseconds(vault.refresh));
  for (const std::string* part : {&vault.address, &vault.name_space, &vault.ca_file, &vault.mount, &vault.token_file,
                                  &vault.role_id, &vault.secret_id_file, &vault.role, &vault.jwt_file}) {
    Append(*part, &id);
  }
  return id;
}

}  // namespace

std::string SecretSource::Name() const {
  if (kind == Kind::kFile) return "key file " + path;
  if (kind == Kind::kExec) return "exec " + std::filesystem::path(argv[0]).filename().string();
  return absl::StrCat("vault ", vault_path, "#", vault_field);
}

std::string SecretSource::Id() const {
  std::string id = std::to_string(static_cast<int>(kind));
  if (kind == Kind::kFile) {
    Append(path, &id);
  } else if (kind == Kind::kExec) {
    for (const std::string& word : argv) Append(word, &id);
    id += " with ";
    for (const std::string& variable : environment) Append(variable, &id);
    absl::StrAppend(&id, " in ", folder, " ", absl::ToInt64Nanoseconds(ttl));
  } else {
    Append(vault_path, &id);
    Append(vault_field, &id);
    id += VaultId(*vault);
  }
  return id;
}

std::string KeyProblem(std::string_view key) {
  if (key.empty())
    return "the key is empty: write the key (where the server asks for none, any text), or remove this entry";
  if (key.size() > kMaxKeyBytes) return absl::StrCat("the key is longer than ", kMaxKeyBytes, " bytes");
  const auto printable = [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); };
  if (std::all_of(key.begin(), key.end(), printable)) return "";
  return "the key holds a space, a control character or one beyond ASCII: copy it again";
}

absl::StatusOr<KeyLines> SplitKeys(std::string_view text) {
  KeyLines lines;
  std::unordered_set<std::string_view> seen;
  int number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view key = ToStd(absl::StripAsciiWhitespace(ToAbsl(text.substr(0, end))));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (key.empty() || key.starts_with('#')) continue;
    const std::string problem = KeyProblem(key);
    if (!problem.empty()) return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", problem));
    if (!seen.insert(key).second) {
      ++lines.duplicates;
      continue;
    }
    if (lines.keys.size() == kMaxProviderKeys) {
      return absl::InvalidArgumentError(absl::StrCat("holds more than ", kMaxProviderKeys, " keys: split it"));
    }
    lines.keys.push_back(key);
  }
  if (lines.keys.empty()) return absl::InvalidArgumentError("holds no key: it is empty");
  return lines;
}

absl::StatusOr<SecretReading> FileReader::Read(const SecretSource& source) {
  absl::StatusOr<FileContent> content = ReadFileContent(source.path, kMaxSourceBytes);
  if (!content.ok()) return content.status();
  SecretReading reading;
  reading.text = std::move(content->text);
  if (content->mode & kWorldReadable) {
    reading.warnings.push_back("every user can read the key file: run chmod 600 " + source.path);
  }
  return reading;
}

std::string FileReader::Stamp(const SecretSource& source) const {
  struct stat info = {};
  if (stat(source.path.c_str(), &info) != 0) return "none";
  return absl::StrCat(info.st_dev, ".", info.st_ino, ".", info.st_size, ".", info.st_mode, ".", info.st_mtim.tv_sec,
                      ".", info.st_mtim.tv_nsec, ".", info.st_ctim.tv_sec, ".", info.st_ctim.tv_nsec);
}

SecretAnswer FilesOnly::Resolve(const SecretSource& source) {
  if (source.kind != SecretSource::Kind::kFile) return {};
  absl::StatusOr<SecretReading> reading = FileReader().Read(source);
  absl::Status status = reading.status();
  if (status.ok()) status = SplitKeys(reading->text.Reveal()).status();
  if (!status.ok()) return {SecretAnswer::State::kFailed, std::nullopt, std::string(status.message()), {}};
  return {SecretAnswer::State::kRead, std::move(reading->text), "", std::move(reading->warnings)};
}

}  // namespace ccr
