#include "lastminutestay/tests/reply.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "service/test_client.h"

namespace lastminutestay {

boost::json::value Reply::json() const {
  boost::system::error_code malformed;
  auto value = boost::json::parse(body, malformed);
  EXPECT_FALSE(malformed) << status << " " << body;
  return value;
}

std::string Reply::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

Reply ask_port(int port, const std::string& method, const std::string& target, const std::string& body,
               const Headers& headers) {
  std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n", method, target);
  for (const auto& [name, value] : headers) request += name + ": " + value + "\r\n";
  if (!body.empty() || method == "POST") request += fmt::format("Content-Length: {}\r\n", body.size());
  daruma::service::TestClient client(port);
  if (!client.connected() || !client.send(request + "\r\n" + body)) return {};
  const auto answer = client.receive();
  const std::string length = answer.header("Content-Length");
  if (!length.empty() && answer.body.size() != std::stoul(length)) return {};
  return {answer.status, answer.headers, answer.body};
}

}  // namespace lastminutestay
