#include "proxy/formats/translation.h"

#include <algorithm>

namespace ccr::proxy {

void AddNote(Notes* notes, std::string_view note) {
  if (notes == nullptr || std::find(notes->begin(), notes->end(), note) != notes->end()) return;
  notes->emplace_back(note);
}

const Notes& StreamTranslator::notes() const {
  static const Notes& none = *new Notes();
  return none;
}

}  // namespace ccr::proxy
