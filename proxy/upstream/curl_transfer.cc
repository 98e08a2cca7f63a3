#include "proxy/upstream/curl_transfer.h"

#include <openssl/ssl.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/upstream/curl_client.h"
#include "proxy/upstream/curl_error.h"
#include "proxy/upstream/silence.h"

namespace ccr::proxy {
namespace {

// Bodies up to this size leave together with the head; curl copies them.
constexpr size_t kSmallBody = 64 * 1024;
// With curl's own byte behind it this is what allocators still keep at hand per thread: curl takes one per transfer.
constexpr long kReadBuffer = 32 * 1024 - 1;
// From here on curl would wait for "100 Continue" by itself.
constexpr size_t kExpectsContinue = 1024 * 1024;

constexpr int kProxyAuthenticationRequired = 407;
constexpr std::string_view kProxyWantsCredentials = "it answers 407: it wants credentials";
constexpr std::string_view kBadChunks = "the chunks of the answer are malformed";
constexpr std::string_view kCut = "the connection was closed before the end of the answer";

enum class TlsState { kSilent, kHttp2, kPending };

// Of the connection in use. Without TLS it is silent; with another library than OpenSSL nothing can be known.
TlsState TlsOf(CURL* easy) {
  const curl_tlssessioninfo* info = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == nullptr || info->internals == nullptr)
    return TlsState::kSilent;
  if (info->backend != CURLSSLBACKEND_OPENSSL) return TlsState::kPending;
  const auto* tls = static_cast<const SSL*>(info->internals);
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls, &protocol, &size);
  if (std::string_view(reinterpret_cast<const char*>(protocol), size) == "h2") return TlsState::kHttp2;
  return SSL_has_pending(tls) != 0 ? TlsState::kPending : TlsState::kSilent;
}

template <typename Function>
void SetCallback(CURL* easy, CURLoption function_option, Function function, CURLoption data_option, void* data) {
  curl_easy_setopt(easy, function_option, function);
  curl_easy_setopt(easy, data_option, data);
}

}  // namespace

CurlTransfer::CurlTransfer(CurlClient& client, const UpstreamClient::Options& options)
    : client_(client), easy_(curl_easy_init()), url_(curl_url()) {
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, words_.data());
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
  curl_easy_setopt(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy_, CURLOPT_NOPROXY, "");
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy_, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 1L);
  curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, kReadBuffer);
  curl_easy_setopt(easy_, CURLOPT_HTTP_TRANSFER_DECODING, 0L);  // curl finds the end, and hands over chunks as they are
  SetCallback(easy_, CURLOPT_PREREQFUNCTION, &CurlTransfer::OnConnected, CURLOPT_PREREQDATA, this);
  SetCallback(easy_, CURLOPT_HEADERFUNCTION, &CurlTransfer::OnHeader, CURLOPT_HEADERDATA, this);
  SetCallback(easy_, CURLOPT_WRITEFUNCTION, &CurlTransfer::OnBody, CURLOPT_WRITEDATA, this);
  SetCallback(easy_, CURLOPT_READFUNCTION, &CurlTransfer::OnUpload, CURLOPT_READDATA, this);
  SetCallback(easy_, CURLOPT_SEEKFUNCTION, &CurlTransfer::OnSeek, CURLOPT_SEEKDATA, this);
}

CurlTransfer::~CurlTransfer() {
  curl_easy_cleanup(easy_);
  curl_url_cleanup(url_);
}

void CurlTransfer::Begin(UpstreamRequest request, UpstreamHandler* handler, SteadyTime now) {
  Transfer::Begin(std::move(request), handler, now);
  piece_ = offset_ = 0;
  connected_at_ = SteadyTime::min();
  socket_ = -1;
  kept_ = stale_ = replaced_ = complete_ = proxy_refuses_ = false;
  words_[0] = '\0';
  chunks_.reset();
  curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 0L);
  expected_ = -1;
  received_ = 0;
  curl_paused_ = false;
  SetMethod();
  SetBody();
  SetHeaders();
  SetUrl();
  SetAuthorities();
  if (proxy_url_ != request_.proxy_url) {
    proxy_url_ = request_.proxy_url;
    curl_easy_setopt(easy_, CURLOPT_PROXY, proxy_url_->c_str());
  }
  const auto connect_ms = std::clamp<int64_t>(absl::ToInt64Milliseconds(request_.connect_timeout), 0, 86'400'000);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms));
}

void CurlTransfer::End() {
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, nullptr);
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, nullptr);
  headers_.Clear();
  head_.Clear();
  joined_.clear();
  Transfer::End();
}

void CurlTransfer::Resume() {
  if (TakeBackPause(std::chrono::steady_clock::now()) && std::exchange(curl_paused_, false)) client_.UnpauseSoon(this);
}

void CurlTransfer::Cancel() {
  client_.Cancel(this);
}

void CurlTransfer::TimeOut(TransportError error, SteadyTime now) {
  client_.Finish(this, Result(error, curl_easy_strerror(CURLE_OPERATION_TIMEDOUT), now));
}

// Curl is given the URL in parts as well, so that it does not take it apart and together again for each request. A
// request that must not leave gets a URL that cannot be opened.
void CurlTransfer::SetUrl() {
  const std::string url = headers_.broken() ? std::string() : request_.url;
  if (set_url_ == url) return;
  set_url_ = url;
  const unsigned flags = CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS;
  const bool parsed = curl_url_set(url_, CURLUPART_URL, url.c_str(), flags) == CURLUE_OK;
  curl_easy_setopt(easy_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy_, CURLOPT_CURLU, parsed ? url_ : nullptr);
}

// A kept connection serves only requests that trust the same.
void CurlTransfer::SetAuthorities() {
  if (authorities_ == request_.authorities) return;
  authorities_ = request_.authorities;
  if (authorities_ == nullptr) return void(curl_easy_setopt(easy_, CURLOPT_CAINFO_BLOB, nullptr));
  curl_blob pem{const_cast<char*>(authorities_->data()), authorities_->size(), CURL_BLOB_NOCOPY};
  curl_easy_setopt(easy_, CURLOPT_CAINFO_BLOB, &pem);
}

void CurlTransfer::SetMethod() {
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

void CurlTransfer::SetBody() {
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

void CurlTransfer::SetHeaders() {
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

bool CurlTransfer::HasHeader(std::string_view name) const {
  return std::any_of(request_.headers.begin(), request_.headers.end(),
                     [&](const auto& header) { return absl::EqualsIgnoreCase(ToAbsl(header.first), ToAbsl(name)); });
}

// HTTP/2 tells answers apart, and its connections have things to say at any time.
int CurlTransfer::OnConnected(void* self_pointer, char* remote_ip, char* local_ip, int remote_port, int local_port) {
  auto* self = static_cast<CurlTransfer*>(self_pointer);
  self->connected_at_ = std::chrono::steady_clock::now();
  const MultiLoop::Line line = self->client_.multi().Claim(local_ip, local_port, remote_ip, remote_port);
  long connects = 0;
  curl_easy_getinfo(self->easy_, CURLINFO_NUM_CONNECTS, &connects);
  self->kept_ = line.kept || (line.socket < 0 && connects == 0);
  if (self->kept_) BoundSilence(line.socket);
  const TlsState tls = TlsOf(self->easy_);
  if (tls == TlsState::kHttp2) return CURL_PREREQFUNC_OK;
  self->socket_ = line.socket;
  if (!self->kept_) return CURL_PREREQFUNC_OK;
  curl_easy_setopt(self->easy_, CURLOPT_FRESH_CONNECT, 1L);  // for the next try, which may be curl's own
  self->stale_ = tls != TlsState::kSilent || !IsSilent(line.socket);
  const bool secure = absl::StartsWithIgnoreCase(self->request_.url, "https:");
  if (self->stale_ && HasSurplus(line.socket, secure)) LogSurplus(self->request_.provider);
  return self->stale_ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

bool CurlTransfer::TakesAnother(CURLcode code) {
  const bool failed = code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING || stale_;
  if (handler() == nullptr || !failed || !kept_ || replaced_ || head_.bytes() > 0) return false;
  replaced_ = true;
  kept_ = stale_ = false;
  piece_ = offset_ = 0;
  connected_at_ = SteadyTime::min();
  curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 1L);
  return true;
}

size_t CurlTransfer::OnHeader(char* data, size_t size, size_t count, void* self_pointer) {
  auto* self = static_cast<CurlTransfer*>(self_pointer);
  if (self->handler() == nullptr) return 0;
  const ResponseHead::Line line = self->head_.AddLine({data, size * count});
  if (line == ResponseHead::Line::kRefused) return 0;
  if (line == ResponseHead::Line::kLast) self->TakeHead();
  return self->handler() == nullptr || self->complete_ || self->proxy_refuses_ ? 0 : size * count;
}

void CurlTransfer::TakeHead() {
  NoteHead(std::chrono::steady_clock::now());
  proxy_refuses_ = !request_.proxy_url.empty() && head_.status() == kProxyAuthenticationRequired;
  if (proxy_refuses_) return;
  const bool http1 = head_.http1();
  const bool chunked = head_.chunked();
  UpstreamHead head = head_.Take();
  const bool bodiless = request_.method == "HEAD" || head.status == 204 || head.status == 304;
  if (chunked && !bodiless) {
    chunks_.emplace();
    head.content_length = -1;
    std::erase_if(head.headers,
                  [](const auto& header) { return absl::EqualsIgnoreCase(header.first, "content-length"); });
  }
  expected_ = head.content_length;
  complete_ = http1 && (bodiless || expected_ == 0);
  handler()->OnHead(std::move(head));
}

size_t CurlTransfer::OnBody(char* data, size_t size, size_t count, void* self_pointer) {
  auto* self = static_cast<CurlTransfer*>(self_pointer);
  if (self->handler() == nullptr) return 0;
  if (self->paused_) {
    self->curl_paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (self->chunks_) return self->TakeChunks({data, size * count});
  self->received_ += static_cast<int64_t>(size * count);
  self->Deliver({data, size * count}, std::chrono::steady_clock::now());
  return self->handler() == nullptr ? 0 : size * count;
}

size_t CurlTransfer::TakeChunks(std::string_view bytes) {
  const SteadyTime now = std::chrono::steady_clock::now();
  std::string_view rest = bytes;
  for (auto piece = chunks_->Next(&rest); !piece.empty(); piece = chunks_->Next(&rest)) {
    Deliver(piece, now);
    if (handler() == nullptr) return 0;
  }
  complete_ = chunks_->done();
  if (complete_ && !rest.empty()) LogSurplus(request_.provider);
  return chunks_->malformed() || !rest.empty() ? 0 : bytes.size();
}

size_t CurlTransfer::OnUpload(char* to, size_t size, size_t count, void* self_pointer) {
  auto* self = static_cast<CurlTransfer*>(self_pointer);
  if (self->handler() == nullptr) return CURL_READFUNC_ABORT;
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

int CurlTransfer::OnSeek(void* self_pointer, curl_off_t offset, int origin) {
  auto* self = static_cast<CurlTransfer*>(self_pointer);
  if (origin != SEEK_SET || offset != 0) return CURL_SEEKFUNC_FAIL;
  self->piece_ = self->offset_ = 0;
  return CURL_SEEKFUNC_OK;
}

// Curl keeps this time itself; what we look for begins at the earliest when it is connected.
SteadyTime CurlTransfer::ConnectDeadline(SteadyTime now) const {
  return After(now, request_.first_byte_timeout);
}

bool CurlTransfer::AllSent() const {
  curl_off_t uploaded = 0;
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &uploaded);
  return static_cast<size_t>(uploaded) >= BodySize();
}

UpstreamResult CurlTransfer::ResultOf(CURLcode code, SteadyTime now) const {
  if (complete_ || received_ == expected_) code = CURLE_OK;  // however the connection has ended then
  if (proxy_refuses_) return Result(TransportError::kProxy, kProxyWantsCredentials, now);
  if (!head_.fault().empty()) return Result(TransportError::kRead, head_.fault(), now);
  if (chunks_ && chunks_->malformed()) return Result(TransportError::kRead, kBadChunks, now);
  if (chunks_ && !chunks_->done() && code == CURLE_OK) return Result(TransportError::kRead, kCut, now);
  CurlEnd end;
  end.code = code;
  end.sent = connected_at_ != SteadyTime::min() || head_read();
  end.proxied = !request_.proxy_url.empty();
  end.open_error = client_.open_error();
  end.words = words_.data();
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &end.os_error);
  curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &end.tunnel);
  const CurlError error = Explain(end);
  return Result(error.error, headers_.broken() ? kLineBreak : error.words, now);
}

}  // namespace ccr::proxy
