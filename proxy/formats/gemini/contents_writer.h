// Messages as Gemini's systemInstruction and contents; codec.h holds the table.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/gemini/object_text.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::gemini {

// Takes the messages one by one. Of a request as Fit() leaves it, what it builds holds to Gemini's rules: no content is
// empty, the first is the user's, and the functionCalls of a model's content are answered by the next content, which
// holds one functionResponse for each, in their order, and nothing else. Not thread-safe.
class ContentsWriter {
 public:
  // `gemini_client`: the request was read from a client of Gemini's, whose own members go back. `notes` and `names`,
  // which takes the tools that got other names, must outlive this.
  ContentsWriter(bool gemini_client, Notes* notes, ToolNames* names)
      : gemini_client_(gemini_client), notes_(notes), names_(names) {}

  // ResourceExhausted when the arguments of all calls are more than a JsonBudget.
  absl::Status Add(const Message& message);
  // Newer models refuse a functionCall without a signature where it is the first one of a step of the turn that is
  // under way. Those that never had one, of another provider's model, get the value that Google documents for them.
  void SignForeignCalls();

  // The members systemInstruction, where there is any, and contents.
  void Write(ObjectText* body) const;

 private:
  struct Content {
    bool model = false;
    bool answers = false;            // functionResponses
    bool calls = false;              // has a functionCall
    size_t unsigned_call = kSigned;  // where a signature of the first one goes, if it has none
    std::string parts;
    std::string own;  // members of the client's, each with a comma behind it
  };
  static constexpr size_t kSigned = ~size_t{0};

  void AddSystem(const Message& message);
  void AddResults(const Message& message);
  void AppendPart(const Part& part, Role role, Content* to);
  void AppendText(const Part& part, Content* to);
  void AppendThinking(const Part& part, Content* to);
  void AppendPlainText(std::string_view text, Content* to);
  void AppendCall(const Part& part, Content* to);
  void AppendMediaPart(const Part& part, Role role, Content* to);
  void AppendResult(const Part& part, Content* answers, Content* media);
  void AppendResponse(const Part& part, ObjectText* result);
  void AppendOther(const Part& part, Content* to);
  void Push(Content content);

  // Begins a part.
  static std::string* Begin(Content* to);
  // What of a part the model has no place for: beside the member `inner`, and in it.
  void AppendOwn(const Part& part, std::string_view inner, ObjectText* to) const;
  void AppendInner(const Part& part, std::string_view inner, std::string_view but, ObjectText* to) const;

  const bool gemini_client_;
  Notes* const notes_;
  ToolNames* const names_;
  JsonBudget arguments_;
  Content system_;
  std::vector<Content> contents_;
};

}  // namespace ccr::proxy::gemini
