#include "broker/adapters/sources/http_call.h"

#include <curl/curl.h>
#include <string.h>

#include <array>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ccr {
namespace {

constexpr size_t kMaxBodyBytes = 1 << 20;
constexpr size_t kMaxCurlWords = 200;
constexpr int kPollMillis = 1000;

struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

bool CurlIsReady() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

long Millis(absl::Duration duration) {
  return static_cast<long>(absl::ToInt64Milliseconds(duration));
}

// A request in libcurl's hands.
class Transfer {
 public:
  Transfer(const HttpRequest& request, const StopEvent& stop)
      : stop_(stop), easy_(CurlIsReady() ? curl_easy_init() : nullptr), multi_(curl_multi_init()) {
    body_.reserve(kMaxBodyBytes + 1);  // so that it is not moved while it grows: it holds secrets
    Set(CURLOPT_ERRORBUFFER, words_.data());
    Set(CURLOPT_URL, request.url.c_str());
    Set(CURLOPT_PROTOCOLS_STR, "http,https");
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_FOLLOWLOCATION, 0L);
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    Set(CURLOPT_SSL_VERIFYPEER, 1L);
    Set(CURLOPT_SSL_VERIFYHOST, 2L);
    Set(CURLOPT_FORBID_REUSE, 1L);
    if (!request.ca_file.empty()) Set(CURLOPT_CAINFO, request.ca_file.c_str());
    Set(CURLOPT_CONNECTTIMEOUT_MS, Millis(request.connect_timeout));
    Set(CURLOPT_TIMEOUT_MS, Millis(request.total_timeout));
    Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
    Set(CURLOPT_WRITEDATA, this);
    if (!request.body.empty()) {
      Set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.Reveal().size()));
      Set(CURLOPT_POSTFIELDS, request.body.Reveal().data());
    }
    SetHeaders(request);
    curl_multi_add_handle(multi_.get(), easy_.get());
  }
  ~Transfer() {
    curl_multi_remove_handle(multi_.get(), easy_.get());
    WipeText(&body_);
    for (curl_slist* line = headers_; line != nullptr; line = line->next)
      explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(headers_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  absl::StatusOr<HttpAnswer> Run() {
    for (;;) {
      int active = 0;
      if (curl_multi_perform(multi_.get(), &active) != CURLM_OK) return absl::UnavailableError("cannot be asked");
      if (stop_.is_set()) return absl::CancelledError("was not waited for");
      if (active == 0) return End();
      curl_waitfd stop{stop_.fd(), CURL_WAIT_POLLIN, 0};
      curl_multi_poll(multi_.get(), &stop, 1, kPollMillis, nullptr);
    }
  }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    curl_easy_setopt(easy_.get(), option, value);
  }

  void SetHeaders(const HttpRequest& request) {
    std::string line;
    for (const Secret& header : request.headers) {
      line.reserve(header.Reveal().size() + 1);
      line = header.Reveal();
      headers_ = curl_slist_append(headers_, line.c_str());
      explicit_bzero(line.data(), line.size());
    }
    if (!request.body.empty()) headers_ = curl_slist_append(headers_, "Content-Type: application/json");
    Set(CURLOPT_HTTPHEADER, headers_);
  }

  absl::StatusOr<HttpAnswer> End() {
    CURLcode code = CURLE_OK;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    }
    if (code != CURLE_OK) {
      const char* const words = words_[0] != '\0' ? words_.data() : curl_easy_strerror(code);
      return absl::UnavailableError(absl::StrCat("gives no answer: ", std::string(words).substr(0, kMaxCurlWords)));
    }
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    return HttpAnswer{static_cast<int>(status), Secret(std::move(body_))};
  }

  static size_t OnBody(char* bytes, size_t size, size_t count, void* self) {
    std::string& body = static_cast<Transfer*>(self)->body_;
    if (body.size() + size * count > kMaxBodyBytes) return 0;
    body.append(bytes, size * count);
    return size * count;
  }

  const StopEvent& stop_;
  std::array<char, CURL_ERROR_SIZE> words_{};  // curl's, of an error
  const std::unique_ptr<CURL, FreeEasy> easy_;
  const std::unique_ptr<CURLM, FreeMulti> multi_;
  curl_slist* headers_ = nullptr;
  std::string body_;
};

}  // namespace

absl::StatusOr<HttpAnswer> CallHttp(const HttpRequest& request, const StopEvent& stop) {
  return Transfer(request, stop).Run();
}

std::string EscapePath(const std::string& path) {
  std::string out;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    char* const escaped = curl_easy_escape(nullptr, part.data(), static_cast<int>(part.size()));
    absl::StrAppend(&out, out.empty() ? "" : "/", escaped == nullptr ? "" : escaped);
    curl_free(escaped);
  }
  return out;
}

}  // namespace ccr
