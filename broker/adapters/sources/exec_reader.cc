#include "broker/adapters/sources/exec_reader.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"
#include "broker/base/log.h"
#include "broker/base/program.h"

namespace ccr {
namespace {

constexpr size_t kMaxOutput = 1 << 20;
constexpr size_t kMaxProgramWords = 400;
constexpr size_t kMinMasked = 6;  // shorter words are no secrets

void Hide(std::string_view secret, std::string* text) {
  for (size_t at = text->find(secret); at != std::string::npos; at = text->find(secret, at)) {
    text->replace(at, secret.size(), "[redacted]");
  }
}

// No word that is shown needs so many letters and digits in one.
bool MayBeSecret(std::string_view word) {
  constexpr size_t kShortestSecret = 12;
  const auto is = [word](int (*kind)(int)) {
    return std::any_of(word.begin(), word.end(), [kind](unsigned char c) { return kind(c) != 0; });
  };
  return word.size() >= kShortestSecret && is(std::isdigit) && is(std::isalpha) &&
         word.find('/') == std::string_view::npos;
}

// What the program says of its failure, on one line that can be shown.
std::string Words(std::string err, const Secret& out) {
  for (const absl::string_view word : absl::StrSplit(ToAbsl(out.Reveal()), absl::ByAnyChar(" \t\r\n"))) {
    if (word.size() >= kMinMasked) Hide(ToStd(word), &err);
  }
  for (char& c : err) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c)))
      c = absl::ascii_isspace(static_cast<unsigned char>(c)) ? ' ' : '?';
  }
  absl::RemoveExtraAsciiWhitespace(&err);
  const std::vector<std::string> words = absl::StrSplit(err, absl::ByAnyChar(" =:,;'\"()"), absl::SkipEmpty());
  for (const std::string& word : words) {
    if (MayBeSecret(word)) Hide(word, &err);
  }
  return Redact(err).substr(0, kMaxProgramWords);
}

}  // namespace

absl::StatusOr<SecretReading> ExecReader::Read(const SecretSource& source) {
  absl::StatusOr<ProgramEnd> end =
      RunProgram({source.argv, source.environment, source.folder, limit_, kMaxOutput}, stop_);
  if (!end.ok()) return end.status();
  SecretReading reading;
  reading.valid_for = source.ttl;
  const absl::Status verdict = VerdictOf(*end);
  if (verdict.ok()) {
    reading.text = std::move(end->out);
    return reading;
  }
  const std::string words = Words(std::move(end->err), end->out);
  return words.empty() ? verdict : absl::UnavailableError(absl::StrCat(verdict.message(), ": ", words));
}

}  // namespace ccr
