// library/people.h: the people of the example data: the same in all three databases, because ids come from
// names.
//
// Threads: immutable.
#pragma once

#include <span>
#include <string>

namespace aimicro {

struct Person {
  const char* email;
  const char* name;
  const char* organisation;
  const char* bio;
  const char* language;
  const char* time_zone;
  bool admin = false;
};

std::span<const Person> people();
std::string id_of(const Person& person);

}  // namespace aimicro
