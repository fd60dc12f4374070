// api/single_flight.h: those who want the same at the same time wait for one who makes it.
//
// Making runs by itself: that a request which waits for it is given up does not stop it. Value's default stands for
// one that was not made, because making it threw.
// Threads: the worker's one.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "service/task.h"

namespace lastminutestay {

template <class Value>
class SingleFlight {
 public:
  explicit SingleFlight(boost::asio::io_context& io) : io_(io) {}

  // `make` is called unless somebody's for this key is under way. Every caller gets the value it made.
  daruma::service::Task<Value> get(const std::string& key,
                                   std::function<daruma::service::Task<Value>()> make) {
    std::shared_ptr<Flight> flight;
    if (const auto found = flights_.find(key); found != flights_.end()) {
      flight = found->second;
    } else {
      flight = std::make_shared<Flight>(io_);
      flights_.emplace(key, flight);
      boost::asio::co_spawn(io_, fly(key, flight, std::move(make)), boost::asio::detached);
    }
    while (!flight->over)
      co_await flight->landed.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    co_return flight->value ? *flight->value : Value{};
  }

 private:
  struct Flight {
    explicit Flight(boost::asio::io_context& io) : landed(io, boost::asio::steady_timer::time_point::max()) {}
    boost::asio::steady_timer landed;  // never expires: cancelled when it is over
    bool over = false;
    std::optional<Value> value;  // none when `make` threw
  };

  // Ends the flight however `make` ends.
  class Landing {
   public:
    Landing(SingleFlight& all, const std::string& key, Flight& flight)
        : all_(all), key_(key), flight_(flight) {}
    ~Landing() {
      all_.flights_.erase(key_);
      flight_.over = true;
      flight_.landed.cancel();
    }
    Landing(const Landing&) = delete;
    Landing& operator=(const Landing&) = delete;

   private:
    SingleFlight& all_;
    const std::string& key_;
    Flight& flight_;
  };

  daruma::service::Task<void> fly(std::string key, std::shared_ptr<Flight> flight,
                                  std::function<daruma::service::Task<Value>()> make) {
    const Landing landing(*this, key, *flight);
    flight->value = co_await make();
  }

  boost::asio::io_context& io_;
  // A flight is its maker's and that of all who wait for it.
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace lastminutestay
