// What each format can do: read and write requests, answers, streams and errors. No format knows another.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/answer.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

struct WrittenRequest {
  std::string body;
  ToolNames tool_names;  // those that had to change for this format
};

struct GroupedName {
  std::string group, name;  // Tool::group, Tool::name_in_group
};

// What the writer of an answer is told besides the answer.
struct AnswerContext {
  std::string model;          // named to the client; the provider's own where it is empty
  int64_t created = 0;        // seconds since the Unix epoch
  uint64_t id_seed = 0;       // differs between the requests of a conversation, for identifiers that do too
  bool include_usage = true;  // ModelRequest::include_usage
  // The request's tools of kind kCustom, by the client's names. A provider that only knows functions is asked for
  // {"input": "..."}, and its calls of them come as such: a writer whose format knows custom tools gives the client the
  // text.
  std::vector<std::string> custom_tools;
  std::map<std::string, GroupedName, std::less<>> grouped_tools;  // those with a Tool::group, by Tool::name
  bool json_array = false;  // of a stream of Gemini's: no alt=sse, so it is one JSON array that comes in pieces
};

// Adds what an answer's writer must know of the request's tools.
void AddTools(const ModelRequest& request, AnswerContext* context);

// Reads the bytes of one stream, which may be split anywhere. Holds at most one event and what must be complete before
// it can be told, within kMaxHeldBytes; more is a failure. Tells an error of the upstream, a cut and what it cannot
// read by Fail, once.
class StreamReader {
 public:
  static constexpr size_t kMaxHeldBytes = size_t{16} << 20;
  static constexpr size_t kMaxToolCalls = StreamTranslator::kMaxToolCalls;

  virtual ~StreamReader() = default;
  virtual void Feed(std::string_view bytes, AnswerSink* sink) = 0;
  // The upstream ended. A sign of a proper end that came before makes a proper end even where it was cut.
  virtual void Finish(bool cut, AnswerSink* sink) = 0;
  virtual const Notes& notes() const = 0;
};

// Writes one stream.
class StreamWriter : public AnswerSink {
 public:
  // Where it goes from now on. Must outlive the calls that write.
  virtual void WriteTo(std::string* out) = 0;
};

// Stateless and thread-safe. `notes` is never null.
class FormatCodec {
 public:
  virtual ~FormatCodec() = default;

  // InvalidArgument with a message for the client when it is no request of this format, ResourceExhausted when it holds
  // more than kMaxJsonValues, or its tools' arguments together do.
  virtual absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes) const = 0;
  // Takes what Fit() (fit.h) left: it writes everything the request holds that the format can say.
  virtual absl::StatusOr<WrittenRequest> WriteRequest(const ModelRequest& request, std::string_view model,
                                                      Notes* notes) const = 0;

  // Whether a request of this very format has calls that the model refuses without a signature, which WriteRequest adds.
  virtual bool MustSign(const ModelRequest& /*request*/, std::string_view /*model*/) const { return false; }

  // A complete 2xx body. Internal when it is no answer of this format, or too large as a request can be.
  virtual absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) const = 0;
  virtual std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context) const = 0;

  // The body of an answer with an error status, which may be no JSON, and empty.
  virtual AnswerError ReadError(int status, std::string_view body) const = 0;
  virtual std::string WriteError(const AnswerError& error) const = 0;

  virtual std::unique_ptr<StreamReader> ReadStream() const = 0;
  virtual std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context) const = 0;
};

// A table of one line for each.
const FormatCodec& CodecOf(Format format);

}  // namespace ccr::proxy
