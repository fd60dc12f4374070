// How questions to another service end: against a peer that does as its script says, on the same event loop.
#include "service/http_client.h"

#include <gmock/gmock.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <deque>

#include "support/service_world.h"

namespace daruma::service {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::ElementsAre;
using testing::HasSubstr;

// Does one script for each connection, in the order they come; after the last it takes and says nothing.
class ScriptedPeer {
 public:
  using Script = std::function<Task<void>(ScriptedPeer& peer, tcp::socket& socket)>;

  explicit ScriptedPeer(asio::io_context& io)
      : io_(io), acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    asio::co_spawn(io, accept(), [](const std::exception_ptr&) {});
  }
  int port() const { return acceptor_.local_endpoint().port(); }
  void on_next_connection(Script script) { scripts_.push_back(std::move(script)); }

  // Reads one question's head and `body` bytes after it, and remembers it.
  Task<bool> question(tcp::socket& socket, size_t body = 0) {
    std::string text;
    boost::system::error_code error;
    co_await asio::async_read_until(socket, asio::dynamic_buffer(text), "\r\n\r\n",
                                    asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return false;
    const size_t there = text.size() - (text.find("\r\n\r\n") + 4);
    if (there < body)
      co_await asio::async_read(socket, asio::dynamic_buffer(text), asio::transfer_exactly(body - there),
                                asio::redirect_error(asio::use_awaitable, error));
    questions.push_back(text);
    co_return !error;
  }
  static Task<void> say(tcp::socket& socket, std::string text) {
    boost::system::error_code gone;
    co_await asio::async_write(socket, asio::buffer(text), asio::redirect_error(asio::use_awaitable, gone));
  }

  std::vector<std::string> questions;
  size_t connections = 0;

 private:
  Task<void> accept() {
    for (;;) {
      tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
      ++connections;
      Script script;
      if (!scripts_.empty()) {
        script = std::move(scripts_.front());
        scripts_.pop_front();
      }
      asio::co_spawn(io_, serve(std::move(socket), std::move(script)), [](const std::exception_ptr&) {});
    }
  }
  Task<void> serve(tcp::socket socket, Script script) {
    if (script) co_await script(*this, socket);
    if (!script) open_.push_back(std::move(socket));
  }

  asio::io_context& io_;
  tcp::acceptor acceptor_;
  std::deque<Script> scripts_;
  std::deque<tcp::socket> open_;
};

const std::string kHello = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

// Answers so many questions with the same text and closes.
ScriptedPeer::Script answers(std::string text, int times = 1, size_t body = 0) {
  return [=](ScriptedPeer& peer, tcp::socket& socket) -> Task<void> {
    for (int i = 0; i < times; ++i) {
      const bool asked = co_await peer.question(socket, body);
      if (!asked) break;
      co_await ScriptedPeer::say(socket, text);
    }
  };
}

// Answers, and goes on listening until the client leaves.
ScriptedPeer::Script answers_for_ever(std::string text) { return answers(std::move(text), 1'000'000); }

class HttpClientTest : public testing::Test {
 protected:
  HttpClientTest() { client_ = make({}); }
  std::unique_ptr<HttpClient> make(HttpClientSettings settings) {
    settings.name = "HotelDataAPI";
    settings.port = peer_.port();
    return HttpClient::create(world_.io, settings, *world_.clock, world_.log, world_.metrics);
  }
  Result<HttpAnswer> ask(Method method, const std::string& target, const std::string& body = "") {
    return world_.run(client_->ask(method, target, {{"X-Request-Id", "r-1"}}, body, world_.soon()));
  }
  Result<HttpAnswer> get(const std::string& target = "/") { return ask(Method::kGet, target); }
  Result<HttpAnswer> get_within(Duration time) {
    return world_.run(client_->ask(Method::kGet, "/", {}, "", world_.clock->after(time)));
  }
  std::string count(const std::string& outcome) {
    return world_.metric("http_client_requests_total{outcome=\"" + outcome + "\",peer=\"HotelDataAPI\"}");
  }

  ServiceWorld world_;
  ScriptedPeer peer_{world_.io};
  std::unique_ptr<HttpClient> client_;
};

// --- questions and answers

TEST_F(HttpClientTest, AsksAndGivesTheAnswer) {
  peer_.on_next_connection(answers(kHello));
  const auto answer = get("/hotels/1?lang=ja");
  ASSERT_TRUE(answer.ok()) << answer.error().what;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "hello");
  EXPECT_EQ(answer->content_type, "text/plain");
  EXPECT_THAT(peer_.questions, ElementsAre("GET /hotels/1?lang=ja HTTP/1.1\r\nHost: 127.0.0.1:" +
                                           std::to_string(peer_.port()) + "\r\nX-Request-Id: r-1\r\n\r\n"));
  EXPECT_EQ(count("ok"), "1");
}

TEST_F(HttpClientTest, SendsABody) {
  peer_.on_next_connection(answers("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 1, 13));
  EXPECT_EQ(ask(Method::kPost, "/bookings", "{\"nights\": 2}")->status, 201);
  EXPECT_THAT(peer_.questions, ElementsAre(HasSubstr("Content-Length: 13\r\n\r\n{\"nights\": 2}")));
}

TEST_F(HttpClientTest, AnErrorOfThePeerIsAnAnswer) {
  peer_.on_next_connection(answers("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"));
  const auto answer = get();
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "busy");
  EXPECT_EQ(count("server_error"), "1");
}

TEST_F(HttpClientTest, ReadsChunksTheEndOfTheConnectionAndAnswersBeforeTheAnswer) {
  peer_.on_next_connection(
      answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"));
  EXPECT_EQ(get()->body, "hello");
  peer_.on_next_connection(answers("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
  EXPECT_EQ(get()->body, "until the end");
  peer_.on_next_connection(answers("HTTP/1.1 100 Continue\r\n\r\n" + kHello));
  EXPECT_EQ(get()->body, "hello");
}

TEST_F(HttpClientTest, AnAnswerToHeadHasNoBody) {
  peer_.on_next_connection(answers_for_ever("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
  EXPECT_EQ(ask(Method::kHead, "/")->body, "");
  EXPECT_EQ(ask(Method::kHead, "/")->status, 200);
  EXPECT_EQ(peer_.connections, 1u);
}

TEST_F(HttpClientTest, AnAnswerThatComesByteByByteIsWhole) {
  peer_.on_next_connection([](ScriptedPeer& peer, tcp::socket& socket) -> Task<void> {
    co_await peer.question(socket);
    socket.set_option(tcp::no_delay(true));
    for (const char byte : kHello) co_await ScriptedPeer::say(socket, std::string(1, byte));
  });
  EXPECT_EQ(get()->body, "hello");
}

TEST_F(HttpClientTest, ALineBreakInAQuestionIsRefused) {
  EXPECT_TRUE(get("/a\r\nX: y").is(Errc::kInvalid));
  EXPECT_TRUE(
      world_.run(client_->ask(Method::kGet, "/", {{"X", "a\nb"}}, "", world_.soon())).is(Errc::kInvalid));
  EXPECT_EQ(peer_.connections, 0u);
}

// --- kept connections

TEST_F(HttpClientTest, KeepsItsConnection) {
  peer_.on_next_connection(answers_for_ever(kHello));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(get().ok());
  EXPECT_EQ(peer_.connections, 1u);
}

TEST_F(HttpClientTest, DoesNotKeepWhatThePeerWantsClosed) {
  const std::string last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  peer_.on_next_connection(answers_for_ever(last));
  peer_.on_next_connection(answers_for_ever(last));
  EXPECT_TRUE(get().ok());
  EXPECT_TRUE(get().ok());
  EXPECT_EQ(peer_.connections, 2u);
}

TEST_F(HttpClientTest, AConnectionClosedWhileKeptIsSeenAndReplaced) {
  peer_.on_next_connection(answers(kHello));
  peer_.on_next_connection(answers(kHello, 1, 1));
  EXPECT_TRUE(get().ok());
  world_.io.run_for(std::chrono::milliseconds(5));  // the peer closes
  EXPECT_TRUE(ask(Method::kPost, "/", "x").ok());   // nothing was sent on the old one: even a POST is safe
  EXPECT_EQ(peer_.questions.size(), 2u);
}

// Takes a second question and closes without an answer.
ScriptedPeer::Script answers_once_and_then_closes_under_a_question(size_t body = 0) {
  return [=](ScriptedPeer& peer, tcp::socket& socket) -> Task<void> {
    co_await peer.question(socket);
    co_await ScriptedPeer::say(socket, kHello);
    co_await peer.question(socket, body);
  };
}

TEST_F(HttpClientTest, AGetOnAKeptConnectionThatClosesUnderItIsAskedOnceMore) {
  peer_.on_next_connection(answers_once_and_then_closes_under_a_question());
  peer_.on_next_connection(answers(kHello));
  EXPECT_TRUE(get().ok());
  EXPECT_TRUE(get().ok());
  EXPECT_EQ(peer_.questions.size(), 3u);
  ASSERT_EQ(world_.log.recovered(), 1u);
  EXPECT_EQ(world_.log.lines[0].recovered, "by asking again on a new one");
}

TEST_F(HttpClientTest, APostIsNotSinceItMayHaveHappened) {
  peer_.on_next_connection(answers_once_and_then_closes_under_a_question(1));
  peer_.on_next_connection(answers(kHello, 1, 1));
  EXPECT_TRUE(get().ok());
  EXPECT_TRUE(ask(Method::kPost, "/", "x").is(Errc::kUnavailable));
  EXPECT_EQ(peer_.questions.size(), 2u);
}

TEST_F(HttpClientTest, ANewConnectionThatClosesUnderAQuestionIsAnError) {
  peer_.on_next_connection(answers(""));
  EXPECT_THAT(get().error().what, HasSubstr("HotelDataAPI: the answer broke off"));
  EXPECT_EQ(peer_.connections, 1u);
  EXPECT_EQ(count("broken"), "1");
}

// --- bounds

TEST_F(HttpClientTest, AnAnswerThatBreaksOffIsAnError) {
  peer_.on_next_connection(answers("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhel"));
  EXPECT_THAT(get().error().what, HasSubstr("the answer broke off"));
}

TEST_F(HttpClientTest, AnAnswerLargerThanAllowedIsNotRead) {
  client_ = make({.answer_max = 4});
  peer_.on_next_connection(answers_for_ever(kHello));
  EXPECT_THAT(get().error().what, HasSubstr("larger than 4 bytes"));
  peer_.on_next_connection(answers_for_ever(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"));
  EXPECT_THAT(get().error().what, HasSubstr("larger than 4 bytes"));
}

TEST_F(HttpClientTest, WhatIsNoHttpIsAnError) {
  peer_.on_next_connection(answers("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
  EXPECT_TRUE(get().is(Errc::kUnavailable));
}

TEST_F(HttpClientTest, AnAnswerThatNeverComesEndsAtTheDeadline) {
  const auto late = get_within(5ms);
  EXPECT_TRUE(late.is(Errc::kUnavailable));
  EXPECT_THAT(late.error().what, HasSubstr("before the deadline"));
  EXPECT_EQ(count("late"), "1");
}

TEST_F(HttpClientTest, AnAnswerThatComesTooSlowlyEndsAtTheDeadlineToo) {
  peer_.on_next_connection([](ScriptedPeer& peer, tcp::socket& socket) -> Task<void> {
    co_await peer.question(socket);
    co_await ScriptedPeer::say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    co_await peer.question(socket);
  });
  EXPECT_THAT(get_within(5ms).error().what, HasSubstr("before the deadline"));
}

TEST_F(HttpClientTest, ADeadlineThatHasPassedIsNoQuestion) {
  EXPECT_TRUE(get_within(0ms).is(Errc::kUnavailable));
  EXPECT_THAT(peer_.questions, ElementsAre());
}

TEST_F(HttpClientTest, NobodyListeningIsAnErrorAtOnce) {
  HttpClientSettings nobody{.name = "HotelDataAPI"};
  {
    tcp::acceptor free(world_.io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    nobody.port = free.local_endpoint().port();
  }
  client_ = HttpClient::create(world_.io, nobody, *world_.clock, world_.log, world_.metrics);
  EXPECT_THAT(get().error().what, HasSubstr("HotelDataAPI: no connection"));
  EXPECT_EQ(count("away"), "1");
}

TEST_F(HttpClientTest, MoreQuestionsAtATimeThanAllowedAreRefusedAtOnce) {
  client_ = make({.connections_max = 2});
  const auto ask_slowly = [&] {
    return world_.begin(client_->ask(Method::kGet, "/", {}, "", world_.soon()));
  };
  const auto one = ask_slowly();
  const auto two = ask_slowly();
  world_.io.run_for(std::chrono::milliseconds(1));
  EXPECT_THAT(get().error().what, HasSubstr("2 questions are being asked already"));
  EXPECT_FALSE(one->has_value() || two->has_value());
  EXPECT_EQ(count("shed"), "1");
}

}  // namespace
}  // namespace daruma::service
