#include "broker/adapters/probe/curl_prober.h"

#include <curl/curl.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "broker/adapters/probe/error_body.h"

namespace ccr {
namespace {

constexpr int kIdleMillis = 60'000;
constexpr size_t kMaxDetail = 200;
constexpr long kFirstRefusal = 300;  // of a proxy, to CONNECT
constexpr int kProxyAuthenticationRequired = 407;
constexpr size_t kMaxBodyBytes = 64 * 1024;
constexpr long kFirstError = 400;

long Millis(absl::Duration duration) {
  return static_cast<long>(absl::ToInt64Milliseconds(duration));
}

void* MakeMulti() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready ? curl_multi_init() : nullptr;
}

core::TransportError ToTransportError(CURL* easy, CURLcode code, bool proxied) {
  long os_error = 0;
  long tunnel = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
  curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
  if (tunnel >= kFirstRefusal) return core::TransportError::kProxy;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return core::TransportError::kName;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
      return core::TransportError::kProxy;
    case CURLE_COULDNT_CONNECT:
      if (proxied) return core::TransportError::kProxy;
      return os_error == ECONNREFUSED ? core::TransportError::kRefused : core::TransportError::kConnect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return core::TransportError::kTls;
    case CURLE_OPERATION_TIMEDOUT:
      return core::TransportError::kFirstByteTimeout;
    case CURLE_SEND_ERROR:
      return core::TransportError::kSend;
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
      return core::TransportError::kRead;
    default:
      return core::TransportError::kConnect;
  }
}

}  // namespace

// One probe in libcurl's hands.
class CurlProber::Transfer {
 public:
  Transfer(const Options& options, Waiting waiting)
      : done_(std::move(waiting.done)), proxied_(!waiting.probe.proxy_url.empty()), easy_(curl_easy_init()) {
    const KeyProbe& probe = waiting.probe;
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, words_.data());
    curl_easy_setopt(easy_, CURLOPT_URL, probe.url.c_str());
    curl_easy_setopt(easy_, CURLOPT_PROXY, probe.proxy_url.c_str());
    curl_easy_setopt(easy_, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    // The key must not go into a connection that is kept.
    curl_easy_setopt(easy_, CURLOPT_FORBID_REUSE, 1L);
    if (!options.ca_file.empty()) curl_easy_setopt(easy_, CURLOPT_CAINFO, options.ca_file.c_str());
    if (!probe.authorities.empty()) {
      std::string pem = probe.authorities;
      curl_blob blob{pem.data(), pem.size(), CURL_BLOB_COPY};
      curl_easy_setopt(easy_, CURLOPT_CAINFO_BLOB, &blob);
    }
    curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, Millis(options.connect_timeout));
    curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, Millis(options.total_timeout));
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
    SetHeaders(probe);
  }
  ~Transfer() {
    curl_easy_cleanup(easy_);
    for (curl_slist* line = headers_; line != nullptr; line = line->next)
      explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(headers_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* easy() const { return easy_; }

  void Finish(CURLcode code) {
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    core::Evidence evidence;
    evidence.http_status = static_cast<int>(status);
    // What of the body is not read changes nothing: the status tells enough.
    if (status == kProxyAuthenticationRequired && proxied_) {
      evidence.http_status = 0;
      evidence.transport_error = core::TransportError::kProxy;
      evidence.detail = "the forward proxy answers 407: it wants credentials";
    } else if (status == 0) {
      evidence.transport_error = ToTransportError(easy_, code, proxied_);
      evidence.detail = std::string(words_[0] != '\0' ? words_.data() : curl_easy_strerror(code)).substr(0, kMaxDetail);
    }
    if (evidence.http_status >= kFirstError) ReadErrorBody(body_, &evidence);
    done_(evidence);
  }

 private:
  void SetHeaders(const KeyProbe& probe) {
    for (const auto& [name, value] : probe.headers)
      headers_ = curl_slist_append(headers_, (name + ": " + value).c_str());
    std::string line;
    line.reserve(probe.auth_header.size() + probe.auth_prefix.size() + probe.key.Reveal().size() + 3);
    line.append(probe.auth_header).append(": ").append(probe.auth_prefix).append(probe.key.Reveal());
    headers_ = curl_slist_append(headers_, line.c_str());
    explicit_bzero(line.data(), line.size());
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  }

  static size_t OnBody(char* bytes, size_t size, size_t count, void* self) {
    std::string& body = static_cast<Transfer*>(self)->body_;
    if (body.size() + size * count > kMaxBodyBytes) return 0;
    body.append(bytes, size * count);
    return size * count;
  }

  const Done done_;
  const bool proxied_;
  std::array<char, CURL_ERROR_SIZE> words_{};  // curl's, of an error
  CURL* const easy_;
  curl_slist* headers_ = nullptr;
  std::string body_;  // at most kMaxBodyBytes
};

CurlProber::CurlProber(Options options)
    : options_(std::move(options)), multi_(MakeMulti()), thread_([this] { Run(); }) {}

CurlProber::~CurlProber() {
  Stop();
  curl_multi_cleanup(multi_);
}

void CurlProber::Start(KeyProbe probe, Done done) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    waiting_.push_back({std::move(probe), std::move(done)});
  }
  curl_multi_wakeup(multi_);
}

void CurlProber::Stop() {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  curl_multi_wakeup(multi_);
  thread_.join();
}

void CurlProber::Run() {
  while (BeginWaiting()) {
    int active = 0;
    curl_multi_perform(multi_, &active);
    if (!EndDone()) curl_multi_poll(multi_, nullptr, 0, kIdleMillis, nullptr);
  }
  for (const auto& transfer : running_) curl_multi_remove_handle(multi_, transfer->easy());
  running_.clear();
}

bool CurlProber::BeginWaiting() {
  MutexLock lock(mutex_);
  while (!stopping_ && !waiting_.empty() && running_.size() < options_.max_at_once) {
    running_.push_back(std::make_unique<Transfer>(options_, std::move(waiting_.front())));
    waiting_.pop_front();
    curl_multi_add_handle(multi_, running_.back()->easy());
  }
  return !stopping_;
}

bool CurlProber::EndDone() {
  bool any = false;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const auto at = std::find_if(running_.begin(), running_.end(),
                                 [&](const auto& transfer) { return transfer->easy() == message->easy_handle; });
    const std::unique_ptr<Transfer> transfer = std::move(*at);
    running_.erase(at);
    curl_multi_remove_handle(multi_, transfer->easy());
    transfer->Finish(code);
    any = true;
  }
  return any;
}

}  // namespace ccr
