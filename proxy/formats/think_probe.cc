#include "proxy/formats/think_probe.h"

#include <algorithm>
#include <utility>

namespace ccr::proxy {
namespace {

constexpr std::string_view kTag = "<think>";
constexpr std::string_view kBlanks = " \t\r\n";

void SkipBlanks(std::string* text) {
  text->erase(0, std::min(text->find_first_not_of(kBlanks), text->size()));
}

const json::object* FirstChoice(const json::value& body) {
  const json::array* choices = body.is_object() ? FindArray(body.get_object(), "choices") : nullptr;
  return choices == nullptr || choices->empty() ? nullptr : choices->front().if_object();
}

// Whether a delta or message holds more than a text.
bool HoldsMore(const json::object& message) {
  return std::any_of(message.begin(), message.end(), [](const json::key_value_pair& member) {
    if (member.key() == "content" || member.key() == "role") return false;
    const json::string* text = member.value().if_string();
    return text != nullptr ? !text->empty() : member.value().is_array() && !member.value().get_array().empty();
  });
}

}  // namespace

ThinkProbe::Verdict ThinkProbe::Feed(std::string_view bytes, std::string* out) {
  held_ += bytes;
  const bool fits = parser_.Feed(bytes, [this](const SseEvent& event) { OnEvent(event); });
  if (verdict_ == Verdict::kUndecided && (!fits || held_.size() > kMaxHeld)) verdict_ = Verdict::kPlain;
  if (verdict_ == Verdict::kUndecided) {
    PassEvents(out);
  } else {
    out->append(std::exchange(held_, {}));
  }
  return verdict_;
}

void ThinkProbe::PassEvents(std::string* out) {
  if (!text_.empty()) return;
  size_t end = 0;
  for (const std::string_view blank_line : {"\n\n", "\n\r\n"}) {
    const size_t at = held_.rfind(blank_line);
    if (at != held_.npos) end = std::max(end, at + blank_line.size());
  }
  out->append(held_, 0, end);
  held_.erase(0, end);
}

void ThinkProbe::OnEvent(const SseEvent& event) {
  if (verdict_ != Verdict::kUndecided) return;
  const absl::StatusOr<json::value> parsed = ParseJson(event.data);
  if (!parsed.ok() || !parsed->is_object() || FindObject(parsed->get_object(), "error") != nullptr) {
    verdict_ = Verdict::kPlain;
    return;
  }
  if (const json::object* choice = FirstChoice(*parsed); choice != nullptr) OnChoice(*choice);
}

void ThinkProbe::OnChoice(const json::object& choice) {
  const json::object* delta = FindObject(choice, "delta");
  if (delta != nullptr) text_ += FindText(*delta, "content");
  SkipBlanks(&text_);
  if (text_.starts_with(kTag)) {
    verdict_ = Verdict::kThinks;
  } else if (!kTag.starts_with(text_) || (delta != nullptr && HoldsMore(*delta)) ||
             !FindText(choice, "finish_reason").empty()) {
    verdict_ = Verdict::kPlain;
  }
}

bool BeginsWithThinkTag(std::string_view body) {
  if (body.find(kTag) == body.npos) return false;
  const absl::StatusOr<json::value> parsed = ParseJson(body);
  const json::object* choice = parsed.ok() ? FirstChoice(*parsed) : nullptr;
  const json::object* message = choice == nullptr ? nullptr : FindObject(*choice, "message");
  if (message == nullptr) return false;
  std::string text(FindText(*message, "content"));
  SkipBlanks(&text);
  return text.starts_with(kTag);
}

}  // namespace ccr::proxy
