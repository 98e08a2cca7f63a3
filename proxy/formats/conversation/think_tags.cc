#include "proxy/formats/conversation/think_tags.h"

#include <algorithm>
#include <utility>

namespace ccr::proxy {
namespace think_tags {
namespace {

constexpr std::string_view kOpenTag = "<think>";
constexpr std::string_view kCloseTag = "</think>";
constexpr std::string_view kSpace = " \t\r\n";

size_t LeadingSpace(std::string_view text) {
  return std::min(text.find_first_not_of(kSpace), text.size());
}

std::string_view Trimmed(std::string_view text) {
  text.remove_prefix(LeadingSpace(text));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

// How much at the end of `text` may be white space before the tag and the tag's beginning.
size_t HeldAtEnd(std::string_view text) {
  size_t tag = std::min(text.size(), kCloseTag.size() - 1);
  while (tag > 0 && !text.ends_with(kCloseTag.substr(0, tag))) --tag;
  const std::string_view before = text.substr(0, text.size() - tag);
  return text.size() - (before.find_last_not_of(kSpace) + 1);
}

}  // namespace
}  // namespace think_tags

void SplitThinkTags(ModelAnswer* answer) {
  std::vector<Part>& parts = answer->parts;
  const auto first = std::find_if(parts.begin(), parts.end(), [](const Part& part) {
    return part.kind == PartKind::kText || part.kind == PartKind::kThinking;
  });
  if (first == parts.end() || first->kind != PartKind::kText) return;
  std::string_view text = first->text;
  text.remove_prefix(think_tags::LeadingSpace(text));
  if (!text.starts_with(think_tags::kOpenTag)) return;
  text.remove_prefix(think_tags::kOpenTag.size());
  const size_t end = text.find(think_tags::kCloseTag);
  Part thinking;
  thinking.kind = PartKind::kThinking;
  thinking.text = think_tags::Trimmed(text.substr(0, end));
  std::string_view rest = end == text.npos ? std::string_view() : text.substr(end + think_tags::kCloseTag.size());
  rest.remove_prefix(think_tags::LeadingSpace(rest));
  first->text = std::string(rest);
  const auto at = first->text.empty() && first->state.empty() ? parts.erase(first) : first;
  if (!thinking.text.empty()) parts.insert(at, std::move(thinking));
}

void ThinkTags::Start(std::string_view id, std::string_view model) {
  sink_.Start(id, model);
}

void ThinkTags::StartPart(size_t part, const PartHead& head) {
  const bool first = where_ == Where::kBefore;
  if (first && head.kind == PartKind::kThinking) where_ = Where::kPlain;
  if (!first || head.kind != PartKind::kText) return Open(part, head);
  where_ = Where::kUndecided;
  watched_ = part;
}

void ThinkTags::Delta(size_t part, std::string_view text) {
  if (where_ != Where::kPlain && where_ != Where::kBefore && part == watched_) {
    held_ += text;
    if (where_ == Where::kUndecided) Decide();
    if (where_ == Where::kThinking) Think();
    if (where_ == Where::kBehind) EmitText(std::exchange(held_, {}));
    return;
  }
  if (const auto known = numbers_.find(part); known != numbers_.end()) sink_.Delta(known->second, text);
}

void ThinkTags::Decide() {
  std::string_view text = held_;
  text.remove_prefix(think_tags::LeadingSpace(text));
  if (think_tags::kOpenTag.starts_with(text) && text != think_tags::kOpenTag && held_.size() <= kMaxHeld) return;
  if (text.starts_with(think_tags::kOpenTag)) {
    where_ = Where::kThinking;
    held_ = std::string(text.substr(think_tags::kOpenTag.size()));
    return;
  }
  where_ = Where::kPlain;
  Open(watched_, {PartKind::kText, {}, {}, false});
  sink_.Delta(numbers_[watched_], std::exchange(held_, {}));
}

void ThinkTags::Think() {
  const size_t end = held_.find(think_tags::kCloseTag);
  if (end == held_.npos) {
    const size_t ready = held_.size() - think_tags::HeldAtEnd(held_);
    const size_t most = held_.size() - ready > kMaxHeld ? held_.size() : ready;
    if (!thinking_ && most == 0) return;
    EmitThinking(std::string_view(held_).substr(0, most));
    held_.erase(0, most);
    return;
  }
  std::string_view last = std::string_view(held_).substr(0, end);
  EmitThinking(last.substr(0, last.find_last_not_of(think_tags::kSpace) + 1));
  held_.erase(0, end + think_tags::kCloseTag.size());
  if (thinking_) sink_.EndPart(thinking_number_);
  thinking_ = false;
  where_ = Where::kBehind;
}

void ThinkTags::EmitThinking(std::string_view text) {
  if (!thinking_) text.remove_prefix(think_tags::LeadingSpace(text));
  if (text.empty()) return;
  if (!thinking_) {
    thinking_number_ = next_++;
    thinking_ = true;
    sink_.StartPart(thinking_number_, {PartKind::kThinking, {}, {}, false});
  }
  sink_.Delta(thinking_number_, text);
}

// Behind the tags.
void ThinkTags::EmitText(std::string_view text) {
  text.remove_prefix(think_tags::LeadingSpace(text));
  if (text.empty()) return;
  where_ = Where::kPlain;
  Open(watched_, {PartKind::kText, {}, {}, false});
  sink_.Delta(numbers_[watched_], text);
}

void ThinkTags::Open(size_t part, const PartHead& head) {
  if (!numbers_.try_emplace(part, next_).second) return;
  sink_.StartPart(next_++, head);
}

void ThinkTags::AddState(size_t part, const OpaqueState& state) {
  const bool watched = part == watched_ && where_ != Where::kPlain && where_ != Where::kBefore;
  if (watched && where_ == Where::kThinking) {
    if (thinking_) sink_.AddState(thinking_number_, state);
    return;
  }
  if (watched) {
    where_ = Where::kPlain;
    Open(part, {PartKind::kText, {}, {}, false});
    if (!held_.empty()) sink_.Delta(numbers_[part], std::exchange(held_, {}));
  }
  if (const auto known = numbers_.find(part); known != numbers_.end()) sink_.AddState(known->second, state);
}

void ThinkTags::EndPart(size_t part) {
  if (part == watched_) CloseWatched();
  const auto known = numbers_.find(part);
  if (known == numbers_.end()) return;
  sink_.EndPart(known->second);
  numbers_.erase(known);
}

// No more of the first text comes: what was held back is no tag.
void ThinkTags::CloseWatched() {
  if (where_ == Where::kPlain || where_ == Where::kBefore) return;
  if (where_ == Where::kUndecided) {
    Open(watched_, {PartKind::kText, {}, {}, false});
    if (!held_.empty()) sink_.Delta(numbers_[watched_], held_);
  } else if (where_ == Where::kThinking) {
    EmitThinking(std::string_view(held_).substr(0, held_.find_last_not_of(think_tags::kSpace) + 1));
    if (thinking_) sink_.EndPart(thinking_number_);
  }
  held_.clear();
  thinking_ = false;
  where_ = Where::kPlain;
}

void ThinkTags::WholePart(size_t /*part*/, Part whole) {
  sink_.WholePart(next_++, std::move(whole));
}

void ThinkTags::SetUsage(const Usage& usage) {
  sink_.SetUsage(usage);
}

void ThinkTags::End(const Stop& stop) {
  CloseWatched();
  sink_.End(stop);
}

void ThinkTags::Fail(const AnswerError& error) {
  CloseWatched();
  sink_.Fail(error);
}

}  // namespace ccr::proxy
