#include "cli/demo/hotel_api.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <optional>

#include "os/environment.h"
#include "os/files.h"
#include "service/http_client.h"

namespace daruma {
namespace {

constexpr Duration kPatience = std::chrono::seconds(60);
constexpr Duration kAnswerWithin = std::chrono::seconds(10);
constexpr int kHotels = 800;
constexpr const char* kBusinessDate = "2024-06-20";  // the manual's

// A port that nobody listens on now.
int free_port() {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor acceptor(io, {boost::asio::ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint().port();
}

// The kit's client, waited for: here a thread has nothing else to do.
class BlockingClient {
 public:
  BlockingClient(int port, const Clock& clock)
      : clock_(clock), client_(service::HttpClient::create(io_, {.port = port}, clock, *log_, metrics_)) {}

  Result<service::HttpAnswer> ask(service::Method method, std::string target,
                                  std::vector<service::Header> headers, std::string body) {
    std::optional<Result<service::HttpAnswer>> answer;
    const auto work = [&]() -> service::Task<void> {
      answer.emplace(co_await client_->ask(method, std::move(target), std::move(headers), std::move(body),
                                           clock_.after(kAnswerWithin)));
    };
    boost::asio::co_spawn(io_, work, boost::asio::detached);
    io_.restart();
    while (!answer) io_.run_one();
    return *std::move(answer);
  }

 private:
  const Clock& clock_;
  boost::asio::io_context io_{1};
  std::unique_ptr<service::SharedRegion> region_ = service::SharedRegion::private_memory();
  service::Metrics metrics_{*region_, 0};
  std::unique_ptr<service::Log> log_ = service::Log::none();
  std::unique_ptr<service::HttpClient> client_;
};

class HttpBookingClient final : public BookingClient {
 public:
  HttpBookingClient(int port, std::string token, const Clock& clock)
      : http_(port, clock), authorization_("Bearer " + std::move(token)) {}

  Result<Booked> book(const Booking& booking, const std::string& idempotency_key) override {
    const std::string body = fmt::format(R"({{"roomId":"{}","checkIn":"{}","checkOut":"{}","guests":{}}})",
                                         booking.room, booking.check_in, booking.check_out, booking.guests);
    DR_TRY(const auto answer, http_.ask(service::Method::kPost, "/api/bookings",
                                        {{"Authorization", authorization_},
                                         {"Content-Type", "application/json"},
                                         {"Idempotency-Key", idempotency_key}},
                                        body));
    if (answer.status != 201)
      return Error{answer.status >= 500 ? Errc::kUnavailable : Errc::kFailed,
                   fmt::format("POST /api/bookings: {} {}", answer.status, answer.body)};
    boost::system::error_code wrong;
    const auto json = boost::json::parse(answer.body, wrong);
    const auto* fields = json.if_object();
    const auto* id = fields ? fields->if_contains("id") : nullptr;
    const auto* total = fields ? fields->if_contains("total") : nullptr;
    if (!id || !id->is_string() || !total || !total->is_int64())
      return Error{Errc::kFailed, "POST /api/bookings: 201 without id and total: " + answer.body};
    return Booked{std::string(id->get_string()), std::to_string(total->get_int64())};
  }

 private:
  BlockingClient http_;
  const std::string authorization_;
};

}  // namespace

Result<HotelApi> HotelApi::create(App& app, const Path& scratch) {
  const Path program = this_program().parent_path() / "lastminutestay-api";
  if (!app.fs.info(program).ok())
    return Error{Errc::kNotFound, fmt::format("{} is not there", program.string()),
                 "run script/demo, which builds it"};
  HotelApi api(app, scratch, program);
  std::array<std::byte, 32> secret{};
  app.random.fill(secret);
  api.secret_ = to_hex(secret);
  return api;
}

Command HotelApi::command(std::vector<std::string> arguments) const {
  Command command;
  command.argv = {program_};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"postgres.host", scratch_},
                                                        {"postgres.user", "postgres"},
                                                        {"business_date", kBusinessDate},
                                                        {"port", std::to_string(port_)},
                                                        {"state", scratch_ / "api.state"},
                                                        {"logs", scratch_ / "api.logs"}})
    command.argv.insert(command.argv.end(), {"--" + name, value});
  // Where the checkout cannot be read, script/demo lays the migrations beside the programs.
  if (const Path migrations = program_.parent_path() / "migrations"; app_->fs.info(migrations).ok())
    command.argv.insert(command.argv.end(), {"--migrations", migrations});
  command.environment = {{"LASTMINUTESTAY_TOKEN_SECRET", secret_}};
  command.working_directory = scratch_;
  return command;
}

Result<std::string> HotelApi::run(std::vector<std::string> arguments) {
  const std::string name = arguments.front();
  DR_TRY(const ProcessExit ended,
         app_->processes.run(command(std::move(arguments)), app_->clock.after(kPatience)));
  if (ended.code != 0)
    return Error{Errc::kFailed, fmt::format("lastminutestay-api {}: {}", name, ended.output)};
  return ended.output.substr(0, ended.output.find_last_not_of('\n') + 1);
}

Status HotelApi::fill(LocalPostgres& server) {
  DR_OK(server.run("CREATE DATABASE lastminutestay", "postgres"));
  DR_OK(run({"migrate"}));
  DR_OK(run({"generate", "--hotels", std::to_string(kHotels)}));
  return server.run("ANALYZE");
}

Status HotelApi::start() {
  DR_TRY(token_, run({"token"}));
  port_ = free_port();
  Command serve = command({});
  serve.output = scratch_ / "api.log";
  DR_TRY(process_, app_->processes.start(serve));
  return wait_until(*app_, "the booking API being ready", kPatience, [this]() -> Result<bool> {
    if (process_->wait(app_->clock.after(Duration{0})).ok())
      return Error{Errc::kFailed, "the booking API ended: see " + (scratch_ / "api.log").string()};
    BlockingClient http(port_, app_->clock);
    const auto health = http.ask(service::Method::kGet, "/monitoring/health", {}, "");
    return health.ok() && health->status == 200;
  });
}

Status HotelApi::stop() {
  DR_CHECK(process_);
  DR_OK(process_->signal(SIGTERM));
  DR_TRY(const ProcessExit ended, process_->wait(app_->clock.after(kPatience)));
  process_.reset();
  if (ended.code != 0) return Error{Errc::kFailed, fmt::format("the booking API ended with {}", ended.code)};
  return {};
}

std::string HotelApi::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

std::unique_ptr<BookingClient> HotelApi::client() const {
  return std::make_unique<HttpBookingClient>(port_, token_, app_->clock);
}

}  // namespace daruma
