#include "broker/adapters/sources/vault_client.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/file_content.h"

namespace ccr {
namespace {

constexpr size_t kMaxFileBytes = 65536;
constexpr absl::Duration kSoonest = absl::Seconds(1);
constexpr double kRenewAfter = 2.0 / 3;
constexpr double kWorthwhile = 1.0 / 3;  // of what was granted at first: a lease that is renewed for less nears its end
constexpr absl::Duration kSilence = absl::Seconds(1);
constexpr int kFirstGood = 200;
constexpr int kFirstNotGood = 300;

std::string_view Trimmed(const Secret& text) {
  return ToStd(absl::StripAsciiWhitespace(ToAbsl(text.Reveal())));
}

// What a login needs, from its file.
absl::StatusOr<Secret> ReadLoginFile(const std::string& path) {
  absl::StatusOr<FileContent> content = ReadFileContent(path, kMaxFileBytes);
  if (!content.ok()) {
    return absl::Status(content.status().code(),
                        absl::StrCat("needs a login, and ", path, " ", content.status().message()));
  }
  const auto sound = [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '"' && c != '\\'; };
  const std::string_view text = Trimmed(content->text);
  if (text.empty() || !std::all_of(text.begin(), text.end(), sound)) {
    return absl::InvalidArgumentError(
        absl::StrCat("needs a login, and ", path, text.empty() ? " is empty" : " holds what is no token or secret id"));
  }
  return Secret(text);
}

// {"name": "value", "secret_name": "..."}; `secret` as ReadLoginFile gives it.
Secret JsonOf(const char* name, const std::string& value, const char* secret_name, const Secret& secret) {
  const std::string head =
      absl::StrCat("{\"", name, "\":", boost::json::serialize(boost::json::string(value)), ",\"", secret_name, "\":\"");
  std::string text;
  text.reserve(head.size() + secret.Reveal().size() + 2);
  text.append(head).append(secret.Reveal()).append("\"}");
  return Secret(std::move(text));
}

Secret Header(std::string_view name, std::string_view value) {
  std::string line;
  line.reserve(name.size() + value.size() + 2);
  line.append(name).append(": ").append(value);
  return Secret(std::move(line));
}

bool IsRefused(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsInvalidArgument(status);
}

}  // namespace

VaultClient::VaultClient(VaultConfig config, std::string ca_file, const Clock* clock, const StopEvent* stop)
    : config_(std::move(config)), ca_file_(std::move(ca_file)), clock_(clock), stop_(stop) {}

absl::StatusOr<SecretReading> VaultClient::Read(const std::string& path, const std::string& field) {
  MutexLock lock(mutex_);
  const bool had_token = !token_.empty();
  absl::StatusOr<SecretReading> reading = ReadLocked(path, field);
  // Of a token that was revoked or has expired nobody tells.
  if (!absl::IsPermissionDenied(reading.status()) || !had_token) return reading;
  token_ = Secret();
  return ReadLocked(path, field);
}

absl::StatusOr<SecretReading> VaultClient::ReadLocked(const std::string& path, const std::string& field) {
  if (const absl::Status ready = HaveToken(); !ready.ok()) return ready;
  const auto held = held_.find(absl::StrCat(path, "#", field));
  if (held != held_.end()) {
    if (clock_->Now() < held->second.renew_at) return Reading(held->second.value, held->second.renew_at);
    const absl::StatusOr<bool> goes_on = RenewLease(&held->second);
    if (!goes_on.ok()) return goes_on.status();
    if (*goes_on) return Reading(held->second.value, held->second.renew_at);
  }
  return Fetch(path, field);
}

SecretReading VaultClient::Reading(const Secret& value, absl::Time again) {
  SecretReading reading;
  reading.text = value.Clone();
  reading.valid_for = std::max(std::min(again, renew_token_at_) - clock_->Now(), kSoonest);
  return reading;
}

absl::StatusOr<SecretReading> VaultClient::Fetch(const std::string& path, const std::string& field) {
  const std::string name = absl::StrCat(path, "#", field);
  absl::StatusOr<Secret> body = Ask(path, Secret());
  if (!body.ok()) return body.status();
  absl::StatusOr<VaultSecret> secret = ReadVaultSecret(*body, field);
  if (!secret.ok()) return secret.status();
  if (secret->lease.id.empty()) {
    held_.erase(name);
    return Reading(secret->value, clock_->Now() + config_.refresh);
  }
  Held& held = held_[name];
  held.value = std::move(secret->value);
  held.lease = std::move(secret->lease);
  held.granted = held.lease.duration;
  held.renew_at = clock_->Now() + held.granted * kRenewAfter;
  return Reading(held.value, held.renew_at);
}

absl::StatusOr<bool> VaultClient::RenewLease(Held* held) {
  if (!held->lease.renewable) return false;
  const int64_t seconds = absl::ToInt64Seconds(held->granted);
  const absl::StatusOr<Secret> body =
      Ask("sys/leases/renew",
          Secret(boost::json::serialize(boost::json::object{{"lease_id", held->lease.id}, {"increment", seconds}})));
  if (IsRefused(body.status()) || absl::IsNotFound(body.status())) return false;
  if (!body.ok()) return body.status();
  const absl::StatusOr<VaultLease> lease = ReadVaultLease(*body);
  if (!lease.ok()) return lease.status();
  held->renew_at = clock_->Now() + lease->duration * kRenewAfter;
  return lease->duration >= held->granted * kWorthwhile;
}

absl::Status VaultClient::HaveToken() {
  if (config_.login == VaultConfig::Login::kToken) {
    const absl::StatusOr<Secret> now = ReadLoginFile(config_.token_file);
    if (now.ok() && now->Reveal() != from_file_.Reveal()) token_ = Secret();
  }
  if (token_.empty()) return LogIn();
  if (clock_->Now() < renew_token_at_) return absl::OkStatus();
  const absl::Status renewed = RenewToken();
  if (IsRefused(renewed)) return LogIn();
  return renewed;
}

absl::Status VaultClient::LogIn() {
  token_ = Secret();
  if (config_.login == VaultConfig::Login::kToken) return TakeTokenFile();
  const bool approle = config_.login == VaultConfig::Login::kAppRole;
  const absl::StatusOr<Secret> secret = ReadLoginFile(approle ? config_.secret_id_file : config_.jwt_file);
  if (!secret.ok()) return secret.status();
  const absl::StatusOr<Secret> body = Ask(absl::StrCat("auth/", config_.mount, "/login"),
                                          approle ? JsonOf("role_id", config_.role_id, "secret_id", *secret)
                                                  : JsonOf("role", config_.role, "jwt", *secret));
  if (!body.ok()) return body.status();
  absl::StatusOr<VaultToken> token = ReadVaultToken(*body);
  if (!token.ok()) return token.status();
  if (token->token.empty()) return absl::UnavailableError("has let us in without a token");
  Keep(*std::move(token));
  return absl::OkStatus();
}

absl::Status VaultClient::TakeTokenFile() {
  absl::StatusOr<Secret> token = ReadLoginFile(config_.token_file);
  if (!token.ok()) return token.status();
  from_file_ = token->Clone();
  token_ = *std::move(token);
  const absl::StatusOr<Secret> body = Ask("auth/token/lookup-self", Secret());
  // A token may be allowed to read, and not to look at itself: then it is not renewed.
  const bool silent = absl::IsPermissionDenied(body.status());
  absl::StatusOr<VaultToken> known = silent      ? VaultToken()
                                     : body.ok() ? ReadVaultToken(*body)
                                                 : absl::StatusOr<VaultToken>(body.status());
  if (!known.ok()) {
    token_ = Secret();
    return known.status();
  }
  Keep(*std::move(known));
  return absl::OkStatus();
}

absl::Status VaultClient::RenewToken() {
  if (!token_lease_.renewable) {
    // Its last third is used up; another one is had by another login, or never.
    if (config_.login != VaultConfig::Login::kToken) return LogIn();
    renew_token_at_ = absl::InfiniteFuture();
    return absl::OkStatus();
  }
  const absl::StatusOr<Secret> body = Ask("auth/token/renew-self", Secret("{}"));
  if (!body.ok()) return body.status();
  absl::StatusOr<VaultToken> token = ReadVaultToken(*body);
  if (!token.ok()) return token.status();
  const bool nears_its_end = token->lease.duration < token_lease_.duration * kWorthwhile;
  if (nears_its_end && config_.login != VaultConfig::Login::kToken) return LogIn();
  Keep(*std::move(token));
  return absl::OkStatus();
}

void VaultClient::Keep(VaultToken token) {
  if (!token.token.empty()) token_ = std::move(token.token);
  token_lease_ = std::move(token.lease);
  const absl::Duration duration = token_lease_.duration;
  renew_token_at_ = duration > absl::ZeroDuration() ? clock_->Now() + std::max(duration * kRenewAfter, kSoonest)
                                                    : absl::InfiniteFuture();
}

absl::StatusOr<Secret> VaultClient::Ask(const std::string& path, Secret body) {
  if (clock_->Now() < silent_until_) return silence_;
  HttpRequest request;
  request.url = absl::StrCat(config_.address, "/v1/", EscapePath(path));
  request.headers.push_back(Header("X-Vault-Request", "true"));
  if (!config_.name_space.empty()) request.headers.push_back(Header("X-Vault-Namespace", config_.name_space));
  if (!token_.empty()) request.headers.push_back(Header("X-Vault-Token", token_.Reveal()));
  request.body = std::move(body);
  request.ca_file = config_.ca_file.empty() ? ca_file_ : config_.ca_file;
  absl::StatusOr<HttpAnswer> answer = CallHttp(request, *stop_);
  if (!answer.ok()) {
    silence_ =
        absl::Status(answer.status().code(), absl::StrCat("at ", config_.address, " ", answer.status().message()));
    silent_until_ = clock_->Now() + kSilence;
    return silence_;
  }
  if (answer->status >= kFirstGood && answer->status < kFirstNotGood) return std::move(answer->body);
  return VaultFailure(answer->status, answer->body, path);
}

}  // namespace ccr
