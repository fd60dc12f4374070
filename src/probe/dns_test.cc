#include "probe/dns.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "os/descriptor.h"

namespace daruma::probe {
namespace {

// A name server that knows what it is told: answers one question with these records, whoever asks.
class NameServer {
 public:
  // Each record is what stands behind its name: type, class, time to live, length, data.
  explicit NameServer(std::string records, int count, int code = 0)
      : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    DR_CHECK(::bind(socket_.get(), any, size) == 0 && ::getsockname(socket_.get(), any, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ =
        std::jthread([this, records = std::move(records), count, code] { answer(records, count, code); });
  }
  ~NameServer() { ::shutdown(socket_.get(), SHUT_RDWR); }
  std::string address() const { return fmt::format("127.0.0.1:{}", port_); }

 private:
  void answer(const std::string& records, int count, int code) {
    std::array<char, 512> bytes;
    sockaddr_in from{};
    socklen_t size = sizeof from;
    auto* any = reinterpret_cast<sockaddr*>(&from);
    const ssize_t got = ::recvfrom(socket_.get(), bytes.data(), bytes.size(), 0, any, &size);
    if (got < 12) return;
    std::string reply(bytes.data(), static_cast<size_t>(got));
    reply[2] = static_cast<char>(reply[2] | 0x84);  // an answer
    reply[3] = static_cast<char>(code);
    reply[7] = static_cast<char>(count);
    reply[11] = 0;  // nothing additional
    reply += records;
    ::sendto(socket_.get(), reply.data(), reply.size(), 0, any, size);
  }

  Descriptor socket_;
  int port_ = 0;
  std::jthread thread_;
};

// A record about the name asked for.
std::string record(uint8_t type, uint8_t ttl, const std::string& data) {
  std::string out("\xc0\x0c\0", 3);
  out += static_cast<char>(type);
  out += std::string("\0\x01\0\0\0", 5) + static_cast<char>(ttl);
  out += std::string(1, '\0') + static_cast<char>(data.size());
  return out + data;
}

class Dns : public testing::Test {
 protected:
  Result<DnsAnswer> ask(const NameServer& server, const std::string& type = "A") {
    return ask_dns({.name = "app.example.org", .type = type, .server = server.address()}, *clock_,
                   clock_->after(10s));
  }
  std::unique_ptr<Clock> clock_ = real_clock();
};

TEST_F(Dns, GivesAddressesInOrderAndTheLeastTime) {
  const NameServer server(record(1, 60, "\x0a\x01\x01\x02") + record(1, 30, "\x0a\x01\x01\x01"), 2);
  const auto answer = ask(server);
  ASSERT_TRUE(answer.ok()) << answer.error().what;
  EXPECT_EQ(answer->values, (std::vector<std::string>{"10.1.1.1", "10.1.1.2"}));
  EXPECT_EQ(answer->ttl_seconds, 30U);
}

TEST_F(Dns, GivesTextsWhole) {
  const NameServer server(record(16, 9, std::string("\x05hello\x06 world")), 1);
  const auto answer = ask(server, "TXT");
  ASSERT_TRUE(answer.ok()) << answer.error().what;
  EXPECT_EQ(answer->values, (std::vector<std::string>{"hello world"}));
}

TEST_F(Dns, ANameThatDoesNotExistIsNotFound) {
  const NameServer server("", 0, 3);
  EXPECT_TRUE(ask(server).is(Errc::kNotFound));
}

TEST_F(Dns, AnAnswerWithoutTheTypeIsNotFound) {
  const NameServer server("", 0);
  EXPECT_TRUE(ask(server).is(Errc::kNotFound));
}

TEST_F(Dns, ABrokenRecordIsNoAnswer) {
  const NameServer server(record(1, 60, "\x0a\x01"), 1);
  EXPECT_FALSE(ask(server).ok());
}

TEST_F(Dns, MistakesAreNamedBeforeAnybodyIsAsked) {
  EXPECT_TRUE(ask_dns({.name = "x", .type = "HINFO"}, *clock_, clock_->after(10s)).is(Errc::kInvalid));
  EXPECT_TRUE(ask_dns({.name = "x", .type = "A", .server = "ns.example.org"}, *clock_, clock_->after(10s))
                  .is(Errc::kInvalid));
}

}  // namespace
}  // namespace daruma::probe
