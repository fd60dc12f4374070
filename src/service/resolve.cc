#include "service/resolve.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

namespace daruma::service {
namespace asio = boost::asio;

namespace {

// Shared with a look-up that may answer long after nobody waits for it any more.
struct Lookup {
  explicit Lookup(asio::io_context& io) : resolver(io), timer(io) {}

  asio::ip::tcp::resolver resolver;
  asio::steady_timer timer;
  boost::system::error_code error = asio::error::timed_out;
  std::vector<std::string> addresses;
};

void start(const std::shared_ptr<Lookup>& lookup, const std::string& host) {
  lookup->resolver.async_resolve(
      host, "",
      [lookup](boost::system::error_code error, const asio::ip::tcp::resolver::results_type& found) {
        for (const bool v4 : {true, false})
          for (const auto& entry : found)
            if (const auto address = entry.endpoint().address(); address.is_v4() == v4)
              lookup->addresses.push_back(address.to_string());
        lookup->error = error;
        lookup->timer.cancel();
      });
}

}  // namespace

Task<Result<std::vector<std::string>>> resolve(asio::io_context& io, std::string host, const Clock& clock,
                                               Deadline deadline) {
  boost::system::error_code not_an_address;
  asio::ip::make_address(host, not_an_address);
  if (!not_an_address) co_return std::vector{std::move(host)};

  const auto lookup = std::make_shared<Lookup>(io);
  lookup->timer.expires_after(deadline.left(clock.mono()));
  start(lookup, host);
  boost::system::error_code cancelled;
  co_await lookup->timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  const bool answered = !lookup->addresses.empty();
  if (!answered || lookup->error)
    co_return Error{Errc::kUnavailable, "host '" + host + "': " + lookup->error.message(),
                    "check the name, or give an address"};
  co_return std::move(lookup->addresses);
}

}  // namespace daruma::service
