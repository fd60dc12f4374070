#include "watch/ask_all.h"

#include <memory>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/guarded.h"

namespace daruma::watch {
namespace {

// Shared with threads that may outlive the call: hence the shared_ptr below.
struct Board {
  struct Answers {
    std::vector<std::optional<Answer>> given;
    size_t missing = 0;
  };
  Guarded<Answers> answers;
  std::stop_source all_there;
};

void put(Board& board, size_t index, Answer answer) {
  const auto answers = [&] {
    auto access = board.answers.lock();
    access->given[index] = std::move(answer);
    return --access->missing;
  }();
  if (answers == 0) board.all_there.request_stop();
}

}  // namespace

bool ask_all(std::vector<Question> questions, Facts& facts, Clock& clock, Deadline deadline) {
  const auto board = std::make_shared<Board>();
  {
    auto answers = board->answers.lock();
    answers->given.resize(questions.size());
    answers->missing = questions.size();
  }
  std::vector<std::thread> threads;
  for (size_t index = 0; index < questions.size(); ++index)
    threads.emplace_back(
        [board, index, ask = std::move(questions[index].ask)] { put(*board, index, ask()); });
  if (!questions.empty()) clock.pause(deadline.left(clock.mono()), board->all_there.get_token());

  bool all = true;
  for (size_t index = 0; index < questions.size(); ++index) {
    std::optional<Answer> answer = std::move(board->answers.lock()->given[index]);
    if (answer) {
      threads[index].join();  // it has said its last word
      (*answer)(facts);
    } else {
      threads[index].detach();
      questions[index].unanswered(facts);
      all = false;
    }
  }
  return all;
}

}  // namespace daruma::watch
