// Functions that run in a forked process.

#ifndef ISSP_FORKING_H_
#define ISSP_FORKING_H_

#include <sys/wait.h>
#include <unistd.h>

namespace issp::testing {

// The exit status of a forked process, or -1 if it does not end.
template <class Function>
int returned_by_fork(const Function& function) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(function());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace issp::testing

#endif  // ISSP_FORKING_H_
