#include "proxy/upstream/header_list.h"

#include <string.h>

#include <algorithm>
#include <utility>

namespace ccr::proxy {
namespace {

bool EndsLine(char c) {
  return c == '\r' || c == '\n' || c == '\0';
}

}  // namespace

void HeaderList::Add(std::string_view name, std::string_view prefix, std::string_view value) {
  starts_.push_back(text_.size());
  Append(name);
  if (prefix.empty() && value.empty()) {
    Append(";");  // how curl spells a header without a value
  } else {
    Append(": ");
    Append(prefix);
    Append(value);
  }
  EndLine();
}

void HeaderList::Suppress(std::string_view name) {
  starts_.push_back(text_.size());
  Append(name);
  Append(":");
  EndLine();
}

curl_slist* HeaderList::Get() {
  nodes_.resize(starts_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i] = {text_.data() + starts_[i], i + 1 < nodes_.size() ? &nodes_[i + 1] : nullptr};
  }
  return nodes_.empty() ? nullptr : nodes_.data();
}

void HeaderList::Clear() {
  explicit_bzero(text_.data(), text_.size());
  text_.clear();
  starts_.clear();
  nodes_.clear();
  broken_ = false;
}

void HeaderList::Append(std::string_view text) {
  broken_ = broken_ || std::any_of(text.begin(), text.end(), EndsLine);
  if (text_.size() + text.size() + 1 > text_.capacity()) Grow(text_.size() + text.size() + 1);
  text_.append(text);
}

void HeaderList::EndLine() {
  text_.push_back('\0');
}

// By hand, so that no copy of a credential stays behind in freed memory.
void HeaderList::Grow(size_t size) {
  std::string bigger;
  bigger.reserve(std::max<size_t>(2 * size, 1024));
  bigger.append(text_);
  std::swap(text_, bigger);
  explicit_bzero(bigger.data(), bigger.size());
}

}  // namespace ccr::proxy
