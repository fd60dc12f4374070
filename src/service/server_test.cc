// The server on real sockets: a thread plays the worker, the test plays the clients. Limits that end
// something are made short here, and what must not end is given no limit, so that no result hangs on the
// machine's speed.
#include "service/server.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <mutex>
#include <semaphore>
#include <thread>

#include "os/scratch_dir.h"
#include "service/test_client.h"

namespace daruma::service {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class RecordingLog final : public Log {
 public:
  void access(const AccessLine& line) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string(line.method) + " " + std::string(line.path) + " " + std::string(line.route) +
                     " " + std::to_string(line.status) + " " + std::to_string(line.bytes) +
                     (line.degraded ? " degraded" : ""));
  }
  void error(const ErrorLine& line) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back("error " + std::string(line.message));
  }
  void flush() override {}
  void reopen() override {}
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

class ServerTest : public testing::Test {
 protected:
  ~ServerTest() override { stop(); }

  void instant(const std::string& pattern, InstantHandler handler, Method method = Method::kGet) {
    router_.add(
        {.method = method, .pattern = pattern, .name = pattern, .handle_at_once = std::move(handler)});
  }
  // Answers what it was sent.
  void echo(size_t body_max) {
    router_.add({.method = Method::kPost,
                 .pattern = "/echo",
                 .name = "echo",
                 .handle_at_once = [](Request& request) { return text(200, std::string(request.body)); },
                 .body_max = body_max});
  }
  // Answers when release() is called.
  void waiting(const std::string& pattern, Duration time_max = 1h) {
    router_.add({.pattern = pattern,
                 .name = pattern,
                 .handle = [this](Request&) -> Task<Response> {
                   entered_.release();
                   co_await released_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
                   handlers_ended_++;
                   co_return text(200, "released");
                 },
                 .time_max = time_max});
  }
  void release() {
    in_worker([this] { released_.cancel(); });
  }

  void start() {
    auto listener = listen_on("127.0.0.1", 0);
    ASSERT_TRUE(listener.ok()) << listener.error().what;
    const Descriptor closing(*listener);
    port_ = port_of(*listener);
    auto server = Server::create(io_, *listener, router_, settings_, *clock_, *random_, log_, metrics_);
    ASSERT_TRUE(server.ok()) << server.error().what;
    server_ = *std::move(server);
    server_->start();
    worker_ = std::thread([this] { io_.run(); });
  }
  void stop() {
    if (!worker_.joinable()) return;
    in_worker([this] { server_.reset(); });
    released_.cancel();
    io_.stop();
    worker_.join();
  }
  // Runs `body` in the worker, to its end.
  void in_worker(const std::function<void()>& body) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      body();
      done.set_value();
    });
    done.get_future().wait();
  }
  std::future<void> drain(Duration linger, Duration time = 1h) {
    auto done = std::make_shared<std::promise<void>>();
    boost::asio::post(io_, [this, done, linger, time] {
      boost::asio::co_spawn(io_, server_->drain(linger, clock_->after(time)),
                            [done](const std::exception_ptr&) { done->set_value(); });
    });
    return done->get_future();
  }
  size_t connections() {
    size_t count = 0;
    in_worker([&] { count = server_->connections(); });
    return count;
  }

  Answer ask(std::string_view bytes) {
    TestClient client(port_);
    client.send(bytes);
    return client.receive();
  }
  int status_of(std::string_view bytes) { return ask(bytes).status; }

  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<Random> random_ = seeded_random(1);
  std::unique_ptr<SharedRegion> region_ = SharedRegion::private_memory();
  Metrics metrics_{*region_, 0};
  RecordingLog log_;
  Router router_;
  ServerSettings settings_{.header_time_max = 1h, .idle_time_max = 1h, .write_time_max = 1h};
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> alive_{io_.get_executor()};
  boost::asio::steady_timer released_{io_, boost::asio::steady_timer::time_point::max()};
  std::counting_semaphore<> entered_{0};
  std::atomic<int> handlers_ended_{0};
  std::unique_ptr<Server> server_;
  std::thread worker_;
  int port_ = 0;
};

// --- answers

TEST_F(ServerTest, ARequestIsAnsweredAndTheConnectionGoesOn) {
  instant("/hello",
          [](Request& request) { return text(200, "hello " + request.parameter("name").value_or("")); });
  start();
  TestClient client(port_);
  const Answer first = client.get("/hello?name=Daruma");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "hello Daruma");
  EXPECT_EQ(first.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_THAT(first.header("Date"), testing::EndsWith(" GMT"));
  EXPECT_EQ(first.header("Connection"), "");
  const Answer second = client.get("/hello");
  EXPECT_EQ(second.body, "hello ");
  EXPECT_NE(second.header("X-Request-Id"), first.header("X-Request-Id"));
}

TEST_F(ServerTest, ASaneRequestIdOfTheClientIsKeptAndAnotherReplaced) {
  instant("/id", [](Request& request) { return text(200, request.id); });
  start();
  const auto id_for = [&](const std::string& sent) {
    const Answer answer = ask("GET /id HTTP/1.1\r\nHost: a\r\nX-Request-ID: " + sent + "\r\n\r\n");
    EXPECT_EQ(answer.header("X-Request-Id"), answer.body);
    return answer.body;
  };
  EXPECT_EQ(id_for("order-7/retry:2"), "order-7/retry:2");
  EXPECT_EQ(id_for("with space").size(), 15u);
  EXPECT_EQ(id_for("\"quoted\"").size(), 15u);
  EXPECT_EQ(id_for(std::string(129, 'a')).size(), 15u);
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  instant("/at/once", [](Request&) { return text(200, "at once"); });
  router_.add({.pattern = "/later", .name = "later", .handle = [](Request&) -> Task<Response> {
                 boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 1ms);
                 co_await timer.async_wait(boost::asio::use_awaitable);
                 co_return text(200, "later");
               }});
  echo(100);
  start();
  TestClient client(port_);
  const std::string get = " HTTP/1.1\r\nHost: a\r\n\r\n";
  client.send("GET /later" + get + "GET /at/once" + get +
              "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour" +
              "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
              "GET /later" + get + "GET /at/once" + get);
  std::string bodies;
  for (int i = 0; i < 6; ++i) bodies += client.receive().body + ";";
  EXPECT_EQ(bodies, "later;at once;four;abc;later;at once;");
}

TEST_F(ServerTest, ARequestMayArriveByteByByte) {
  echo(100);
  start();
  for (const std::string body : {"Content-Length: 5\r\n\r\nhello",
                                 "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo"
                                 "\r\n0\r\nTrailer: 1\r\n\r\n"}) {
    TestClient client(port_);
    for (const char byte : "POST /echo HTTP/1.1\r\nHost: a\r\n" + body) ASSERT_TRUE(client.send({&byte, 1}));
    EXPECT_EQ(client.receive().body, "hello");
  }
}

TEST_F(ServerTest, ABodyLargerThanAnyBufferArrivesWhole) {
  echo(8 << 20);
  start();
  std::string body(3 << 20, 'x');
  for (size_t i = 0; i < body.size(); i += 1000) body[i] = static_cast<char>('a' + i % 26);
  TestClient client(port_);
  std::thread sender([&] {
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < body.size(); at += 1 << 20)
      client.send("100000\r\n" + body.substr(at, 1 << 20) + "\r\n");
    client.send("0\r\n\r\n");
  });
  EXPECT_TRUE(client.receive().body == body);
  EXPECT_TRUE(client.receive().body == body);
  sender.join();
}

TEST_F(ServerTest, HeadHasTheHeadOfGetAndNoBody) {
  instant("/a", [](Request&) { return text(200, "body"); });
  start();
  TestClient client(port_);
  client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
  const Answer answer = client.receive(true);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), "4");
  EXPECT_EQ(client.get("/a").body, "body") << "nothing of the first body came";
}

TEST_F(ServerTest, UnknownPathsAndMethodsAreSaid) {
  instant("/a", [](Request&) { return text(200, ""); });
  start();
  TestClient client(port_);
  const Answer nothing = client.get("/b");
  EXPECT_EQ(nothing.status, 404);
  EXPECT_EQ(nothing.header("Content-Type"), "application/problem+json");
  EXPECT_THAT(nothing.body, HasSubstr("\"requestId\":\"" + nothing.header("X-Request-Id") + "\"}"));
  client.send("DELETE /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  const Answer refused = client.receive();
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.header("Allow"), "GET, HEAD, OPTIONS");
  client.send("OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n");
  const Answer options = client.receive();
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.header("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(options.headers.count("Content-Length"), 0u);
}

TEST_F(ServerTest, TheConnectionEndsWhereTheClientAsksForIt) {
  instant("/a", [](Request&) { return text(200, "a"); });
  start();
  for (const std::string request :
       {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"}) {
    TestClient client(port_);
    client.send(request);
    const Answer answer = client.receive();
    EXPECT_EQ(answer.body, "a");
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_EQ(client.rest(), "");
  }
  TestClient old(port_);
  for (int i = 0; i < 2; ++i) {
    old.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(old.receive().header("Connection"), "keep-alive");
  }
}

TEST_F(ServerTest, TheHandlerKnowsWhoAsks) {
  instant("/who", [](Request& request) {
    return text(200, request.client + (request.from_this_host ? " here" : " elsewhere"));
  });
  start();
  EXPECT_EQ(ask("GET /who HTTP/1.1\r\nHost: a\r\n\r\n").body, "127.0.0.1 here");
  EXPECT_EQ(ask("GET /who HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n").body,
            "127.0.0.1 elsewhere");
  EXPECT_EQ(ask("GET /who HTTP/1.1\r\nHost: a\r\nForwarded: for=1.2.3.4\r\n\r\n").body,
            "127.0.0.1 elsewhere");
}

TEST_F(ServerTest, AnAbsoluteTargetIsTakenAsItsPath) {
  instant("/a", [](Request& request) { return text(200, std::string(request.query)); });
  start();
  EXPECT_EQ(ask("GET http://example.com/a?b=c HTTP/1.1\r\nHost: example.com\r\n\r\n").body, "b=c");
}

TEST_F(ServerTest, AHeaderOfTheAnswerCannotEndItsLine) {
  instant("/a", [](Request&) {
    return Response{.content_type = "text/plain", .body = "", .headers = {{"X-Echo", "a\r\nSet-Cookie: b"}}};
  });
  start();
  const Answer answer = ask("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer.header("X-Echo"), "a  Set-Cookie: b");
  EXPECT_EQ(answer.header("Set-Cookie"), "");
}

TEST_F(ServerTest, WhatIsTriedAtOnceSavesTheHandler) {
  router_.add({.pattern = "/cached/{key}",
               .name = "cached",
               .handle = [](Request& request) -> Task<Response> {
                 co_return text(200, "made " + request.path_parameter("key"));
               },
               .try_at_once = [](Request& request) -> std::optional<Response> {
                 if (request.path_parameter("key") != "hit") return std::nullopt;
                 Response response = text(200, "");
                 response.shared_body = std::make_shared<const std::string>("kept");
                 response.degraded = true;
                 return response;
               }});
  start();
  TestClient client(port_);
  EXPECT_EQ(client.get("/cached/hit").body, "kept");
  EXPECT_EQ(client.get("/cached/miss").body, "made miss");
  EXPECT_THAT(log_.lines(),
              testing::ElementsAre("GET /cached/hit cached 200 4 degraded", "GET /cached/miss cached 200 9"));
}

TEST_F(ServerTest, AFileIsSentInPieces) {
  ScratchDir dir;
  std::string content(5 << 20, 'f');
  for (size_t i = 0; i < content.size(); i += 4096) content[i] = static_cast<char>('a' + (i / 4096) % 26);
  const std::string path = dir.path() / "file";
  {
    auto file = dir.fs().create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->write_at(0, as_bytes(content)).ok());
  }
  const auto send_file = [&](const std::string& pattern, FileBody body) {
    instant(pattern,
            [body](Request&) { return Response{.content_type = "application/octet-stream", .file = body}; });
  };
  send_file("/all", {path, 0, content.size()});
  send_file("/part", {path, 100, 5000});
  send_file("/empty", {path, content.size(), 0});
  send_file("/beyond", {path, content.size() - 1, 2});
  send_file("/missing", {path + ".not", 0, 1});
  start();
  TestClient client(port_);
  EXPECT_TRUE(client.get("/all").body == content);
  EXPECT_TRUE(client.get("/part").body == content.substr(100, 5000));
  EXPECT_EQ(client.get("/empty").body, "");
  EXPECT_EQ(client.get("/beyond").status, 500);
  EXPECT_EQ(client.get("/missing").status, 500);
  EXPECT_THAT(log_.lines(), testing::Contains(AllOf(StartsWith("error"), HasSubstr("file.not"))));
}

// --- what is refused

TEST_F(ServerTest, WhatCouldBeReadInTwoWaysIsRefused) {
  echo(100);
  start();
  const std::string post = "POST /echo HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(status_of(post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(status_of(post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(status_of(post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 400);
  EXPECT_EQ(status_of(post + "Content-Length: 3, 4\r\n\r\nabcd"), 400);
  EXPECT_EQ(status_of(post + "Content-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(status_of(post + "Content-Length: +3\r\n\r\nabc"), 400);
  EXPECT_EQ(status_of(post + "Content-Length: 99999999999999999999\r\n\r\n"), 400);
  EXPECT_EQ(status_of(post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501);
  EXPECT_EQ(status_of(post + "Transfer-Encoding: identity\r\n\r\n"), 501);
  EXPECT_EQ(status_of(post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(status_of("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(status_of(post + "X-Folded: a\r\n b\r\n\r\n"), 400);
  EXPECT_EQ(status_of(post + "Host: b\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /a HTTP/1.1\r\n\r\n"), 400);
}

TEST_F(ServerTest, WhatIsNoRequestIsRefused) {
  echo(100);
  start();
  EXPECT_EQ(status_of("\x16\x03\x01\x02"), 400) << "TLS";
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a\n\n"), 400);
  EXPECT_EQ(status_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(status_of("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), 501);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\n\r\n"), 417);
  EXPECT_EQ(status_of("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), 400);
  EXPECT_EQ(
      status_of("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"),
      400);
  EXPECT_EQ(status_of("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " +
                      std::string(9000, 'x')),
            400);
}

TEST_F(ServerTest, ARefusalEndsTheConnectionAndIsLogged) {
  start();
  TestClient client(port_);
  client.send("GET / HTTP/9.9\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n");
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 505);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_NE(answer.header("X-Request-Id"), "");
  EXPECT_EQ(client.rest(), "");
  EXPECT_THAT(log_.lines(), testing::ElementsAre(HasSubstr("none 505")));
}

TEST_F(ServerTest, AHeaderThatIsTooLargeIs431) {
  settings_.header_max = 1000;
  instant("/a", [](Request&) { return text(200, ""); });
  start();
  const auto request = [](size_t size) {
    const std::string start = "GET /a HTTP/1.1\r\nHost: a\r\nX: ";
    return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(status_of(request(1000)), 200);
  EXPECT_EQ(status_of(request(1001)), 431);
  EXPECT_EQ(status_of(std::string("GET /") + std::string(1100, 'a')), 431) << "its end is not waited for";
}

TEST_F(ServerTest, ABodyThatIsTooLargeIs413) {
  echo(10);
  start();
  const std::string post = "POST /echo HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(status_of(post + "Content-Length: 10\r\n\r\n0123456789"), 200);
  EXPECT_EQ(status_of(post + "Content-Length: 11\r\n\r\n"), 413) << "before it is sent";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(status_of(chunked + "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), 200);
  EXPECT_EQ(status_of(chunked + "5\r\n01234\r\n6\r\n567890\r\n"), 413);
}

TEST_F(ServerTest, AClientThatAsksFirstIsToldToGoOnOrNot) {
  echo(10);
  start();
  TestClient client(port_);
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive().status, 100);
  client.send("body");
  EXPECT_EQ(client.receive().body, "body");
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive().status, 413);
}

TEST_F(ServerTest, WhatTheServerSaysByItselfIsMarked) {
  router_.mark_own_answers([](const Request& request, Response& response) {
    response.headers.push_back({"X-Marked", "for " + std::string(request.header("Origin"))});
  });
  echo(10);
  instant("/fine", [](Request&) { return text(200, ""); });
  instant("/bug", [](Request&) -> Response { throw std::runtime_error("bug"); });
  instant("/gone", [](Request&) { return Response{.file = FileBody{"no such file", 0, 1}}; });
  waiting("/stuck", 30ms);
  start();
  const auto mark = [&](const std::string& line, const std::string& more = "") {
    const Answer answer = ask(line + " HTTP/1.1\r\nHost: a\r\nOrigin: page\r\n" + more + "\r\n");
    return std::to_string(answer.status) + " " + answer.header("X-Marked");
  };
  EXPECT_EQ(mark("GET /fine"), "200 ");
  EXPECT_EQ(mark("GET /nothing"), "404 for page");
  EXPECT_EQ(mark("GET /echo"), "405 for page");
  EXPECT_EQ(mark("OPTIONS /echo"), "204 for page");
  EXPECT_EQ(mark("POST /echo", "Content-Length: 11\r\n"), "413 for page");
  EXPECT_EQ(mark("GET /bug"), "500 for page");
  EXPECT_EQ(mark("GET /gone"), "500 for page");
  EXPECT_EQ(mark("GET /stuck"), "503 for page");
  EXPECT_EQ(mark("BREW /pot"), "501 for ") << "what was not understood has no headers";
}

TEST_F(ServerTest, AHandlerThatThrowsIs500AndLogged) {
  instant("/bug", [](Request&) -> Response { throw std::runtime_error("secret"); });
  router_.add({.pattern = "/later", .name = "later", .handle = [](Request&) -> Task<Response> {
                 co_await boost::asio::post(boost::asio::use_awaitable);
                 throw 7;
               }});
  start();
  for (const std::string path : {"/bug", "/later"}) {
    TestClient client(port_);
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 500);
    EXPECT_THAT(answer.body, Not(HasSubstr("secret")));
    EXPECT_EQ(client.rest(), "");
  }
  EXPECT_THAT(log_.lines(), testing::Contains(AllOf(StartsWith("error bug"), HasSubstr("secret"))));
}

// --- what takes too long

TEST_F(ServerTest, ASlowHeaderIs408AndCutOff) {
  settings_.header_time_max = 30ms;
  start();
  TestClient slow(port_);
  slow.send("GET / HT");
  const Answer answer = slow.receive();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_EQ(slow.rest(), "");
}

TEST_F(ServerTest, ASilentConnectionIsClosedWithoutAWord) {
  settings_.header_time_max = 30ms;
  start();
  EXPECT_EQ(TestClient(port_).rest(), "");
}

TEST_F(ServerTest, ADripOfHeaderBytesBuysNoTime) {
  settings_.header_time_max = 30ms;
  settings_.header_max = 64 << 20;
  start();
  TestClient slow(port_);
  slow.send("GET / HTTP/1.1\r\n");
  while (log_.lines().empty()) slow.send("X: y\r\n");
  EXPECT_THAT(log_.lines(), testing::ElementsAre(HasSubstr("none 408")));
}

TEST_F(ServerTest, ASlowBodyIs408) {
  settings_.header_time_max = 30ms;
  echo(100);
  start();
  TestClient slow(port_);
  slow.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123");
  EXPECT_EQ(slow.receive().status, 408);
  EXPECT_EQ(slow.rest(), "");
}

TEST_F(ServerTest, AConnectionIdleForTooLongIsClosed) {
  settings_.idle_time_max = 30ms;
  instant("/a", [](Request&) { return text(200, ""); });
  start();
  TestClient client(port_);
  EXPECT_EQ(client.get("/a").status, 200);
  EXPECT_EQ(client.rest(), "");
}

TEST_F(ServerTest, AHandlerThatTakesTooLongIs503AndWhatItBringsIsDropped) {
  waiting("/stuck", 30ms);
  instant("/a", [](Request&) { return text(200, "a"); });
  start();
  TestClient client(port_);
  const Answer answer = client.get("/stuck");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  EXPECT_EQ(handlers_ended_, 0);
  release();
  EXPECT_EQ(client.rest(), "");
  EXPECT_EQ(TestClient(port_).get("/a").body, "a");
  EXPECT_EQ(handlers_ended_, 1);
  EXPECT_THAT(metrics_.text(), HasSubstr("http_requests_total{route=\"/stuck\",status=\"503\"} 1\n"));
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("status=\"200\"} 2")));
}

TEST_F(ServerTest, AReaderThatTakesNothingIsCutOff) {
  settings_.write_time_max = 30ms;
  const auto large = std::make_shared<const std::string>(64 << 20, 'x');
  instant("/large", [&](Request&) {
    Response response = text(200, "");
    response.shared_body = large;
    return response;
  });
  start();
  TestClient client(port_, 4096);
  client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  while (large.use_count() == 1) {
  }  // until it is being sent
  while (connections() > 0) {
  }
  EXPECT_LT(client.rest()->size(), large->size());
}

// --- many, and the end

TEST_F(ServerTest, MoreConnectionsThanAllowedWaitForTheirTurn) {
  settings_.connections_max = 2;
  instant("/a", [](Request&) { return text(200, "a"); });
  start();
  auto first = std::make_optional<TestClient>(port_);
  TestClient second(port_);
  EXPECT_EQ(first->get("/a").body, "a");
  EXPECT_EQ(second.get("/a").body, "a");
  TestClient third(port_);
  third.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(second.get("/a").body, "a");
  EXPECT_EQ(connections(), 2u);
  first.reset();
  EXPECT_EQ(third.receive().body, "a");
}

TEST_F(ServerTest, AWorkerAheadOfAnotherThatHangsServesAlone) {
  const auto cells = *region_->cells("connections", 2);
  cells[1] = 1;  // the other: no connections, and it takes none
  settings_.balance = cells;
  instant("/a", [](Request&) { return text(200, "a"); });
  start();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<TestClient>(port_));
  for (const auto& client : clients) EXPECT_EQ(client->get("/a").body, "a");
  EXPECT_EQ(cells[0], 21u);
  stop();
  EXPECT_EQ(cells[0], 0u);
}

TEST_F(ServerTest, TenThousandIdleConnectionsHinderNobody) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  constexpr size_t kIdle = 10'000;
  if (limit.rlim_max < 2 * kIdle)
    GTEST_SKIP() << "needs " << 2 * kIdle << " descriptors (both ends), the limit is " << limit.rlim_max;
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  const size_t idle = std::min<size_t>(kIdle, (limit.rlim_max - 100) / 2);
  settings_.connections_max = kIdle + 10;
  instant("/a", [](Request&) { return text(200, "a"); });
  start();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (size_t i = 0; i < idle; ++i) {
    clients.push_back(std::make_unique<TestClient>(port_));
    ASSERT_TRUE(clients.back()->connected());
    if (i % 100 == 0) {
      ASSERT_EQ(clients.back()->get("/a").body, "a");
    }
  }
  while (connections() < idle) {
  }
  EXPECT_EQ(TestClient(port_).get("/a").body, "a");
  EXPECT_EQ(clients[idle / 2]->get("/a").body, "a");
}

TEST_F(ServerTest, DrainingAnswersWhatRunsAndEndsTheRest) {
  waiting("/wait");
  instant("/a", [](Request&) { return text(200, "a"); });
  start();
  TestClient running(port_);
  running.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  entered_.acquire();
  TestClient idle(port_);
  EXPECT_EQ(idle.get("/a").status, 200);
  TestClient active(port_);
  EXPECT_EQ(active.get("/a").status, 200);

  auto drained = drain(1h);
  in_worker([] {});
  const Answer last = active.get("/a");
  EXPECT_EQ(last.body, "a");
  EXPECT_EQ(last.header("Connection"), "close");
  EXPECT_FALSE(TestClient(port_).connected()) << "nobody listens any more";
  release();
  const Answer answer = running.receive();
  EXPECT_EQ(answer.body, "released");
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_EQ(idle.get("/a").header("Connection"), "close");
  for (TestClient* client : {&running, &idle, &active}) {
    EXPECT_EQ(client->rest(), "");
    client->hang_up();
  }
  drained.wait();
  EXPECT_EQ(connections(), 0u);
}

TEST_F(ServerTest, DrainingClosesIdleConnectionsAfterTheLinger) {
  instant("/a", [](Request&) { return text(200, "a"); });
  start();
  TestClient fresh(port_);
  TestClient idle(port_);
  EXPECT_EQ(idle.get("/a").status, 200);
  drain(10ms).wait();
  EXPECT_EQ(idle.rest(), "");
  EXPECT_EQ(fresh.rest(), "");
}

TEST_F(ServerTest, DrainingEndsAtItsDeadlineWhateverRuns) {
  waiting("/stuck");
  start();
  TestClient client(port_);
  client.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n");
  entered_.acquire();
  drain(1h, 10ms).wait();
  EXPECT_EQ(client.rest(), "");
  release();
}

TEST_F(ServerTest, EveryAnswerIsCounted) {
  instant("/a", [](Request&) { return text(200, "a"); });
  start();
  TestClient client(port_);
  client.get("/a");
  client.get("/a");
  client.get("/b");
  const std::string text = metrics_.text();
  EXPECT_THAT(text, HasSubstr("http_requests_total{route=\"/a\",status=\"200\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("http_requests_total{route=\"none\",status=\"404\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("http_request_duration_seconds_count{route=\"/a\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("http_connections 1\n"));
}

TEST(ListenOn, AnAddressInUseIsSaid) {
  const auto first = listen_on("127.0.0.1", 0);
  ASSERT_TRUE(first.ok());
  const Descriptor closing(*first);
  const auto second = listen_on("127.0.0.1", port_of(*first));
  ASSERT_TRUE(second.is(Errc::kUnavailable));
  EXPECT_THAT(second.error().what, HasSubstr("127.0.0.1:" + std::to_string(port_of(*first))));
}

}  // namespace
}  // namespace daruma::service
