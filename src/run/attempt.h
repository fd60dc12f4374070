// run/attempt.h: one attempt at a step, as files: what is to be done, and what became of it.
//
//   order.json      what to do; written before anything acts
//   lock            held by the runner while it lives
//   sealed          whoever finds it must not begin: a later engine gave the attempt up
//   started.json    the runner is about to act; durable before it does
//   prepared.json   what prepare() saw; durable before act()
//   answer.json     the worker's word
//   output          what it printed, secrets taken out, at most kOutputMost bytes
//   result.json     the outcome; durable, written last
// Rule:    lock free and no result: with started.json it began and vanished, without it never began, once
//          sealed.
// Threads: plain functions; several processes agree through the lock.
#pragma once

#include <optional>
#include <string>

#include "base/value.h"
#include "os/file_system.h"
#include "run/engine.h"

namespace daruma::run {

inline constexpr uint64_t kOutputMost = 8 << 20;

// What a runner must know besides the order.
struct Assignment {
  Order order;
  std::string run;
  Path config;  // daruma.yaml; empty: none
  Path run_directory;
  std::string config_hash =
      {};  // of the copy in run_directory that the run acts by; empty: by `config` itself
};

Status write_assignment(FileSystem& fs, const Path& attempt, const Assignment& assignment);
Result<Assignment> read_assignment(FileSystem& fs, const Path& attempt);

// nullopt: there is none yet.
Result<std::optional<Ended>> read_result(FileSystem& fs, const Path& attempt);
Status write_result(FileSystem& fs, const Path& attempt, const Ended& ended);

// The worker's word to its runner: outputs, or why not.
Status write_answer(FileSystem& fs, const Path& attempt, const Result<Value>& answer);
Result<Value> read_answer(FileSystem& fs, const Path& attempt);

Status write_value(FileSystem& fs, const Path& file, const Value& value);
// Null: there is none.
Result<Value> read_value(FileSystem& fs, const Path& file);

// What became of an attempt. When nobody acts and nothing was begun, seals it: then it never will.
Result<Remains> look_at(FileSystem& fs, const Path& attempt);

}  // namespace daruma::run
