#include "proxy/upstream/address_book.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/mutex.h"

namespace ccr::proxy {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kKept = std::chrono::seconds(60);
constexpr size_t kMaxNames = 1024;

// Keeps the order within each family.
Addresses TakeTurns(const tcp::resolver::results_type& results) {
  Addresses first, other;
  for (const auto& entry : results) {
    const bool same = first.empty() || first.front().protocol() == entry.endpoint().protocol();
    (same ? first : other).push_back(entry.endpoint());
  }
  Addresses mixed;
  for (size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < other.size()) mixed.push_back(other[i]);
  }
  return mixed;
}

std::string Key(const std::string& host, const std::string& port) {
  return absl::StrCat(host, " ", port);
}

}  // namespace

// Outlives the book for as long as threads look something up.
class AddressBook::Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  explicit Lookup(AddressBook* book) : book_(book) {}

  void Start(const std::string& host, const std::string& port) {
    std::thread([self = shared_from_this(), host, port] { self->Run(host, port); }).detach();
  }

  void ForgetBook() {
    const MutexLock lock(mutex_);
    book_ = nullptr;
  }

 private:
  void Run(const std::string& host, const std::string& port) {
    boost::asio::io_context own;
    error_code error;
    Addresses addresses = TakeTurns(tcp::resolver(own).resolve(host, port, tcp::resolver::numeric_service, error));
    if (!error && addresses.empty()) error = boost::asio::error::host_not_found;
    const MutexLock lock(mutex_);  // until it is posted: the loop may end as soon as the book has
    if (book_ == nullptr) return;
    boost::asio::post(book_->loop_,
                      [self = shared_from_this(), host, port, error, addresses = std::move(addresses)]() mutable {
                        AddressBook* const book = self->book();
                        if (book != nullptr) book->OnResult(host, port, error, std::move(addresses));
                      });
  }

  AddressBook* book() {
    const MutexLock lock(mutex_);
    return book_;
  }

  Mutex mutex_;
  AddressBook* book_ CCR_GUARDED_BY(mutex_);
};

AddressBook::AddressBook(boost::asio::io_context& loop) : loop_(loop), lookup_(std::make_shared<Lookup>(this)) {}

AddressBook::~AddressBook() {
  lookup_->ForgetBook();
}

void AddressBook::LookUp(const std::string& host, const std::string& port, Done done) {
  if (names_.size() >= kMaxNames) absl::erase_if(names_, [](const auto& name) { return name.second.waiting.empty(); });
  Name& name = names_[Key(host, port)];
  if (std::chrono::steady_clock::now() < name.known_until) return done({}, Addresses(name.addresses));
  name.waiting.push_back(std::move(done));
  if (name.waiting.size() == 1) lookup_->Start(host, port);
}

void AddressBook::Keep(const std::string& host, const std::string& port, Addresses addresses, SteadyTime now) {
  Name& name = names_[Key(host, port)];
  name.addresses = std::move(addresses);
  name.known_until = now + kKept;
}

void AddressBook::OnResult(const std::string& host, const std::string& port, const error_code& error,
                           Addresses addresses) {
  // Taken out first: who is answered may ask again, and change names_.
  const std::vector<Done> waiting = std::exchange(names_[Key(host, port)].waiting, {});
  if (!error) Keep(host, port, addresses, std::chrono::steady_clock::now());
  for (const Done& done : waiting) done(error, addresses);
}

}  // namespace ccr::proxy
