#include "proxy/formats/conversation/answer.h"

#include <utility>

namespace ccr::proxy {

ErrorKind KindOfStatus(int status) {
  switch (status) {
    case 401:
      return ErrorKind::kAuth;
    case 402:
      return ErrorKind::kQuota;
    case 403:
      return ErrorKind::kPermission;
    case 404:
      return ErrorKind::kNotFound;
    case 408:
    case 504:
      return ErrorKind::kTimeout;
    case 413:
      return ErrorKind::kTooLarge;
    case 429:
      return ErrorKind::kRateLimited;
    case 503:
    case 529:
      return ErrorKind::kOverloaded;
    default:
      return status >= 400 && status < 500 ? ErrorKind::kInvalid : ErrorKind::kUpstream;
  }
}

void Replay(ModelAnswer answer, AnswerSink* sink) {
  sink->Start(answer.id, answer.model);
  size_t number = 0;
  for (Part& part : answer.parts) {
    const size_t n = number++;
    if (part.kind == PartKind::kMedia || part.kind == PartKind::kOther || part.kind == PartKind::kToolResult) {
      sink->WholePart(n, std::move(part));
      continue;
    }
    sink->StartPart(n, {part.kind, part.id, part.name, part.custom});
    // Clients get a call's state in its id, which comes before its arguments.
    const bool call = part.kind == PartKind::kToolCall;
    for (size_t i = 0; call && i < part.state.size(); ++i) sink->AddState(n, part.state[i]);
    if (!part.text.empty()) sink->Delta(n, part.text);
    for (size_t i = 0; !call && i < part.state.size(); ++i) sink->AddState(n, part.state[i]);
    sink->EndPart(n);
  }
  sink->SetUsage(answer.usage);
  sink->End(answer.stop);
}

void AnswerCollector::Start(std::string_view id, std::string_view model) {
  answer_.id = id;
  answer_.model = model;
}

void AnswerCollector::StartPart(size_t part, const PartHead& head) {
  if (!Hold(sizeof(Part) + head.id.size() + head.name.size()) || numbers_.contains(part)) return;
  numbers_[part] = answer_.parts.size();
  Part& added = answer_.parts.emplace_back();
  added.kind = head.kind;
  added.id = head.id;
  added.name = head.name;
  added.custom = head.custom;
}

void AnswerCollector::Delta(size_t part, std::string_view text) {
  Part* known = Find(part);
  if (known != nullptr && Hold(text.size())) known->text += text;
}

void AnswerCollector::AddState(size_t part, const OpaqueState& state) {
  Part* known = Find(part);
  if (known != nullptr && Hold(state.data.size())) known->state.push_back(state);
}

void AnswerCollector::EndPart(size_t part) {
  numbers_.erase(part);
}

void AnswerCollector::WholePart(size_t /*part*/, Part whole) {
  if (Hold(sizeof(Part) + whole.text.size() + whole.media.data.size())) answer_.parts.push_back(std::move(whole));
}

void AnswerCollector::SetUsage(const Usage& usage) {
  answer_.usage = usage;
}

void AnswerCollector::End(const Stop& stop) {
  if (failed_ || ended_) return;
  ended_ = true;
  answer_.stop = stop;
}

void AnswerCollector::Fail(const AnswerError& error) {
  if (failed_ || ended_) return;
  failed_ = true;
  error_ = error;
}

Part* AnswerCollector::Find(size_t part) {
  const auto known = numbers_.find(part);
  return known == numbers_.end() ? nullptr : &answer_.parts[known->second];
}

bool AnswerCollector::Hold(size_t bytes) {
  if (failed_ || ended_) return false;
  held_ += bytes;
  if (held_ <= kMaxBytes) return true;
  AnswerError error;
  error.status = 502;
  error.message = "the provider's answer is too large to be put together";
  Fail(error);
  return false;
}

}  // namespace ccr::proxy
