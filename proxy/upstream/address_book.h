// Names of hosts and their addresses.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proxy/upstream/lazy_timer.h"

namespace ccr::proxy {

using Addresses = std::vector<boost::asio::ip::tcp::endpoint>;

// Looks names up and remembers what they mean for a minute. Each lookup has a thread of its own, as one may take long
// and cannot be stopped; a name is looked up once, however many ask. Belongs to one loop.
class AddressBook {
 public:
  using Done = std::function<void(const boost::system::error_code&, const Addresses&)>;

  explicit AddressBook(boost::asio::io_context& loop);
  ~AddressBook();  // lookups under way are left alone, their askers hear nothing
  AddressBook(const AddressBook&) = delete;
  AddressBook& operator=(const AddressBook&) = delete;

  // Calls `done` once: at once when the addresses are known, else from the loop. As RFC 8305 has it, addresses of both
  // families take turns.
  void LookUp(const std::string& host, const std::string& port, Done done);
  void Keep(const std::string& host, const std::string& port, Addresses addresses, SteadyTime now);

 private:
  // `names_` may change, and so move, whenever a Done is called.
  struct Name {
    Addresses addresses;
    SteadyTime known_until = SteadyTime::min();
    std::vector<Done> waiting;  // for the lookup that is under way
  };
  class Lookup;

  void OnResult(const std::string& host, const std::string& port, const boost::system::error_code& error,
                Addresses addresses);

  boost::asio::io_context& loop_;
  absl::flat_hash_map<std::string, Name> names_;  // by "host port"
  std::shared_ptr<Lookup> lookup_;                // what threads find us by
};

}  // namespace ccr::proxy
