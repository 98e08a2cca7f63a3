#include "proxy/upstream/transfer.h"

#include <string.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/upstream/curl_error.h"

namespace ccr::proxy {
namespace {

// Bodies up to this size leave together with the head; curl copies them.
constexpr size_t kSmallBody = 64 * 1024;
// With curl's own byte behind it this is what allocators still keep at hand per thread: curl takes one per transfer.
constexpr long kReadBuffer = 32 * 1024 - 1;
// From here on curl would wait for "100 Continue" by itself.
constexpr size_t kExpectsContinue = 1024 * 1024;

SteadyTime After(SteadyTime from, absl::Duration timeout) {
  if (timeout == absl::ZeroDuration() || timeout >= absl::Hours(24 * 365)) return SteadyTime::max();
  return from + absl::ToChronoNanoseconds(timeout);
}

template <typename Function>
void SetCallback(CURL* easy, CURLoption function_option, Function function, CURLoption data_option, void* data) {
  curl_easy_setopt(easy, function_option, function);
  curl_easy_setopt(easy, data_option, data);
}

}  // namespace

UpstreamClient::Transfer::Transfer(const Options& options) : easy_(curl_easy_init()), url_(curl_url()) {
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  // Authorities from one file only: with a folder too, curl would read them all again for every connection (40 ms).
  curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  if (!options.ca_file.empty()) curl_easy_setopt(easy_, CURLOPT_CAINFO, options.ca_file.c_str());
  curl_easy_setopt(easy_, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy_, CURLOPT_NOPROXY, "");
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy_, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 1L);
  curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, kReadBuffer);
  SetCallback(easy_, CURLOPT_HEADERFUNCTION, &Transfer::OnHeader, CURLOPT_HEADERDATA, this);
  SetCallback(easy_, CURLOPT_WRITEFUNCTION, &Transfer::OnBody, CURLOPT_WRITEDATA, this);
  SetCallback(easy_, CURLOPT_READFUNCTION, &Transfer::OnUpload, CURLOPT_READDATA, this);
  SetCallback(easy_, CURLOPT_SEEKFUNCTION, &Transfer::OnSeek, CURLOPT_SEEKDATA, this);
}

UpstreamClient::Transfer::~Transfer() {
  curl_easy_cleanup(easy_);
  curl_url_cleanup(url_);
}

void UpstreamClient::Transfer::Begin(UpstreamRequest request, UpstreamHandler* handler, SteadyTime now) {
  request_ = std::move(request);
  handler_ = handler;
  started_ = uploaded_at_ = now;
  read_at_ = first_byte_at_ = SteadyTime::min();
  piece_ = offset_ = 0;
  expected_ = -1;
  received_ = 0;
  paused_ = curl_paused_ = false;
  SetMethod();
  SetBody();
  SetHeaders();
  SetUrl();
  if (proxy_url_ != request_.proxy_url) {
    proxy_url_ = request_.proxy_url;
    curl_easy_setopt(easy_, CURLOPT_PROXY, proxy_url_->c_str());
  }
  const auto connect_ms = std::clamp<int64_t>(absl::ToInt64Milliseconds(request_.connect_timeout), 0, 86'400'000);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms));
  next_check_ = std::min(
      {After(now, request_.total_timeout), After(now, request_.first_byte_timeout), After(now, request_.idle_timeout)});
}

void UpstreamClient::Transfer::End() {
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, nullptr);
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, nullptr);
  headers_.Clear();
  head_.Clear();
  joined_.clear();
  request_ = {};
  handler_ = nullptr;
}

// Curl is given the URL in parts as well, so that it does not take it apart and together again for each request. A
// request that must not leave gets a URL that cannot be opened.
void UpstreamClient::Transfer::SetUrl() {
  const std::string url = headers_.broken() ? std::string() : request_.url;
  if (set_url_ == url) return;
  set_url_ = url;
  const unsigned flags = CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS;
  const bool parsed = curl_url_set(url_, CURLUPART_URL, url.c_str(), flags) == CURLUE_OK;
  curl_easy_setopt(easy_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy_, CURLOPT_CURLU, parsed ? url_ : nullptr);
}

void UpstreamClient::Transfer::SetMethod() {
  const std::string& method = request_.method;
  if (method == "POST" || method == "PUT" || method == "PATCH") request_.has_body = true;
  curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);  // also takes back NOBODY and POST
  const char* custom = nullptr;
  if (method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  } else if (request_.has_body) {
    curl_easy_setopt(easy_, CURLOPT_POST, 1L);
    if (method != "POST") custom = method.c_str();
  } else if (method != "GET") {
    custom = method.c_str();
  }
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, custom);
}

void UpstreamClient::Transfer::SetBody() {
  if (!request_.has_body) return;
  const size_t size = BodySize();
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
  if (size > kSmallBody) return;
  const char* data = "";
  if (request_.body.size() == 1) {
    data = request_.body.front().data();
  } else {
    for (const std::string_view piece : request_.body) joined_.append(piece);
    data = joined_.c_str();
  }
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, size == 0 ? "" : data);
}

void UpstreamClient::Transfer::SetHeaders() {
  for (const auto& [name, value] : request_.headers) headers_.Add(name, "", value);
  if (!request_.credential_header.empty()) {
    headers_.Add(request_.credential_header, request_.credential_prefix, request_.credential.Reveal());
  }
  if (!HasHeader("Accept")) headers_.Suppress("Accept");
  if (request_.has_body && !HasHeader("Content-Type")) headers_.Suppress("Content-Type");
  if (BodySize() > kExpectsContinue) headers_.Suppress("Expect");
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_.Get());
  request_.credential = Secret();
}

bool UpstreamClient::Transfer::HasHeader(std::string_view name) const {
  return std::any_of(request_.headers.begin(), request_.headers.end(),
                     [&](const auto& header) { return absl::EqualsIgnoreCase(ToAbsl(header.first), ToAbsl(name)); });
}

size_t UpstreamClient::Transfer::BodySize() const {
  size_t size = 0;
  for (const std::string_view piece : request_.body) size += piece.size();
  return size;
}

size_t UpstreamClient::Transfer::OnHeader(char* data, size_t size, size_t count, void* self_pointer) {
  auto* self = static_cast<Transfer*>(self_pointer);
  if (self->handler_ == nullptr) return 0;
  if (self->head_.AddLine({data, size * count})) {
    self->read_at_ = std::chrono::steady_clock::now();
    UpstreamHead head = self->head_.Take();
    self->expected_ = head.content_length;
    self->handler_->OnHead(std::move(head));
  }
  return self->handler_ == nullptr ? 0 : size * count;
}

size_t UpstreamClient::Transfer::OnBody(char* data, size_t size, size_t count, void* self_pointer) {
  auto* self = static_cast<Transfer*>(self_pointer);
  if (self->handler_ == nullptr) return 0;
  if (self->paused_) {
    self->curl_paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  self->read_at_ = std::chrono::steady_clock::now();
  self->received_ += static_cast<int64_t>(size * count);
  if (self->first_byte_at_ == SteadyTime::min()) self->first_byte_at_ = self->read_at_;
  self->paused_ = true;  // so that a Resume from inside is not lost
  if (self->handler_->OnData({data, size * count})) self->paused_ = false;
  return self->handler_ == nullptr ? 0 : size * count;
}

size_t UpstreamClient::Transfer::OnUpload(char* to, size_t size, size_t count, void* self_pointer) {
  auto* self = static_cast<Transfer*>(self_pointer);
  if (self->handler_ == nullptr) return CURL_READFUNC_ABORT;
  self->uploaded_at_ = std::chrono::steady_clock::now();
  const auto& body = self->request_.body;
  size_t written = 0;
  while (written < size * count && self->piece_ < body.size()) {
    const std::string_view rest = body[self->piece_].substr(self->offset_);
    const size_t bytes = std::min(rest.size(), size * count - written);
    memcpy(to + written, rest.data(), bytes);
    written += bytes;
    self->offset_ += bytes;
    if (bytes < rest.size()) break;
    ++self->piece_;
    self->offset_ = 0;
  }
  return written;
}

int UpstreamClient::Transfer::OnSeek(void* self_pointer, curl_off_t offset, int origin) {
  auto* self = static_cast<Transfer*>(self_pointer);
  if (origin != SEEK_SET || offset != 0) return CURL_SEEKFUNC_FAIL;
  self->piece_ = self->offset_ = 0;
  return CURL_SEEKFUNC_OK;
}

bool UpstreamClient::Transfer::Resume(SteadyTime now) {
  if (!std::exchange(paused_, false)) return false;
  read_at_ = now;
  return std::exchange(curl_paused_, false);
}

std::optional<TransportError> UpstreamClient::Transfer::CheckDeadlines(SteadyTime now) {
  const SteadyTime deadline = std::min(After(started_, request_.total_timeout), PhaseDeadline(now));
  next_check_ = std::min(deadline, After(now, request_.idle_timeout));
  if (now < deadline) return std::nullopt;
  if (read_at_ != SteadyTime::min()) return TransportError::kIdleTimeout;
  return ConnectedAt() == SteadyTime::min() ? TransportError::kConnectTimeout : TransportError::kFirstByteTimeout;
}

// While connecting, curl keeps the time; what we look for begins at the earliest when it is done.
SteadyTime UpstreamClient::Transfer::PhaseDeadline(SteadyTime now) const {
  if (read_at_ != SteadyTime::min()) return After(paused_ ? now : read_at_, request_.idle_timeout);
  const SteadyTime connected = ConnectedAt();
  if (connected == SteadyTime::min()) return After(now, request_.first_byte_timeout);
  return After(std::max(connected, uploaded_at_), request_.first_byte_timeout);
}

SteadyTime UpstreamClient::Transfer::ConnectedAt() const {
  curl_off_t connected_us = 0;
  curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
  return connected_us > 0 ? started_ + std::chrono::microseconds(connected_us) : SteadyTime::min();
}

bool UpstreamClient::Transfer::Sent() const {
  long request_size = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &request_size);
  return request_size > 0 || read_at_ != SteadyTime::min();
}

UpstreamResult UpstreamClient::Transfer::Result(CURLcode code, SteadyTime now) const {
  UpstreamResult result;
  if (received_ == expected_) code = CURLE_OK;  // complete, however the connection has ended then
  result.sent = Sent();
  result.error = ClassifyCurlError(code, result.sent);
  if (headers_.broken()) {
    result.message = "a header of the request holds a line break";
  } else if (code != CURLE_OK) {
    result.message = absl::StrCat(curl_easy_strerror(code), " (", ToAbsl(HostOf(request_.url)), ")");
  }
  FillTimes(result, now);
  return result;
}

UpstreamResult UpstreamClient::Transfer::TimedOut(TransportError error, SteadyTime now) const {
  UpstreamResult result;
  result.sent = Sent();
  result.error = error;
  result.message = absl::StrCat(curl_easy_strerror(CURLE_OPERATION_TIMEDOUT), " (", ToAbsl(HostOf(request_.url)), ")");
  FillTimes(result, now);
  return result;
}

void UpstreamClient::Transfer::FillTimes(UpstreamResult& result, SteadyTime now) const {
  const SteadyTime first = first_byte_at_ != SteadyTime::min() ? first_byte_at_ : read_at_;
  if (first != SteadyTime::min()) result.first_byte = absl::FromChrono(first - started_);
  result.total = absl::FromChrono(now - started_);
}

}  // namespace ccr::proxy
