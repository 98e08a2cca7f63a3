#include "broker/config/parse.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/utf8.h"
#include "broker/config/env.h"
#include "broker/config/json5.h"
#include "broker/config/yaml_reader.h"

namespace ccr {
namespace {

constexpr const char* kEmptyHint =
    R"(is empty: write {"Providers": [{"name": ..., "api_base_url": ..., "api_key": ..., "models": [...]}]})";

// Line of the first byte that is not UTF-8; 0 when all is well.
int InvalidUtf8Line(std::string_view text) {
  int line = 1;
  for (size_t i = 0, length = 0; i < text.size(); i += length) {
    length = Utf8Length(text.substr(i));
    if (length == 0) return line;
    line += text[i] == '\n';
  }
  return 0;
}

}  // namespace

bool ParseTree(std::string_view text, const std::string& path, const EnvLookup& env, Node* root,
               ProblemList* problems) {
  const auto fail = [problems](int line, std::string message) {
    problems->Error({line, "", ""}, std::move(message));
    return false;
  };
  if (const int line = InvalidUtf8Line(text)) return fail(line, "is not UTF-8 text: save the file as UTF-8");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return fail(0, kEmptyHint);
  SyntaxError error;
  const bool is_yaml = path.ends_with(".yaml") || path.ends_with(".yml");
  if (!(is_yaml ? ParseYaml(text, root, &error) : ParseJson5(text, root, &error))) {
    return fail(error.line, absl::StrCat("column ", error.column, ": ", error.message));
  }
  if (root->kind == Node::Kind::kNull) return fail(0, kEmptyHint);
  if (root->kind != Node::Kind::kMap) {
    return fail(root->line, absl::StrCat("the file must hold a map {...}, not ", ToAbsl(KindName(root->kind))));
  }
  ExpandVariables(root, env);
  return true;
}

}  // namespace ccr
