// The seam between the proxy and the formats it translates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"

namespace ccr::proxy {

// What a translation dropped or adapted, for the debug log: "field: what happened". Never holds content of the user.
// Each once, the first kMost of them; what would be more is counted. Not thread-safe.
class Notes {
 public:
  static constexpr size_t kMost = 64;
  using value_type = std::string;
  using const_iterator = std::vector<std::string>::const_iterator;

  Notes() = default;
  Notes(std::initializer_list<std::string_view> notes) {
    for (const std::string_view note : notes) Add(note);
  }

  void Add(std::string_view note);
  void Add(const Notes& others);
  void clear() { *this = Notes(); }

  // In the order they were added.
  const_iterator begin() const { return notes_.begin(); }
  const_iterator end() const { return notes_.end(); }
  size_t size() const { return notes_.size(); }
  bool empty() const { return notes_.empty(); }
  const std::string& operator[](size_t i) const { return notes_[i]; }
  // How often something else was to be noted.
  uint64_t more() const { return more_; }

  bool operator==(const Notes& other) const { return notes_ == other.notes_ && more_ == other.more_; }

 private:
  std::vector<std::string> notes_;
  absl::flat_hash_set<std::string> known_;  // the same
  uint64_t more_ = 0;
};

// Seconds since the Unix epoch, for OpenAI's "created", which no other format has. Thread-safe.
using UnixSeconds = std::function<int64_t()>;

// Adds a note. `notes` may be null.
void AddNote(Notes* notes, std::string_view note);

// Tools that have another name upstream: that one, and the client's.
using ToolNames = std::map<std::string, std::string, std::less<>>;

struct StreamOptions {
  bool include_usage = false;  // OpenAI's stream_options.include_usage: the client wants the chunk with the usage
  uint64_t id_seed = 0;        // differs between the requests of a conversation, for identifiers that do too
};

struct AnswerContext;

struct TranslatedRequest {
  std::string body;
  bool stream = false;
  StreamOptions stream_options;                 // for Stream
  ToolNames tool_names;                         // to be restored in answers, before they are translated back
  std::shared_ptr<const AnswerContext> answer;  // what the writer of the answer has to know of it
};

// Turns the bytes of an upstream's SSE stream into the client's. Bytes may be split anywhere.
// Cannot emit an invalid order of events, whatever comes in. Holds at most one event, and of an answer at most
// kMaxToolCalls calls: a stream with more fails.
class StreamTranslator {
 public:
  static constexpr size_t kMaxToolCalls = 1024;

  virtual ~StreamTranslator() = default;
  // Appends to `out` what the bytes complete.
  virtual void Feed(std::string_view bytes, std::string* out) = 0;
  // The upstream ended. Appends the events that end the client's stream properly, or its error event when the upstream
  // was cut (`cut`, or no sign of a proper end was seen). Call it once; nothing may follow.
  virtual void Finish(bool cut, std::string* out) = 0;
  // An error event was emitted: the stream is over, whatever still comes in.
  virtual bool failed() const = 0;
  // Of what came so far, each once.
  virtual const Notes& notes() const;
  virtual uint64_t input_tokens() const = 0;
  virtual uint64_t output_tokens() const = 0;
};

// Both directions of one pair of formats. Stateless and thread-safe.
class Translation {
 public:
  virtual ~Translation() = default;
  // InvalidArgument with a message for the client when the body is not a request of the client's format,
  // ResourceExhausted when it holds more than kMaxJsonValues (json_util.h), or its tools' arguments together do.
  virtual absl::StatusOr<TranslatedRequest> Request(std::string_view body, std::string_view model,
                                                    Notes* notes) const = 0;
  // A complete 2xx body, which may also be a whole stream of events. Internal when it is no response of the upstream's
  // format, or too large as a request can be.
  virtual absl::StatusOr<std::string> Response(std::string_view body, Notes* notes) const = 0;
  // The same as the client's stream.
  virtual absl::StatusOr<std::string> ResponseAsStream(std::string_view body, Notes* notes) const;
  // A non-2xx body in the client's shape, the upstream's own wording kept where clients act on none.
  virtual std::string Error(int status, std::string_view body) const = 0;
  // The status it then has.
  virtual int ErrorStatus(int status, std::string_view body) const;
  virtual std::unique_ptr<StreamTranslator> Stream(std::string_view model, const StreamOptions& options) const = 0;
};

}  // namespace ccr::proxy
