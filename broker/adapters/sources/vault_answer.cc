#include "broker/adapters/sources/vault_answer.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/log.h"

namespace ccr {
namespace {

namespace json = boost::json;

constexpr size_t kMaxServerWords = 200;
constexpr size_t kMaxFields = 5;
constexpr size_t kNodesPerByte = 16;
constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kServiceUnavailable = 503;

// A body as a tree, in memory that is wiped.
class Tree {
 public:
  explicit Tree(const Secret& body)
      : memory_(body.Reveal().size() * kNodesPerByte + 4096), resource_(memory_.data(), memory_.size()) {
    json::error_code failed;
    json::value parsed = json::parse({body.Reveal().data(), body.Reveal().size()}, failed, &resource_);
    if (!failed && parsed.is_object()) root_ = std::move(parsed.get_object());
  }
  ~Tree() { explicit_bzero(memory_.data(), memory_.size()); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  const json::object* root() const { return root_ ? &*root_ : nullptr; }

 private:
  std::vector<unsigned char> memory_;
  json::monotonic_resource resource_;
  std::optional<json::object> root_;
};

const json::value* Member(const json::object* object, std::string_view name) {
  return object == nullptr ? nullptr : object->if_contains({name.data(), name.size()});
}

const json::object* Object(const json::object* object, std::string_view name) {
  const json::value* const value = Member(object, name);
  return value == nullptr ? nullptr : value->if_object();
}

std::string_view Text(const json::object* object, std::string_view name) {
  const json::value* const value = Member(object, name);
  const json::string* const text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

VaultLease LeaseOf(const json::object* object, std::string_view duration) {
  VaultLease lease;
  lease.id = std::string(Text(object, "lease_id"));
  if (const json::value* const seconds = Member(object, duration); seconds != nullptr && seconds->is_int64()) {
    lease.duration = absl::Seconds(std::max<int64_t>(seconds->get_int64(), 0));
  }
  const json::value* const renewable = Member(object, "renewable");
  lease.renewable = renewable != nullptr && renewable->is_bool() && renewable->get_bool();
  return lease;
}

// Words of the server that can be shown.
std::string Shown(std::string_view words) {
  std::string shown(words.substr(0, kMaxServerWords));
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = ' ';
  }
  absl::RemoveExtraAsciiWhitespace(&shown);
  return Redact(shown);
}

// The first text in the list `name`.
std::string FirstOf(const json::object* object, std::string_view name) {
  const json::value* const value = Member(object, name);
  const json::array* const list = value == nullptr ? nullptr : value->if_array();
  if (list == nullptr || list->empty() || !list->front().is_string()) return "";
  const json::string& text = list->front().get_string();
  return Shown({text.data(), text.size()});
}

std::string FieldNames(const json::object& data) {
  std::string names;
  size_t count = 0;
  for (const auto& [name, value] : data) {
    if (++count > kMaxFields) return names + ", ...";
    absl::StrAppend(&names, names.empty() ? "" : ", ", Shown({name.data(), name.size()}));
  }
  return names.empty() ? "none" : names;
}

absl::Status NoAnswerOfVault() {
  return absl::UnavailableError("gives an answer that is none of Vault's: is Broker.vault.address its URL?");
}

}  // namespace

absl::StatusOr<VaultSecret> ReadVaultSecret(const Secret& body, const std::string& field) {
  const Tree tree(body);
  const json::object* data = Object(tree.root(), "data");
  if (data == nullptr) return NoAnswerOfVault();
  const json::object* const versioned = Object(data, "data");
  if (versioned != nullptr && Object(data, "metadata") != nullptr) data = versioned;
  const json::value* const value = Member(data, field);
  if (value == nullptr) {
    return absl::NotFoundError(absl::StrCat("has no field ", field, ": it has ", FieldNames(*data)));
  }
  if (!value->is_string()) return absl::InvalidArgumentError("is no text");
  VaultSecret secret;
  secret.value = Secret(Text(data, field));
  secret.lease = LeaseOf(tree.root(), "lease_duration");
  return secret;
}

absl::StatusOr<VaultToken> ReadVaultToken(const Secret& body) {
  const Tree tree(body);
  VaultToken token;
  if (const json::object* const auth = Object(tree.root(), "auth")) {
    token.token = Secret(Text(auth, "client_token"));
    token.lease = LeaseOf(auth, "lease_duration");
  } else if (const json::object* const data = Object(tree.root(), "data")) {
    token.lease = LeaseOf(data, "ttl");
  } else {
    return NoAnswerOfVault();
  }
  return token;
}

absl::StatusOr<VaultLease> ReadVaultLease(const Secret& body) {
  const Tree tree(body);
  if (tree.root() == nullptr) return NoAnswerOfVault();
  return LeaseOf(tree.root(), "lease_duration");
}

absl::Status VaultFailure(int status, const Secret& body, std::string_view path) {
  const Tree tree(body);
  const std::string words = FirstOf(tree.root(), "errors");
  const std::string answer =
      absl::StrCat("answers ", status, words.empty() ? "" : ": ", words, " (asked for ", ToAbsl(path), ")");
  if (status == kForbidden) return absl::PermissionDeniedError(answer);
  if (status == kBadRequest) return absl::InvalidArgumentError(answer);
  if (status == kNotFound) {
    const bool versioned = FirstOf(tree.root(), "warnings").find("versioned") != std::string::npos;
    return absl::NotFoundError(versioned
                                   ? "is in version 2 of KV, where data/ comes after the mount: \"kv/data/NAME#FIELD\""
                                   : absl::StrCat("is not there: ", answer));
  }
  if (status == kServiceUnavailable) return absl::UnavailableError(absl::StrCat(answer, ": it is sealed or down"));
  return absl::UnavailableError(answer);
}

}  // namespace ccr
