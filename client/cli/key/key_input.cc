#include "client/cli/key/key_input.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <ostream>
#include <unordered_map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"
#include "broker/base/file_content.h"
#include "broker/base/utf8.h"
#include "broker/config/json5.h"
#include "broker/config/keys.h"
#include "broker/config/limits.h"
#include "broker/config/map_reader.h"
#include "client/cli/hidden_input.h"

namespace ccr::cli {
namespace {

constexpr size_t kMostOneKey = 64 * 1024;
constexpr size_t kMostList = 64 * 1024 * 1024;
constexpr size_t kToldMistakes = 20;

// How keys of providers begin.
constexpr std::string_view kBeginnings[] = {"sk-",   "sk_",  "pk-",  "AIza", "gsk_", "xai-", "hf_",
                                            "nvapi", "pplx", "tgp_", "fw_",  "r8_",  "csk-", "Bearer "};
constexpr size_t kShortestKey = 16;
constexpr size_t kLongestNameRun = 20;  // of letters and digits, in a name that people choose; fingerprints have 16

// All of `in`, up to the limit.
absl::StatusOr<Secret> ReadStream(std::istream& in, size_t most) {
  std::string text;
  char block[4096];
  while (in.read(block, sizeof block) || in.gcount() > 0) {
    std::string grown;
    const auto size = static_cast<size_t>(in.gcount());
    if (text.size() + size > text.capacity()) {  // what was there must not stay in freed memory
      grown.reserve(std::max(2 * text.capacity(), text.size() + size));
      grown.append(text);
      text.swap(grown);
      WipeText(&grown);
    }
    text.append(block, size);
    if (text.size() <= most) continue;
    WipeText(&text);
    return absl::InvalidArgumentError(absl::StrCat("standard input has more than ", most, " bytes: that is no key"));
  }
  explicit_bzero(block, sizeof block);
  return Secret(std::move(text));
}

absl::StatusOr<Secret> ReadAll(const std::string& file, std::istream& in, size_t most) {
  if (file.empty() || file == "-") return ReadStream(in, most);
  absl::StatusOr<FileContent> content = ReadFileContent(file, most);
  if (content.ok()) return std::move(content->text);
  return absl::Status(content.status().code(), absl::StrCat(file, " ", content.status().message()));
}

absl::StatusOr<Secret> AskForKey(std::istream& in, const Terminal& terminal) {
  terminal.err << "API key (not shown): " << std::flush;
  std::string line;
  {
    const HiddenInput hidden;
    std::getline(in, line);
  }
  terminal.err << "\n";
  return Secret(std::move(line));
}

std::string_view Trim(std::string_view text) {
  return ToStd(absl::StripAsciiWhitespace(ToAbsl(text)));
}

// Collects mistakes, and tells the first of them.
class Mistakes {
 public:
  explicit Mistakes(std::string source) : source_(std::move(source)) {}

  void Add(int line, std::string_view field, std::string_view what) {
    if (++count_ > kToldMistakes) return;
    lines_.push_back(absl::StrCat(source_, ":", line, ": ", ToAbsl(field), field.empty() ? "" : ": ", ToAbsl(what)));
  }
  absl::Status ToStatus() const {
    if (count_ == 0) return absl::OkStatus();
    std::string text = absl::StrJoin(lines_, "\n");
    if (count_ > kToldMistakes) absl::StrAppend(&text, "\nand ", count_ - kToldMistakes, " more");
    return absl::InvalidArgumentError(text);
  }

 private:
  const std::string source_;
  size_t count_ = 0;
  std::vector<std::string> lines_;
};

void Check(const ListedKey& listed, Mistakes* mistakes) {
  if (listed.key.secret.Reveal().starts_with('$'))
    mistakes->Add(listed.line, "", "is the name of a variable, and none is replaced here: write the key itself");
  if (listed.key.name.empty()) return;
  if (const std::string problem = KeyNameProblem(listed.key); !problem.empty()) mistakes->Add(listed.line, "", problem);
}

// One a line, or NAME KEY.
std::vector<ListedKey> ParseLines(std::string_view text, Mistakes* mistakes) {
  std::vector<ListedKey> keys;
  int number = 0;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    const std::string_view line = Trim(ToStd(part));
    if (line.empty() || line[0] == '#') continue;
    const std::vector<absl::string_view> words =
        absl::StrSplit(ToAbsl(line), absl::ByAnyChar(" \t\r\v\f"), absl::SkipEmpty());
    if (words.size() > 2) {
      mistakes->Add(number, "", "has more than two words: write KEY, or NAME KEY");
      continue;
    }
    ListedKey& listed = keys.emplace_back();
    listed.line = number;
    listed.key.secret = Secret(ToStd(words.back()));
    if (words.size() == 2) listed.key.name = std::string(words[0]);
    if (const std::string problem = KeyProblem(listed.key.secret.Reveal()); !problem.empty())
      mistakes->Add(number, "", problem);
    Check(listed, mistakes);
  }
  return keys;
}

void ReadObject(const Node& node, const Place& place, ProblemList* problems, KeyConfig* key) {
  MapReader fields(node, place, problems);
  const Node* secret = fields.Find("key");
  if (secret == nullptr) problems->Error(place, "the key is missing: write {\"key\": \"...\"}");
  if (secret != nullptr) {
    if (std::optional<Secret> read = ReadSecret(*secret, fields.At("key"), {}, problems))
      key->secret = std::move(*read);
  }
  fields.Text("name", &key->name);
  fields.Decimal("weight", {kWeightRange.min, kWeightRange.max}, &key->weight);
  if (key->weight == 0) problems->Error(fields.At("weight"), "only a key of the configuration file can have weight 0");
  fields.Whole({"max_concurrent", "maxConcurrent"}, kLimitRange, &key->max_concurrent);
  ReadLimits(&fields, &key->limits);
  fields.TextList("models", &key->models);
  fields.DoneExactly();
}

// Any text of it may be a key.
void Wipe(Node* node) {
  explicit_bzero(node->text.data(), node->text.capacity());
  for (Node& item : node->items) Wipe(&item);
  for (Node::Entry& entry : node->entries) Wipe(&entry.value);
}

std::vector<ListedKey> ParseJson(std::string_view text, Mistakes* mistakes) {
  std::vector<ListedKey> keys;
  Node root;
  SyntaxError error;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t bytes = Utf8Length(rest);
    if (bytes == 0) {
      mistakes->Add(
          static_cast<int>(1 + std::count(text.begin(), text.end() - static_cast<ptrdiff_t>(rest.size()), '\n')), "",
          "is not UTF-8");
      return keys;
    }
    rest.remove_prefix(bytes);
  }
  if (!ParseJson5(text, &root, &error)) {
    mistakes->Add(error.line, "", absl::StrCat("column ", error.column, ": ", error.message));
  } else if (root.kind != Node::Kind::kList) {
    mistakes->Add(root.line, "", "must be a list of keys: [\"KEY\", {\"key\": \"KEY\", \"name\": \"NAME\"}]");
  }
  ProblemList problems("");
  for (size_t i = 0; i < root.items.size(); ++i) {
    const Node& node = root.items[i];
    const Place place = Place().Item(i, node.line);
    ListedKey& listed = keys.emplace_back();
    listed.line = node.line;
    if (node.kind == Node::Kind::kMap) {
      ReadObject(node, place, &problems, &listed.key);
    } else if (node.kind != Node::Kind::kString) {
      problems.Error(place, "must be a text or {\"key\": \"...\"}");
    } else if (std::optional<Secret> read = ReadSecret(node, place, {}, &problems)) {
      listed.key.secret = std::move(*read);
    }
    Check(listed, mistakes);
  }
  Wipe(&root);
  for (const ConfigProblem& problem : problems.Take()) {
    if (problem.severity == ConfigProblem::Severity::kError)
      mistakes->Add(problem.line, problem.field, problem.message);
  }
  return keys;
}

// Leaves out what was there before; a name twice is a mistake.
KeyList Unique(std::vector<ListedKey> keys, Mistakes* mistakes) {
  KeyList list;
  std::unordered_map<std::string, int> lines, names;  // of the first; keys by their hash
  for (ListedKey& listed : keys) {
    const auto [same, is_new] = lines.emplace(Sha256(listed.key.secret.Reveal()), listed.line);
    if (!is_new) {
      list.repeated.push_back(absl::StrCat("line ", listed.line, ": the same key as in line ", same->second));
      continue;
    }
    const auto [named, is_first] = names.emplace(listed.key.name, listed.line);
    if (!is_first && !listed.key.name.empty())
      mistakes->Add(listed.line, "", absl::StrCat("the same name as in line ", named->second, ": choose another"));
    list.keys.push_back(std::move(listed));
  }
  return list;
}

}  // namespace

bool LooksLikeKey(std::string_view word) {
  const auto begins = [word](std::string_view beginning) { return word.starts_with(beginning); };
  if (word.size() >= kShortestKey && std::any_of(std::begin(kBeginnings), std::end(kBeginnings), begins)) return true;
  size_t run = 0;
  bool digits = false;
  bool letters = false;
  for (const char c : word) {
    const bool goes_on = absl::ascii_isalnum(static_cast<unsigned char>(c));
    run = goes_on ? run + 1 : 0;
    digits = goes_on && (digits || absl::ascii_isdigit(static_cast<unsigned char>(c)));
    letters = goes_on && (letters || absl::ascii_isalpha(static_cast<unsigned char>(c)));
    if (run > kLongestNameRun && digits && letters) return true;
  }
  return false;
}

absl::StatusOr<Secret> ReadOneKey(const std::string& file, std::istream& in, bool ask, const Terminal& terminal) {
  const bool typed = file.empty() && ask;
  const absl::StatusOr<Secret> text = typed ? AskForKey(in, terminal) : ReadAll(file, in, kMostOneKey);
  if (!text.ok()) return text.status();
  const std::string_view key = Trim(text->Reveal());
  if (key.empty()) {
    return absl::InvalidArgumentError("no key came: give it on standard input or in a file (--file FILE)");
  }
  if (key.find('\n') != std::string_view::npos)
    return absl::InvalidArgumentError("more than one line came: ccr key import takes several keys");
  if (const std::string problem = KeyProblem(key); !problem.empty()) return absl::InvalidArgumentError(problem);
  return Secret(key);
}

absl::StatusOr<KeyList> ParseKeyList(std::string_view text, const std::string& source) {
  Mistakes mistakes(source);
  const std::string_view content = Trim(text);
  const bool is_json = !content.empty() && (content[0] == '[' || content[0] == '{');
  if (content.empty()) mistakes.Add(1, "", "there is no key in it");
  KeyList list = Unique(is_json ? ParseJson(text, &mistakes) : ParseLines(text, &mistakes), &mistakes);
  if (absl::Status status = mistakes.ToStatus(); !status.ok()) return status;
  if (!list.keys.empty()) return list;
  return absl::InvalidArgumentError(absl::StrCat(source, ": there is no key in it"));
}

absl::StatusOr<KeyList> ReadKeyList(const std::string& file, std::istream& in) {
  const absl::StatusOr<Secret> text = ReadAll(file, in, kMostList);
  if (!text.ok()) return text.status();
  return ParseKeyList(text->Reveal(), file.empty() || file == "-" ? "standard input" : file);
}

absl::StatusOr<absl::Duration> ParseTime(const std::string& text) {
  absl::Duration time;
  const absl::string_view days = absl::StripSuffix(text, "d");
  int count = 0;
  const bool in_days = days.size() < text.size() && absl::SimpleAtoi(days, &count);
  const bool good = in_days || absl::ParseDuration(text, &time);
  if (in_days) time = count * absl::Hours(24);
  if (good && time >= absl::Milliseconds(1) && time < absl::InfiniteDuration()) return time;
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no length of time: write 30s, 15m, 2h or 1d"));
}

}  // namespace ccr::cli
