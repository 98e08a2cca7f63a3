// Frames responses and gathers their bytes, so that what one loop turn produces leaves as one write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace ccr::proxy {

// Of one connection. Back-pressure: the connection drains the buffer with Unsent and Sent; who fills it stops when
// full() and goes on when the connection says that it is low() again. The buffer exceeds kHighWater by one Body() at
// most. Thread-compatible.
class ResponseWriter {
 public:
  static constexpr size_t kHighWater = 256 * 1024;
  static constexpr size_t kLowWater = 64 * 1024;
  static constexpr int64_t kUnknownLength = -1;

  struct Traits {  // of the request that is answered
    bool http10 = false;
    bool head_only = false;  // HEAD: no body follows whatever the head says
    bool keep_alive = true;
  };

  // `on_bytes` is called when bytes come into the empty buffer.
  explicit ResponseWriter(std::function<void()> on_bytes) : on_bytes_(std::move(on_bytes)) {}

  // Before each response. The bytes of the one before may still be on their way.
  void Reset(const Traits& traits);
  // Ours among the head's fields, until the next Reset: what its request is called, and lines ("name: value\r\n") in
  // place of those set before.
  void SetRequestId(std::string id) { request_id_ = std::move(id); }
  void SetOwnFields(std::string lines) { own_fields_ = std::move(lines); }
  const std::string& request_id() const { return request_id_; }
  // "HTTP/1.1 100 Continue", outside of any response.
  void Continue();

  // One head: BeginHead, Header any number of times, EndHead. Framing headers are added here. Names and values must be
  // free of line breaks.
  void BeginHead(int status);
  void Header(std::string_view name, std::string_view value);
  // `content_length` kUnknownLength: chunked, or until the connection closes for HTTP/1.0.
  void EndHead(int64_t content_length);
  // Bytes beyond the announced length are dropped, and all of them where the response has no body.
  void Body(std::string_view bytes);
  // The body is complete. One that is shorter than announced is an Abort.
  void End();
  // The body cannot be completed: the connection is to be closed so that the client sees it.
  void Abort();

  bool started() const { return started_; }  // a head was begun since Reset
  bool ended() const { return ended_; }      // End or Abort since Reset
  bool aborted() const { return aborted_; }
  bool keep_alive() const { return traits_.keep_alive; }
  void ForbidKeepAlive() { traits_.keep_alive = false; }  // before EndHead
  // Something may still be added to the body before End.
  bool extensible() const { return framing_ == Framing::kChunked || framing_ == Framing::kUntilClose; }
  // Where the end of the connection alone is the end of the body, a cut must be a reset.
  bool close_delimited() const { return framing_ == Framing::kUntilClose; }
  int status() const { return status_; }

  size_t buffered() const { return pending_.size() + sending_.size() - sent_; }
  bool full() const { return buffered() > kHighWater; }
  bool low() const { return buffered() <= kLowWater; }

  // What to write next, empty when there is nothing: stays valid until Sent is told how much of it was written.
  std::string_view Unsent();
  void Sent(size_t size);

 private:
  enum class Framing { kNone, kLength, kChunked, kUntilClose };
  void Append(std::string_view bytes);
  Framing ChooseFraming(int64_t content_length) const;

  std::function<void()> on_bytes_;
  std::string pending_;
  std::string sending_;
  size_t sent_ = 0;  // of sending_
  Traits traits_;
  std::string request_id_;
  std::string own_fields_;
  Framing framing_ = Framing::kNone;
  int64_t remaining_ = 0;  // of kLength
  int status_ = 0;
  bool started_ = false;
  bool ended_ = false;
  bool aborted_ = false;
};

}  // namespace ccr::proxy
