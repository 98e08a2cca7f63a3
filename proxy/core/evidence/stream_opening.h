// Whether a provider that answered 200 failed all the same, with the first event of its stream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ccr::proxy {

// Reads the beginning of an event stream, cut anywhere, up to its first event that is neither a ping nor [DONE];
// comments count as nothing. An error is
//   - an event named "error"
//   - an event whose data is an error object, or an array of such (Gemini); see FindErrorObject
//   - a JSON document of that kind in place of events, as some servers send it
//   - response.failed of the Responses API
// An event with choices and none in them is neither, nor is one that only announces a response. Every other event is an
// answer's. Lines end with LF or CRLF. Thread-compatible.
class StreamOpening {
 public:
  enum class Kind { kUndecided, kAnswer, kError };

  // The next bytes of the stream. What is decided stays, and the rest is not looked at.
  Kind Feed(std::string_view bytes);
  // The stream ended properly: an event that only lacks its blank line counts. Undecided when nothing came.
  Kind Finish();

  Kind kind() const { return kind_; }
  size_t held() const { return line_.size() + data_.size(); }  // bytes in memory
  // Of kError: the body that the same error has with a status of its own, a JSON object.
  const std::string& error() const { return error_; }

 private:
  // Of a JSON text, cut anywhere but within a character.
  class Nesting {
   public:
    bool Ends(std::string_view text);  // whether every bracket is closed behind it

   private:
    int64_t depth_ = 0;
    bool in_text_ = false, escaped_ = false;
  };

  void Line(std::string_view line);
  void DocumentLine(std::string_view line);
  void Dispatch();
  void Judge(std::string_view name, std::string_view data);

  Kind kind_ = Kind::kUndecided;
  std::string line_;  // the beginning of one whose end has not come
  std::string name_;
  std::string data_;
  bool has_data_ = false;
  bool first_line_ = true;
  bool document_ = false;  // data_ is the beginning of a JSON document
  Nesting nesting_;        // of it
  std::string error_;
};

}  // namespace ccr::proxy
