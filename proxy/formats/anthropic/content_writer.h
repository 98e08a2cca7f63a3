// Parts of messages as blocks of a request.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/anthropic/json_writer.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::anthropic {

// Spaces, tabs and line ends only: what Anthropic refuses as a text.
bool IsBlank(std::string_view text);

// Writes texts, media and blocks of Anthropic's own. `notes` must outlive it. Not thread-safe.
class ContentWriter {
 public:
  // Where a block stands: Anthropic takes media of the user alone.
  enum class Place { kUser, kSystem, kAssistant };

  // `own`: the parts were read from Anthropic's format, so that theirs is written.
  ContentWriter(bool own, Notes* notes) : own_(own), notes_(notes) {}

  // kText, kRefusal, kMedia, kOther. Nothing where nothing is to be said.
  void Write(const Part& part, Place place, ListWriter* blocks);
  // A text block; nothing for a blank text. `origin` may be null.
  void WriteText(std::string_view text, const Part* origin, ListWriter* blocks);
  // The cache_control and, of Anthropic's format, the other members.
  void WriteRest(const Part& part, ObjectWriter* block) const;
  bool own() const { return own_; }

 private:
  void WriteMedia(const Part& part, Place place, ListWriter* blocks);
  void WriteOther(const Part& part, Place place, ListWriter* blocks);
  void WriteOmitted(std::string_view what, ListWriter* blocks);

  const bool own_;
  Notes* const notes_;
};

}  // namespace ccr::proxy::anthropic
