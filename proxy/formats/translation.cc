#include "proxy/formats/translation.h"

#include "broker/base/absl_text.h"

namespace ccr::proxy {

void Notes::Add(std::string_view note) {
  if (known_.contains(ToAbsl(note))) return;
  if (notes_.size() == kMost) {
    ++more_;
    return;
  }
  known_.insert(std::string(note));
  notes_.emplace_back(note);
}

void Notes::Add(const Notes& others) {
  for (const std::string& note : others) Add(note);
  more_ += others.more_;
}

void AddNote(Notes* notes, std::string_view note) {
  if (notes != nullptr) notes->Add(note);
}

absl::StatusOr<std::string> Translation::ResponseAsStream(std::string_view /*body*/, Notes* /*notes*/) const {
  return absl::UnimplementedError("a whole answer cannot be given as a stream");
}

int Translation::ErrorStatus(int status, std::string_view /*body*/) const {
  return status;
}

const Notes& StreamTranslator::notes() const {
  static const Notes& none = *new Notes();
  return none;
}

}  // namespace ccr::proxy
