// One try at a provider with one leased key, from the request to the last byte relayed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "proxy/core/body_form.h"
#include "proxy/core/evidence/evidence.h"
#include "proxy/core/evidence/no_answer.h"
#include "proxy/core/evidence/stream_opening.h"
#include "proxy/core/evidence/usage_scanner.h"
#include "proxy/core/inflater.h"
#include "proxy/formats/think_probe.h"
#include "proxy/formats/translation.h"
#include "proxy/http/response_writer.h"
#include "proxy/http/server.h"

namespace ccr::proxy {

// What an attempt came to before anything of it was relayed.
struct AttemptAnswer {
  UpstreamHead head;  // status 0 = none
  std::string body;   // whole
  Evidence evidence;
};

// Nothing is relayed as long as another try could still serve the client better:
//   event streams    the head is held until the first event, comments and pings aside, is complete, up to kMaxHeldBody.
//                    When that event is an error, the attempt has failed as if the provider had answered so, with the
//                    status that the error stands for
//   other answers    held until they are complete, up to kMaxHeldBody; what streams in other ways is not. One that is
//                    an error or no answer at all has failed as well, where the format is known; so has an event
//                    stream without events
//   error answers    held, so that the broker can be asked first; of one that is larger than kMaxHeldBody that much is
//                    kept, and the rest not waited for
// but the first two for kHeadHold at most, since clients give up on silent connections, and what is larger of them is
// relayed as it comes.
//
// Of a chat, the first bytes tell whether an answer is a stream or a document, whatever its content type says; one of the
// form that the client did not ask for is collected whole and given in the other. What comes compressed, though nobody
// asked for it, is decompressed where the format is known.
//
// With a translation, event streams are translated as they come. Other good answers are held until they are complete,
// as long as it takes, up to kMaxTranslatedBody and as far as Server::bodies has room. One for which there is no room
// becomes a 502, one that cannot be translated has failed. Evidence is always of the provider's own bytes.
//
// An event stream gets a ping between two events whenever the provider was silent for Server::ping_interval: an event
// of that name to an Anthropic client, else a comment. Not where the format is unknown: who reads such a stream may
// know no comments.
//
// The key does not reach the client in an error that quotes it: neither in its headers nor in what is held of its body.
//
// The broker is told once a good answer has begun to be relayed and more of it is to come: trials and others who wait
// for the key need not wait for the end. What comes before the first event of a stream is no answer yet.
//
// Back-pressure: while the writer is full the transfer is paused; Resume() lets it go on.
class Attempt final : public UpstreamHandler {
 public:
  static constexpr size_t kMaxHeldBody = 64 * 1024;
  static constexpr size_t kMaxTranslatedBody = 50 * 1024 * 1024;
  static constexpr absl::Duration kHeadHold = absl::Seconds(10);

  // Each is called at most once, OnAnswer and OnRelayed as the last thing an attempt does.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnBodyUnneeded() = 0;                     // nothing reads the request's body any more
    virtual void OnAnswer(AttemptAnswer answer) = 0;       // nothing was relayed
    virtual void OnRelayed(const Evidence& evidence) = 0;  // relayed to its end, or as far as it came
    // For an answer that has the other form than the client asked for; nullptr where there is none.
    virtual const Translation* OtherForm() = 0;
  };

  struct Options {
    Format client_format = Format::kChat;    // of the error event that ends a broken stream
    Format provider_format = Format::kChat;  // of the figures in its answers
    bool wants_stream = false;               // the client asked for one; of a chat
    bool think_tags = false;                 // thinking may stand in tags in front of an answer that passes as it is
    std::string_view stream_type;            // the content type of the stream that a translation makes; static storage
    bool known_format = false;               // an event stream without its format's last event is incomplete
    std::string_view promised;               // a member of every good answer; static storage, see FindNoAnswer
    const Translation* translation = nullptr;  // nullptr: bytes pass as they are
    std::string model;                         // that is asked for; for Translation::Stream, as the next
    StreamOptions stream_options;
    uint64_t max_buffered_bytes = 0;  // of Server::bodies
  };

  // Starts at once.
  Attempt(Server& server, ResponseWriter& writer, Owner& owner, Options options, Lease lease, UpstreamRequest request);
  ~Attempt() override;  // cancels the transfer
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void Tick(absl::Time now);
  void Resume();
  // Ends the attempt without a word to the owner. A response that was begun is ended as broken, unless the client is
  // gone.
  Evidence CancelForClient();
  // A provider that was silent for `fair_wait` or longer is to blame, otherwise nobody is.
  Evidence CancelForDeadline(absl::Duration fair_wait);

  const Lease& lease() const { return lease_; }
  std::optional<absl::Time> first_relayed() const { return first_relayed_; }
  // All that the model read, as far as the answer told; see UsageScanner.
  uint64_t total_input_tokens() const { return scanner_ ? scanner_->total_input_tokens() : 0; }

 private:
  static constexpr std::string_view kStreamBroke = "the provider's stream broke off";

  enum class State { kWaiting, kHeadHeld, kCollecting, kRelaying, kDone };

  void OnHead(UpstreamHead head) override;
  bool OnData(std::string_view bytes) override;
  void OnDone(const UpstreamResult& upstream) override;

  bool Decompress(std::string_view* bytes, std::string* inflated);
  bool Take(std::string_view bytes);
  bool DecideForm(std::string_view* bytes, std::string* held);
  void UseForm(BodyForm form);
  bool HeadIsOfOtherForm() const;
  void BeginReading();
  bool WholeOrNothing() const;   // the client has no use for a part of this body
  bool TranslatedWhole() const;  // in one piece
  bool PromisesObject() const;
  bool IsHeldPage() const;
  bool Collect(std::string_view bytes);
  bool CollectError(std::string_view bytes);
  bool HoldsBody() const;
  std::optional<NoAnswer> HeldNoAnswer();
  void FailWith(NoAnswer none);
  void BeginRelay();
  void TellProgress();
  void RelayTranslated(const UpstreamResult& result);
  void Relay(std::string_view bytes);
  void DecideTags(std::string_view* bytes, std::string* held);
  void EndProbe();
  void LeaveBody();
  void EndStream(bool cut);
  void KeepEnd(std::string_view bytes);
  void BreakOff(std::string_view message);
  void RefuseAnswer(std::string_view message);
  bool PingIsDue(absl::Time now) const;
  bool BetweenEvents() const;
  void StopTransfer();
  Evidence RelayedEvidence();
  Evidence ReadEvidence(std::string_view error_body);
  void ShortenMessage(Evidence* evidence) const;
  bool IsSuccess() const { return head_.status >= 200 && head_.status < 300; }

  Server& server_;
  ResponseWriter& writer_;
  Owner& owner_;
  const Options options_;
  const Lease lease_;
  const absl::Time started_;
  UpstreamClient::Transfer* transfer_ = nullptr;
  State state_ = State::kWaiting;
  bool body_needed_ = true;
  bool paused_ = false;
  UpstreamHead head_;
  absl::Time head_at_;
  bool event_stream_ = false;
  bool form_decided_ = false;
  std::string undecided_;                    // the beginning of a body, too little to tell its form
  bool document_ = false;                    // by its first bytes
  const Translation* other_form_ = nullptr;  // of an answer that is not of the form that was asked for
  std::optional<Inflater> inflater_;         // of a compressed body
  std::optional<StreamOpening> opening_;     // of a good event stream, until its first event has been told of
  bool progress_told_ = false;
  std::string held_body_;
  BodyCharge charge_;                    // for it, when it is translated whole
  std::optional<UsageScanner> scanner_;  // of a 2xx body
  Evidence evidence_;                    // of the head, once relaying
  std::unique_ptr<StreamTranslator> stream_;
  std::optional<ThinkProbe> think_probe_;  // of a stream that may yet have to be translated
  std::string translated_;                 // what one Feed gave
  std::string last_bytes_;                 // of an event stream that is not translated, at most three
  absl::Time quiet_since_;                 // of an event stream that is relayed
  std::optional<absl::Time> first_relayed_;
};

// Sends a collected answer to the client, complete: unmodified, or as an error of `translation`. `retry_after` takes
// the place of the provider's own.
void RelayAnswer(ResponseWriter& writer, const AttemptAnswer& answer, std::optional<absl::Duration> retry_after,
                 const Translation* translation);

}  // namespace ccr::proxy
