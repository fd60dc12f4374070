// datastore/postgres/dump_scan.h: what a dump in SQL holds, told by reading all of it: which databases, how
// many rows of each table, and whether it is whole.
//
// A dump is whole when pg_dump or pg_dumpall wrote its last line. The rows are counted from the COPY
// blocks, so that a restored database can be compared with its dump; tables dumped as INSERT are not
// counted.
// Source:  PostgreSQL src/bin/pg_dump (the comments it writes), documentation of COPY (text format).
// Threads: one at a time; memory does not grow with the dump.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace daruma::postgres {

struct DumpFacts {
  bool cluster = false;                       // of pg_dumpall: roles and all databases
  bool complete = false;                      // its last line is there
  std::vector<std::string> databases = {};    // that it connects to, in order; of pg_dump none
  std::map<std::string, uint64_t> rows = {};  // "database.schema.table"; of pg_dump "schema.table"
  uint64_t bytes = 0;
};

class DumpScan {
 public:
  void feed(std::string_view piece);
  // At the end of the text.
  DumpFacts finish();

 private:
  void end_line();
  void read_statement(std::string_view line);
  void begin_copy(std::string_view line);

  DumpFacts facts_;
  std::string head_;   // of the line that is being read; its rest is not kept
  size_t length_ = 0;  // of that line
  std::string tail_;   // its last bytes
  bool data_follows_ = false;
  bool first_ = true;
  std::string database_;
  uint64_t* counting_ = nullptr;  // in a COPY block: its table's rows
};

// "\connect authdb", with or without quotes and options -> authdb. nullopt: another line.
std::optional<std::string> connected_database(std::string_view line);

}  // namespace daruma::postgres
