#include "ai_micro_test.h"

#include <fmt/format.h>

namespace aimicro {

AiMicroSystem& the_system() {
  static AiMicroSystem system;
  return system;
}

void AiMicroTest::take(Visitor& who, const Answer& answer) {
  ASSERT_EQ(answer.status, 200) << answer.body;
  who.token = field_of(answer.body, "accessToken");
  who.cookie = cookie_of(answer);
  who.id = field_of(field_of(answer.body, "user"), "id");
}

Visitor AiMicroTest::somebody() {
  static int count = 0;
  Visitor who;
  who.email = "visitor" + std::to_string(++count) + "@example.com";
  who.password = kPassword;
  const Answer made = auth("/auth/register", json_of({{"email", who.email}, {"password", who.password}}));
  EXPECT_EQ(made.status, 201) << made.body;
  take(who, log_in(who.email, who.password));
  return who;
}

Visitor AiMicroTest::an_admin() {
  Visitor who = somebody();
  EXPECT_EQ(system().command("auth-service", {"grant", who.email}).code, 0);
  take(who, log_in(who.email, who.password));
  return who;
}

std::string AiMicroTest::upload(const Visitor& who, const std::string& name, const std::string& body,
                                const std::string& type) {
  std::string encoded;
  for (const char c : name) encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  const Answer answer = system().ask("admin-service", "POST", "/api/documents?name=" + encoded,
                                     who.with({{"Content-Type", type}}), body);
  EXPECT_EQ(answer.status, 201) << answer.body;
  return field_of(answer.body, "id");
}

}  // namespace aimicro
